"""The DAG as Airflow runs it, against stand-ins over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import requests

from sandbox import segment
from sandbox.deployment import command_line
from sandbox.serve import serving
from segment_bridge.catalog import JOURNEYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.airflow.conftest import Airflow, World

#: The traffic's end, and with it the whole of the traffic in the window.
WHOLE = "2026-01-05T12:00:00Z"
#: A window whose only record is of no journey.
NOISE = "2026-03-01T12:00:00Z"
SHORT = "the map of users: 3 users with an ID of fewer than 5 characters, which Amplitude removes"
CUT = (
    "the API server cut records that were too large, which journeys may have missed: "
    "12 of applications, 77 of components, 25 of pipelineruns, 4 of releases; "
    "raise its --audit-log-truncate-max-event-size, or that of the webhook"
)
REPEATS = "events are older than the 24 hours for which Segment recognizes repeats: what was sent before counts twice"
NAMES = [journey.name for journey in JOURNEYS]


def books(report: dict[str, object], name: str) -> tuple[object, ...]:
    one = report["journeys"][name]  # type: ignore[index] # any JSON
    return one["found"], one["sent"], one["rejected"], one["undelivered"]


def test_the_dag_sends_byte_for_byte_what_the_command_line_sends(
    airflow: Airflow, world: World, tmp_path: Path
) -> None:
    run = airflow.run(WHOLE)
    with serving(segment.create_app()) as other:
        command = [sys.executable, "-m", "segment_bridge", "run", "--from", "2026-01-05T08:00:00Z", "--to", WHOLE]
        done = subprocess.run(  # noqa: S603 - our own
            command,
            env={
                **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}},
                **command_line(world.addresses | {"segment": other}),
                "SEGMENT_BRIDGE_STAGING": str(tmp_path),
            },
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        assert world.sent_to(airflow.segment) == world.sent_to(other)
    assert run.state == "success"
    expected = {journey: world.traffic.manifest["journeys"][journey.title] for journey in JOURNEYS}
    assert {name: books(run.report, name) for name in NAMES} == {
        journey.name: (due["matching"], due["events"], due["rejected"], 0) for journey, due in expected.items()
    }
    assert run.report["problems"] == []
    assert run.report["warnings"] == [CUT, SHORT, REPEATS]


def test_a_silent_source_is_no_empty_success(airflow: Airflow) -> None:
    run = airflow.run("2026-03-10T12:00:00Z")
    told = "the source is silent: the window holds no audit record at all; check the index, and what feeds it"

    assert run.state == "failed"
    assert (run.report["problems"], run.report["alarms"]) == ([told], [told])


def test_a_window_without_any_result_is_a_success_with_an_empty_report(airflow: Airflow) -> None:
    run = airflow.run(NOISE)

    assert run.state == "success"
    assert {name: books(run.report, name) for name in NAMES} == {name: (0, 0, {}, 0) for name in NAMES}
    assert run.tasks["close"] == "success"
    assert requests.get(f"{airflow.segment}/sandbox/summary", timeout=60).json()["requests"] == 0


def test_a_failed_journey_makes_the_run_red_and_keeps_no_other_back(airflow: Airflow, world: World) -> None:
    world.splunk.broken = b"Build+PipelineRun+started"
    run = airflow.run("2026-01-05T12:30:00Z")
    failed = NAMES.index("build-pipelinerun-started")

    assert run.state == "failed"
    told = "build-pipelinerun-started: no complete answer to its search (FATAL, the search failed)"
    assert run.report["problems"] == [told]
    assert run.tasks[f"search[{failed}]"] == "failed"
    assert run.tries[f"search[{failed}]"] == 4
    assert {state for name, state in run.tasks.items() if name.startswith(("search", "deliver"))} == {
        "success",
        "failed",
    }
    assert run.tasks["close"] == "failed"
    others = [world.traffic.manifest["journeys"][journey.title]["events"] for journey in JOURNEYS]
    del others[failed]
    assert run.report["total"]["sent"] == sum(others)
    assert len(world.sent_to(airflow.segment)) > 0


def test_a_login_that_is_refused_is_tried_once(airflow: Airflow) -> None:
    airflow.misremember_splunks_password()
    run = airflow.run("2026-01-05T12:40:00Z")

    assert (run.state, run.tasks["begin"], run.tries["begin"]) == ("failed", "failed", 1)
    # Whether searches would be refused as well, nobody finds out: that would lock the account.
    assert {run.tasks[name] for name in run.tasks if name != "begin"} == {"upstream_failed"}
    assert run.report == {}
