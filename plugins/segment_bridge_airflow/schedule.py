"""When scheduled runs start, and when one is late: two environment variables of Airflow's processes.

Airflow needs both to import the DAG. A value that cannot be used gives the default, and the first task fails for it.
"""

from __future__ import annotations

import os
from datetime import timedelta

from segment_bridge.errors import ConfigurationError

_MINUTE, _LATE = "SEGMENT_BRIDGE_SCHEDULE_MINUTE", "SEGMENT_BRIDGE_LATE_MINUTES"
_DEFAULTS = {_MINUTE: "7", _LATE: "45"}


def minute() -> int:
    """Return the minute past the hour at which scheduled runs start; the window ends at the full hour all the same.

    Not the full hour itself, when most of what a Splunk is asked for begins.
    """
    return int(_number(_MINUTE))


def late_after() -> timedelta:
    """Return how long after its start a scheduled run that has not succeeded is late."""
    return timedelta(minutes=_number(_LATE))


def require_usable() -> None:
    """Raise :class:`ConfigurationError` for a value that cannot be used."""
    wrong = [name for name in _DEFAULTS if not _usable(name, os.environ.get(name, _DEFAULTS[name]))]
    if wrong:
        raise ConfigurationError(
            f"{' and '.join(wrong)} cannot be used: write {_MINUTE} as a minute from 0 to 59, and {_LATE} as minutes "
            "from 0.1 to 1440"
        )


def _number(name: str) -> float:
    text = os.environ.get(name, _DEFAULTS[name])
    return float(text if _usable(name, text) else _DEFAULTS[name])


def _usable(name: str, text: str) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return (number in range(60)) if name == _MINUTE else 0.1 <= number <= 1440  # noqa: PLR2004 - as the error says
