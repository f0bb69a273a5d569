"""Splunk has no room for some searches at first: only what failed is tried again, and nothing is missing in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.deployment import INDEX
from segment_bridge.catalog import JOURNEYS, find
from segment_bridge.settings import Source
from tests.scheduler.conftest import PLAN, times, written
from tests.scheduler.expected import message_ids

if TYPE_CHECKING:
    from tests.scheduler.conftest import Bridge, World

NAMES = [journey.name for journey in JOURNEYS]
BUSY = ["component-events", "release-done"]
START, END = PLAN.start, times(4)[-1]


def test_only_the_searches_that_failed_are_tried_again(bridge: Bridge, world: World) -> None:
    start = str(int(START.timestamp()))
    searches = [(journey.compile(Source(INDEX)), start) for journey in find(BUSY)]
    world.splunk.busy.update(dict.fromkeys(searches, 2))
    run = bridge.finished(bridge.trigger(**{"from": written(START), "to": written(END)}))
    run_id = run["dag_run_id"]

    instances, report = bridge.instances(run_id), bridge.report(run_id)
    assert (run["state"], {one["state"] for one in instances.values()}) == ("success", {"success"})
    tries = {name: one["try_number"] for name, one in instances.items()}
    assert tries == dict.fromkeys(tries, 1) | {f"search[{name}]": 3 for name in BUSY}
    assert {name for name in tries if name.startswith("search[")} == {f"search[{name}]" for name in NAMES}
    assert world.splunk.busy == dict.fromkeys(searches, 0)

    total = report["total"]
    assert (report["balanced"], report["problems"], total["undelivered"]) == (True, [], 0)
    assert total["found"] == total["sent"] + sum(total["rejected"].values())
    assert all(report["journeys"][name]["sent"] for name in BUSY)
    assert set(world.sent()) == message_ids(world, START, END)
    assert "503" in bridge.log(run_id, "search", map_index=NAMES.index(BUSY[0]))
