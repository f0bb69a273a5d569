"""One world for the whole session; each test runs the line through it and accounts for every event."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.deployment import PROJECT
from tests.faults import world as worlds
from tests.faults.accounts import Figures, account, read_report, require_books
from tests.faults.command import Commands, Running, commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.accounts import Due
    from tests.faults.proxy import Proxy
    from tests.faults.world import World

WINDOW = ("--from", "2026-01-05T08:00:00Z", "--to", "2026-01-05T12:00:00Z")
#: Where each test leaves its figures, for the report.
RECORDS = PROJECT / ".sandbox" / "faults"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: takes minutes; run by `make soak` alone")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("SEGMENT_BRIDGE_SOAK"):
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: make soak"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with worlds.world(tmp_path_factory.mktemp("world")) as one:
        yield one


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands(tmp_path_factory.mktemp("commands")) as one:
        yield one


@dataclass
class Line:
    """The command line against the world; after a run, what it has said and left."""

    world: World
    commands: Commands
    folder: Path
    record: Path
    name: dict[str, Any]
    due: Due
    found: dict[str, int]
    staging: Path
    code: int = 0
    said: str = ""
    folders: list[Path] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def splunk(self) -> Proxy:
        return self.world.splunk

    @property
    def kubernetes(self) -> Proxy:
        return self.world.kubernetes

    @property
    def segment(self) -> Proxy:
        return self.world.segment

    @property
    def report(self) -> dict[str, Any]:
        """The report of the last run."""
        return read_report(self.folders[-1]) if self.folders else {}

    def start(self, *journeys: str, **settings: str) -> Running:
        """Start the command; only the journeys named are due then."""
        self.due = {name: self.due[name] for name in journeys or self.due}
        environment = {"PATH": os.environ["PATH"], "SEGMENT_BRIDGE_STAGING": str(self.staging)}
        environment |= self.world.settings | settings
        return self.commands.start(["run", *WINDOW, *journeys], environment, self.folder)

    def finish(self, *running: Running) -> None:
        """Wait for commands; the last one's end is what is accounted for."""
        for one in running:
            self.code = one.wait()
            self.said = one.err.read_text()
        found = [path for path in self.staging.glob("runs/*") if path not in self.folders]
        self.folders += sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def run(self, *journeys: str, **settings: str) -> None:
        """Run the command to its end."""
        self.finish(self.start(*journeys, **settings))

    def run_apart(self, *journeys: str, **settings: str) -> None:
        """Run the command in a process of its own, which is forked from none."""
        self.due = {name: self.due[name] for name in journeys or self.due}
        environment = {"PATH": os.environ["PATH"], "SEGMENT_BRIDGE_STAGING": str(self.staging)}
        command = [sys.executable, "-m", "segment_bridge", "run", *WINDOW, *journeys]
        done = subprocess.run(  # noqa: S603 - our own
            command, env=environment | self.world.settings | settings, capture_output=True, check=False, timeout=120
        )
        self.finish()
        self.code, self.said = done.returncode, done.stderr.decode()

    def forget(self) -> None:
        """Let Segment's stand-in forget what has arrived."""
        requests.delete(f"{self.world.inbox}/sandbox/events", timeout=60)

    def check_only(self, code: int) -> None:
        """Require of a run that may not even have been able to leave a report that it lost nothing, and said so."""
        figures = self._account()
        assert (figures.exit, figures.lost, figures.duplicated) == (code, 0, 0), self.said
        assert "Traceback" not in self.said, self.said

    def check(
        self,
        code: int = 0,
        *,
        rejected: int = 0,
        undelivered: int = 0,
        unreached: int = 0,
        reported: bool = True,
        stopped: bool = False,
        found: dict[str, int] | None = None,
    ) -> Figures:
        """Record the figures, then require the books to balance and every event to be where it should be."""
        figures = self._account()
        assert (figures.lost, figures.duplicated) == (0, 0), self.said
        assert "Traceback" not in self.said, self.said
        assert bool(self.report) == reported, self.said
        if reported:
            require_books(self.report, found or self.found, stopped=stopped)
            assert bool(self.report["problems"]) == bool(code)
        told = (figures.exit, figures.rejected, figures.undelivered, figures.unreached)
        assert told == (code, rejected, undelivered, unreached), self.said
        assert figures.delivered == figures.due - rejected - undelivered - unreached
        return figures

    def _account(self) -> Figures:
        """Trace the events as the last run has left them, and record the figures."""
        figures = account(self.due, self.folders[-1] if self.folders else None, self.world.inbox, self.code)
        self.rows.append(self.name | asdict(figures))
        self.record.parent.mkdir(parents=True, exist_ok=True)
        self.record.write_text(json.dumps(self.rows))
        return figures

    def count(self, *journeys: str) -> int:
        """Return how many events are due."""
        return sum(len(self.due[name]) for name in journeys or self.due)


@pytest.fixture
def line(request: pytest.FixtureRequest, world: World, forked: Commands, tmp_path: Path) -> Iterator[Line]:
    item = request.node
    varied = getattr(item, "callspec", None)
    case = varied.id if varied else _titled(item.name)
    system = Path(item.path).stem.removeprefix("test_").capitalize()
    order = [item.location[1], *(varied.indices.values() if varied else ())]
    slug = "".join(letter if letter.isalnum() else "-" for letter in f"{system} {case}")
    name = {"system": system, "fault": case, "order": order}
    one = Line(
        world,
        forked,
        tmp_path,
        RECORDS / f"{slug}.json",
        name,
        dict(world.due),
        dict(world.found),
        tmp_path / "staging",
    )
    one.forget()
    yield one
    for proxy in (world.splunk, world.kubernetes, world.segment):
        proxy.clear()
    shutil.rmtree(one.staging, ignore_errors=True)


def _titled(test: str) -> str:
    """Return a test's name as the report has it."""
    words = test.removeprefix("test_").replace("_", " ").replace(" mid ", " mid-").replace("kill 9", "kill -9")
    return re.sub(" (once|for ever|twice)$", r", \1", words)
