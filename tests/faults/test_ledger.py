"""What Segment has acknowledged is not sent again, and what it may not have taken is: under faults of every kind."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from segment_bridge.events import from_body
from tests.faults.hold import Hold
from tests.faults.test_segment import RETRIED, TERMINAL, TRIES, reset_after_taking, silent_after_taking

if TYPE_CHECKING:
    from tests.faults.conftest import Line
    from tests.faults.proxy import Wire
    from tests.faults.test_segment import Fault

SMALL, OTHER = "application-events", "release-done"
ONCE = {"SEGMENT_BRIDGE_RESEND": "unacknowledged"}
PATIENCE = 60
TAKEN = {
    "reset after the body was taken": reset_after_taking,
    "no answer after the body was taken": silent_after_taking,
}
CASES = [
    *((name, fault, TRIES) for name, fault in (RETRIED | TAKEN).items()),
    *((name, fault, 1) for name, fault in TERMINAL.items()),
]


def ends(line: Line) -> dict[str, set[str]]:
    """Return what became of each journey's events."""
    journeys = line.report["journeys"].items()
    return {name: {end for end in ("sent", "undelivered", "acknowledged") if books[end]} for name, books in journeys}


@pytest.mark.parametrize(
    ("fault", "times"),
    [pytest.param(*case, id=f"{name}, until one of two batches is given up") for name, *case in CASES],
)
def test_the_next_run_sends_what_was_given_up_and_no_more(line: Line, fault: Fault, times: int) -> None:
    line.segment.cue(fault, times=times)
    # With one connection it is known which of the two batches the fault meets.
    timeout = {"SEGMENT_TIMEOUT": "1"} if fault is silent_after_taking else {}
    line.run(SMALL, OTHER, SEGMENT_CONNECTIONS="1", **timeout, **ONCE)
    assert (line.code, ends(line)) == (1, {SMALL: {"undelivered"}, OTHER: {"sent"}})
    line.segment.clear()
    line.run(SMALL, OTHER, **ONCE)
    assert ends(line) == {SMALL: {"sent"}, OTHER: {"acknowledged"}}
    # What Segment has taken without a word arrives again, and Segment drops it.
    assert (line.check().resent >= line.count(SMALL)) is (fault in TAKEN.values())


@pytest.mark.parametrize(
    "taken",
    [
        pytest.param(taken, id=f"kill -9 in deliver, {name} taking")
        for taken, name in ((False, "before"), (True, "after"))
    ],
)
def test_killed_in_deliver(line: Line, taken: bool) -> None:
    hold = Hold(taken=taken)
    line.segment.cue(hold, skip=1)
    running = line.start(SMALL, OTHER, SEGMENT_CONNECTIONS="1", **ONCE)
    hold.wait()
    deadline = time.monotonic() + PATIENCE
    (batch,) = line.staging.glob(f"runs/*/batches/{SMALL}/*")
    events = len(from_body(batch.read_bytes()))
    while sum(file.stat().st_size for file in line.staging.glob("ledger/*/*.ids")) < 16 * events:
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two looks
    running.kill()
    line.finish(running)
    line.check_only(-9)
    hold.let_go()
    line.segment.clear()
    line.run(SMALL, OTHER, **ONCE)
    assert ends(line) == {SMALL: {"acknowledged"}, OTHER: {"sent"}}
    line.check()


def test_two_runs_at_once_and_a_third(line: Line) -> None:
    both = threading.Barrier(2)

    def together(wire: Wire) -> None:
        both.wait(PATIENCE)
        wire.reply(wire.ask())

    line.segment.cue(together, times=2)
    # With one connection each, both batches that meet are of different runs.
    for running in [line.start(SEGMENT_CONNECTIONS="1", **ONCE) for _ in range(2)]:
        line.finish(running)
        assert line.code == 0, line.said
    line.run(**ONCE)
    assert set(map(frozenset, ends(line).values())) == {frozenset({"acknowledged"})}
    line.check()
