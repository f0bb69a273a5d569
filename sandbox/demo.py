"""The demonstration: generated traffic through the real DAG into the stand-in for Segment, and a check of it all."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from sandbox.deployment import PROJECT, environment
from sandbox.traffic import Plan, generate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from sandbox.traffic import Traffic

#: At least 20,000 records over four hours, which are the window of the run at their end.
PLAN = Plan(users=60, hours=4, records=24_000)
END = PLAN.start + timedelta(hours=PLAN.hours)

Json = dict[str, Any]


def demonstrate(folder: Path, console: Console) -> list[str]:
    """Carry the traffic, print what became of it, and return what is not as it should be."""
    began = time.monotonic()
    traffic = generate(PLAN)
    write(traffic, folder)
    console.print(f"{traffic.manifest['records']:,} audit records, {len(traffic.manifest['users'])} users with an ID")
    with standing_in(folder) as addresses:
        console.print("running the DAG under Airflow, on SQLite ...")
        home = folder / "airflow"
        run_dag(home, addresses, END.isoformat())
        report = newest_report(home)
        arrived = accepted(addresses["segment"])
    print_report(report, console)
    faults = [
        *differences(report, traffic.manifest),
        *misses(home, report["run"], arrived),
        *misnamed(arrived, traffic.manifest),
    ]
    if not faults:
        console.print(f"Segment's stand-in holds exactly the {len(arrived):,} events sent, each once.", style="green")
    console.print(f"{time.monotonic() - began:.0f} s; the report and every file of the run lie in {home / 'staging'}")
    return faults


def write(traffic: Traffic, folder: Path) -> None:
    """Write a log and its cluster objects."""
    folder.mkdir(parents=True, exist_ok=True)
    traffic.clusters.write(folder / "clusters")
    with (folder / "audit.log").open("wb") as file:
        file.writelines(traffic.records())


def serve_command(folder: Path) -> list[str]:
    """Return the command that serves what :func:`write` wrote."""
    options = {"--audit-log": "audit.log", "--clusters": "clusters", "--kubeconfig": "kubeconfig"}
    named = (part for option, name in options.items() for part in (option, str(folder / name)))
    return [sys.executable, "-m", "sandbox", "serve", *named]


@contextlib.contextmanager
def standing_in(folder: Path) -> Iterator[dict[str, str]]:
    """Serve what :func:`write` wrote from a process of its own; give the addresses."""
    with subprocess.Popen(serve_command(folder), cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise RuntimeError("the stand-ins do not start")
            yield json.loads(line)
        finally:
            process.terminate()


def run_dag(home: Path, addresses: dict[str, str], end: str) -> None:
    """Run the DAG once; what Airflow prints goes into a file, the end of which the error quotes."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "run.log").open("w") as log:
        done = subprocess.run(  # noqa: S603 - our own
            [sys.executable, "-m", "sandbox.dag_run", end],
            cwd=PROJECT,
            env=environment(home, addresses),
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        tail = "\n".join((home / "run.log").read_text().splitlines()[-40:])
        raise RuntimeError(f"the DAG did not succeed; the end of {home / 'run.log'}:\n{tail}")


def newest_report(home: Path) -> Json:
    """Return the report of the run that ended last."""
    newest = max((home / "staging" / "runs").glob("*/report.json"), key=lambda path: path.stat().st_mtime)
    report: Json = json.loads(newest.read_text())
    return report


def accepted(segment: str) -> list[bytes]:
    """Return the events that the stand-in accepted, byte for byte, each once."""
    with urllib.request.urlopen(f"{segment}/sandbox/events", timeout=60) as answer:  # noqa: S310 - our own address
        body: bytes = answer.read()
    return body.splitlines()


def sent(home: Path, run: str) -> Iterator[bytes]:
    """Give the events of a run's batches, byte for byte, as they lie in staging."""
    from segment_bridge.events import from_body  # noqa: PLC0415 - the stand-ins themselves know nothing of it

    (folder,) = [path.parent for path in (home / "staging" / "runs").glob("*/report.json") if named(path) == run]
    for path in sorted(folder.glob("batches/*/*.json")):
        yield from from_body(path.read_bytes())


def named(report: Path) -> str:
    """Return the run that a report is about."""
    return str(json.loads(report.read_text())["run"])


def differences(report: Json, manifest: Json) -> list[str]:
    """Compare the books with what the traffic's maker knows."""
    from segment_bridge.catalog import JOURNEYS  # noqa: PLC0415 - as above

    faults = list(report["problems"])
    for journey in JOURNEYS:
        books, expected = report["journeys"][journey.name], manifest["journeys"][journey.title]
        for what, counted, due in (
            ("found", books["found"], expected["matching"]),
            ("sent", books["sent"], expected["events"]),
            ("rejected", books["rejected"], expected["rejected"]),
        ):
            if counted != due:
                faults.append(f"{journey.name}: {counted} {what}, and {due} were due")
    if report["truncated"] != manifest["truncated"]:
        faults.append(f"{report['truncated']} truncated, and {manifest['truncated']} were due")
    return faults


def misses(home: Path, run: str, arrived: list[bytes]) -> list[str]:
    """Compare what Segment's stand-in holds with what was sent."""
    due, there = set(sent(home, run)), Counter(arrived)
    faults = []
    if missing := len(due - there.keys()):
        faults.append(f"{missing} events were sent and did not arrive")
    if foreign := len(there.keys() - due):
        faults.append(f"{foreign} events arrived and were not sent")
    if twice := sum(count > 1 for count in there.values()):
        faults.append(f"{twice} events were accepted more than once")
    return faults


def misnamed(arrived: list[bytes], manifest: Json) -> list[str]:
    """Compare the names of what Segment's stand-in holds with those that the traffic's maker knows."""
    due = sum((Counter(journey["names"]) for journey in manifest["journeys"].values()), Counter[str]())
    there = Counter(json.loads(event)["event"] for event in arrived)
    names = sorted(due.keys() | there.keys())
    return [f"{there[name]} {name}, and {due[name]} were due" for name in names if there[name] != due[name]]


def print_report(report: Json, console: Console) -> None:
    """Print the books as two tables: what became of the results, and why some were rejected."""
    rows = {**report["journeys"], "all": report["total"]}
    columns = ("found", "sent", "rejected", "undelivered", "batches")
    figures = {name: books | {"rejected": sum(books["rejected"].values())} for name, books in rows.items()}
    console.print(_table("the run's books", columns, figures))
    reasons = tuple(report["total"]["rejected"])
    console.print(_table("rejected, by reason", reasons, {name: books["rejected"] for name, books in rows.items()}))


def _table(title: str, columns: tuple[str, ...], rows: dict[str, Json]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    table.add_column("journey", no_wrap=True)
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for name, row in rows.items():
        if name == "all":
            table.add_section()
        table.add_row(name, *(f"{row.get(column, 0):,}" for column in columns))
    return table
