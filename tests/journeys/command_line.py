"""The project's command line, as its users run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from sandbox.splunk.server import PASSWORD, USERNAME
from tests.journeys.cases import load

if TYPE_CHECKING:
    from pathlib import Path


def segment_bridge(*arguments: str, given: bytes = b"", **settings: str) -> bytes:
    """Run a command that must succeed, with no settings but those given here; return what it prints."""
    foreign = ("SPLUNK_", "SEGMENT_", "KUBECONFIG", "HOST_CONTEXT", "MEMBER_CONTEXTS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "segment_bridge", *arguments],
        input=given,
        capture_output=True,
        env=environment | settings,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def search(url: str, start: str, end: str, *names: str) -> bytes:
    """Ask the stand-in at an address for the results of journeys, all of them if none is named."""
    return segment_bridge(
        *("search", *names, "--from", start, "--to", end),
        SPLUNK_API_URL=url,
        SPLUNK_APP_NAME="search",
        SPLUNK_INDEX="federated:rh_rhtap_stage_audit",
        SPLUNK_USERNAME=USERNAME,
        SPLUNK_PASSWORD=PASSWORD,
    )


def write_maps(folder: Path) -> tuple[str, ...]:
    """Write the two maps into a folder; return the options that name them."""
    options = []
    for name, entries in load("identities.yaml").items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(entries))
        options += [f"--{name}", str(path)]
    return tuple(options)


def ndjson(text: bytes) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]
