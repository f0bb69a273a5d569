"""``segment-bridge convert`` against the same filter in jq, a plain loop around orjson, and the floor."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import Command, exponent, measure
from benchmarks.inputs import Input, results
from benchmarks.tables import Goal, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.harness import Timing

_PEERS = Path(__file__).parent / "peers"
OURS, FLOOR = "segment-bridge convert", "floor: orjson.loads + orjson.dumps"
_SIZES = (10_000, 100_000, 1_000_000)


def benchmark(rounds: int, largest: int, without: tuple[str, ...]) -> Table:
    """Measure at each size up to the largest."""
    sizes = [size for size in _SIZES if size <= largest]
    timings = {size: measure(list(_commands(results(size), without)), size, rounds) for size in sizes}
    ours = [timings[size][0] for size in sizes]
    return Table("convert", [one for size in sizes for one in timings[size]], list(_goals(timings, ours)))


def _commands(given: Input, without: tuple[str, ...]) -> Iterator[Command]:
    maps = ("--users", given.users, "--workspaces", given.workspaces)
    bridge = Path(sys.executable).with_name("segment-bridge")
    yield Command(OURS, (bridge, "convert", *maps), given.results)
    if "jq" not in without and (jq := shutil.which("jq")):
        tables = (("users", given.users), ("workspaces", given.workspaces), ("names", given.names))
        slurped = [part for name, path in tables for part in ("--slurpfile", name, path)]
        yield Command("jq", (jq, "-r", *slurped, "-f", _PEERS / "convert.jq"), given.results)
    loop = (sys.executable, _PEERS / "orjson_loop.py", given.users, given.workspaces, given.names)
    yield Command("loop around orjson", loop, given.results)
    yield Command(FLOOR, (sys.executable, _PEERS / "floor.py"), given.results, same=False)


def _goals(timings: dict[int, list[Timing]], ours: list[Timing]) -> Iterator[Goal]:
    for size, (first, *others) in timings.items():
        for other in others:
            what = f"{other.name}: speed of convert in relation to it, {size:,} lines"
            least = {"jq": 8.0, FLOOR: 0.6}.get(other.name) if size > _SIZES[0] else None
            yield Goal(what, other.seconds / first.seconds, least=least)
            yield Goal(f"{what}, by processor time", other.cpu / first.cpu)
    if len(ours) > 1:
        yield Goal("exponent of convert's time", exponent(ours), most=1.05)
    if len(ours) == len(_SIZES):
        yield Goal("memory of convert at 1,000,000 lines, MB", ours[-1].memory, most=150)
        yield Goal("the same in relation to that at 100,000", ours[-1].memory / ours[-2].memory, most=1.1)
