"""What was measured, for the terminal, for documents and for programs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table as RichTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from benchmarks.harness import Timing

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_TIMES = ("command", "lines", "seconds", "lowest", "highest", "processor s", "lines/s", "MB")
_GOALS = ("what", "measured", "goal", "reached")


@dataclass(frozen=True)
class Goal:
    """A figure and its bound; without one it is for information."""

    what: str
    figure: float
    least: float | None = None
    most: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the figure keeps its bound."""
        return (self.least is None or self.figure >= self.least) and (self.most is None or self.figure <= self.most)

    @property
    def row(self) -> tuple[str, ...]:
        """The goal in words."""
        if self.least is None and self.most is None:
            return self.what, f"{self.figure:.2f}", "", ""
        bound = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"
        return self.what, f"{self.figure:.2f}", bound, "yes" if self.reached else "no"


@dataclass(frozen=True)
class Table:
    """One benchmark's outcome."""

    name: str
    timings: list[Timing]
    goals: list[Goal] = field(default_factory=list)

    @property
    def times(self) -> Iterator[tuple[str, ...]]:
        """A row for each command and size."""
        for timing in self.timings:
            seconds = sorted(run.seconds for run in timing.runs)
            figures = (timing.seconds, seconds[0], seconds[-1], timing.cpu)
            rate = f"{timing.size / timing.seconds:,.0f}" if timing.size > 1 else ""
            yield (
                timing.name,
                f"{timing.size:,}",
                *(f"{figure:.3f}" if figure else "" for figure in figures),
                rate,
                f"{timing.memory:.0f}" if timing.memory else "",
            )


def machine(rounds: int) -> dict[str, str]:
    """Name what the figures depend on."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    jq = shutil.which("jq")
    asked = subprocess.run([jq, "--version"], capture_output=True, check=False, text=True) if jq else None  # noqa: S603 - a benchmark's own
    return {
        "processor": cpu.partition(":")[2].strip() or platform.processor(),
        "cores": str(os.cpu_count()),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
        "msgspec": version("msgspec"),
        "orjson": version("orjson"),
        "jq": asked.stdout.strip() if asked else "none",
        "runs each, the commands alternating": str(rounds),
    }


def show(tables: Sequence[Table], console: Console) -> None:
    """Print all tables."""
    for table in tables:
        for head, rows in _parts(table):
            printed = RichTable(title=table.name)
            for name in head:
                printed.add_column(name, justify="left" if name in {"command", "what"} else "right")
            for row in rows:
                printed.add_row(*row)
            console.print(printed)


def to_json(tables: Sequence[Table], on: dict[str, str]) -> bytes:
    """Return everything, each run included."""
    return msgspec.json.format(msgspec.json.encode({"machine": on, "benchmarks": list(tables)}))


def to_markdown(tables: Sequence[Table], on: dict[str, str]) -> str:
    """Return the tables as Markdown."""
    lines = ["; ".join(f"{name}: {value}" for name, value in on.items()) + "."]
    for table in tables:
        lines += ["", f"### {table.name}"]
        for head, rows in _parts(table):
            lines += ["", *_markdown(head, rows)]
    return "\n".join(lines) + "\n"


def write_markdown(path: Path, text: str) -> None:
    """Put the text between the two marks of a document, or make a document of it."""
    old = path.read_text() if path.exists() else f"{BEGIN}\n{END}\n"
    before, _, rest = old.partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")


def _parts(table: Table) -> Iterator[tuple[Sequence[str], Iterator[tuple[str, ...]]]]:
    """Yield head and rows of the times, where there are any, and of the goals."""
    if table.timings:
        yield _TIMES, table.times
    yield _GOALS, (goal.row for goal in table.goals)


def _markdown(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|---|{'---:|' * (len(head) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
