"""Every task is killed in mid-work, and the scheduler is restarted: no event is lost, none arrives under a second ID.

Before each stand-in stands the proxy of the fault suite, which holds a request until the test lets it go.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psutil
import pytest
import requests

from sandbox import standalone
from sandbox.deployment import DAG, INDEX
from segment_bridge import layout
from segment_bridge.catalog import JOURNEYS, find
from segment_bridge.events import from_body
from segment_bridge.settings import Source
from segment_bridge.staging import Staging
from tests.faults.hold import Hold
from tests.faults.proxy import standing_before
from tests.scheduler.conftest import _IMPATIENT, PLAN, Bridge, deployment, free_port, standing_in, times, until, written
from tests.scheduler.expected import message_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.proxy import Proxy, Wire
    from tests.scheduler.conftest import World

pytestmark = pytest.mark.skipif(not os.environ.get("SEGMENT_BRIDGE_SOAK"), reason="takes minutes: make soak")

NAMES = [journey.name for journey in JOURNEYS]
START, END = PLAN.start, times(4)[-1]
#: The journey whose tasks are killed, one whose search is held meanwhile, and one whose results get readers stuck.
KILLED, HELD, STUCK = "component-events", "release-done", "build-pipelinerun-ended"
_PATIENCE = 120.0


@dataclass
class Crashing:
    """A bridge whose tasks can be held and killed, and whose Airflow can be stopped and started."""

    world: World
    home: Path
    splunk: Proxy
    kubernetes: Proxy
    segment: Proxy
    bridge: Bridge | None = None

    def start(self) -> Bridge:
        (self.home / "config").mkdir(exist_ok=True)
        (self.home / "config" / "airflow_local_settings.py").write_text(_IMPATIENT)
        settings = deployment(self.home, self.world) | {
            # No run but the test's own: another one's requests could be held in their stead.
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        }
        airflow = standalone.start(settings, self.home, free_port())
        self.bridge = Bridge(airflow, self.home / "staging")
        airflow.await_dag(DAG)
        self.bridge.unpause()
        return self.bridge

    def stop(self) -> None:
        if self.bridge:
            self.bridge.airflow.stop()
            self.bridge = None

    def clear(self) -> None:
        for proxy in (self.splunk, self.kubernetes, self.segment):
            proxy.clear()


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with standing_in(PLAN, tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def crashing(inbox: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashing]:
    home = tmp_path_factory.mktemp("crashing")
    with ExitStack() as stack:
        splunk, kubernetes, segment = (
            stack.enter_context(standing_before(inbox.addresses[name])) for name in ("splunk", "kubernetes", "segment")
        )
        kubeconfig = home / "kubeconfig"
        text = Path(inbox.addresses["kubeconfig"]).read_text()
        there, here = (url.removeprefix("http://") for url in (inbox.addresses["kubernetes"], kubernetes.url))
        kubeconfig.write_text(text.replace(there, here))
        addresses = {"splunk": splunk.url, "segment": segment.url, "kubeconfig": str(kubeconfig)}
        made = Crashing(replace(inbox, addresses=inbox.addresses | addresses), home, splunk, kubernetes, segment)
        try:
            yield made
        finally:
            made.clear()
            made.stop()


@dataclass(frozen=True)
class Running:
    """A run, and what is to become of it."""

    bridge: Bridge
    run_id: str

    @property
    def folder(self) -> Path:
        return Path(layout.run_of(Staging.at(str(self.bridge.staging)), f"{DAG}__{self.run_id}").root)

    def instances(self) -> list[dict[str, Any]]:
        path = f"/dags/{DAG}/dagRuns/{quote(self.run_id, safe='')}/taskInstances?limit=200"
        return list(self.bridge.airflow.call("GET", path)["task_instances"])

    def kill(self, task: str, index: int = -1, *, attempt: int = 1) -> None:
        """Kill the process in which a task is at work."""

        def at_work() -> int:
            return next(
                (
                    one["pid"]
                    for one in self.instances()
                    if (one["task_id"], one["map_index"], one["try_number"]) == (task, index, attempt)
                    and one["state"] == "running"
                ),
                0,
            )

        process = psutil.Process(until(at_work, _PATIENCE))
        assert self.bridge.airflow.pid in {parent.pid for parent in process.parents()}, "it is none of Airflow's"
        os.kill(process.pid, signal.SIGKILL)

    def delivering(self, journey: str) -> int:
        """Return which of the delivering tasks has the batch of a journey; each has one."""
        batches = [name for name in NAMES for _ in (self.folder / "batches" / name).glob("*.json")]
        assert batches.count(journey) == 1
        return batches.index(journey)

    def tries(self) -> dict[str, int]:
        """Return how often each task was tried that was tried more than once."""
        return {
            one["task_id"] if one["map_index"] < 0 else f"{one['task_id']}[{one['map_index']}]": one["try_number"]
            for one in self.instances()
            if one["try_number"] > 1
        }


@contextmanager
def blocking(file: Path) -> Iterator[None]:
    """Put a pipe that nobody writes to in the place of a file: whoever opens it gets stuck."""
    aside = file.with_name(f".{file.name}")
    file.rename(aside)
    os.mkfifo(file)
    try:
        yield
    finally:
        aside.replace(file)


def searching(journey: str) -> Callable[[Wire], bool]:
    (one,) = find((journey,))
    spl = one.compile(Source(INDEX))
    return lambda wire: wire.search == spl


def hold(proxy: Proxy, applies: Callable[[Wire], bool], **how: bool) -> Hold:
    made = Hold(**how)
    proxy.cue(made, applies=applies, times=1)
    return made


def sends(wire: Wire) -> bool:
    return b'"event":"Component ' in wire.body


def test_each_task_is_killed_in_mid_work_and_tried_again(crashing: Crashing, inbox: World) -> None:
    bridge = crashing.start()
    users = hold(crashing.kubernetes, lambda wire: "usersignups" in wire.path)
    spaces = hold(crashing.kubernetes, lambda wire: "labelSelector" in wire.path, taken=True)
    half = hold(crashing.splunk, searching(KILLED), half=True)
    other = hold(crashing.splunk, searching(HELD))
    before, after = hold(crashing.segment, sends), hold(crashing.segment, sends, taken=True)
    run = Running(bridge, bridge.trigger(**{"from": written(START), "to": written(END)}))

    for name, held in (("map_users", users), ("map_workspaces", spaces)):
        held.wait(_PATIENCE)
        run.kill(name)
        held.let_go()
    half.wait(_PATIENCE)
    run.kill("search", NAMES.index(KILLED))
    half.let_go()

    # While a search is held, the answer to another one becomes a pipe, in which convert gets stuck.
    other.wait(_PATIENCE)
    answer = run.folder / "results" / f"{STUCK}.ndjson"
    until(answer.exists, _PATIENCE)
    with blocking(answer):
        other.let_go()
        until((run.folder / "rejected" / f"{NAMES[NAMES.index(STUCK) - 1]}.ndjson").exists, _PATIENCE)
        run.kill("convert")

    before.wait(_PATIENCE)
    run.kill("deliver", run.delivering(KILLED))
    before.let_go()
    after.wait(_PATIENCE)
    run.kill("deliver", run.delivering(KILLED), attempt=2)
    # So does close, in the same one.
    with blocking(answer):
        after.let_go()
        run.kill("close")

    assert bridge.finished(run.run_id)["state"] == "success"
    assert run.tries() == {
        "map_users": 2,
        "map_workspaces": 2,
        f"search[{NAMES.index(KILLED)}]": 2,
        "convert": 2,
        f"deliver[{run.delivering(KILLED)}]": 3,
        "close": 2,
    }
    require_everything(bridge, run.run_id, inbox)
    # Segment had the batch before deliver was killed, and dropped what came again.
    again = requests.get(f"{inbox.addresses['segment']}/sandbox/duplicates", timeout=60).json()
    assert again.keys() <= {
        json.loads(event)["messageId"]
        for path in (run.folder / "batches" / KILLED).iterdir()
        for event in from_body(path.read_bytes())
    }
    assert again


def test_a_scheduler_that_is_restarted_in_mid_run_goes_on(crashing: Crashing, inbox: World) -> None:
    crashing.clear()
    inbox.forget()
    bridge = crashing.bridge or crashing.start()
    held = hold(crashing.splunk, searching(HELD), half=True)
    run_id = bridge.trigger(**{"from": written(START), "to": written(END)})
    held.wait(_PATIENCE)
    crashing.stop()
    held.let_go()
    bridge = crashing.start()

    assert bridge.finished(run_id)["state"] == "success"
    # Of the searches that were at work; a new scheduler may begin one before there is an API that it could ask.
    tries = Running(bridge, run_id).tries()
    assert f"search[{NAMES.index(HELD)}]" in tries
    assert {name.partition("[")[0] for name in tries} == {"search"}
    require_everything(bridge, run_id, inbox)


def require_everything(bridge: Bridge, run_id: str, inbox: World) -> None:
    """Require that the books balance, and that exactly what is due has arrived."""
    report = bridge.report(run_id)
    total = report["total"]
    assert (report["balanced"], report["problems"], total["undelivered"]) == (True, [], 0)
    assert total["found"] == total["sent"] + sum(total["rejected"].values())
    assert set(inbox.sent()) == message_ids(inbox, START, END)
