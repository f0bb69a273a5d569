"""A whole Airflow, driven through its REST API as the web UI does: scheduler, API server, triggerer, executor."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

import anyio.to_thread
import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import kubernetes, segment, standalone
from sandbox.deployment import DAG, environment
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.traffic import Plan, Traffic, generate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Json = dict[str, Any]

#: Two days of traffic, of few people: what is tested is time, and not size.
PLAN = Plan(users=8, hours=50)
_PATIENCE = 300.0  # seconds for a run
_REFUSED = json.dumps({"messages": [{"type": "FATAL", "text": "Refused for the test."}]}).encode()


#: What somebody who runs an Airflow puts into it to have the say over all tasks; here, that no test waits for minutes.
_IMPATIENT = """
from datetime import timedelta

def task_policy(task):
    task.retry_delay = timedelta(seconds=1)
"""


class Gate:
    """Splunk, before which a test may shut the gate, keep those waiting who come, or turn some away for a while."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.shut = False
        #: How often yet each of these searches, from that time on, is answered with a 503.
        self.busy: dict[tuple[str, str], int] = {}
        self.open = threading.Event()
        self.open.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.to_thread.run_sync(self.open.wait)
        if not scope["path"].endswith("/export"):
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        asked = dict(parse_qsl(body.decode()))
        if status := self._turns_away((asked["search"], asked["earliest_time"])):
            response = Response(_REFUSED, status, {"Connection": "close"}, media_type="application/json")
            await response(scope, receive, send)
            return
        given = iter([{"type": "http.request", "body": body}])

        async def again() -> Message:
            return next(given, None) or await receive()

        await self._app(scope, again, send)

    def _turns_away(self, search: tuple[str, str]) -> int:
        """Return the status with which a search is turned away; 0 for one that is not."""
        if self.shut:
            return 400
        if self.busy.get(search):
            self.busy[search] -= 1
            return 503
        return 0


@dataclass
class Receiver:
    """A service that takes alerts, as Apprise's ``json://`` sends them."""

    alerts: list[Json] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        self.alerts.append(await request.json())
        return Response()

    def titles(self) -> list[str]:
        return [alert["title"] for alert in self.alerts]


@dataclass(frozen=True)
class World:
    """Traffic, the stand-ins that serve it, and what may go wrong with them."""

    traffic: Traffic
    addresses: dict[str, str]
    splunk: Gate
    receiver: Receiver
    receiver_url: str

    def sent(self) -> dict[str, Json]:
        """Return the events that Segment's stand-in accepted, by their messageId."""
        body = requests.get(f"{self.addresses['segment']}/sandbox/events", timeout=60).content
        events = (json.loads(line) for line in body.splitlines())
        return {event["messageId"]: event for event in events}

    def forget(self) -> None:
        requests.delete(f"{self.addresses['segment']}/sandbox/events", timeout=60)


@dataclass(frozen=True)
class Bridge:
    """The DAG in a running Airflow."""

    airflow: standalone.Airflow
    staging: Path

    def trigger(self, **form: object) -> str:
        """Start a run by hand, as the form does; return its ID."""
        run: str = self.airflow.call("POST", f"/dags/{DAG}/dagRuns", {"logical_date": None, "conf": form})["dag_run_id"]
        return run

    def run(self, run_id: str) -> Json:
        return self.airflow.call("GET", f"/dags/{DAG}/dagRuns/{quote(run_id, safe='')}")

    def unpause(self) -> None:
        self.airflow.call("PATCH", f"/dags/{DAG}?update_mask=is_paused", {"is_paused": False})

    def runs(self, **wanted: str) -> list[Json]:
        """Return the runs that have these values, the oldest first."""
        found: list[Json] = self.airflow.call("GET", f"/dags/{DAG}/dagRuns?limit=100&order_by=run_after")["dag_runs"]
        return [run for run in found if wanted.items() <= run.items()]

    def tasks(self, run_id: str) -> dict[str, str]:
        """Return the state of each task of a run; a mapped one goes by its name."""
        return {name: one["state"] for name, one in self.instances(run_id).items()}

    def instances(self, run_id: str) -> dict[str, Json]:
        """Return all that is known of each task of a run, likewise."""
        path = f"/dags/{DAG}/dagRuns/{quote(run_id, safe='')}/taskInstances?limit=200"
        instances = self.airflow.call("GET", path)["task_instances"]
        return {
            one["task_id"] if one["map_index"] < 0 else f"{one['task_id']}[{one['rendered_map_index']}]": one
            for one in instances
        }

    def finished(self, run_id: str) -> Json:
        """Wait until a run has ended."""
        return dict(until(lambda: (run := self.run(run_id))["state"] in ("success", "failed") and run))

    def log(self, run_id: str, task: str, map_index: int = -1) -> str:
        """Return the log of a task's first try."""
        path = f"/dags/{DAG}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task}/logs/1"
        return json.dumps(self.airflow.call("GET", f"{path}?full_content=true&map_index={map_index}"))

    def report(self, run_id: str) -> Json:
        found = [json.loads(path.read_text()) for path in self.staging.glob("runs/*/report.json")]
        (report,) = (report for report in found if report["run"] == f"{DAG}__{run_id}")
        return dict(report)


