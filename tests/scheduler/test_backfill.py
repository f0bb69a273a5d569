"""Backfills, as the web UI starts them."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import standalone
from tests.scheduler import postgres
from tests.scheduler.conftest import HOURS, deployment, free_port, times, until, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scheduler.conftest import Bridge, World

RUNS_AT_ONCE = 2

pytestmark = [
    pytest.mark.skipif(not os.environ.get("SEGMENT_BRIDGE_SOAK"), reason="takes many minutes: make soak"),
    pytest.mark.skipif(postgres.PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def airflow(world: World, home: Path) -> Iterator[standalone.Airflow]:
    with postgres.serving() as url:
        settings = deployment(home, world) | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}
        del settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS"]  # which are SQLite's
        with standalone.running(settings, home, free_port()) as running:
            yield running


def backfill(bridge: Bridge, hours: int, reprocess: str = "none", first: int = 1) -> int:
    ends = times(first + hours - 1)[first - 1 :]
    wanted = {
        "dag_id": "segment_bridge",
        "from_date": written(ends[0]),
        "to_date": written(ends[-1]),
        "run_backwards": False,
        "dag_run_conf": {},
        "reprocess_behavior": reprocess,
        "max_active_runs": RUNS_AT_ONCE,
    }
    number: int = bridge.airflow.call("POST", "/backfills", wanted)["id"]
    return number


def ended(bridge: Bridge, number: int) -> dict[str, Any]:
    return dict(
        until(lambda: (one := bridge.airflow.call("GET", f"/backfills/{number}"))["completed_at"] and one, 1500)
    )


def runs(bridge: Bridge, ends: set[str]) -> list[dict[str, Any]]:
    return [run for run in bridge.runs(run_type="backfill") if run["logical_date"] in ends]


def test_a_backfill_is_a_run_an_hour_and_covers_each_hour_once(bridge: Bridge, world: World) -> None:
    ended(bridge, backfill(bridge, HOURS))
    ends = times(HOURS)
    found = runs(bridge, set(map(written, ends)))
    reports = [bridge.report(run["dag_run_id"]) for run in found]

    assert [run["state"] for run in found] == ["success"] * HOURS
    spans = [(report["plan"]["span"]["start"], report["plan"]["span"]["end"]) for report in reports]
    assert spans == [(written(end - timedelta(hours=1)), written(end)) for end in ends]
    assert {report["plan"]["kind"] for report in reports} == {"backfill"}
    assert all(report["balanced"] for report in reports)
    assert any(report["warnings"] for report in reports), "these events are older than Segment remembers"
    sent = world.sent()
    assert sent
    assert {event["timestamp"] < written(ends[-1]) for event in sent.values()} == {True}
    assert sum(report["total"]["sent"] for report in reports) >= len(sent)

    # A second one that reprocesses everything replaces what each run had staged, and sends nothing new.
    ended(bridge, backfill(bridge, HOURS, reprocess="completed"))
    again = runs(bridge, set(map(written, ends)))
    assert [run["dag_run_id"] for run in again] == [run["dag_run_id"] for run in found]
    assert [run["state"] for run in again] == ["success"] * HOURS
    recounted = [bridge.report(run["dag_run_id"]) for run in again]
    assert [one["journeys"] for one in recounted] == [one["journeys"] for one in reports]
    assert all(one["plan"]["begun"] > two["plan"]["begun"] for one, two in zip(recounted, reports, strict=True))
    assert world.sent() == sent


def test_a_backfill_that_was_cancelled_is_resumed(bridge: Bridge, world: World) -> None:
    first = 25
    ends = set(map(written, times(first + HOURS - 1)[first - 1 :]))
    world.splunk.open.clear()
    number = backfill(bridge, HOURS, first=first)
    until(lambda: [run for run in runs(bridge, ends) if run["state"] == "running"])
    bridge.airflow.call("PUT", f"/backfills/{number}/cancel")
    world.splunk.open.set()
    until(lambda: not [run for run in runs(bridge, ends) if run["state"] in ("running", "queued")])
    assert len([run for run in runs(bridge, ends) if run["state"] == "success"]) < HOURS

    ended(bridge, backfill(bridge, HOURS, reprocess="failed", first=first))
    resumed = runs(bridge, ends)
    assert [run["state"] for run in resumed] == ["success"] * HOURS
    assert all(bridge.report(run["dag_run_id"])["problems"] == [] for run in resumed)
