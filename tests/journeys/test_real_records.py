"""Records that a real API server wrote, from the audit log to track events, against a Splunk over HTTP.

All of the records lie in one index, as in a cluster, and every journey searches it. ``real/README.md`` says how the
records were made, and ``real/expectations.yaml`` what each of them becomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from tests.journeys.cases import FOLDER, load
from tests.journeys.command_line import ndjson, search, segment_bridge, write_maps

if TYPE_CHECKING:
    JsonObject = dict[str, Any]

EXPECTATIONS = load("real/expectations.yaml")
FILES = sorted((FOLDER / "real").glob("*.jsonl"))
#: The window of every search; the records are of one evening.
START, END = "2026-11-27T20:00:00Z", "2026-11-28T00:00:00Z"
STEPS = [pytest.param(step, id=f"{path.stem}: {step['step']}") for path in FILES for step in EXPECTATIONS[path.stem]]


@dataclass(frozen=True)
class Outcome:
    """What the journeys made of the records: events, and rejected results with their reasons."""

    events: list[JsonObject]
    rejected: list[JsonObject]

    def of(self, audit_id: str) -> tuple[list[JsonObject], list[str]]:
        return (
            [event for event in self.events if event["messageId"] == audit_id],
            [one["reason"] for one in self.rejected if one["result"]["messageId"] == audit_id],
        )


@cache
def records() -> dict[str, JsonObject]:
    """Return the last record of every audit ID."""
    lines = (line for path in FILES for line in ndjson(path.read_bytes()))
    return {record["auditID"]: record for record in lines}


def expected(step: JsonObject) -> tuple[list[JsonObject], list[str]]:
    if "event" not in step:
        return [], [step["rejected"]] if "rejected" in step else []
    record, of = records()[step["auditID"]], EXPECTATIONS["parties"][step["of"]]
    kind = EXPECTATIONS["kinds"][record["objectRef"]["resource"]]
    event = {
        "messageId": step["auditID"],
        "timestamp": record["requestReceivedTimestamp"],
        "namespace": of["namespace"],
        "type": "track",
        "userId": of["userId"],
        "event": step["event"],
        "properties": {**kind, **step["properties"], "workspaceID": of["workspaceID"]},
        "context": {"userAgent": record["userAgent"]},
    }
    return [event], []


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("real")
    rejected = folder / "rejected.ndjson"
    with serving(create_app(AuditLog.from_files(FILES))) as url:
        results = search(url, START, END)
    events = segment_bridge("convert", *write_maps(folder), "--rejected", str(rejected), given=results)
    return Outcome(ndjson(events), ndjson(rejected.read_bytes()))


def test_every_record_has_an_expectation() -> None:
    for path in FILES:
        steps = EXPECTATIONS[path.stem]
        recorded = dict.fromkeys(record["auditID"] for record in ndjson(path.read_bytes()))
        assert [step["auditID"] for step in steps] == list(recorded)
        assert all(len({"event", "rejected", "nothing"} & step.keys()) == 1 for step in steps)


@pytest.mark.parametrize("step", STEPS)
def test_a_record_becomes_what_is_expected(outcome: Outcome, step: JsonObject) -> None:
    assert outcome.of(step["auditID"]) == expected(step)


def test_the_events_are_those_expected_and_no_others(outcome: Outcome) -> None:
    steps = [step for path in FILES for step in EXPECTATIONS[path.stem]]
    wanted = [event["messageId"] for step in steps for event in expected(step)[0]]
    assert sorted(event["messageId"] for event in outcome.events) == sorted(wanted)
