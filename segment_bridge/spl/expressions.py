"""Expressions of ``eval`` and ``where``, as values that combine with ``&``, ``|`` and ``~``.

Comparing with null gives null, and ``where`` drops a row whose condition is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from segment_bridge.spl import quoting

if TYPE_CHECKING:
    from collections.abc import Iterable

    #: Fields with what they are made of; a later one may read an earlier one.
    Made: TypeAlias = tuple[tuple[str, "Expression"], ...]


#: A text that looks like JSON or a number, or already begins with the mark.
_LOOKS_OTHERWISE = r"""^([\t-\r ]*(['\[{"]|[-+]?[.]?[0-9][0-9.,eExX+-]*[\t-\r ]*$))"""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression; ``str()`` prints it.

    ``fields`` are the names of Splunk's own fields that it reads, ``made`` are the fields that a search has to make
    before it can read them here.
    """

    text: str
    fields: frozenset[str] = frozenset()
    joined_by: str = ""
    made: Made = ()

    def __str__(self) -> str:
        return self.text

    def __and__(self, other: Expression) -> Expression:
        return _join(" AND ", (self, other))

    def __or__(self, other: Expression) -> Expression:
        return _join(" OR ", (self, other))

    def __invert__(self) -> Expression:
        return _of(f"NOT ({self.text})", (self,))

    def equals(self, value: str) -> Expression:
        """Compare with text, letter by letter; null where the left side is null."""
        return _of(f"{self.text}=={quoting.eval_text(value)}", (self,))

    def one_of(self, *values: str) -> Expression:
        """Compare with several texts."""
        return _join(" OR ", tuple(map(self.equals, values)))

    def is_number(self, *numbers: int) -> Expression:
        """Compare with several numbers; the value may be a number or the text of one."""
        return _join(" OR ", tuple(_of(f"{self.text}=={number}", (self,)) for number in numbers))

    def like(self, pattern: str) -> Expression:
        """Compare the whole text with an SQL pattern: ``%`` any run, ``_`` any one character."""
        return _call("like", self, text(pattern))

    def matches(self, regex: str) -> Expression:
        """Look for a regular expression anywhere in the text."""
        return _call("match", self, text(regex))

    def above(self, number: int) -> Expression:
        """Ask for a number that is greater."""
        return _of(f"{self.text}>{number}", (self,))


def field(name: str) -> Expression:
    """Read a field that Splunk has."""
    return Expression(quoting.eval_field(name), frozenset({name}))


def named(name: str, definition: Expression) -> Expression:
    """Read a field that the search makes first, once, whatever reads it."""
    return Expression(quoting.new_field(name), definition.fields, made=_union((definition.made, ((name, definition),))))


def text(value: str) -> Expression:
    """Write a constant."""
    return Expression(quoting.eval_text(value))


def null() -> Expression:
    """Write null."""
    return _call("null")


def is_not_null(expression: Expression) -> Expression:
    """Ask whether there is a value."""
    return _call("isnotnull", expression)


def length(expression: Expression) -> Expression:
    """Count the characters of a text."""
    return _call("len", expression)


def coalesce(*expressions: Expression) -> Expression:
    """Take the first that is not null."""
    return _call("coalesce", *expressions)


def null_if(expression: Expression, value: str) -> Expression:
    """Make null of a certain text."""
    return _call("nullif", expression, text(value))


def case(*branches: tuple[Expression, Expression]) -> Expression:
    """Take the value of the first (condition, value) whose condition is true; else null."""
    return _call("case", *(part for branch in branches for part in branch))


def choose(condition: Expression, value: Expression, otherwise: Expression) -> Expression:
    """Take one value where the condition is true, else the other."""
    return _call("if", condition, value, otherwise)


def joined(*texts: Expression) -> Expression:
    """Join texts to one; null where one of them is."""
    return _join(" . ", texts)


def cut_before(expression: Expression, character: str) -> Expression:
    """Keep what stands before the first such character."""
    return _call("replace", expression, text(f"(?s)[{character}].*"), text(""))


def item(values: Expression, position: int) -> Expression:
    """Take one value of a list, from the end if the position is negative; null where there is none."""
    return _call("mvindex", values, Expression(str(position)))


def count(values: Expression) -> Expression:
    """Count the values of a list; null where there are none."""
    return _call("mvcount", values)


def those(values: Expression, condition: Expression) -> Expression:
    """Take the values of a field for which a condition is true; within it, the field stands for one value.

    ``mvfilter`` says the same, but whether JSON functions work inside it is not documented.
    """
    return _call("mvmap", values, choose(condition, values, null()))


def json_path(source: Expression, path: str) -> Expression:
    """Read the value at a path out of JSON; raises :class:`ConfigurationError` unless it is keys without dots."""
    return _call("json_extract", source, text(quoting.json_path(path)))


def json_member(source: Expression, key: str) -> Expression:
    """Read the member of a JSON object that has exactly this key."""
    return _call("json_extract_exact", source, text(key))


def json_elements(source: Expression) -> Expression:
    """Make a list of the elements of a JSON array, objects as their JSON."""
    return _call("json_array_to_mv", source)


def json_object(**members: Expression) -> Expression:
    """Make the text of a JSON object, members in the order given, null where the source is null."""
    return _call("json_object", *(part for key, value in members.items() for part in (text(key), value)))


def marked(expression: Expression) -> Expression:
    """Put a ``'`` before a text that ``json_object`` might take for a number or for JSON: no document settles it.

    :func:`segment_bridge.events.unmarked` takes it away again.
    """
    return _call("replace", expression, text(_LOOKS_OTHERWISE), text(r"'\1"))


def _call(function: str, *arguments: Expression) -> Expression:
    return _of(f"{function}({', '.join(argument.text for argument in arguments)})", arguments)


def _join(operator: str, parts: tuple[Expression, ...]) -> Expression:
    if len(parts) == 1:
        return parts[0]
    texts = (part.text if part.joined_by in ("", operator) else f"({part.text})" for part in parts)
    return _of(operator.join(texts), parts, operator)


def _of(text: str, parts: tuple[Expression, ...], joined_by: str = "") -> Expression:
    fields = frozenset[str]().union(*(part.fields for part in parts))
    return Expression(text, fields, joined_by, _union(part.made for part in parts))


def _union(several: Iterable[Made]) -> Made:
    return tuple(dict.fromkeys(pair for made in several for pair in made))
