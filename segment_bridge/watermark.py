"""Up to when scheduled runs have succeeded: what a run after an outage reaches back to.

A window counts as covered only once the books of its run are closed; what lies before the first run counts as covered
once that has begun. The mark lies in staging, beside the runs, so that it is the same for every worker; scheduled runs
follow one another, so that no two write it at once.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from segment_bridge.staging import Staging

_FILE = "covered.json"


class Covered(msgspec.Struct, frozen=True):
    """The end of the last successful scheduled run's window, and that run; none where there was none yet."""

    end: datetime
    run: str


def read(root: Staging) -> datetime | None:
    """Return up to when the records are covered; None before the first run."""
    return root.read_json(_FILE, Covered).end if root.exists(_FILE) else None


def start(root: Staging, end: datetime) -> None:
    """Let everything before count as covered, if there is no mark yet."""
    if not root.exists(_FILE):
        root.write_json(_FILE, Covered(end, ""))


def advance(root: Staging, end: datetime, run: str) -> None:
    """Move the mark forward; a run of the past that succeeds again moves nothing."""
    covered = read(root)
    if covered is None or end > covered:
        root.write_json(_FILE, Covered(end, run))
