"""The span of time that a run searches: half-open, in UTC, never relative to a worker's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from segment_bridge.errors import ConfigurationError

#: How far a scheduled run reaches back from the end of its data interval.
LOOK_BACK = timedelta(hours=4)


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
    def before(cls, end: datetime, *, look_back: timedelta = LOOK_BACK) -> Window:
        """Return the window of length ``look_back`` up to ``end``."""
        return cls(end - look_back, end)

    @classmethod
    def parse(cls, start: str, end: str) -> Window:
        """Read both ends with :func:`parse_time`."""
        return cls(parse_time(start), parse_time(end))

    def __str__(self) -> str:
        return f"[{format_time(self.start)}, {format_time(self.end)})"


def _plain(moment: datetime) -> datetime:
    """Return a moment in UTC as a datetime and nothing more, whatever class of it Airflow has given."""
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond)
    return datetime(*parts, tzinfo=UTC)


def parse_time(text: str) -> datetime:
    """Read ISO 8601 (without an offset: UTC) or seconds since the epoch.

    Raises :class:`ConfigurationError` for anything else, relative times (``-4h``, ``now``) included.
    """
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is not a time: write it as 2026-01-31T08:00:00Z or as seconds since the epoch"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_time(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC with a ``Z``, fractions only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
