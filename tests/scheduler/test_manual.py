"""Runs that somebody starts by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from segment_bridge.catalog import JOURNEYS
from tests.scheduler.conftest import PLAN, written

if TYPE_CHECKING:
    from tests.scheduler.conftest import Bridge, World

NAMES = [journey.name for journey in JOURNEYS]
FOUR_HOURS = {"from": written(PLAN.start), "to": "2026-01-05T12:00:00Z"}


def test_the_default_form_takes_the_look_back_before_the_last_full_hour(bridge: Bridge) -> None:
    run = bridge.finished(bridge.trigger())
    report = bridge.report(run["dag_run_id"])

    # By now the traffic is long over, and the source silent.
    assert run["state"] == "failed"
    assert report["plan"]["span"]["end"][13:] == ":00:00Z"
    assert report["plan"]["kind"] == "manual"
    assert report["alarms"] == report["problems"]
    assert report["problems"][0].startswith("the source is silent")


def test_a_span_and_one_journey(bridge: Bridge, world: World) -> None:
    run = bridge.finished(bridge.trigger(**FOUR_HOURS, journeys=["component-events"]))
    run_id = run["dag_run_id"]
    report = bridge.report(run_id)

    assert run["state"] == "success"
    assert (report["plan"]["span"]["start"], report["plan"]["span"]["end"]) == (FOUR_HOURS["from"], FOUR_HOURS["to"])
    assert list(report["journeys"]) == ["component-events"]
    assert report["total"]["sent"] > 0
    assert {event["event"].split()[0] for event in world.sent().values()} == {"Component"}
    assert bridge.tasks(run_id) == {
        "begin": "success",
        "map_users": "success",
        "map_workspaces": "success",
        "share_users": "success",
        "publish": "success",
        "search[component-events]": "success",
        "check_source": "success",
        "convert": "success",
        "deliver[component-events/000001]": "success",
        "close": "success",
        "expire": "success",
    }


def test_a_dry_run_sends_nothing_and_shows_what_it_would_have_sent(bridge: Bridge, world: World) -> None:
    run = bridge.finished(bridge.trigger(**FOUR_HOURS, dry_run=True))
    report = bridge.report(run["dag_run_id"])

    assert run["state"] == "success"
    assert world.sent() == {}
    assert (report["total"]["sent"], report["total"]["undelivered"]) == (0, 0)
    assert report["total"]["withheld"] == report["total"]["events"] > 0
    assert set(report["samples"]) == set(NAMES)
    assert report["samples"]["application-events"] == {
        "messageId": "str",
        "timestamp": "str",
        "namespace": "str",
        "type": "track",
        "userId": "str",
        "event": "Application created",
        "properties": {
            "apiGroup": "str",
            "apiVersion": "str",
            "kind": "str",
            "name": "str",
            "application": "str",
            "workspaceID": "str",
        },
        "context": {"userAgent": "str"},
    }


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"from": "2026-01-05T12:00:00Z", "to": "2026-01-05T08:00:00Z"}, "before it has begun"),
        ({"from": "2026-01-05T12:00:00Z", "to": "2096-01-05T12:00:00Z"}, "nothing is there yet"),
        ({"from": "2025-01-05T12:00:00Z", "to": "2026-01-05T12:00:00Z"}, "is longer than 31 days"),
        ({"from": "2026-01-05T12:00:00Z"}, "the window has one end"),
    ],
)
def test_a_bad_span_is_refused_by_the_first_task_and_nothing_else_runs(
    bridge: Bridge, form: dict[str, str], told: str
) -> None:
    run = bridge.finished(bridge.trigger(**form))
    run_id = run["dag_run_id"]
    states = bridge.tasks(run_id)

    assert run["state"] == "failed"
    assert states.pop("begin") == "failed"
    assert set(states.values()) == {"upstream_failed"}
    assert told in bridge.log(run_id, "begin")


def test_what_the_form_does_not_know_is_refused_by_it(bridge: Bridge) -> None:
    with pytest.raises(Exception, match="journeys"):
        bridge.trigger(journeys=["no-such-journey"])
