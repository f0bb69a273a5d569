"""The values of ``eval``: null, text, numbers, truth, and lists of text (multivalues)."""

from __future__ import annotations

import math
import re
from typing import TypeAlias

from sandbox.splunk.errors import SplError

Value: TypeAlias = bool | int | float | str | list[str] | None

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_EXACT = 2**53


def several(value: Value) -> list[str]:
    """Return a value as a list; null is the empty one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [text(value)]


def single(values: list[str]) -> Value:
    """Return a list as a value: none as null, one as itself."""
    return values if len(values) > 1 else values[0] if values else None


def text(value: Value) -> str:
    """Return a value's text; raise SplError for several values, whose use as one text is not implemented."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.16g}"
    raise SplError("A function or operator that takes one value was given several.")


def number(value: Value) -> int | float | None:
    """Return a value as a number; null where it does not look like one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    string = text(value)
    return finite(float(string)) if _NUMBER.fullmatch(string) else None


def finite(result: float) -> int | float | None:
    """Numbers are doubles: whole ones print without a fraction, and beyond their range is null."""
    if not math.isfinite(result):
        return None
    return int(result) if result == int(result) and abs(result) <= _EXACT else result
