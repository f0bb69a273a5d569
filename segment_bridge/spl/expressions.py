"""Expressions of ``eval`` and ``where``, as values that combine with ``&``, ``|`` and ``~``.

Comparing with null gives null, and ``where`` drops a row whose condition is null.
"""

from __future__ import annotations

from dataclasses import dataclass

from segment_bridge.spl import quoting


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression; ``str()`` prints it, ``fields`` are the names that it reads."""

    text: str
    fields: frozenset[str] = frozenset()
    joined_by: str = ""

    def __str__(self) -> str:
        return self.text

    def __and__(self, other: Expression) -> Expression:
        return self._join(" AND ", other)

    def __or__(self, other: Expression) -> Expression:
        return self._join(" OR ", other)

    def __invert__(self) -> Expression:
        return Expression(f"NOT ({self.text})", self.fields)

    def equals(self, value: str) -> Expression:
        """Compare with text, letter by letter; null where the left side is null."""
        return Expression(f"{self.text}=={quoting.eval_text(value)}", self.fields)

    def one_of(self, *values: str) -> Expression:
        """Compare with several texts."""
        first, *rest = (self.equals(value) for value in values)
        for expression in rest:
            first |= expression
        return first

    def like(self, pattern: str) -> Expression:
        """Compare the whole text with an SQL pattern: ``%`` any run, ``_`` any one character."""
        return _call("like", self, text(pattern))

    def above(self, number: int) -> Expression:
        """Ask for a number that is greater."""
        return Expression(f"{self.text}>{number}", self.fields)

    def _join(self, operator: str, other: Expression) -> Expression:
        both = (e.text if e.joined_by in ("", operator) else f"({e.text})" for e in (self, other))
        return Expression(operator.join(both), self.fields | other.fields, operator)


def field(name: str) -> Expression:
    """Read a field of the record, or one that an earlier command made."""
    return Expression(quoting.eval_field(name), frozenset({name}))


def text(value: str) -> Expression:
    """Write a constant."""
    return Expression(quoting.eval_text(value))


def is_not_null(expression: Expression) -> Expression:
    """Ask whether there is a value."""
    return _call("isnotnull", expression)


def length(expression: Expression) -> Expression:
    """Count the characters of a text."""
    return _call("len", expression)


def coalesce(*expressions: Expression) -> Expression:
    """Take the first that is not null."""
    return _call("coalesce", *expressions)


def case(*branches: tuple[Expression, Expression]) -> Expression:
    """Take the value of the first (condition, value) whose condition is true; else null."""
    return _call("case", *(part for branch in branches for part in branch))


def cut_before(expression: Expression, character: str) -> Expression:
    """Keep what stands before the first such character."""
    return _call("replace", expression, text(f"(?s)[{character}].*"), text(""))


def position_of(values: Expression, value: str) -> Expression:
    """Find the 0-based position of exactly this value in a list; ``mvfind`` takes a regular expression."""
    return _call("mvfind", values, text(quoting.exact_regex(value)))


def item(values: Expression, position: Expression | int) -> Expression:
    """Take one value of a list; null where there is none, or where the position is null."""
    return _call("mvindex", values, Expression(str(position)) if isinstance(position, int) else position)


def json_object(**members: Expression) -> Expression:
    """Make the text of a JSON object, members in the order given, null where the source is null."""
    return _call("json_object", *(part for key, value in members.items() for part in (text(key), value)))


def _call(function: str, *arguments: Expression) -> Expression:
    read = frozenset[str]().union(*(argument.fields for argument in arguments))
    return Expression(f"{function}({', '.join(argument.text for argument in arguments)})", read)
