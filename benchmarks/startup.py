"""How long a command takes that has nothing to do."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.harness import Command, measure
from benchmarks.tables import Goal, Table


def benchmark(rounds: int, _largest: int, _without: tuple[str, ...]) -> Table:
    """Measure the smallest command; the interpreter alone shows what of it is Python's."""
    ours = Command("segment-bridge journeys", (Path(sys.executable).with_name("segment-bridge"), "journeys"))
    python = Command("python -c pass", (sys.executable, "-c", "pass"), same=False)
    timings = measure([ours, python], 1, max(rounds, 15))
    return Table("startup", timings, [Goal("start-up of journeys, ms", timings[0].seconds * 1000, most=150)])
