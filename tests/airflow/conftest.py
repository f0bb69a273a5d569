"""One Airflow for the whole session: a home of its own, SQLite, the project's DAG, and stand-ins to run it against."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import kubernetes, segment
from sandbox.dag_run import load
from sandbox.deployment import environment
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.traffic import Plan, Traffic, generate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG as AirflowDag  # noqa: N811 - the sandbox has the name of ours
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HOME = Path(tempfile.mkdtemp(prefix="segment-bridge-airflow-"))
_NOWHERE = {"splunk": "http://127.0.0.1:1", "segment": "http://127.0.0.1:1", "kubeconfig": "/nowhere"}
# What Airflow reads when it is imported has to stand in the environment before any test module is.
os.environ.update({name: value for name, value in environment(_HOME, _NOWHERE).items() if name.startswith("AIRFLOW")})

PLAN = Plan(users=30, hours=4)
FATAL = b'{"messages":[{"type":"FATAL","text":"The search failed."}]}\n'


class Breakable:
    """Splunk, in front of which searches with a certain word in them get another answer, at first a failure."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.broken = b""
        self.answer = FATAL

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if self.broken and self.broken in body:
            head = [(b"content-length", b"%d" % len(self.answer)), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await send({"type": "http.response.body", "body": self.answer})
            return
        given = iter([{"type": "http.request", "body": body}])

        async def again() -> Message:
            return next(given, None) or await receive()

        await self._app(scope, again, send)


@dataclass(frozen=True)
class World:
    """Traffic and the stand-ins that serve it."""

    traffic: Traffic
    addresses: dict[str, str]
    splunk: Breakable

    def sent_to(self, segment: str) -> list[bytes]:
        """Return the events that a stand-in for Segment accepted, sorted."""
        return sorted(requests.get(f"{segment}/sandbox/events", timeout=60).content.splitlines())


@dataclass(frozen=True)
class Run:
    """A finished run: its state, its tasks' states and tries, and its report, which is empty if there is none."""

    state: str
    tasks: dict[str, str]
    tries: dict[str, int]
    report: dict[str, Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let Airflow and its many dependencies warn; what our own code warns of, the unit tests find."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    traffic = generate(PLAN)
    traffic.clusters.write(folder / "clusters")
    noise = {"auditID": "noise", "verb": "get", "requestReceivedTimestamp": "2026-03-01T11:00:00Z"}
    (folder / "audit.log").write_bytes(b"".join(traffic.records()) + json.dumps(noise).encode())
    splunk = Breakable(create_app(AuditLog.from_files([folder / "audit.log"])))
    clusters = kubernetes.Clusters.from_folder(folder / "clusters")
    with serving(splunk) as splunk_url, serving(kubernetes.create_app(clusters)) as kubernetes_url:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(kubernetes.kubeconfig(kubernetes_url, clusters))
        addresses = {"splunk": splunk_url, "kubernetes": kubernetes_url, "kubeconfig": str(kubeconfig)}
        yield World(traffic, addresses, splunk)


@pytest.fixture(scope="session")
def dag() -> AirflowDag:
    return load()


def run_with(dag: AirflowDag, form: Mapping[str, object], at: datetime | None = None) -> DagRun:
    """Run a DAG with what somebody has put into its form; in one process, its tasks would keep that for later runs."""
    forms: list[Any] = [dag.params, *(task.params for task in dag.tasks)]
    params = [form.get_param(name) for form in forms for name in form]
    untouched = [param.value for param in params]
    try:
        run: DagRun = dag.test(logical_date=at, run_conf=dict(form))
    finally:
        for param, value in zip(params, untouched, strict=True):
            param.value = value
    return run


def run_by_hand(dag: AirflowDag, **form: object) -> DagRun:
    """Run a DAG likewise, as of now."""
    return run_with(dag, form)


@dataclass(frozen=True)
class Airflow:
    """Runs the DAG in this process, against the world and a Segment of the test's own."""

    dag: AirflowDag
    segment: str
    environment: pytest.MonkeyPatch

    def misremember_splunks_password(self) -> None:
        """Let Splunk refuse the credentials."""
        connection = json.loads(os.environ["AIRFLOW_CONN_SPLUNK_DEFAULT"])
        self.environment.setenv("AIRFLOW_CONN_SPLUNK_DEFAULT", json.dumps(connection | {"password": "wrong"}))

    def run(self, end: str) -> Run:
        """Run the DAG for the data interval that ends at this time."""
        run = self.dag.test(logical_date=datetime.fromisoformat(end))
        instances = run.get_task_instances()
        names = [one.task_id if one.map_index < 0 else f"{one.task_id}[{one.map_index}]" for one in instances]
        return Run(
            state=str(run.state),
            tasks={name: str(one.state) for name, one in zip(names, instances, strict=True)},
            tries={name: one.try_number for name, one in zip(names, instances, strict=True)},
            report=_report(run),
        )


@pytest.fixture
def airflow(dag: AirflowDag, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    with serving(segment.create_app()) as url:
        for name, value in environment(_HOME, world.addresses | {"segment": url}).items():
            if name.startswith("AIRFLOW_"):
                monkeypatch.setenv(name, value)
        yield Airflow(dag, url, monkeypatch)
    world.splunk.broken, world.splunk.answer = b"", FATAL


def _report(run: DagRun) -> dict[str, Any]:
    reports = [json.loads(path.read_text()) for path in (_HOME / "staging" / "runs").glob("*/report.json")]
    return next((dict(report) for report in reports if report["run"] == f"{run.dag_id}__{run.run_id}"), {})
