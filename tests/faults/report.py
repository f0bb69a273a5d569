"""Try every fault and write docs/reliability.md: ``python -m tests.faults.report``.

With ``--recorded`` it writes what the last tests have recorded.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from sandbox.deployment import PROJECT
from tests.faults.conftest import RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PAGE = PROJECT / "docs" / "reliability.md"
_SYSTEMS = {
    "Nothing": "No fault",
    "Splunk": "Splunk",
    "Kubernetes": "Kubernetes",
    "Segment": "Segment",
    "Ledger": "The ledger of what is acknowledged",
    "Host": "The host",
    "Chance": "Everything at random",
}
_FIGURES = ("due", "delivered", "rejected", "undelivered", "unreached", "lost", "duplicated")
_HEAD = """\
# Reliability

What becomes of events when something fails. Each line is a test in `tests/faults/`: it runs the command line against
the stand-ins, over HTTP, with a proxy before each of them that misbehaves on cue, and then looks for every event by its
messageId: in Segment's stand-in, in staging, in the report. `make reliability` tries every fault and writes this page.

{faults} faults in {runs} runs: {due:,} events at stake, **{lost:,} lost, {duplicated:,} duplicated**.

| column | events |
|---|---|
| at stake | due, by what the maker of the traffic knows |
| delivered | accepted by Segment, in this run or, where a fault has two, in both |
| rejected | kept in staging with a reason: the fault made them unfit |
| undelivered | kept in staging as batches; the run is red, and says how many |
| unreached | of journeys or of a whole run that are told to have failed: still in Splunk, for the next run |
| lost | none of these |
| duplicated | accepted more than once after deduplication by messageId, or not due |

Exit status: 0 done; 1 something was not delivered; 2 a person has to change something; -9 killed.
"""
_TABLE = "| fault | at stake | delivered | rejected | undelivered | unreached | lost | duplicated | exit |\n"
_RULE = "|---|" + "---:|" * 8 + "\n"


@click.command()
@click.option("--recorded", is_flag=True, help="Try nothing; write what the last tests have recorded.")
def main(*, recorded: bool) -> None:
    """Try every fault and write docs/reliability.md."""
    if not recorded:
        shutil.rmtree(RECORDS, ignore_errors=True)
        command = [sys.executable, "-m", "pytest", "tests/faults"]
        if subprocess.run(command, cwd=PROJECT, check=False, env={**os.environ, "SEGMENT_BRIDGE_SOAK": "1"}).returncode:  # noqa: S603 - our own
            raise click.ClickException("not every fault ended as it should: the page stays as it is")
    rows = [row for path in RECORDS.glob("*.json") for row in _numbered(json.loads(path.read_text()))]
    rows.sort(key=lambda row: (list(_SYSTEMS).index(row["system"]), row["order"]))
    if not rows:
        raise click.ClickException(f"nothing is recorded in {RECORDS}: run the tests first")
    _PAGE.write_text("".join(_page(rows)))
    click.echo(f"{_PAGE.relative_to(PROJECT)}: {len(rows)} runs")


def _numbered(runs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for number, run in enumerate(runs, start=1):
        yield run | {"fault": f"{run['fault']}: run {number}"} if len(runs) > 1 else run


def _page(rows: list[dict[str, Any]]) -> Iterator[str]:
    faults = {(row["system"], *row["order"]) for row in rows if row["system"] != "Nothing"}
    yield _HEAD.format(faults=len(faults), runs=len(rows), **_sums(rows))
    for system, of_it in groupby(rows, key=lambda row: str(row["system"])):
        yield f"\n## {_SYSTEMS[system]}\n\n{_TABLE}{_RULE}"
        listed = list(of_it)
        for row in listed:
            yield _line(row["fault"], row, str(row["exit"]))
        yield _line(f"**all {len(listed)} runs**", _sums(listed), "")


def _line(title: str, figures: dict[str, Any], code: str) -> str:
    return f"| {title} | {' | '.join(f'{figures[name]:,}' for name in _FIGURES)} | {code} |\n"


def _sums(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    listed = list(rows)
    return {name: sum(row[name] for row in listed) for name in _FIGURES}


if __name__ == "__main__":
    main()
