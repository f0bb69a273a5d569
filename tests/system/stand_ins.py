"""The command line against stand-ins on real sockets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from sandbox import kubernetes
from sandbox.deployment import command_line
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.traffic import Plan, Traffic, generate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FROM, TO = "2026-01-05T08:00:00Z", "2026-01-05T12:00:00Z"
#: Where nobody listens.
NOWHERE = "http://127.0.0.1:1"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class World:
    traffic: Traffic
    settings: dict[str, str]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Serve a Splunk and the clusters; the settings lack Segment's address."""
    traffic = generate(Plan(users=24, hours=4, seed=3))
    traffic.clusters.write(folder / "clusters")
    (folder / "audit.log").write_bytes(b"".join(traffic.records()))
    clusters = kubernetes.Clusters.from_folder(folder / "clusters")
    with (
        serving(create_app(AuditLog.from_files([folder / "audit.log"]))) as splunk_url,
        serving(kubernetes.create_app(clusters)) as kubernetes_url,
    ):
        (folder / "kubeconfig").write_text(kubernetes.kubeconfig(kubernetes_url, clusters))
        yield World(
            traffic,
            {
                **command_line({"splunk": splunk_url, "kubeconfig": str(folder / "kubeconfig")}),
                "SEGMENT_BRIDGE_RETRY_PAUSE": "0.01",
            },
        )


def about_cut_records(traffic: Traffic, *resources: str) -> str:
    """Return what a report warns of where the API server has cut records of these resources, or of all journeys'."""
    counted = {name: count for name, count in traffic.manifest["truncated"].items() if name in (resources or [name])}
    named = ", ".join(f"{count} of {name}" for name, count in counted.items())
    return (
        f"the API server cut records that were too large, which journeys may have missed: {named}; "
        "raise its --audit-log-truncate-max-event-size, or that of the webhook"
    )


def start(*arguments: str, settings: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a command with no settings but those given here."""
    own = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    return subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, "-m", "segment_bridge", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**own, **settings},
    )


def finish(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=60)
    return Done(process.returncode, out, err)


def bridge(*arguments: str, settings: Mapping[str, str]) -> Done:
    """Run a command to its end."""
    return finish(start(*arguments, settings=settings))


def arrived(url: str) -> list[Any]:
    """Return what the stand-in for Segment took, each event once."""
    return [json.loads(line) for line in requests.get(f"{url}/sandbox/events", timeout=60).content.splitlines()]
