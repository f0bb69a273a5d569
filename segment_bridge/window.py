"""The span of time that a run searches: half-open, in UTC, never relative to a worker's clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from segment_bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How far a scheduled run reaches back from the end of its data interval.
LOOK_BACK = timedelta(hours=4)
#: How far it reaches back at most, where none has succeeded for long.
REACH = timedelta(days=7)
#: The time between two scheduled runs, which is what a run of a backfill covers.
PERIOD = timedelta(hours=1)
#: How long a span may be that a person asks for.
LONGEST = timedelta(days=31)

#: Seconds since the epoch; fewer digits are a year or a date.
_EPOCH = re.compile(r"\d{9,11}(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Window:
    """``[start, end)``: a record at ``start`` is inside, one at ``end`` is not.

    Raises :class:`ConfigurationError` for naive times and for an end that is not after its start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            moment: datetime = getattr(self, name)
            if moment.tzinfo is None:
                raise ConfigurationError(f"the window's {name} has no time zone: write it with Z or an offset")
            object.__setattr__(self, name, _plain(moment.astimezone(UTC)))
        if self.end <= self.start:
            raise ConfigurationError(
                f"the window ends ({format_time(self.end)}) before it has begun ({format_time(self.start)}): "
                "give an end that is later than the start"
            )

    @classmethod
    def parse(cls, start: str, end: str) -> Window:
        """Read both ends with :func:`parse_time`."""
        return cls(parse_time(start), parse_time(end))

    @classmethod
    def between(cls, start: str, end: str) -> Window | None:
        """Read a window that somebody may ask for; None where there is neither end.

        Raises :class:`ConfigurationError` for one end alone.
        """
        if bool(start) != bool(end):
            raise ConfigurationError("the window has one end: give both from and to, or neither")
        return cls.parse(start, end) if start else None

    def overlaps(self, other: Window) -> bool:
        """Say whether some record could lie in both."""
        return self.start < other.end and other.start < self.end

    def parts(self, longest: timedelta) -> Iterator[Window]:
        """Cut it into windows of ``longest``, the latest first; the earliest may be shorter."""
        end = self.end
        while end > self.start:
            start = max(self.start, end - longest)
            yield Window(start, end)
            end = start

    def __str__(self) -> str:
        return f"[{format_time(self.start)}, {format_time(self.end)})"


class Kind(StrEnum):
    """Why there is a run."""

    SCHEDULED = "scheduled"
    BACKFILL = "backfill"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Decision:
    """The window of a run; ``hole`` is what no run has covered, and this one does not reach either."""

    window: Window
    hole: Window | None = None


def decide(
    kind: Kind,
    due: datetime,
    *,
    covered: datetime | None = None,
    span: tuple[str, str] = ("", ""),
    look_back: timedelta | None = None,
    reach: timedelta = REACH,
    recognized: timedelta | None = None,
) -> Decision:
    """Decide which window a run covers; it ends at a full hour, unless a span says otherwise.

    ``due`` is the end of the run's data interval, or the moment for which a run without one was asked; ``covered``
    is the end of the last successful scheduled run's window. ``span`` is what the form of a manual run says, as
    texts, empty where it says nothing. ``look_back`` is :data:`LOOK_BACK` by default, and for a backfill
    :data:`PERIOD`; no scheduled run reaches back farther than ``reach``, unless its look-back does.

    Where scheduled runs are missing, the window is that of all of them together: what reached Splunk late is looked
    for as long as without them missing. It begins where nothing is covered, and no earlier, if it would be longer
    than ``recognized``, as long as repeats do not count; None is for ever.

    Raises :class:`ConfigurationError` for a span with one end, or that is in the future or too long.
    """
    if asked := Window.between(*span):
        return Decision(_possible(asked, due))
    # To the full hour: a run starts some minutes past it, and two clicks ask for the same window.
    due = due.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if kind is Kind.BACKFILL:
        return Decision(Window(due - (look_back or PERIOD), due))
    start = due - (look_back or LOOK_BACK)
    if kind is Kind.MANUAL or covered is None:
        return Decision(Window(start, due))
    first_missing = covered + PERIOD - (due - start)
    if recognized is not None and due - first_missing > recognized:
        first_missing = covered
    farthest = min(start, due - reach)
    window = Window(max(farthest, min(start, first_missing, covered)), due)
    return Decision(window, hole=Window(covered, farthest) if covered < farthest else None)


def _possible(window: Window, due: datetime) -> Window:
    if window.end > due:
        raise ConfigurationError(
            f"the window {window} reaches beyond {format_time(due)}, when the run was asked for: nothing is there yet"
        )
    if window.end - window.start > LONGEST:
        raise ConfigurationError(
            f"the window {window} is longer than {LONGEST.days} days: ask for less, or for a backfill hour by hour"
        )
    return window


def _plain(moment: datetime) -> datetime:
    """Return a moment in UTC as a datetime and nothing more, whatever class of it Airflow has given."""
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond)
    return datetime(*parts, tzinfo=UTC)


def parse_time(text: str) -> datetime:
    """Read ISO 8601 (without an offset: UTC) or seconds since the epoch.

    Raises :class:`ConfigurationError` for anything else, relative times (``-4h``, ``now``) included.
    """
    try:
        moment = datetime.fromtimestamp(float(text), UTC) if _EPOCH.fullmatch(text) else datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is not a time: write it as 2026-01-31T08:00:00Z or as seconds since the epoch"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_time(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC with a ``Z``, fractions only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
