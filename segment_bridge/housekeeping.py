"""Let what runs have staged expire; never what belongs to a run in progress."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from segment_bridge import layout, ledger
from segment_bridge.errors import ConfigurationError, FatalError
from segment_bridge.plan import Plan
from segment_bridge.report import Report

if TYPE_CHECKING:
    from segment_bridge.staging import Staging

logger = logging.getLogger(__name__)

#: A run without a report that began this long ago is in progress no more, whatever the settings say.
_IN_PROGRESS = timedelta(days=2)


#: As far as scheduled runs reach back by default, and a day.
_KEEP_LEDGER = timedelta(days=8)


def expire(
    root: Staging,
    *,
    keep: timedelta,
    keep_reports: timedelta,
    keep_ledger: timedelta = _KEEP_LEDGER,
    but: str = "",
    now: datetime | None = None,
) -> int:
    """Remove the files of runs that began longer than ``keep`` ago, and their reports after ``keep_reports``.

    Of the ledger, the hours go that are older than ``keep_ledger``. ``but`` is the key of a run that stays whatever
    its age. Returns how many runs lost files.
    """
    now = now or datetime.now(UTC)
    ledger.expire(root, keep_ledger, now)
    runs = root.folder("runs")
    expired = 0
    for name in runs.folders():
        run = runs.folder(name)
        if run != runs.folder(but) and (age := _age(run, now)) is not None:
            expired += _expire(run, age, keep, keep_reports)
    return expired


def _age(run: Staging, now: datetime) -> timedelta | None:
    """Return how long ago a run began; None for what is no run, or cannot be read."""
    try:
        closed = run.exists(layout.REPORT)
        plan = run.read_json(layout.REPORT, Report).plan if closed else run.read_json(layout.PLAN, Plan)
    except ConfigurationError as error:
        logger.warning("a run stays, whatever its age: %s", error)
        return None
    except (FatalError, ValueError):
        return None
    return now - plan.begun


def _expire(run: Staging, age: timedelta, keep: timedelta, keep_reports: timedelta) -> bool:
    closed = run.exists(layout.REPORT)
    if age > max(keep_reports, keep, _IN_PROGRESS) or (not closed and age > max(keep, _IN_PROGRESS)):
        run.remove()
        return True
    files = [name for name in run.names(unfinished=True) if name != layout.REPORT]
    if closed and age > keep and files:
        for name in files:
            run.remove(name)
        return True
    return False
