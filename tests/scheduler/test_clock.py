"""The clock moves on by hours: scheduled runs, outages that heal, alerts. For `make soak`.

Time is moved by libfaketime, in which all of Airflow's processes run: only forwards, and only while no run is there
that would find itself hours older.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import standalone
from sandbox.deployment import DAG
from sandbox.traffic import Plan
from tests.scheduler.conftest import Bridge, deployment, free_port, standing_in, until, written
from tests.scheduler.expected import message_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scheduler.conftest import World

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
LATE = timedelta(minutes=1.5)
#: Traffic of the days to come: a clock that was set back would set back the one that only ever goes forwards, too.
PLAN = Plan(
    users=8, hours=50, start=datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
)

pytestmark = [
    pytest.mark.skipif(not os.environ.get("SEGMENT_BRIDGE_SOAK"), reason="takes a quarter of an hour: make soak"),
    pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime: apt-get install faketime"),
]


@dataclass
class Clock:
    """A clock that all of Airflow's processes read, as an offset from the machine's."""

    file: Path

    def set(self, moment: datetime) -> None:
        ahead = moment.timestamp() - time.time()
        part = self.file.with_suffix(".part")
        part.write_text(f"{ahead:+.3f}\n")
        part.replace(self.file)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",
            # A jump must not make what waits for its turn look like a ruin.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "90000",
            "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": "90000",
            "SEGMENT_BRIDGE_LATE_MINUTES": str(LATE / timedelta(minutes=1)),
            "SEGMENT_BRIDGE_SCHEDULE_MINUTE": "0",
        }


@dataclass
class Moving:
    """A bridge whose clock moves, and which can be stopped and started."""

    home: Path
    world: World
    clock: Clock
    bridge: Bridge | None = None

    def start(self) -> None:
        settings = deployment(self.home, self.world, reach_days=0.5) | self.clock.environment
        airflow = standalone.start(settings, self.home, free_port())
        self.bridge = Bridge(airflow, self.home / "staging")
        airflow.await_dag(DAG)
        self.bridge.unpause()

    def stop(self) -> None:
        if self.bridge:
            self.bridge.airflow.stop()
            self.bridge = None

    def hour(self, number: int) -> dict[str, Any]:
        """Let the clock show the end of an hour of the traffic, and wait until its run has ended."""
        assert self.bridge
        # After a start, the run that was planned before is made up for; it must not find itself hours older.
        until(lambda: self.bridge and not [one for one in self.bridge.runs() if one["state"] in ("queued", "running")])
        end = PLAN.start + timedelta(hours=number)
        self.clock.set(end + timedelta(seconds=5))
        (run,) = until(lambda: self.bridge and self.bridge.runs(logical_date=written(end)))
        return self.bridge.finished(run["dag_run_id"])

    def of(self, number: int) -> dict[str, Any]:
        """Return the run of an hour."""
        assert self.bridge
        (run,) = self.bridge.runs(logical_date=written(PLAN.start + timedelta(hours=number)))
        return run

    def covered_before(self, number: int) -> datetime:
        """Return up to when the scheduled runs before an hour's have succeeded."""
        assert self.bridge
        end = written(PLAN.start + timedelta(hours=number))
        before = [run for run in self.bridge.runs(run_type="scheduled", state="success") if run["logical_date"] < end]
        return max(datetime.fromisoformat(run["logical_date"]) for run in before)

    def report(self, run: dict[str, Any]) -> dict[str, Any]:
        assert self.bridge
        return self.bridge.report(run["dag_run_id"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with standing_in(PLAN, tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def moving(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moving]:
    home = tmp_path_factory.mktemp("moving")
    clock = Clock(home / "clock")
    clock.set(PLAN.start + timedelta(minutes=30))
    made = Moving(home, world, clock)
    try:
        yield made
    finally:
        world.splunk.open.set()
        made.stop()


OVER = "segment-bridge: runs succeed again"


def told_beside_lateness(world: World) -> list[str]:
    """Return what was told, but for runs that were late: on a busy machine any of them may be."""
    return [title for title in world.receiver.titles() if not title.endswith((" is late", " has succeeded"))]


def assert_nothing_is_missing(world: World, start: datetime, end: datetime) -> None:
    """Compare what was sent with what the records of a span make.

    Of a pull request's records each window takes the earliest, so that a later window may take another one.
    """
    sent, due = world.sent(), message_ids(world, start, end)
    assert due <= sent.keys()
    assert {sent[one]["event"] for one in sent.keys() - due} <= {"Pull request created"}


def test_the_clock_moves_on_for_a_day(moving: Moving, world: World) -> None:
    # The run of the hour before finds the source silent, and says so: the traffic has not begun.
    moving.start()
    until(lambda: moving.bridge and moving.bridge.runs(state="failed"))
    world.receiver.alerts.clear()

    # Twelve hours, one run an hour.
    for number in range(1, 13):
        run = moving.hour(number)
        assert run["state"] == "success", number
        if number == 1:  # before the clock moves on, which would end whoever is telling it
            until(lambda: told_beside_lateness(world), 90)
        span = moving.report(run)["plan"]["span"]
        end = PLAN.start + timedelta(hours=number)
        # The first one makes up for that of the hour before.
        start = end - timedelta(hours=5 if number == 1 else 4)
        assert (span["start"], span["end"]) == (written(start), written(end))
    so_far = PLAN.start + timedelta(hours=12)
    assert_nothing_is_missing(world, PLAN.start, so_far)

    # Nine hours without a bridge. The run that was planned before is made up for, and reaches back.
    moving.stop()
    moving.clock.set(PLAN.start + timedelta(hours=21, minutes=30))
    moving.start()
    assert moving.hour(22)["state"] == "success"
    made_up, covered = moving.of(21), moving.covered_before(21)
    assert made_up["state"] == "success"
    assert covered < PLAN.start + timedelta(hours=17)
    assert moving.report(made_up)["plan"]["span"]["start"] == written(covered - timedelta(hours=3))
    assert_nothing_is_missing(world, PLAN.start, PLAN.start + timedelta(hours=22))
    assert told_beside_lateness(world) == [OVER]

    # Fifteen hours, where the bridge reaches back twelve: the hole has a name, somebody is told, the run does what it
    # can, and the next one is green.
    moving.stop()
    moving.clock.set(PLAN.start + timedelta(hours=36, minutes=30))
    moving.start()
    assert moving.hour(37)["state"] == "success"
    run = moving.of(36)
    report = moving.report(run)
    hole = f"[{written(moving.covered_before(36))}, {written(PLAN.start + timedelta(hours=24))})"
    told = f"no run has covered {hole}, and none will by itself: start a backfill while Splunk has the records"
    assert run["state"] == "failed"
    assert (report["problems"], report["alarms"]) == ([told], [told])
    until(lambda: len(told_beside_lateness(world)) > 2, 90)
    assert told_beside_lateness(world) == [OVER, "segment-bridge: hours are not covered", OVER]
    assert any(told in alert["message"] for alert in world.receiver.alerts)
    reached = message_ids(world, PLAN.start + timedelta(hours=24), PLAN.start + timedelta(hours=37))
    assert reached <= set(world.sent())
    assert moving.hour(38)["state"] == "success"


def test_alerts_fire_once_and_are_cleared(moving: Moving, world: World) -> None:
    assert moving.bridge
    world.receiver.alerts.clear()

    # Six runs fail in a row: somebody is told at the fifth, and not again.
    world.splunk.shut = True
    for number in range(39, 45):
        assert moving.hour(number)["state"] == "failed", number
        if number == 43:  # before the clock moves on, as above
            until(lambda: told_beside_lateness(world), 90)
    assert told_beside_lateness(world) == ["segment-bridge: 5 runs have failed in a row"]

    until(lambda: any("It has failed" in alert["message"] for alert in world.receiver.alerts), 90)

    # The first success says that it is over.
    world.splunk.shut = False
    moving.hour(45)
    until(lambda: len(told_beside_lateness(world)) > 1, 90)
    assert told_beside_lateness(world)[1:] == [OVER]

    # A run that takes too long is late, and no longer so once it has succeeded.
    late = f"segment-bridge: scheduled__{PLAN.start + timedelta(hours=44):%Y-%m-%dT%H:%M:%S+00:00} is late"
    until(lambda: late in world.receiver.titles(), 90)
    world.receiver.alerts.clear()
    world.splunk.open.clear()
    end = PLAN.start + timedelta(hours=46)
    moving.clock.set(end + timedelta(seconds=5))
    (run,) = until(lambda: moving.bridge and moving.bridge.runs(logical_date=written(end)))
    until(lambda: world.receiver.alerts, 240)
    assert world.receiver.titles() == [f"segment-bridge: {run['dag_run_id']} is late"]
    world.splunk.open.set()
    moving.bridge.finished(run["dag_run_id"])
    until(lambda: len(world.receiver.alerts) > 1, 90)
    assert world.receiver.titles()[1:] == [f"segment-bridge: {run['dag_run_id']} has succeeded"]
