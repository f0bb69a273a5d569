"""A whole Airflow: scheduler, API server, triggerer and DAG processor, as ``airflow standalone`` runs them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from sandbox.deployment import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_START = 180.0  # seconds that a start may take on two slow cores
_STOP = 60.0

Json = dict[str, Any]


@dataclass(frozen=True)
class Airflow:
    """A running Airflow, in which everybody on this machine may do everything."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The process group that it is."""
        return self.process.pid

    def stop(self) -> None:
        """Stop all of it."""
        stop(self.pid)
        self.process.wait()  # which finds it reaped, and forgets it

    def await_dag(self, dag_id: str) -> None:
        """Wait until the file of a DAG has been read."""
        deadline = time.monotonic() + _START
        while dag_id not in {dag["dag_id"] for dag in self.call("GET", "/dags")["dags"]}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"there is no DAG {dag_id} after {_START:g} s")
            time.sleep(0.5)

    def call(self, method: str, path: str, body: Json | None = None, *, timeout: float = 60) -> Json:
        """Ask the REST API below ``/api/v2``; raises requests.HTTPError for a refusal, with what it says."""
        token = requests.get(f"{self.url}/auth/token", timeout=timeout).json()["access_token"]
        answer = requests.request(
            method,
            f"{self.url}/api/v2{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout,
        )
        if not answer.ok:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text}", response=answer)
        document: Json = answer.json() if answer.content else {}
        return document


def start(environment: Mapping[str, str], home: Path, port: int) -> Airflow:
    """Start Airflow as a process group of its own, and wait until all of its parts are healthy.

    Its output goes into a file of its home. Raises RuntimeError, with the end of that, if it does not start.
    """
    url = f"http://127.0.0.1:{port}"
    log = home / "standalone.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            cwd=PROJECT,
            env={**environment, **_addresses(url, port), "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    airflow = Airflow(url, process)
    try:
        _await_health(process, airflow)
        _make_pools(airflow)
    except BaseException as error:
        airflow.stop()
        tail = "\n".join(log.read_text().splitlines()[-30:])
        raise RuntimeError(f"Airflow does not start; the end of {log}:\n{tail}") from error
    return airflow


def _await_health(process: subprocess.Popen[bytes], airflow: Airflow) -> None:
    deadline = time.monotonic() + _START
    while not _healthy(airflow.url):
        if process.poll() is not None:
            raise ChildProcessError(f"it ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"it is not healthy after {_START:g} s")
        time.sleep(0.5)


def stop(pid: int) -> None:
    """Stop the process group that :func:`start` began; SIGINT is the only signal upon which it stops as a whole."""
    deadline = time.monotonic() + _STOP
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if not _signal(pid, sign):
            return
        while time.monotonic() < deadline and _signal(pid, 0):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.1)
        deadline = time.monotonic() + _STOP / 6


@contextlib.contextmanager
def running(environment: Mapping[str, str], home: Path, port: int) -> Iterator[Airflow]:
    """Run Airflow while the block runs."""
    airflow = start(environment, home, port)
    try:
        yield airflow
    finally:
        airflow.stop()


def _make_pools(airflow: Airflow) -> None:
    """Make the pools that tasks of the DAG wait for, as ``airflow pools import`` does."""
    there = {pool["name"] for pool in airflow.call("GET", "/pools")["pools"]}
    for name, pool in json.loads((PROJECT / "config" / "pools.json").read_text()).items():
        if name not in there:
            airflow.call("POST", "/pools", {"name": name, **pool})


def _addresses(url: str, port: int) -> dict[str, str]:
    return {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
    }


def _healthy(url: str) -> bool:
    with contextlib.suppress(requests.RequestException, ValueError):
        parts = requests.get(f"{url}/api/v2/monitor/health", timeout=5).json()
        return all(
            parts.get(part, {}).get("status") == "healthy"
            for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
        )
    return False


def _signal(group: int, sign: int) -> bool:
    """Signal a process group; say whether there is one."""
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return False
    return True
