"""The operators of ``eval``: they combine functions of a row.

Logic has three values: comparing with null gives null, and null is neither true nor false. A comparison holds
for a multivalue if it holds for any of its values.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sandbox.splunk.values import Value, finite, number, text

if TYPE_CHECKING:
    from collections.abc import Callable


class Row(Protocol):
    """What expressions read."""

    def get(self, name: str) -> Value:
        """Return the value of a field, null where there is none."""


Run: TypeAlias = "Callable[[Row], Value]"

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def negate(part: Run) -> Run:
    """``NOT``."""

    def run(row: Row) -> Value:
        truth = part(row)
        return None if truth is None else not truth

    return run


def _all_of(parts: list[Run]) -> Run:
    def run(row: Row) -> Value:
        truth: Value = True
        for part in parts:
            outcome = part(row)
            if outcome is False:
                return False
            truth = None if outcome is None else truth
        return truth

    return run


def any_of(parts: list[Run]) -> Run:
    """``OR``."""

    def run(row: Row) -> Value:
        truth: Value = False
        for part in parts:
            outcome = part(row)
            if outcome:
                return True
            truth = None if outcome is None else truth
        return truth

    return run


def _one_of(parts: list[Run]) -> Run:
    def run(row: Row) -> Value:
        outcomes = [part(row) for part in parts]
        return None if None in outcomes else outcomes.count(True) % 2 == 1

    return run


LOGIC: dict[str, Callable[[list[Run]], Run]] = {"AND": _all_of, "OR": any_of, "XOR": _one_of}


def compare(left: Run, sign: str, right: Run, *, textual: bool) -> Run:
    """Compare numbers, and fields that look like numbers, as such; a text constant makes it a comparison of texts."""
    holds = COMPARISONS[sign]

    def run(row: Row) -> Value:
        one, other = left(row), right(row)
        if one is None or other is None:
            return None
        if textual and isinstance(one, str) and isinstance(other, str):
            return holds(one, other)
        return any(holds(*_alike(a, b, textual=textual)) for a in _each(one) for b in _each(other))

    return run


def _each(item: Value) -> list[Value]:
    return [*item] if isinstance(item, list) else [item]


def _alike(one: Value, other: Value, *, textual: bool) -> tuple[object, object]:
    if not textual:
        a, b = number(one), number(other)
        if a is not None and b is not None:
            return a, b
    return text(one), text(other)


def reckon(left: Run, sign: str, right: Run) -> Run:
    """``+ - * / %`` on numbers, ``.`` and ``+`` on texts; null where the operands do not fit, and on division by 0."""

    def run(row: Row) -> Value:
        one, other = left(row), right(row)
        if one is None or other is None:
            return None
        if sign == ".":
            return text(one) + text(other)
        a, b = number(one), number(other)
        if a is None or b is None:
            return text(one) + text(other) if sign == "+" and isinstance(one, str) and isinstance(other, str) else None
        return _arithmetic(float(a), sign, float(b))

    return run


def _arithmetic(a: float, sign: str, b: float) -> Value:
    match sign:
        case "+":
            return finite(a + b)
        case "-":
            return finite(a - b)
        case "*":
            return finite(a * b)
        case _ if b == 0:
            return None
        case "/":
            return finite(a / b)
        case _:
            return finite(math.fmod(a, b))
