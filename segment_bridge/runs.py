"""The runs that lie in staging."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from segment_bridge import layout
from segment_bridge.errors import FatalError
from segment_bridge.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segment_bridge.staging import Staging


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder, its name, and what the run is about."""

    name: str
    folder: Staging
    plan: Plan

    @property
    def closed(self) -> bool:
        """Whether its books are closed."""
        return self.folder.exists(layout.REPORT)

    def overlaps(self, other: Run) -> bool:
        """Say whether some record could lie in the windows of both."""
        return self.plan.window.overlaps(other.plan.window)


def find(root: Staging) -> list[Run]:
    """Return the runs, earliest window first; what has no plan, or a damaged one, is none.

    Raises :class:`ConfigurationError` for one that this user may not read, and :class:`RetryableError` where staging
    gives no answer: without such a run, nothing true can be said of all of them.
    """
    return sorted(_readable(root.folder("runs")), key=lambda run: (run.plan.window.start, run.plan.begun, run.name))


def _readable(runs: Staging) -> Iterator[Run]:
    for name in runs.folders():
        folder = runs.folder(name)
        try:
            yield Run(name, folder, folder.read_json(layout.PLAN, Plan))
        except (FatalError, ValueError):
            continue
