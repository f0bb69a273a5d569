"""Runs commands in turn and says what each took: time, and memory as the process's largest resident set."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class Command:
    """A peer's way of doing the work: a program that reads ``given`` and prints what it makes of it."""

    name: str
    argv: Sequence[str | Path]
    given: Path = Path(os.devnull)
    #: Whether it does the same work as the first command, so that its output has to be equal.
    same: bool = True


@dataclass(frozen=True)
class Run:
    """What one process took; ``cpu`` is its user and system time, and 0, as ``memory``, where it was not measured."""

    seconds: float
    cpu: float = 0
    memory: float = 0


@dataclass
class Timing:
    """All runs of a command over an input of this size."""

    name: str
    size: int
    runs: list[Run] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median of the time that passed."""
        return median(run.seconds for run in self.runs)

    @property
    def cpu(self) -> float:
        """The median of the time on a processor, which a busy machine disturbs less."""
        return median(run.cpu for run in self.runs)

    @property
    def memory(self) -> float:
        """The largest memory of any run, in MB."""
        return max(run.memory for run in self.runs)


def measure(commands: Sequence[Command], size: int, rounds: int) -> list[Timing]:
    """Run all commands in turn, so often; raise ValueError if they do not print the same.

    The outputs are compared before anything counts; those runs also warm the caches.
    """
    with TemporaryDirectory() as folder:
        first, *others = (_output(command, Path(folder)) for command in commands if command.same)
        for other in others:
            require_equal(first, other)
    timings = [Timing(command.name, size) for command in commands]
    for _ in range(rounds):
        for command, timing in zip(commands, timings, strict=True):
            timing.runs.append(run(command))
    return timings


def run(command: Command, output: Path = Path(os.devnull)) -> Run:
    """Run a command once; raise CalledProcessError if it fails."""
    argv = (sys.executable, "-I", "-S", _LAUNCH, *command.argv)
    with command.given.open("rb") as given, output.open("wb") as printed:
        done = subprocess.run(argv, stdin=given, stdout=printed, stderr=subprocess.PIPE, check=True)  # noqa: S603 - a benchmark's own
    return Run(**json.loads(done.stderr))


def exponent(timings: Sequence[Timing]) -> float:
    """Return the steepest growth of time between sizes that follow each other: 1 is in proportion.

    It is the time on a processor, or where that was not measured the time that passed.
    """
    costs = [(timing.size, timing.cpu or timing.seconds) for timing in timings]
    return max(math.log(cost / less) / math.log(size / smaller) for (smaller, less), (size, cost) in pairwise(costs))


def require_equal(one: Path, other: Path) -> None:
    """Raise ValueError unless both hold the same JSON values line by line, keys in the same order."""
    with one.open("rb") as lines, other.open("rb") as others:
        for number, (line, another) in enumerate(zip_longest(lines, others), start=1):
            if line != another and (line is None or another is None or _ordered(line) != _ordered(another)):
                raise ValueError(f"{one.name} and {other.name} differ in line {number}: their times say nothing")


def _ordered(line: bytes) -> object:
    return json.loads(line, object_pairs_hook=tuple)


def _output(command: Command, folder: Path) -> Path:
    path = folder / command.name.replace("/", " ")
    run(command, path)
    return path
