"""Terms of the ``search`` command, as values that combine with ``&``, ``|`` and ``~``.

In ``search`` values are compared without regard to case, so a term may keep more than it says: where case
matters, an exact ``where`` follows.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from segment_bridge.spl import expressions, quoting

if TYPE_CHECKING:
    from segment_bridge.spl.expressions import Expression

#: For each operator, the terms that stand inside it without parentheses.
_BARE_INSIDE = {" ": ("", " ", "NOT"), " OR ": ("", " OR "), "NOT": ("",)}


@dataclass(frozen=True, slots=True)
class Term:
    """A condition on a record; ``str()`` prints it.

    ``joined_by`` is the operator at its top, which decides whether it needs parentheses inside another term:
    in ``search``, unlike everywhere else, OR binds tighter than AND, so every mixture is parenthesized.
    """

    text: str
    joined_by: str = ""
    parts: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return self.text

    def __and__(self, other: Term) -> Term:
        return self._join(" ", other)

    def __or__(self, other: Term) -> Term:
        return self._join(" OR ", other)

    def __invert__(self) -> Term:
        return Term(f"NOT {self._inside('NOT')}", "NOT", (self,))

    def condition(self) -> Expression:
        """Say the same in ``eval``, never with null; an index is left out, as no row is of another."""
        conditions = [part.condition() for part in self.parts] or [expressions.always()]
        if self.joined_by == "NOT":
            return ~conditions[0]
        return reduce(operator.or_ if self.joined_by == " OR " else operator.and_, conditions)

    def _join(self, joint: str, other: Term) -> Term:
        both = (self, other)
        return Term(joint.join(term._inside(joint) for term in both), joint, both)  # noqa: SLF001 - own class

    def _inside(self, joint: str) -> str:
        bare = self.joined_by in _BARE_INSIDE[joint]
        return self.text if bare else f"({self.text})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf(Term):
    """A field is like a pattern."""

    field: str
    pattern: str

    def condition(self) -> Expression:
        """See :class:`Term`."""
        return expressions.holds_like(expressions.field(self.field), self.pattern)


@dataclass(frozen=True, slots=True)
class SearchField:
    """A field of a record, as ``search`` names it."""

    name: str

    def equals(self, value: str) -> Term:
        """Ask for this value, whatever the case of its letters."""
        return self._like(value, quoting.search_literal(value))

    def one_of(self, *values: str) -> Term:
        """Ask for one of these values."""
        first, *rest = (self.equals(value) for value in values)
        for term in rest:
            first |= term
        return first

    def matches(self, pattern: str) -> Term:
        """Ask for a value like the pattern, in which ``*`` stands for anything."""
        return self._like(pattern, quoting.search_pattern(pattern))

    def present(self) -> Term:
        """Ask for any value at all."""
        return self.matches("*")

    def _like(self, pattern: str, quoted: str) -> Term:
        return _Leaf(text=f"{quoting.search_field(self.name)}={quoted}", field=self.name, pattern=pattern)


def index(name: str) -> Term:
    """Ask for records of this index."""
    return Term(f"index={quoting.index_name(name)}")
