"""The semantics of ``search``: terms compiled to tests of a row.

Values are compared without regard to case and ``*`` is a wildcard. A term holds for a multivalue if it holds
for any of its values, and never where the field is missing; its negation with NOT therefore does.
"""

from __future__ import annotations

import operator
import string
from typing import TYPE_CHECKING, TypeAlias

from sandbox.splunk import patterns
from sandbox.splunk.errors import SplError
from sandbox.splunk.syntax import Comparison, Logic, Negation, Phrase, Term
from sandbox.splunk.values import number, several

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.splunk.records import Row

    Test: TypeAlias = Callable[[Row], bool]
    ValueTest: TypeAlias = Callable[[str], bool]

_DEFAULT_INDEX = "main"
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def condition(term: Term) -> Test:
    """Compile a term; raise SplError."""
    match term:
        case Comparison():
            return _compare(term)
        case Phrase(text):
            return _holds(text)
        case Negation(part):
            inner = condition(part)
            return lambda row: not inner(row)
        case Logic(joint, parts):
            # What stands in the text of a record is found without a look into its JSON.
            tests = [condition(part) for part in sorted(parts, key=_extracts)]
            if joint == "AND":
                return lambda row: all(test(row) for test in tests)
            return lambda row: any(test(row) for test in tests)


def _extracts(term: Term) -> bool:
    match term:
        case Phrase():
            return False
        case Negation(part):
            return _extracts(part)
        case Logic(_, parts):
            return any(map(_extracts, parts))
        case Comparison(field):
            return field != "index"


def asked_index(term: Term) -> str:
    """Return the index that a search names first: the audit log is served under it, whatever it is."""
    return next((name.replace("*", "") for name in _indexes(term) if name.strip("*")), _DEFAULT_INDEX)


def _indexes(term: Term) -> list[str]:
    match term:
        case Comparison("index", "=", values):
            return list(values)
        case Logic(_, parts):
            return [name for part in parts for name in _indexes(part)]
        case _:
            return []


def _compare(term: Comparison) -> Test:
    field = term.field
    holds = _any_of([_value_test(term.operator, value) for value in term.values])

    def test(row: Row) -> bool:
        value = row.get(field)
        if isinstance(value, str):
            return holds(value)
        return any(holds(item) for item in several(value))

    return test


#: What ends a word of a record's text: the major and minor breakers of the default segmentation.
_BREAKERS = frozenset("""[]<>(){}|!;,'"*&?+/:=@.$#%\\_-""" + string.whitespace)


def _holds(phrase: str) -> Test:
    """Look for a phrase in the text of a record, whatever its case; it begins and ends where words do."""
    if phrase == "*":
        return lambda _: True
    if "*" in phrase:
        raise SplError("A wildcard in a phrase is not implemented.")
    wanted = phrase.lower()

    def test(row: Row) -> bool:
        raw = row.lowered()
        start = raw.find(wanted)
        while start >= 0 and not (_breaks(raw, start) and _breaks(raw, start + len(wanted))):
            start = raw.find(wanted, start + 1)
        return start >= 0

    return test


def _breaks(text: str, position: int) -> bool:
    """Whether a word can begin or end at a position: at either end of the text, and on either side of a breaker."""
    around = text[max(position - 1, 0) : position + 1]
    return position in (0, len(text)) or not _BREAKERS.isdisjoint(around)


def _any_of(tests: list[ValueTest]) -> ValueTest:
    return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)


def _value_test(sign: str, wanted: str) -> ValueTest:
    if sign in _ORDERS:
        return _ordered(sign, wanted)
    equal = _equal(wanted.lower())
    return equal if sign == "=" else lambda value: not equal(value)


def _equal(wanted: str) -> ValueTest:
    if wanted.strip("*") == "" and wanted:
        return lambda _: True
    if "*" in wanted:
        matches = patterns.wildcard(wanted).fullmatch
        return lambda value: matches(value.lower()) is not None
    return lambda value: value.lower() == wanted


def _ordered(sign: str, wanted: str) -> ValueTest:
    holds, limit = _ORDERS[sign], number(wanted)
    if limit is None:
        raise SplError(f"Comparing by {sign} with what is not a number is not implemented in 'search'.")
    return lambda value: (given := number(value)) is not None and holds(given, limit)