def until(holds: Callable[[], Any], patience: float = _PATIENCE) -> Any:  # noqa: ANN401 - whatever holds
    """Wait until something holds, and return it; fail after a while."""
    deadline = time.monotonic() + patience
    while not (found := holds()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {patience:g} s")
        time.sleep(0.5)  # between two questions to the API
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests the time that they need; a whole Airflow takes most of a minute to start."""
    for item in items:
        if "tests/scheduler" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with standing_in(PLAN, tmp_path_factory.mktemp("world")) as made:
        yield made


@contextmanager
def standing_in(plan: Plan, folder: Path) -> Iterator[World]:
    """Serve the traffic of a plan."""
    traffic = generate(plan)
    traffic.clusters.write(folder / "clusters")
    (folder / "audit.log").write_bytes(b"".join(traffic.records()))
    clusters = kubernetes.Clusters.from_folder(folder / "clusters")
    splunk, receiver = Gate(create_app(AuditLog.from_files([folder / "audit.log"]))), Receiver()
    with ExitStack() as stack:
        addresses = {
            "splunk": stack.enter_context(serving(splunk)),
            "kubernetes": stack.enter_context(serving(kubernetes.create_app(clusters))),
            "segment": stack.enter_context(serving(segment.create_app())),
            "kubeconfig": str(folder / "kubeconfig"),
        }
        (folder / "kubeconfig").write_text(kubernetes.kubeconfig(addresses["kubernetes"], clusters))
        routes = [Route("/{path:path}", receiver.take, methods=["POST"])]
        receiver_url = stack.enter_context(serving(Starlette(routes=routes)))
        yield World(traffic, addresses, splunk, receiver, receiver_url)


def deployment(home: Path, world: World, **settings: object) -> dict[str, str]:
    """Return the environment of an Airflow whose alerts the receiver takes."""
    alerts = {"conn_type": "apprise", "extra": {"config": {"path": world.receiver_url.replace("http", "json", 1)}}}
    return {
        **environment(home, world.addresses, settings),
        "AIRFLOW_CONN_SEGMENT_BRIDGE_ALERTS": json.dumps(alerts),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "5",
    }


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="session")
def airflow(world: World, home: Path) -> Iterator[standalone.Airflow]:
    (home / "config").mkdir()
    (home / "config" / "airflow_local_settings.py").write_text(_IMPATIENT)
    with standalone.running(deployment(home, world), home, free_port()) as running:
        yield running


@pytest.fixture
def bridge(airflow: standalone.Airflow, world: World, home: Path) -> Bridge:
    airflow.await_dag(DAG)
    world.splunk.shut = False
    world.splunk.busy.clear()
    world.forget()
    made = Bridge(airflow, home / "staging")
    made.unpause()
    return made


#: How much of a day the backfills of `make test` take, and those of `make soak`.
HOURS = 24 if os.environ.get("SEGMENT_BRIDGE_SOAK") else 3


def times(count: int) -> list[datetime]:
    """Return the ends of the first hours of the traffic."""
    return [PLAN.start + timedelta(hours=number) for number in range(1, count + 1)]


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
