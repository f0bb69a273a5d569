"""Every journey, from audit record to track event, by the command line, against a Splunk over HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from tests.journeys.cases import END, START, Case, Journey, in_order, journeys
from tests.journeys.command_line import ndjson, search, segment_bridge, write_maps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TITLES = {
    "Application events",
    "Component events",
    "Build PipelineRun creation events",
    "Build PipelineRun started events",
    "Clair scan TaskRun completion events",
    "Build PipelineRun Completed or Failed events",
    "Release Succeeded or Failed events",
    "Pull Request created events",
}
EVENT_KEYS = ["messageId", "timestamp", "namespace", "type", "userId", "event", "properties", "context"]
JOURNEYS = journeys()
CASES = [
    pytest.param(journey, case, id=f"{journey.title}: {case.name}") for journey in JOURNEYS for case in journey.cases
]


@dataclass(frozen=True)
class Outcome:
    """What the line made of a journey's records."""

    results: list[dict[str, Any]]
    events: list[dict[str, Any]]
    rejected: list[dict[str, Any]]

    def of(self, case: Case) -> list[dict[str, Any]]:
        return [event for event in self.events if event["messageId"] in case.ids]


@pytest.fixture(scope="module")
def names() -> dict[str, str]:
    return {journey["title"]: journey["name"] for journey in json.loads(segment_bridge("spl", "--json"))}


@pytest.fixture(scope="module")
def outcome_of(names: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[Journey], Outcome]:
    """Take a journey's records through the line, once for all of its cases."""
    made: dict[str, Outcome] = {}

    def outcome_of(journey: Journey) -> Outcome:
        if journey.title not in made:
            folder = tmp_path_factory.mktemp("journey")
            made[journey.title] = _carry(journey, names[journey.title], folder)
        return made[journey.title]

    return outcome_of


def _carry(journey: Journey, name: str, folder: Path) -> Outcome:
    log, rejected = folder / "audit.log", folder / "rejected.ndjson"
    log.write_text("".join(json.dumps(record.audit) + "\n" for case in journey.cases for record in case.records))
    with serving(create_app(AuditLog.from_files([log]))) as url:
        results = search(url, START, END, name)
    events = segment_bridge("convert", *write_maps(folder), "--rejected", str(rejected), given=results)
    rows = [line["result"] for line in ndjson(results) if "result" in line]
    return Outcome(rows, ndjson(events), ndjson(rejected.read_bytes()))


def test_the_journeys_are_the_eight(names: dict[str, str]) -> None:
    assert set(names) == TITLES
    assert {journey.title for journey in JOURNEYS} == TITLES


@pytest.mark.parametrize(("journey", "case"), CASES)
def test_kept_or_dropped(outcome_of: Callable[[Journey], Outcome], journey: Journey, case: Case) -> None:
    outcome = outcome_of(journey)
    found = [result["messageId"] for result in outcome.results if result["messageId"] in case.ids]
    assert sorted(found) == sorted(event["messageId"] for event in case.events)
    assert in_order(outcome.of(case)) == in_order(case.events)


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.title)
class TestWhole:
    @pytest.fixture
    def outcome(self, outcome_of: Callable[[Journey], Outcome], journey: Journey) -> Outcome:
        return outcome_of(journey)

    def test_the_events_are_those_of_the_cases_and_no_others(self, journey: Journey, outcome: Outcome) -> None:
        expected = [event for case in journey.cases for event in case.events]
        assert in_order(outcome.events) == in_order(expected)
        assert outcome.rejected == []

    def test_an_event_has_its_keys_in_their_order(self, outcome: Outcome) -> None:
        assert {tuple(event) for event in outcome.events} == {tuple(EVENT_KEYS)}

    def test_a_result_has_the_output_fields_alone(self, journey: Journey, outcome: Outcome) -> None:
        unchanged = [result for result in outcome.results if result["messageId"] in journey.cases[0].ids]
        assert [sorted(result) for result in unchanged] == [sorted(journey.fields)]
        assert all(set(result) <= set(journey.fields) for result in outcome.results)
