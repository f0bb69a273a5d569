"""What is due, from the command line: another way through the same library, without Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.deployment import command_line
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
                **command_line(world.addresses),
                "SEGMENT_BRIDGE_STAGING": staging,
            },
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        bodies = [json.loads(path.read_text()) for path in Path(staging).glob("runs/*/batches/*/*.json")]
    return {event["messageId"] for body in bodies for event in body["batch"]}
