"""What the command line makes of what Splunk says about an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import segment
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.splunk.server import PASSWORD
from segment_bridge.tolerance import EXAMPLE
from tests.system.stand_ins import FROM, TO, World, about_cut_records, bridge, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

WINDOW = ("--from", FROM, "--to", TO)
JOURNEY, OTHER = "application-events", "release-done"
#: The resources of both, some records of which the API server has cut.
CUT = ("applications", "releases")
LOST = f"Unable to distribute to peer\nof ann@example.com\u202e at https://idx-9?p={PASSWORD}, status=Down{'z' * 400}"
START = "Unable to distribute to peer of ann@example.com at https://idx-9?p=..., status=Down"
SHOWN = f'WARN, a search peer is in trouble: "{START}{"z" * (297 - len(START))}..."'
TO_DO = "(see the search's job in Splunk, or tolerated_messages)"
PROBLEM = f"{JOURNEY}: no complete answer to its search (WARN, a search peer is in trouble)"
TOLERATED = [{"pattern": "Unable to distribute to peer of *", "reason": "idx-9 is a test"}]
SHORT = "the map of users: 2 users with an ID of fewer than 5 characters, which Amplitude removes"
OLD = "events are older than the 24 hours for which Segment recognizes repeats: what was sent before counts twice"
LOOKUP = "[idx-1] Could not load lookup=LOOKUP-dropdowns"


class Saying:
    """A Splunk that says something before each answer to a search, and something of its own about one journey."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = b""

        async def noting() -> Message:
            nonlocal asked
            message = await receive()
            asked += message.get("body", b"")
            return message

        async def saying(message: Message) -> None:
            if message["type"] == "http.response.body" and scope["path"].endswith("/export") and not scope.get("said"):
                scope["said"] = True
                said = [{"type": "ERROR", "text": LOOKUP}]
                is_journey = b"applications" in asked and b"truncated" not in asked
                said += [{"type": "WARN", "text": LOST}] if is_journey else []
                line = json.dumps({"messages": said}).encode() + b"\n"
                message = {**message, "body": line + message.get("body", b"")}
            await send(message)

        await self._app(scope, noting, saying)


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with (
        world(folder) as made,
        serving(Saying(create_app(AuditLog.from_files([folder / "audit.log"])))) as splunk,
        serving(segment.create_app()) as url,
    ):
        yield World(made.traffic, {**made.settings, "SPLUNK_API_URL": splunk, "SEGMENT_BATCH_API": url})


def run(talkative: World, staging: Path, *options: str, **settings: str) -> tuple[int, str, str, dict[str, Any]]:
    """Run the line; return the exit code, what it said, and the report."""
    settings = {**talkative.settings, "SEGMENT_BRIDGE_STAGING": str(staging), **settings}
    done = bridge("run", *WINDOW, JOURNEY, OTHER, *options, settings=settings)
    (report,) = staging.glob("runs/*/report.json")
    return done.code, done.out, done.err, json.loads(report.read_text())


def test_a_message_that_stops_an_answer_is_shown_but_not_kept(talkative: World, tmp_path: Path) -> None:
    code, out, err, report = run(talkative, tmp_path)
    assert (code, report["problems"], report["warnings"]) == (
        1,
        [PROBLEM],
        [about_cut_records(talkative.traffic, *CUT), SHORT, OLD],
    )
    assert report["journeys"][JOURNEY]["stopped_by"] == "WARN, a search peer is in trouble"
    assert report["journeys"][OTHER]["sent"] > 0
    assert f"segment-bridge: {JOURNEY}: incomplete answer (partial_results): {SHOWN} {TO_DO}" in err.splitlines()
    assert PASSWORD not in out + err
    assert "ann@example.com" not in out
    staged = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in staged if "idx-9" in path.read_text()] == []
    (messages,) = tmp_path.glob(f"runs/*/messages/{JOURNEY}.json")
    assert json.loads(messages.read_text()) == {
        "passed": 0,
        "tolerated": [],
        "full": [],
        "stopped_by": "WARN, a search peer is in trouble",
    }


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_message_that_is_tolerated_is_counted_in_the_report(talkative: World, tmp_path: Path, by: str) -> None:
    text = json.dumps(TOLERATED)
    options = ("--tolerated-messages", text) if by == "option" else ()
    variables = {"SEGMENT_BRIDGE_TOLERATED_MESSAGES": text} if by == "variable" else {}
    code, out, err, report = run(talkative, tmp_path, *options, **variables)
    assert (code, report["problems"]) == (0, []), err
    assert report["tolerated_messages"] == [{**TOLERATED[0], "count": 1}]
    told = 'tolerated messages of Splunk: 1 as "Unable to distribute to peer of *" (idx-9 is a test)'
    assert report["warnings"] == [about_cut_records(talkative.traffic, *CUT), SHORT, OLD, told]
    assert f"warning: {told}" in " ".join(out.split())
    assert report["journeys"][JOURNEY]["sent"] > 0


def test_a_search_alone_tolerates_it_as_well(talkative: World) -> None:
    given = ("--tolerated-messages", json.dumps(TOLERATED))
    done = bridge("search", JOURNEY, *WINDOW, *given, settings=talkative.settings)
    assert (done.code, len(done.out.splitlines()) > 1) == (0, True), done.err
    assert bridge("search", JOURNEY, *WINDOW, settings=talkative.settings).code == 1


def test_what_is_no_list_of_patterns_is_told_before_anything_is_asked() -> None:
    settings = {"SPLUNK_API_URL": "http://127.0.0.1:1", "SPLUNK_TOKEN": "x"}
    done = bridge("search", *WINDOW, "--tolerated-messages", '[{"pattern": "*"}]', settings=settings)
    told = f"Object missing required field `reason` - at `$[0]`; write it as {EXAMPLE}"
    assert (done.code, done.out) == (2, "")
    assert done.err == f"segment-bridge: SEGMENT_BRIDGE_TOLERATED_MESSAGES cannot be used: {told}\n"
