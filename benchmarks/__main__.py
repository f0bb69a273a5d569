"""``python -m benchmarks``."""

from __future__ import annotations

import compileall
from pathlib import Path

import click
from rich.console import Console

from benchmarks import convert, dag, export, maps, scans, startup, tables, upload
from benchmarks.inputs import FOLDER
from segment_bridge import __file__ as package

_BENCHMARKS = {
    "convert": convert.benchmark,
    "dag": dag.benchmark,
    "export": export.benchmark,
    "maps": maps.benchmark,
    "scans": scans.benchmark,
    "startup": startup.benchmark,
    "upload": upload.benchmark,
}
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(_BENCHMARKS)), metavar="[NAME]...")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="How often each command runs.")
@click.option("--largest", type=int, default=1_000_000, show_default=True, help="The largest input, in lines.")
@click.option("--without", multiple=True, help="Leave a peer out: jq takes minutes for the largest input.")
@click.option("--json", "json_path", type=_FILE, default=FOLDER / "measured.json", help="Where every run is kept.")
@click.option("--markdown", type=_FILE, help="A document to put the tables into, between its two marks.")
def main(
    *,
    names: tuple[str, ...],
    rounds: int,
    largest: int,
    without: tuple[str, ...],
    json_path: Path,
    markdown: Path | None,
) -> None:
    """Measure, print the tables, and keep the figures; without a NAME all benchmarks run."""
    # As pip leaves what it installs; where Python may not write it, each start would compile the sources anew.
    compileall.compile_dir(Path(package).parent, quiet=1)
    on = tables.machine(rounds)
    measured = [_BENCHMARKS[name](rounds, largest, without) for name in names or _BENCHMARKS]
    tables.show(measured, Console())
    json_path.parent.mkdir(parents=True, exist_ok=True)
    json_path.write_bytes(tables.to_json(measured, on))
    if markdown:
        tables.write_markdown(markdown, tables.to_markdown(measured, on))


main(prog_name="python -m benchmarks")
