"""Notice when a property that a journey used to fill is null in all its results: the platform may have moved it.

Beside the runs, ``filled.json`` holds how often each property of each journey was filled in the results that were
looked at: before the last run, so that this one can be converted again, and after it.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from segment_bridge import layout
from segment_bridge.errors import FatalError
from segment_bridge.events import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from segment_bridge.staging import Staging

_FILE = "filled.json"
#: Results of a journey that are counted in each run.
_SAMPLE = 200
#: Results that count at once: what came long before fades.
_MOST = 10_000
#: How likely it may be that a property is null in all results by chance.
_CHANCE = 0.001


class Share(msgspec.Struct, frozen=True, array_like=True):
    """In how many of the results a property was filled."""

    filled: int = 0
    results: int = 0

    def plus(self, filled: int, results: int) -> Share:
        """Add the results of a run."""
        both = Share(self.filled + filled, self.results + results)
        return both if both.results <= _MOST else Share(both.filled // 2, both.results // 2)

    def explains(self, nulls: int) -> bool:
        """Say whether so many nulls in a row may be chance, by the rule of succession."""
        return not self.filled or ((self.results - self.filled + 1) / (self.results + 2)) ** nulls >= _CHANCE


Shares: TypeAlias = dict[str, dict[str, Share]]


class _Memory(msgspec.Struct, frozen=True):
    run: str = ""
    before: Shares = {}
    after: Shares = {}


class _Result(msgspec.Struct):
    properties: str = ""


class _Line(msgspec.Struct):
    preview: bool = False
    result: _Result | None = None


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_properties = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def note(run: Staging, journeys: Sequence[str]) -> None:
    """Stage which properties of which journeys a run leaves null for once, and remember which it fills."""
    root, name = layout.root_of(run), run.root.rpartition("/")[2]
    memory = _read(root)
    before = memory.before if memory.run == name else memory.after
    after, unfilled = dict(before), {}
    for journey in journeys:
        if run.exists(layout.results(journey)):
            with run.read(layout.results(journey)) as lines:
                after[journey], missed = _look(lines, before.get(journey, {}))
            if missed:
                unfilled[journey] = missed
    run.write_json(layout.UNFILLED, unfilled)
    root.write_json(_FILE, _Memory(name, before, after))


def unfilled(run: Staging) -> dict[str, tuple[str, ...]]:
    """Return which properties are null for once in all results of which journeys."""
    return run.read_json(layout.UNFILLED, dict[str, tuple[str, ...]]) if run.exists(layout.UNFILLED) else {}


def _look(lines: Iterable[bytes], before: dict[str, Share]) -> tuple[dict[str, Share], tuple[str, ...]]:
    """Count the first results, and look through the others as long as something is missing that used to be there."""
    results = _filled_properties(lines)
    names: set[str] = set()
    filled: Counter[str] = Counter()
    found = 0
    for every, some in islice(results, _SAMPLE):
        names |= every
        filled.update(some)
        found += 1
    after = {name: before.get(name, Share()).plus(filled[name], found) for name in names}
    missing = {name for name in names - filled.keys() if before.get(name, Share()).filled}
    while missing and (more := next(results, None)):
        found += 1
        missing -= more[1]
    return before | after, tuple(sorted(name for name in missing if not before[name].explains(found)))


def _filled_properties(lines: Iterable[bytes]) -> Iterator[tuple[set[str], set[str]]]:
    """Yield the names of each result's properties, and those of them that are not null."""
    for line in lines:
        try:
            read = _decode_line(line)
            if read.result is None or read.preview:
                continue
            properties = _decode_properties(read.result.properties.encode())
        except UNREADABLE:
            continue
        yield set(properties), {name for name, value in properties.items() if bytes(value) != b"null"}


def _read(root: Staging) -> _Memory:
    if not root.exists(_FILE):
        return _Memory()
    try:
        return root.read_json(_FILE, _Memory)
    except FatalError:  # damaged: not worth a run
        return _Memory()
