"""What is due, from the command line: another way through the same library, without Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.scheduler.conftest import written

if TYPE_CHECKING:
    from datetime import datetime

    from tests.scheduler.conftest import World


def message_ids(world: World, start: datetime, end: datetime) -> set[str]:
    """Return the messageIds of the events that the records of a span make, by a dry run."""
    with tempfile.TemporaryDirectory() as staging:
        done = subprocess.run(  # noqa: S603 - our own
            [
                sys.executable,
                "-m",
                "segment_bridge",
                "run",
                "--dry-run",
                "--from",
                written(start),
                "--to",
                written(end),
            ],
            env={
                **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}},
                "SPLUNK_API_URL": world.addresses["splunk"],
                "SPLUNK_USERNAME": "admin",
                "SPLUNK_PASSWORD": "changeme",
                "KUBECONFIG": world.addresses["kubeconfig"],
                "HOST_CONTEXT": "host",
                "MEMBER_CONTEXTS": "member-1,member-2",
                "SEGMENT_BRIDGE_STAGING": staging,
            },
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        bodies = [json.loads(path.read_text()) for path in Path(staging).glob("runs/*/batches/*/*.json")]
    return {event["messageId"] for body in bodies for event in body["batch"]}
