"""The command ``audit-log``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click
import msgspec

from sandbox.traffic import Plan, generate
from sandbox.traffic.plan import DEFAULT_START


def _time(_: click.Context, __: click.Parameter, value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no ISO-8601 time, such as 2026-01-05T08:00:00Z") from error
    if time.tzinfo is None:
        raise click.BadParameter("the time lacks its offset from UTC, such as a Z at the end")
    return time.astimezone(UTC)


@click.command("audit-log")
@click.option("--users", type=click.IntRange(min=1), default=50, show_default=True, help="How many people there are.")
@click.option(
    "--hours",
    type=click.FloatRange(min=0, max=10_000, min_open=True),
    default=4,
    show_default=True,
    help="How long the log is.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed makes another log.")
@click.option(
    "--start",
    callback=_time,
    default=DEFAULT_START.strftime("%Y-%m-%dT%H:%M:%SZ"),
    show_default=True,
    help="When it begins: ISO-8601, with the offset from UTC.",
)
@click.option("--records", type=click.IntRange(min=0), help="The least number of records; noise fills it up.")
@click.option("--output", type=click.File("wb"), default="-", help="The file to write; stdout by default.")
@click.option(
    "--clusters",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for the cluster objects that go with the log.",
)
@click.option(
    "--manifest",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file for what a bridge should find, as JSON.",
)
def audit_log(
    *,
    users: int,
    hours: float,
    seed: int,
    start: datetime,
    records: int | None,
    output: IO[bytes],
    clusters: Path | None,
    manifest: Path | None,
) -> None:
    """Write a synthetic Kubernetes audit log, one JSON record a line. The same options give the same bytes."""
    traffic = generate(Plan(users=users, hours=hours, seed=seed, start=start, records=records))
    if clusters is not None:
        traffic.clusters.write(clusters)
    if manifest is not None:
        manifest.write_bytes(msgspec.json.format(msgspec.json.encode(traffic.manifest)) + b"\n")
    output.writelines(traffic.records())
