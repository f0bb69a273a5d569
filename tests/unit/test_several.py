"""Several batches at once, over real HTTP."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from segment_bridge.errors import FatalError
from segment_bridge.segment import MisconfiguredError, Outcome, Segment, deliver_several
from segment_bridge.settings import SegmentSettings
from tests.unit.test_segment import BODY, KEY, Reply, attempts, script, serving, stall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.unit.test_segment import Request, Server


def client(server: Server, connections: int = 4, **more: float) -> Segment:
    return Segment(SegmentSettings(write_key=KEY, batch_api=server.url, connections=connections, pause=0.001, **more))  # type: ignore[arg-type] # numbers


def bodies(count: int) -> Iterator[tuple[int, bytes]]:
    return ((number, BODY) for number in range(count))


def deliver(segment: Segment, count: int) -> dict[int, Outcome]:
    return dict(deliver_several(bodies(count), segment, segment.connections))


def test_each_batch_has_its_outcome() -> None:
    with serving(script(200, 503, 429, 200)) as server, client(server) as segment:
        outcomes = deliver(segment, 20)
    assert sorted(outcomes) == list(range(20))
    assert {outcome.delivered for outcome in outcomes.values()} == {3}


def test_as_many_are_under_way_as_there_are_connections() -> None:
    under_way = most = 0
    lock = threading.Lock()

    def answer(_: Request) -> int:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.02)
        with lock:
            under_way -= 1
        return 200

    with serving(answer) as server, client(server) as segment:
        deliver(segment, 40)
    assert most == 4
    assert len({request.client for request in server.requests}) == 4


class Counted(bytes):
    """Bytes that know how many of their kind there are."""

    alive = most = 0

    def __init__(self, _: bytes) -> None:
        Counted.alive += 1
        Counted.most = max(Counted.most, Counted.alive)

    def __del__(self) -> None:
        Counted.alive -= 1


def test_no_more_bodies_are_in_memory_than_connections_and_one() -> None:
    def answer(_: Request) -> int:
        time.sleep(0.01)
        return 200

    with serving(answer) as server, client(server) as segment:
        counted = ((number, Counted(BODY)) for number in range(40))
        assert len(dict(deliver_several(counted, segment, 3))) == 40
    assert Counted.most == 4


def until_error(given: Iterable[tuple[int, bytes]], segment: Segment, outcomes: dict[int, Outcome]) -> None:
    """Note the outcomes that come before an error."""
    for number, outcome in deliver_several(given, segment, segment.connections):
        outcomes.update({number: outcome})


def test_a_misconfiguration_stops_the_line_and_what_was_not_begun_stays() -> None:
    def answer(_: Request) -> int:
        return 401 if len(server.requests) > 6 else 200

    begun: list[int] = []

    def noted() -> Iterator[tuple[int, bytes]]:
        for number, body in bodies(1_000):
            begun.append(number)
            yield number, body

    outcomes: dict[int, Outcome] = {}
    with serving(answer) as server, client(server) as segment, pytest.raises(MisconfiguredError):
        until_error(noted(), segment, outcomes)
    assert sum(outcome.delivered for outcome in outcomes.values()) == 18
    assert all(outcome.attempts == attempts(401) for outcome in outcomes.values() if outcome.undelivered)
    assert len(outcomes) == len(server.requests) <= len(begun) <= 15


def test_a_body_that_is_no_batch_stops_it_after_those_under_way() -> None:
    given = [(0, BODY), (1, b"no batch"), (2, BODY)]
    outcomes: dict[int, Outcome] = {}
    with serving(script(200)) as server, client(server, connections=1) as segment, pytest.raises(FatalError):
        until_error(given, segment, outcomes)
    assert list(outcomes) == [0]


@pytest.mark.parametrize("answer", [Reply(429, {"Retry-After": "300"}), stall], ids=["in a pause", "in a request"])
def test_whoever_stops_earlier_does_not_wait_for_pauses(answer: Reply) -> None:
    first = threading.Event()

    def one_quick(_: Request) -> object:
        if first.is_set():
            return answer
        first.set()
        return 200

    begin = time.monotonic()
    with serving(one_quick) as server, client(server, timeout=2) as segment:  # type: ignore[arg-type] # an answer
        running = deliver_several(bodies(10), segment, 4)
        assert next(running)[1].delivered == 3
        running.close()  # type: ignore[attr-defined] # a generator
    assert time.monotonic() - begin < 5


def test_nothing_to_deliver() -> None:
    with serving(script(200)) as server, client(server) as segment:
        assert deliver(segment, 0) == {}
