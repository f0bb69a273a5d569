"""``segment-bridge maps`` of many users and namespaces against the time of fetching the pages that it reads."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.harness import Command, measure
from benchmarks.inputs import FOLDER
from benchmarks.tables import Goal, Table
from sandbox.traffic import Plan, generate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.harness import Timing

_PEER = Path(__file__).parent / "peers" / "fetch_pages.py"
_OBJECTS, _PAGE, _LATENCY = 100_000, 500, 0.05
_KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
    "users": [{"name": "one", "user": {}}],
}


@dataclass(frozen=True)
class List:
    """A list that a map is made of: the map, where an API server has it, and its pages, a line each."""

    name: str
    path: str

    @property
    def file(self) -> Path:
        """Where the pages lie."""
        return FOLDER / f"{self.name}-{_OBJECTS}.ndjson"


_LISTS = (
    List("users", "/apis/toolchain.dev.openshift.com/v1alpha1/namespaces/toolchain-host-operator/usersignups"),
    List("workspaces", "/api/v1/namespaces"),
)


def benchmark(rounds: int, _largest: int, _without: tuple[str, ...]) -> Table:
    """Measure both maps."""
    _write_pages()
    timings: list[Timing] = []
    goals: list[Goal] = []
    with _serving() as port:
        for given in _LISTS:
            ours, floor = measure(list(_commands(given, port)), _OBJECTS, rounds)
            timings += ours, floor
            what = f"of the map of {given.name} from {_OBJECTS:,} objects"
            goals.append(Goal(f"time {what} in relation to fetching the pages", ours.seconds / floor.seconds, most=1.2))
            goals.append(Goal(f"memory {what}, MB", ours.memory, most=300))
    return Table("maps", timings, goals)


def _commands(given: List, port: int) -> Iterator[Command]:
    bridge = Path(sys.executable).with_name("segment-bridge")
    config = FOLDER / "kubeconfig.json"
    server = {"clusters": [{"name": "one", "cluster": {"server": f"http://127.0.0.1:{port}"}}]}
    config.write_bytes(msgspec.json.encode(_KUBECONFIG | server))
    ours = ("env", f"KUBECONFIG={config}", bridge, "maps", given.name, "--context", "one")
    yield Command(f"segment-bridge maps {given.name}", ours)
    floor = (sys.executable, _PEER, str(port), given.path)
    yield Command(f"fetching the pages of {given.name}, {_LATENCY * 1000:g} ms each", floor, same=False)


def _write_pages() -> None:
    """Generate the objects, in pages; made once and kept."""
    if all(one.file.exists() for one in _LISTS):
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Not everybody has a sign-up, or a namespace in some cluster.
    lists = generate(Plan(users=_OBJECTS * 5 // 4, hours=1)).clusters.lists()
    namespaces = [one for member in ("member-1", "member-2") for one in lists[member]["namespaces.json"]["items"]]
    for one, items in zip(_LISTS, (lists["host"]["usersignups.json"]["items"], namespaces), strict=True):
        if len(items) < _OBJECTS:
            raise ValueError(f"{len(items)} objects for the map of {one.name}: plan with more users")
        one.file.write_bytes(b"\n".join(_pages(items[:_OBJECTS])))


def _pages(items: list[Any]) -> Iterator[bytes]:
    for start in range(0, len(items), _PAGE):
        end = start + _PAGE
        metadata = {"resourceVersion": "1"} | ({"continue": str(end // _PAGE)} if end < len(items) else {})
        page = {"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items[start:end]}
        yield msgspec.json.encode(page)


@contextlib.contextmanager
def _serving() -> Iterator[int]:
    """Run the server in a process of its own."""
    given = [f"{one.path}={one.file}" for one in _LISTS]
    argv = (sys.executable, "-m", "benchmarks.cluster", str(_LATENCY), *given)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=FOLDER.parents[1]) as process:  # noqa: S603 - our own
        try:
            yield int(process.stdout.readline() if process.stdout else 0)
        finally:
            process.terminate()
