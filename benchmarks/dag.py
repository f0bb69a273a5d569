"""The DAG under ``dag.test()`` against ``segment-bridge run`` over the same hours; Airflow's start does not count."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.request import urlopen

from benchmarks.harness import Command, Run, Timing, exponent, run
from benchmarks.inputs import FOLDER, PLAN, answer, results
from benchmarks.server import serving as serving_segment
from benchmarks.splunk import create_app
from benchmarks.tables import Goal, Table
from sandbox import kubernetes
from sandbox.deployment import INDEX, command_line, environment
from sandbox.serve import serving
from sandbox.traffic import generate
from segment_bridge import catalog
from segment_bridge.events import from_body
from segment_bridge.settings import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Results, and by how many seconds the DAG may take longer.
_MOST = {10_000: None, 100_000: 15.0, 1_000_000: 60.0}
_END = datetime(2026, 1, 5, 12, tzinfo=UTC)
_EMPTY = _END - timedelta(hours=4)
_OURS, _DAG = "segment-bridge run", "the DAG, by dag.test()"


@dataclass(frozen=True)
class _World:
    addresses: dict[str, str]
    folder: Path

    def arrived(self) -> set[bytes]:
        """Return a digest of each event that has arrived since this was asked last."""
        with urlopen(f"{self.addresses['segment']}/") as answer:  # noqa: S310 - our own server
            bodies: list[bytes] = answer.read().splitlines()
        return {sha256(event).digest() for body in bodies if body for event in from_body(body)}


def benchmark(rounds: int, largest: int, _without: tuple[str, ...]) -> Table:
    """Measure at each size up to the largest; what arrived is compared before anything counts."""
    timings: list[Timing] = []
    goals: list[Goal] = []
    for size in (size for size in _MOST if size <= largest):
        ours, dag = Timing(_OURS, size), Timing(_DAG, size)
        with _world(size) as world, _airflow(world) as airflow:
            first = _run(world), world.arrived()
            second = airflow.run(_END), world.arrived()
            if not first[1] or first[1] != second[1]:
                raise ValueError("the DAG and the command line do not send the same: their times say nothing")
            for _ in range(rounds):
                ours.runs.append(_run(world))
                dag.runs.append(airflow.run(_END))
                world.arrived()
        timings += ours, dag
        what = f"seconds that the DAG takes beyond {_OURS}, {size:,} results"
        goals.append(Goal(what, dag.seconds - ours.seconds, most=_MOST[size]))
    return Table("dag", timings, [*goals, *_growth(timings[::2], timings[1::2])])


def _growth(*commands: list[Timing]) -> Iterator[Goal]:
    for several in (several for several in commands if len(several) > 1):
        yield Goal(f"exponent of the time of {several[0].name}", exponent(several), most=1.05)
        if several[0].memory:
            what = f"memory of {several[0].name} at {several[-1].size:,} results in relation to that at"
            yield Goal(f"{what} {several[-2].size:,}", several[-1].memory / several[-2].memory, most=1.1)


def _run(world: _World) -> Run:
    """Run the command once."""
    bridge = Path(sys.executable).with_name("segment-bridge")
    given = {"PATH": os.environ["PATH"], **command_line(world.addresses)}
    settings = (f"{name}={value}" for name, value in given.items())
    with TemporaryDirectory(dir=world.folder) as staging:
        span = ("--from", f"{_EMPTY:%Y-%m-%dT%H:%M:%SZ}", "--to", f"{_END:%Y-%m-%dT%H:%M:%SZ}")
        return run(Command(_OURS, ("env", "-i", *settings, bridge, "run", *span, "--staging", staging)))


@dataclass(frozen=True)
class _Airflow:
    process: subprocess.Popen[str]

    def run(self, end: datetime) -> Run:
        """Run the DAG once."""
        assert self.process.stdin  # noqa: S101 - opened below
        print(end.isoformat(), file=self.process.stdin, flush=True)
        return self.next()

    def next(self) -> Run:
        """Wait for what it prints next; raise ValueError for a run that failed."""
        assert self.process.stdout  # noqa: S101 - as above
        seconds, state = (self.process.stdout.readline() or "0 dead").split()
        if state not in {"started", "success"}:
            raise ValueError(f"the DAG's run is {state}: see dag.log")
        return Run(float(seconds))


@contextlib.contextmanager
def _airflow(world: _World) -> Iterator[_Airflow]:
    """Start Airflow in a process of its own, which has run the DAG once, over an empty window, when this returns."""
    with (FOLDER / "dag.log").open("w") as log:
        process = subprocess.Popen(
            (sys.executable, "-m", "benchmarks.dag_runs"),
            env=environment(world.folder / "airflow", world.addresses),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=FOLDER.parents[1],
        )
    with process:
        airflow = _Airflow(process)
        try:
            airflow.next()
            airflow.run(_EMPTY)
            yield airflow
        finally:
            process.terminate()


@contextlib.contextmanager
def _world(size: int) -> Iterator[_World]:
    """Serve so many results, the clusters' objects that belong to them, and a Segment that takes no time."""
    with TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        generate(PLAN).clusters.write(folder / "clusters")
        clusters = kubernetes.Clusters.from_folder(folder / "clusters")
        answers = create_app(_answers(size, folder), f"{_END.timestamp():.0f}")
        addresses = {
            "splunk": stack.enter_context(serving(answers)),
            "kubernetes": stack.enter_context(serving(kubernetes.create_app(clusters))),
            "segment": stack.enter_context(serving_segment(0)).rstrip("/"),
            "kubeconfig": str(folder / "kubeconfig"),
        }
        (folder / "kubeconfig").write_text(kubernetes.kubeconfig(addresses["kubernetes"], clusters))
        yield _World(addresses, folder)


def _answers(size: int, folder: Path) -> dict[str, Path]:
    """Share so many results out among the journeys' searches."""
    answers = {}
    share = size // len(catalog.JOURNEYS)
    with results(size).results.open("rb") as lines:
        for journey in catalog.JOURNEYS:
            path = folder / f"{journey.name}.ndjson"
            with path.open("wb") as stream:
                stream.writelines(answer(lines, share))
            answers[journey.compile(Source(INDEX))] = path
    return answers
