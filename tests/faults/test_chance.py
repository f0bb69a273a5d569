"""Faults at random over much traffic; `make soak` runs it."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest

from tests.faults import splunk_faults
from tests.faults.proxy import Answer, Proxy, Wire
from tests.faults.world import fabricated, fabricated_ids, searching

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.faults.conftest import Line

EVENTS = 200_000
ONE_IN = 50
#: Bytes that a result carries beside its own, so that a batch holds some hundred events and not thousands.
FILLER = 400


class Chance:
    """One request in fifty goes wrong; which ones, and how, follows from the seed and their order."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible faults
        self._lock = threading.Lock()
        self.requests = self.faults = 0

    def over(self, proxy: Proxy, answer: Callable[[Wire], Answer], faults: Sequence[Callable[[Wire], None]]) -> None:
        """Let all requests to a proxy take their chance; the others are answered."""

        def take(wire: Wire) -> None:
            with self._lock:
                self.requests += 1
                fault = self._random.choice(faults) if self._random.randrange(ONE_IN) == 0 else None
                self.faults += fault is not None
            if fault:
                fault(wire)
            else:
                wire.reply(answer(wire))

        proxy.cue(take)


def status(code: int, **headers: str) -> Callable[[Wire], None]:
    return lambda wire: wire.reply(Answer(code, b"", {name.replace("_", "-"): headers[name] for name in headers}))


def reset_after_taking(wire: Wire) -> None:
    wire.ask()
    wire.reset()


def ask(wire: Wire) -> Answer:
    return wire.ask()


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("seed", "resend"),
    [
        pytest.param(1, "always", id="one request in fifty fails, seed 1"),
        pytest.param(2, "always", id="one request in fifty fails, seed 2"),
        pytest.param(3, "unacknowledged", id="one request in fifty fails, seed 3; the next run sends nothing again"),
    ],
)
def test_one_fault_in_fifty_requests(line: Line, seed: int, resend: str) -> None:
    each = EVENTS // len(line.due)
    answers = []
    for name in line.due:
        ids = fabricated_ids(each, name)
        line.due[name], line.found[name] = frozenset(ids), each
        answers.append((searching(name), fabricated(line.world, each, name, filler=FILLER)))

    def found(wire: Wire) -> Answer:
        return next((answer for searches, answer in answers if searches(wire)), None) or wire.ask()

    def cut(wire: Wire) -> None:
        whole = found(wire).body if wire.search else b""
        wire.reply(Answer(body=whole[: len(whole) * 2 // 3]), claimed=len(whole) + 1)

    def fatal(wire: Wire) -> None:
        wire.reply(Answer(body=b"".join([*found(wire).lines[:1_000], splunk_faults.FATAL])))

    def failing(wire: Wire) -> None:
        (fatal if wire.search else Wire.reset)(wire)

    chance = Chance(seed)
    chance.over(line.splunk, found, [Wire.reset, status(503), cut, failing])
    chance.over(line.kubernetes, ask, [Wire.reset, status(410), status(500), status(429, Retry_After="1")])
    segment = [Wire.reset, reset_after_taking, status(429, Retry_After="1"), status(500), status(503), status(400)]
    chance.over(line.segment, ask, segment)
    line.run(SEGMENT_TIMEOUT="5", SPLUNK_TIMEOUT="20", SEGMENT_BRIDGE_RESEND=resend)
    if resend == "unacknowledged":
        assert line.code == 0, line.said
        asked = len(line.segment.asked)
        line.run(SEGMENT_TIMEOUT="5", SPLUNK_TIMEOUT="20", SEGMENT_BRIDGE_RESEND=resend)
        assert (line.report["total"]["acknowledged"], len(line.segment.asked)) == (each * len(line.due), asked)
    line.name["fault"] += f": {chance.faults} faults in {chance.requests} requests"
    figures = line.check()
    assert (figures.due, figures.delivered) == (each * len(line.due), each * len(line.due))
    assert chance.faults > chance.requests // ONE_IN // 4
