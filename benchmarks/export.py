"""Reading the stream of an export against the reader of Splunk's SDK."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.harness import Command, exponent, measure, require_equal, run
from benchmarks.inputs import FOLDER, answer, results
from benchmarks.tables import Goal, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.harness import Timing

_PEERS = Path(__file__).parent / "peers"
_OURS, _SDK = "the bridge's reader", "JSONResultsReader of splunk-sdk"
_READERS = {_OURS: _PEERS / "own_reader.py", _SDK: _PEERS / "sdk_reader.py"}
_SIZES = (10_000, 100_000, 1_000_000)


def benchmark(rounds: int, largest: int, _without: tuple[str, ...]) -> Table:
    """Measure at each size up to the largest; what both read is compared before anything counts."""
    sizes = [size for size in _SIZES if size <= largest]
    timings = {size: _measure(_stream(size), size, rounds) for size in sizes}
    return Table("export", [one for several in timings.values() for one in several], list(_goals(timings)))


def _measure(stream: Path, size: int, rounds: int) -> list[Timing]:
    with TemporaryDirectory() as folder:
        printed = [Path(folder) / str(number) for number in range(len(_READERS))]
        for (name, reader), path in zip(_READERS.items(), printed, strict=True):
            run(Command(name, (sys.executable, reader, "print"), stream), path)
        require_equal(*printed)
    commands = [Command(name, (sys.executable, reader), stream, same=False) for name, reader in _READERS.items()]
    return measure([Command("nothing", ("true",)), *commands], size, rounds)[1:]


def _stream(size: int) -> Path:
    """Return a complete answer of so many rows, made once and kept."""
    path = FOLDER / f"export-{size}.ndjson"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        with results(size).results.open("rb") as lines, unfinished.open("wb") as stream:
            stream.writelines(answer(lines, size))
        unfinished.rename(path)
    return path


def _goals(timings: dict[int, list[Timing]]) -> Iterator[Goal]:
    for size, (ours, sdk) in timings.items():
        what = f"speed of reading in relation to the SDK's reader, {size:,} rows"
        yield Goal(what, sdk.seconds / ours.seconds, least=3.0 if size > _SIZES[0] else None)
    sizes = list(timings)
    if len(sizes) > 1:
        yield Goal("exponent of the reader's time", exponent([ours for ours, _ in timings.values()]), most=1.05)
        memory = timings[sizes[-1]][0].memory / timings[sizes[0]][0].memory
        yield Goal(f"memory at {sizes[-1]:,} rows in relation to that at {sizes[0]:,}", memory, most=1.1)
