"""Segment: its whole retry contract, once and for ever."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from tests.faults.proxy import Answer, Wire, elsewhere, unbound
from tests.faults.world import fabricated, fabricated_ids, searching

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Line

    Fault = Callable[[Wire], None]

SMALL, OTHER = "application-events", "release-done"
TRIES = 3


def status(code: int, body: bytes = b"not now", **headers: str) -> Fault:
    given = {"Content-Type": "text/plain"} | {name.replace("_", "-"): headers[name] for name in headers}
    return lambda wire: wire.reply(Answer(code, body, given))


def reset_after_taking(wire: Wire) -> None:
    wire.ask()
    wire.reset()


def silent_after_taking(wire: Wire) -> None:
    wire.ask()
    wire.wait()


def not_http(wire: Wire) -> None:
    _ = wire.body
    wire.send(b"\x00\x01 this is no HTTP\r\n\r\n")


def in_a_moment(wire: Wire) -> None:
    """Ask for a pause until a date, which is more than a second away."""
    wire.reply(Answer(503, b"", {"Retry-After": formatdate(time.time() + 2, usegmt=True)}))


RETRIED = {str(code): status(code) for code in (408, 410, 429, 460, 500, 502, 503, 504, 529)} | {
    "reset before the body was taken": Wire.reset,
    "no HTTP at all": not_http,
    "a Retry-After that is neither": status(503, Retry_After="soon"),
}
TERMINAL = {str(code): status(code) for code in (402, 422, 501, 505)} | {
    "redirect": status(307, Location="/v1/batch"),
}


@pytest.mark.parametrize("fault", RETRIED.values(), ids=[f"{name}, once" for name in RETRIED])
def test_the_same_bytes_again(line: Line, fault: Fault) -> None:
    line.segment.cue(fault, times=1)
    line.run(SMALL, OTHER)
    line.check()
    assert len(line.segment.asked) == 3


@pytest.mark.parametrize("fault", RETRIED.values(), ids=[f"{name}, for ever" for name in RETRIED])
def test_given_up_and_kept(line: Line, fault: Fault) -> None:
    line.segment.cue(fault)
    line.run(SMALL, OTHER)
    line.check(1, undelivered=line.count())
    assert len(line.segment.asked) == 2 * TRIES


@pytest.mark.parametrize("fault", TERMINAL.values(), ids=[f"{name}, once" for name in TERMINAL])
def test_terminal_for_one_batch(line: Line, fault: Fault) -> None:
    line.segment.cue(fault, times=1)
    # With one connection it is known which of the two batches the fault meets.
    line.run(SMALL, OTHER, SEGMENT_CONNECTIONS="1")
    line.check(1, undelivered=line.count(SMALL))
    assert len(line.segment.asked) == 2


@pytest.mark.parametrize("fault", TERMINAL.values(), ids=[f"{name}, for ever" for name in TERMINAL])
def test_terminal_for_all(line: Line, fault: Fault) -> None:
    line.segment.cue(fault)
    line.run(SMALL, OTHER)
    line.check(1, undelivered=line.count())
    assert len(line.segment.asked) == 2


@pytest.mark.parametrize(
    ("code", "times"),
    [
        pytest.param(code, times, id=f"{code}, {name}")
        for code in (401, 403, 404)
        for name, times in (("once", 1), ("for ever", float("inf")))
    ],
)
def test_the_line_stops(line: Line, code: int, times: float) -> None:
    line.segment.cue(status(code), times=times)
    # What is under way on other connections ends as it ends; with one, nothing is begun behind the refusal.
    line.run(SMALL, OTHER, SEGMENT_CONNECTIONS="1")
    line.check(2, undelivered=line.count())
    assert len(line.segment.asked) == 1


@pytest.mark.parametrize("code", [400, 413], ids=["400 in plain text, once", "413, once"])
def test_halved_once(line: Line, code: int) -> None:
    line.segment.cue(status(code), times=1)
    line.run(SMALL, OTHER)
    line.check()
    assert len(line.segment.asked) == 4


@pytest.mark.parametrize("code", [400, 413], ids=["400 in plain text, for ever", "413, for ever"])
def test_halved_down_to_every_event(line: Line, code: int) -> None:
    line.segment.cue(status(code))
    line.run(SMALL)
    line.check(1, rejected=line.count())
    assert len(line.segment.asked) == 2 * line.report["total"]["events"] - 1


def test_one_poison_event_among_2500(line: Line) -> None:
    ids = fabricated_ids(2500, SMALL)
    line.due[SMALL], line.found[SMALL] = frozenset(ids), len(ids)
    answer = fabricated(line.world, len(ids), SMALL)
    line.splunk.cue(lambda wire: wire.reply(answer), applies=searching(SMALL))
    poison = ids[1234].encode()
    line.segment.cue(status(400), applies=lambda wire: poison in wire.body)
    line.run(SMALL)
    line.check(1, rejected=1)
    assert line.report["total"]["batches"] == 1
    assert len(line.segment.asked) <= 1 + 2 * 12


@pytest.mark.parametrize(
    "fault",
    [status(429, Retry_After="1"), in_a_moment],
    ids=["429 and a pause in seconds", "503 and a pause until a date"],
)
def test_a_pause_that_is_asked_for(line: Line, fault: Fault) -> None:
    line.segment.cue(fault, times=1)
    began = time.monotonic()
    line.run(SMALL, OTHER)
    line.check()
    assert time.monotonic() - began >= 1


def test_a_pause_asked_for_again_and_again(line: Line) -> None:
    line.segment.cue(status(429, Retry_After="1"))
    line.run(SMALL, SEGMENT_BUDGET="2.5")
    line.check(1, undelivered=line.count())
    assert len(line.segment.asked) == TRIES


def test_a_pause_of_a_day(line: Line) -> None:
    line.segment.cue(status(429, Retry_After="86400"))
    line.run(SMALL, SEGMENT_BUDGET="2")
    line.check(1, undelivered=line.count())
    assert len(line.segment.asked) == 1


def test_reset_after_the_body_was_taken_once(line: Line) -> None:
    line.segment.cue(reset_after_taking, times=1)
    line.run(SMALL, OTHER)
    assert line.check().resent >= line.count(SMALL)


def test_reset_after_the_body_was_taken_for_ever(line: Line) -> None:
    """Segment has it all, and nothing proves it: the books say undelivered."""
    line.segment.cue(reset_after_taking)
    line.run(SMALL, OTHER)
    line.check(1)
    assert line.report["total"]["undelivered"] == line.report["total"]["events"]


@pytest.mark.parametrize("fault", [Wire.wait, silent_after_taking], ids=["no answer, once", "taken, no answer, once"])
def test_no_answer_once(line: Line, fault: Fault) -> None:
    line.segment.cue(fault, times=1)
    line.run(SMALL, OTHER, SEGMENT_TIMEOUT="0.5")
    line.check()


def test_no_answer_for_ever(line: Line) -> None:
    line.segment.cue(Wire.wait)
    line.run(SMALL, OTHER, SEGMENT_TIMEOUT="0.2")
    line.check(1, undelivered=line.count())


def broken_head(wire: Wire) -> None:
    wire.ask()
    wire.send(b"HTTP/1.1 200 -\r\nContent-Type: text/plain\r\n")


def test_200_whose_head_breaks_off_once(line: Line) -> None:
    line.segment.cue(broken_head, times=1)
    line.run(SMALL, OTHER)
    assert line.check().resent >= line.count(SMALL)


def test_200_whose_head_breaks_off_for_ever(line: Line) -> None:
    """Segment has it all, and half an answer does not prove it."""
    line.segment.cue(broken_head)
    line.run(SMALL, OTHER)
    line.check(1)
    assert line.report["total"]["undelivered"] == line.report["total"]["events"]


def test_an_answer_that_drips(line: Line) -> None:
    def drip(wire: Wire) -> None:
        _ = wire.body
        wire.send(b"HTTP/1.1 503 -\r\nX-Slow: ")
        for _ in range(40):
            wire.send(b"x")
            time.sleep(0.1)

    line.segment.cue(drip)
    began = time.monotonic()
    line.run(SMALL, SEGMENT_TIMEOUT="0.5", SEGMENT_BUDGET="1")
    line.check(1, undelivered=line.count())
    assert time.monotonic() - began < 3, "too slow"


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe{", b"<html>", b'{"success":false}', b""],
    ids=["200 with garbage", "200 with a page", "200 that denies success", "200 with an empty body"],
)
def test_200_with_a_body_that_is_none(line: Line, body: bytes) -> None:
    def fault(wire: Wire) -> None:
        wire.ask()
        wire.reply(Answer(200, body))

    line.segment.cue(fault)
    line.run(SMALL, OTHER)
    line.check()


def test_200_cut_short(line: Line) -> None:
    line.segment.cue(lambda wire: wire.reply(wire.ask(), claimed=1_000))
    line.run(SMALL, OTHER)
    line.check()


@pytest.mark.parametrize("address", [unbound(), elsewhere("segment")], ids=["refused, for ever", "no such host"])
def test_away(line: Line, address: str) -> None:
    line.run(SMALL, OTHER, SEGMENT_BATCH_API=address)
    line.check(1, undelivered=line.count())


def test_503_for_a_whole_run(line: Line) -> None:
    """After an outage, another run over the same hours makes up for it."""
    line.segment.cue(status(503))
    line.run(SMALL, OTHER)
    line.check(1, undelivered=line.count())
    line.segment.clear()
    line.run(SMALL, OTHER)
    line.check()
