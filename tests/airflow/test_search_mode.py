"""The DAG in the search mode combined: a task for each search, and the same events."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from segment_bridge import layout
from segment_bridge.catalog import JOURNEYS
from segment_bridge.errors import ConfigurationError
from segment_bridge.plan import SearchMode
from segment_bridge_airflow import settings
from segment_bridge_airflow.runs import root_of

if TYPE_CHECKING:
    from tests.airflow.conftest import Airflow, World

VARIABLE = "AIRFLOW_VAR_SEGMENT_BRIDGE"
#: The traffic's end, and with it the whole of the traffic in the window.
WHOLE = "2026-01-05T12:00:00Z"
COMPONENTS = "component-events+pull-request-created"
PIPELINERUNS = "build-pipelinerun-created+build-pipelinerun-started+build-pipelinerun-ended"


@pytest.fixture
def combined(airflow: Airflow) -> Airflow:
    variable = json.loads(os.environ[VARIABLE]) | {"search_mode": "combined"}
    airflow.environment.setenv(VARIABLE, json.dumps(variable))
    return airflow


def test_the_mode_is_a_setting(airflow: Airflow) -> None:
    assert settings.read().search_mode is SearchMode.PER_JOURNEY
    airflow.environment.setenv(VARIABLE, '{"search_mode": "combined"}')
    assert settings.read().search_mode is SearchMode.COMBINED
    airflow.environment.setenv(VARIABLE, '{"search_mode": "all_at_once"}')
    with pytest.raises(ConfigurationError, match=r"'all_at_once' - at `\$.search_mode`$"):
        settings.read()


def test_a_task_for_each_search_and_the_events_of_every_journey(combined: Airflow, world: World) -> None:
    run = combined.dag.test(logical_date=datetime.fromisoformat(WHOLE))
    instances = run.get_task_instances()
    labels = {one.map_index: one.rendered_map_index for one in instances if one.task_id == "search"}
    assert str(run.state) == "success"
    assert [labels[number] for number in sorted(labels)] == [
        "application-events",
        COMPONENTS,
        PIPELINERUNS,
        "clair-scan-completed",
        "release-done",
    ]
    folder = layout.run_of(root_of(settings.read()), f"{run.dag_id}__{run.run_id}")
    report = folder.read_json(layout.REPORT, dict)
    due = world.traffic.manifest["journeys"]
    assert {name: (books["found"], books["sent"]) for name, books in report["journeys"].items()} == {
        journey.name: (due[journey.title]["matching"], due[journey.title]["events"]) for journey in JOURNEYS
    }


def test_a_failed_search_fails_each_of_its_journeys_and_no_other(combined: Airflow, world: World) -> None:
    world.splunk.broken = b"Build+PipelineRun+started"
    run = combined.run("2026-01-05T12:20:00Z")
    states = {name: state for name, state in run.tasks.items() if name.startswith("search")}
    assert run.state == "failed"
    assert states == {f"search[{number}]": "failed" if number == 2 else "success" for number in range(5)}
    failed = PIPELINERUNS.split("+")
    names = [journey.name for journey in JOURNEYS]
    assert {name for name in names if run.report["journeys"][name]["state"] == "failed"} == set(failed)
    assert run.report["problems"] == [f"{name}: no complete answer to its search" for name in names if name in failed]
    assert all(run.report["journeys"][name]["sent"] > 0 for name in names if name not in failed)
