"""Airflow and the stand-ins, left running for a look: what ``make up`` starts and ``make down`` stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psutil

from sandbox import demo, standalone
from sandbox.deployment import DAG, PROJECT, environment
from sandbox.traffic import Plan, generate

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

_HOURS = 8


def up(folder: Path, address: tuple[str, int], console: Console) -> None:
    """Start all of it, with traffic up to the coming hour, and run the DAG once; the address is that of the web UI."""
    down(folder, console)
    coming = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    demo.write(generate(Plan(users=60, hours=_HOURS, start=coming - timedelta(hours=_HOURS))), folder)
    started = folder / "started.json"
    with (folder / "stand-ins.log").open("w") as log:
        stand_ins = subprocess.Popen(  # noqa: S603 - our own
            demo.serve_command(folder),
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    _remember(started, stand_ins=stand_ins.pid)
    addresses = json.loads(stand_ins.stdout.readline() if stand_ins.stdout else "")
    home = folder / "airflow"
    settings = environment(home, addresses) | {
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__API__HOST": address[0],
    }
    console.print("starting Airflow (half a minute, the first time a whole one) ...")
    airflow = standalone.start(settings, home, address[1])
    _remember(started, stand_ins=stand_ins.pid, airflow=airflow.pid)
    airflow.await_dag(DAG)
    airflow.call("POST", f"/dags/{DAG}/dagRuns", {"logical_date": None})
    console.print(f"Airflow:  {airflow.url}/dags/{DAG} (no login)")
    console.print(
        f"Segment:  {addresses['segment']}/sandbox/summary (what arrived), /sandbox/events, /sandbox/rejected"
    )
    console.print(f"Splunk:   {addresses['splunk']} (admin / changeme)")
    console.print(f"clusters: kubectl --kubeconfig {addresses['kubeconfig']} --context host get usersignups -A")
    console.print(f"files:    {home / 'staging'}; `make down` stops it all")


def down(folder: Path, console: Console) -> None:
    """Stop what was started, as far as it still runs."""
    started = folder / "started.json"
    if not started.exists():
        return
    for name, (pid, began) in json.loads(started.read_text()).items():
        # A number that another process has by now is none of ours.
        if psutil.pid_exists(pid) and psutil.Process(pid).create_time() == began:
            if name == "airflow":
                standalone.stop(pid)
            else:
                os.kill(pid, signal.SIGTERM)
    started.unlink()
    console.print("stopped")


def _remember(started: Path, **pids: int) -> None:
    started.write_text(json.dumps({name: (pid, psutil.Process(pid).create_time()) for name, pid in pids.items()}))
