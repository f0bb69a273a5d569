"""What is measured on: search results of the sandbox's traffic, repeated under IDs of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sandbox.splunk import AuditLog, export
from sandbox.splunk.commands import compile_search
from sandbox.splunk.records import Record
from sandbox.traffic import Plan, generate
from segment_bridge import catalog
from segment_bridge.event_names import SUBJECTS, VERBS
from segment_bridge.settings import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER = Path(__file__).resolve().parent.parent / ".sandbox" / "bench"
PLAN = Plan(users=50, hours=4)
_SOURCE = Source("main")
_ID = re.compile(rb'(?<="messageId":")([^"]+)[^"]{8}(?=")')


@dataclass(frozen=True)
class Input:
    """Results, the maps to convert them with, and the tables of names for those who lack them."""

    lines: int
    results: Path
    users: Path
    workspaces: Path
    names: Path


def results(lines: int) -> Input:
    """Return so many lines of an answer, as Splunk exports it; made once and kept."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = Input(lines, FOLDER / f"results-{lines}.ndjson", *(FOLDER / f"{n}.json" for n in ("users", "ws", "names")))
    if not made.names.exists():
        _write_seed(made)
    if not made.results.exists():
        unfinished = made.results.with_suffix(".part")
        with unfinished.open("wb") as file:
            file.writelines(islice(_repeated(_seed().read_bytes().splitlines(keepends=True)), lines))
        unfinished.rename(made.results)
    return made


def answer(lines: Iterable[bytes], rows: int) -> Iterator[bytes]:
    """Make a complete answer of so many lines, of which the last says that it is the last."""
    for number, line in enumerate(islice(lines, rows)):
        last = b'"lastrow":true,' if number == rows - 1 else b""
        yield b'{"preview":false,"offset":%d,%s"result":%s' % (number, last, line.partition(b'"result":')[2])


def _seed() -> Path:
    return FOLDER / "seed.ndjson"


def _write_seed(made: Input) -> None:
    """Run each journey's search over the traffic; the last file to be written says that all are there."""
    traffic = generate(PLAN)
    log = AuditLog(tuple(Record.parse(line.strip()) for line in traffic.records()))
    with _seed().open("wb") as file:
        for journey in catalog.JOURNEYS:
            found = compile_search(journey.compile(_SOURCE)).run(log)
            file.writelines(export.stream(found, preview=False))
    for path, content in (
        (made.users, traffic.manifest["users"]),
        (made.workspaces, traffic.manifest["workspaces"]),
        (made.names, {"subjects": SUBJECTS, "verbs": VERBS}),
    ):
        path.write_bytes(msgspec.json.encode(content))


def _repeated(seed: list[bytes]) -> Iterator[bytes]:
    """Repeat the lines without end; the number of the line becomes a part of its ID."""
    for number, line in enumerate(cycle(seed)):
        yield _ID.sub(rb"\g<1>%08x" % number, line, count=1)
