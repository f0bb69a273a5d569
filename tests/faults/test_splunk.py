"""Splunk, and what is between it and us."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from segment_bridge import line as stages
from segment_bridge.catalog import find
from segment_bridge.errors import IncompleteAnswer
from segment_bridge.settings import SplunkSettings
from segment_bridge.splunk import Splunk
from segment_bridge.staging import Staging
from tests.faults import splunk_faults as faults
from tests.faults.proxy import Answer, elsewhere, unbound
from tests.faults.world import SOURCE, searching

if TYPE_CHECKING:
    from tests.faults.conftest import Line
    from tests.faults.proxy import Wire

BROKEN = "component-events"
SMALL = "application-events"
TRIES = 3
#: The searches of a run that are none of its journeys': it counts the records that the API server has cut.
CHECKS = 1

#: What is asked for again, and is whole the next time.
PASSING = {
    "reset before the answer": faults.reset,
    "reset in mid-row": faults.reset_in_mid_row,
    "cut in mid-row, without a length": faults.cut_in_mid_row,
    "cut after the first line, with a length": faults.cut(1, "length"),
    "cut before the last line, with a length": faults.cut(-1, "length"),
    "cut before the last line, without a length": faults.cut(-1, "close"),
    "cut before the first line, without a length": faults.cut(0, "close"),
    "cut in mid-chunks": faults.cut(5, "chunked"),
    "FATAL in a 200, instead of rows": faults.changed(lambda _: [faults.FATAL]),
    "FATAL in a 200, after half of the rows": faults.changed(lambda rows: [*rows[: len(rows) // 2], faults.FATAL]),
    "ERROR after the last row": faults.changed(lambda rows: [*rows, faults.ERROR]),
    "WARN of a lost peer": faults.changed(lambda rows: [faults.LOST_PEER, *rows]),
    "early finalize": faults.changed(lambda rows: [*rows, faults.FINALIZED]),
    "offsets with a hole": faults.changed(lambda rows: [*rows[:7], *rows[8:]]),
    "a row twice": faults.changed(lambda rows: [*rows[:8], *rows[7:]]),
    "no row is the last": faults.changed(faults.never_last),
    "rows after the last": faults.changed(lambda rows: [*rows, rows[0]]),
    "gzip that nobody asked for": faults.gzipped,
    "garbage between chunks": faults.chunk_garbage,
    "invalid UTF-8": faults.changed(
        lambda rows: [rows[0].replace(b'"result":{', b'"result":{"x":"\xff\xfe",'), *rows[1:]]
    ),
    "an empty body": faults.changed(lambda _: []),
    "no HTTP at all": faults.not_http,
    "500": faults.refuse(500),
    "503, quota of searches": faults.refuse(503, "The maximum number of concurrent searches has been reached."),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=[f"{name}, once" for name in PASSING])
def test_what_passes_costs_a_search(line: Line, fault: faults.Fault) -> None:
    line.splunk.cue(fault, applies=searching(BROKEN), times=1)
    line.run()
    line.check()
    assert _searches(line) == len(line.due) + 1 + CHECKS


#: What the report says of those that Splunk tells of itself.
TOLD = {
    "FATAL in a 200, instead of rows": " (FATAL, the search failed)",
    "FATAL in a 200, after half of the rows": " (FATAL, the search failed)",
    "ERROR after the last row": " (ERROR, the search failed)",
    "WARN of a lost peer": " (WARN, a search peer is in trouble)",
    "early finalize": " (INFO, the search was ended early)",
}


@pytest.mark.parametrize("name", PASSING, ids=[f"{name}, for ever" for name in PASSING])
def test_what_does_not_pass_costs_a_journey(line: Line, name: str) -> None:
    line.splunk.cue(PASSING[name], applies=searching(BROKEN))
    line.run(BROKEN, SMALL)
    line.check(1, unreached=line.count(BROKEN))
    assert line.report["problems"] == [f"{BROKEN}: no complete answer to its search{TOLD.get(name, '')}"]
    assert _searches(line) == TRIES + 1 + CHECKS


def test_preview_rows(line: Line) -> None:
    line.splunk.cue(faults.changed(faults.previews), applies=lambda wire: bool(wire.search))
    line.run()
    line.check()
    assert _searches(line) == len(line.due) + CHECKS


def test_keep_alives_for_longer_than_the_timeout(line: Line) -> None:
    line.splunk.cue(faults.keep_alives(2.0, 0.2), applies=searching(BROKEN))
    line.run(BROKEN, SPLUNK_TIMEOUT="1")
    line.check()
    assert _searches(line) == 1 + CHECKS


def test_silence_in_mid_row_once(line: Line) -> None:
    line.splunk.cue(faults.silence, applies=searching(BROKEN), times=1)
    line.run(BROKEN, SMALL, SPLUNK_TIMEOUT="0.5")
    line.check()


def test_silence_in_mid_row_for_ever(line: Line) -> None:
    line.splunk.cue(faults.silence, applies=searching(BROKEN))
    line.run(BROKEN, SMALL, SPLUNK_TIMEOUT="0.3")
    line.check(1, unreached=line.count(BROKEN))


def test_a_session_that_expires_in_mid_run(line: Line) -> None:
    line.splunk.cue(faults.refuse(401), applies=lambda wire: bool(wire.search), times=1, skip=3)
    line.run()
    line.check()
    assert sum(path.endswith("/auth/login") for _, path in line.splunk.asked) == 2


def test_a_session_that_no_login_brings_back(line: Line) -> None:
    line.splunk.cue(faults.refuse(401), applies=lambda wire: bool(wire.search), skip=3)
    line.run()
    line.check(2, unreached=line.count(), stopped=True)


@pytest.mark.parametrize("status", [403, 404], ids=["403 in mid-run", "404 in mid-run, no such app"])
def test_what_a_person_has_to_change(line: Line, status: int) -> None:
    line.splunk.cue(faults.refuse(status, "Not here."), applies=lambda wire: bool(wire.search), skip=3)
    line.run()
    line.check(2, unreached=line.count(), stopped=True)
    assert f"Splunk answered {status}" in line.said


def test_400_for_one_search(line: Line) -> None:
    line.splunk.cue(faults.refuse(400, "Error in 'search' command."), applies=searching(BROKEN))
    line.run()
    line.check(1, unreached=line.count(BROKEN))
    assert _searches(line) == len(line.due) + CHECKS


#: What the report says where nobody has counted the records that the API server has cut.
UNCOUNTED = "nothing says how many records the API server has cut: the source was not checked"


def counting(wire: Wire) -> bool:
    """Let a cue apply to the search that counts records that were cut."""
    return "| stats count by " in wire.search


def test_the_source_check_fails_once(line: Line) -> None:
    line.splunk.cue(faults.refuse(503), applies=counting, times=1)
    line.run(SMALL)
    line.check()
    counted = line.world.traffic.manifest["truncated"]["applications"]
    assert line.report["truncated"] == {"applications": counted}
    assert _searches(line) == 1 + CHECKS + 1


@pytest.mark.parametrize(
    "fault",
    [faults.refuse(503), faults.refuse(400), faults.changed(lambda rows: [*rows, faults.ERROR])],
    ids=["the source check 503, for ever", "the source check 400", "the source check ends early, for ever"],
)
def test_a_source_check_that_fails_keeps_no_event_back(line: Line, fault: faults.Fault) -> None:
    line.splunk.cue(fault, applies=counting)
    line.run(SMALL)
    line.check()
    assert line.report["truncated"] == {}
    assert UNCOUNTED in line.report["warnings"]
    assert "segment-bridge: check_source: " in line.said


def test_a_row_of_a_megabyte(line: Line) -> None:
    megabyte = json.dumps({"filler": "x" * 2**20})
    change = faults.row(_due_row(line), lambda row: row.update(properties=megabyte))
    line.splunk.cue(change, applies=searching(SMALL))
    line.run(SMALL)
    line.check(rejected=1)
    assert line.report["total"]["rejected"]["too_large"] == 1


def test_a_value_that_is_a_list(line: Line) -> None:
    change = faults.row(_due_row(line), lambda row: row.update(namespace=[row["namespace"], "another"]))
    line.splunk.cue(change, applies=searching(SMALL))
    line.run(SMALL)
    line.check(rejected=1)
    assert line.report["total"]["rejected"]["malformed_result"] == 1


def test_a_field_that_nobody_asked_for_is_a_list(line: Line) -> None:
    line.splunk.cue(faults.row(0, lambda row: row.update(extra=["one", "two"])), applies=searching(SMALL))
    line.run(SMALL)
    line.check()


@pytest.mark.parametrize(
    "fault",
    [faults.reset, faults.cut(1, "length"), faults.cut(1, "close"), faults.refuse(503)],
    ids=[
        "login reset, once",
        "login cut short, once",
        "login cut short, without a length, once",
        "login 503, once",
    ],
)
def test_a_login_that_fails(line: Line, fault: faults.Fault) -> None:
    line.splunk.cue(fault, applies=lambda wire: wire.path.endswith("/auth/login"), times=1)
    line.run()
    line.check()


def test_a_login_page_instead_of_splunk(line: Line) -> None:
    page = Answer(
        body=b"<!doctype html><html><head><meta charset=utf-8><title>Log in</title>",
        headers={"Content-Type": "text/html"},
    )
    line.splunk.cue(lambda wire: wire.reply(page))
    line.run()
    line.check(2, unreached=line.count())


def test_refused_for_ever(line: Line) -> None:
    line.run(SPLUNK_API_URL=unbound())
    line.check(1, unreached=line.count())


def test_no_such_host(line: Line) -> None:
    line.run(SPLUNK_API_URL=elsewhere("splunk"))
    line.check(1, unreached=line.count())


@pytest.mark.parametrize(
    "framing",
    ["length", "close", "chunked"],
    ids=[f"cut after each line in turn, {how}" for how in ("with a length", "without a length", "in chunks")],
)
def test_an_answer_cut_after_any_line_is_not_staged(line: Line, framing: str) -> None:
    """Ask as the line does, without its process, for every place where an answer can break off."""
    line.run(SMALL)
    (journey,) = find((SMALL,))
    run = Staging.at(str(line.folders[-1]))
    settings = SplunkSettings(url=line.splunk.url, username="admin", password="changeme")
    with Splunk(settings) as splunk:
        for after in range(line.found[SMALL]):
            line.splunk.clear()
            line.splunk.cue(faults.cut(after, framing), applies=searching(SMALL))
            with pytest.raises(IncompleteAnswer):
                stages.search(run, journey, source=SOURCE, splunk=splunk)
            assert run.names("results") == []
        line.splunk.clear()
        assert stages.search(run, journey, source=SOURCE, splunk=splunk) == line.found[SMALL]
    line.check()


def _searches(line: Line) -> int:
    return sum(path.endswith("/export") for _, path in line.splunk.asked)


def _due_row(line: Line) -> int:
    """Return the position of a result that becomes an event, and is the only one with its ID."""
    line.run(SMALL)
    line.forget()
    answer = line.folders[-1] / "results" / f"{SMALL}.ndjson"
    ids = [json.loads(one)["result"].get("messageId") for one in answer.read_bytes().splitlines()]
    return next(number for number, one in enumerate(ids) if one in line.world.due[SMALL] and ids.count(one) == 1)
