"""What a generated audit log is to be: the options, and the randomness that follows from them alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from sandbox.traffic.values import SECOND

DEFAULT_START = datetime(2026, 1, 5, 8, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Plan:
    """The log covers [start, start + hours); ``records`` is the least total, None leaves it to the activity.

    Raises ValueError for values that describe no log.
    """

    users: int = 50
    hours: float = 4
    seed: int = 1
    start: datetime = DEFAULT_START
    records: int | None = None

    def __post_init__(self) -> None:
        if self.users < 1:
            raise ValueError("users must be at least 1")
        if not 0 < self.hours <= 10_000:  # noqa: PLR2004 - about a year: beyond it is a slip of the keyboard
            raise ValueError("hours must be above 0 and at most 10,000")
        if self.start.tzinfo is None:
            raise ValueError("start must carry its offset from UTC")

    @property
    def first(self) -> int:
        """The window's start, in microseconds since the epoch."""
        since = self.start - _EPOCH
        return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds

    @property
    def length(self) -> int:
        """The window's length in microseconds."""
        return max(1, round(self.hours * 3600 * SECOND))

    def random(self, *purpose: object) -> Random:
        """Return randomness of one purpose's own, so that no part of the log depends on how another was made."""
        return Random(f"{self.seed}/{purpose}")  # noqa: S311 - reproducible data, no secrets
