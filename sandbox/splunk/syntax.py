"""The syntax tree of a search: ``language`` makes it, ``search``, ``eval`` and ``commands`` compile it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

Node = TypeVar("Node")


@dataclass(frozen=True)
class Logic(Generic[Node]):
    """Conditions joined by one operator; of terms in ``search``, of expressions in ``eval``."""

    operator: Literal["AND", "OR", "XOR"]
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Negation(Generic[Node]):
    """The opposite of a condition; in both languages."""

    part: Node


@dataclass(frozen=True)
class Comparison:
    """A field of ``search`` against one value, or with ``=`` several of which one is enough."""

    field: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Phrase:
    """Words of ``search`` that the text of a record has to hold."""

    text: str


Term: TypeAlias = "Comparison | Phrase | Logic[Term] | Negation[Term]"


@dataclass(frozen=True)
class Field:
    """A field's name in ``eval``."""

    name: str


@dataclass(frozen=True)
class Text:
    """A text constant."""

    value: str


@dataclass(frozen=True)
class Number:
    """A numeric constant, as written."""

    value: str


@dataclass(frozen=True)
class Binary:
    """A comparison, arithmetic or concatenation."""

    left: Expression
    operator: str
    right: Expression


@dataclass(frozen=True)
class Member:
    """``value IN (options)``."""

    value: Expression
    options: tuple[Expression, ...]


@dataclass(frozen=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = "Field | Text | Number | Binary | Member | Call | Logic[Expression] | Negation[Expression]"


def parts_of(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all expressions within it."""
    yield expression
    match expression:
        case Binary(left, _, right):
            parts: tuple[Expression, ...] = (left, right)
        case Negation(part):
            parts = (part,)
        case Member(left, options):
            parts = (left, *options)
        case Call(_, arguments):
            parts = arguments
        case Logic(_, several):
            parts = several
        case _:
            parts = ()
    for part in parts:
        yield from parts_of(part)


def fields_of(expression: Expression) -> set[str]:
    """Return the names of the fields that an expression reads."""
    return {part.name for part in parts_of(expression) if isinstance(part, Field)}


def calls_of(expression: Expression) -> set[str]:
    """Return the names of the functions that an expression calls."""
    return {part.function for part in parts_of(expression) if isinstance(part, Call)}


@dataclass(frozen=True)
class Search:
    """``search``."""

    term: Term


@dataclass(frozen=True)
class Where:
    """``where``."""

    condition: Expression


@dataclass(frozen=True)
class Eval:
    """``eval``: pairs of target and expression, in order."""

    assignments: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True)
class Spath:
    """``spath`` with all its defaults filled in; without a path it extracts all fields."""

    source: str
    path: str | None
    output: str


@dataclass(frozen=True)
class Makeresults:
    """``makeresults``: one row, instead of a search."""


@dataclass(frozen=True)
class Fields:
    """``fields``, or ``table`` where the internal fields are not kept."""

    names: tuple[str, ...]
    keep: bool = True
    internal: bool = True


@dataclass(frozen=True)
class SortKey:
    """One field to sort by."""

    name: str
    descending: bool


@dataclass(frozen=True)
class Dedup:
    """``dedup``: at most ``count`` rows for each combination of values, and all that lack one if ``keep_empty``."""

    count: int
    names: tuple[str, ...]
    sort: tuple[SortKey, ...]
    keep_empty: bool = False


@dataclass(frozen=True)
class Sort:
    """``sort``; a limit of 0 means none."""

    limit: int
    keys: tuple[SortKey, ...]


@dataclass(frozen=True)
class Head:
    """``head``."""

    count: int


@dataclass(frozen=True)
class Rename:
    """``rename``: pairs of old and new name."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StatsCount:
    """``stats count by``."""

    by: tuple[str, ...]


@dataclass(frozen=True)
class Lookup:
    """``lookup``: pairs of the table's field and the row's, to match and to put out."""

    table: str
    match: tuple[tuple[str, str], ...]
    output: tuple[tuple[str, str], ...]


Command: TypeAlias = (
    Search | Makeresults | Where | Eval | Spath | Fields | Dedup | Sort | Head | Rename | StatsCount | Lookup
)
