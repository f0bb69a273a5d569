"""Terms of the ``search`` command, as values that combine with ``&`` and ``|``.

In ``search`` values are compared without regard to case, so a term may keep more than it says: where case
matters, an exact ``where`` follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from segment_bridge.spl import quoting


@dataclass(frozen=True, slots=True)
class Term:
    """A condition on a record; ``str()`` prints it.

    ``joined_by`` is the operator at its top, which decides whether it needs parentheses inside another term:
    in ``search``, unlike everywhere else, OR binds tighter than AND, so every mixture is parenthesized.
    """

    text: str
    joined_by: str = ""

    def __str__(self) -> str:
        return self.text

    def __and__(self, other: Term) -> Term:
        return self._join(" ", other)

    def __or__(self, other: Term) -> Term:
        return self._join(" OR ", other)

    def _join(self, joint: str, other: Term) -> Term:
        return Term(joint.join(term._inside(joint) for term in (self, other)), joint)  # noqa: SLF001 - own class

    def _inside(self, joint: str) -> str:
        return self.text if self.joined_by in ("", joint) else f"({self.text})"


@dataclass(frozen=True, slots=True)
class SearchField:
    """A field of a record, as ``search`` names it."""

    name: str

    def equals(self, value: str) -> Term:
        """Ask for this value, whatever the case of its letters."""
        return self._is(quoting.search_literal(value))

    def matches(self, pattern: str) -> Term:
        """Ask for a value like the pattern, in which ``*`` stands for anything."""
        return self._is(quoting.search_pattern(pattern))

    def _is(self, quoted: str) -> Term:
        return Term(f"{quoting.search_field(self.name)}={quoted}")


def phrase(text: str) -> Term:
    """Ask for words in the text of a record, whatever their case; they begin and end where words do."""
    return Term(quoting.phrase(text))


def any_phrase(*texts: str) -> Term:
    """Ask for one of several phrases."""
    first, *rest = map(phrase, texts)
    for term in rest:
        first |= term
    return first


def index(name: str) -> Term:
    """Ask for records of this index."""
    return Term(f"index={quoting.index_name(name)}")
