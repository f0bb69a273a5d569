"""Expressions of ``eval`` and ``where``: compiled to functions of a row.

A condition is no value: it cannot be assigned, compared or reckoned with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from sandbox.splunk.errors import SplError
from sandbox.splunk.functions import FUNCTIONS
from sandbox.splunk.operators import COMPARISONS, LOGIC, Row, Run, any_of, compare, negate, reckon
from sandbox.splunk.readings import DOCUMENTED
from sandbox.splunk.syntax import (
    Binary,
    Call,
    Expression,
    Field,
    Logic,
    Member,
    Negation,
    Number,
    Text,
    calls_of,
    fields_of,
)
from sandbox.splunk.values import Value, number, several, single

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.splunk.readings import Readings

    Form: TypeAlias = Callable[[tuple[Expression, ...], Readings], "_Compiled"]


@dataclass(frozen=True)
class _Compiled:
    """``condition`` is None for a null, which is at home among both."""

    run: Run
    condition: bool | None = False


def value(expression: Expression, readings: Readings = DOCUMENTED) -> Run:
    """Compile an expression that must be a value; raise SplError."""
    compiled = _compile(expression, readings)
    if compiled.condition:
        raise SplError("Error in 'eval' command: The expression has a boolean result where a value must stand.")
    return compiled.run


def condition(expression: Expression, readings: Readings = DOCUMENTED) -> Run:
    """Compile an expression that must be a condition: its values are True, False and None; raise SplError."""
    compiled = _compile(expression, readings)
    if compiled.condition is False:
        raise SplError("Error in 'where' command: The expression is a value where a condition must stand.")
    return compiled.run


def _compile(expression: Expression, readings: Readings) -> _Compiled:  # noqa: PLR0911 - one case a kind of node
    match expression:
        case Field(name):
            return _Compiled(lambda row: row.get(name))
        case Text(constant):
            return _constant(constant)
        case Number(digits):
            return _constant(number(digits))
        case Binary(left, sign, right):
            if sign in COMPARISONS:
                return _Compiled(_compare(left, sign, right, readings), condition=True)
            return _Compiled(reckon(value(left, readings), sign, value(right, readings)))
        case Member(left, options):
            return _Compiled(any_of([_compare(left, "==", option, readings) for option in options]), condition=True)
        case Negation(part):
            return _Compiled(negate(condition(part, readings)), condition=True)
        case Logic(joint, parts):
            return _Compiled(LOGIC[joint]([condition(part, readings) for part in parts]), condition=True)
        case Call(function, arguments):
            return _call(function, arguments, readings)


def _constant(constant: Value) -> _Compiled:
    return _Compiled(lambda _: constant)


def _compare(left: Expression, sign: str, right: Expression, readings: Readings) -> Run:
    textual = isinstance(left, Text) or isinstance(right, Text)
    return compare(value(left, readings), sign, value(right, readings), textual=textual)


def _call(name: str, arguments: tuple[Expression, ...], readings: Readings) -> _Compiled:
    if name in _FORMS:
        return _FORMS[name](arguments, readings)
    function = FUNCTIONS.get(name)
    if function is None:
        raise SplError(f"The '{name}' function is unsupported or undefined.")
    if not function.takes(len(arguments)):
        raise _wrong_arguments(name)
    if function.check and isinstance(constant := arguments[1], Text):
        function.check(constant.value)
    if name == "json_object":
        _check_json_object(arguments)
    runs = [
        _compile(argument, readings).run if name in _TAKE_CONDITIONS else value(argument, readings)
        for argument in arguments
    ]
    call = partial(function.call, readings) if function.reads else function.call
    takes_null = function.takes_null

    def run(row: Row) -> Value:
        given = [run(row) for run in runs]
        return None if not takes_null and None in given else call(*given)

    return _Compiled(run, function.condition)


def _wrong_arguments(name: str) -> SplError:
    return SplError(f"The arguments to the '{name}' function are invalid, or not implemented.")


def _check_json_object(arguments: tuple[Expression, ...]) -> None:
    nested = any(isinstance(argument, Call) and argument.function == "json_object" for argument in arguments)
    if nested or len(arguments) % 2:
        raise _wrong_arguments("json_object")


def _one(name: str, arguments: tuple[Expression, ...], readings: Readings) -> Run:
    if len(arguments) != 1:
        raise _wrong_arguments(name)
    return _compile(arguments[0], readings).run


def _isnull(arguments: tuple[Expression, ...], readings: Readings) -> _Compiled:
    inner = _one("isnull", arguments, readings)
    return _Compiled(lambda row: inner(row) is None, condition=True)


def _isnotnull(arguments: tuple[Expression, ...], readings: Readings) -> _Compiled:
    inner = _one("isnotnull", arguments, readings)
    return _Compiled(lambda row: inner(row) is not None, condition=True)


def _if(arguments: tuple[Expression, ...], readings: Readings) -> _Compiled:
    if len(arguments) != 3:  # noqa: PLR2004 - if(condition, then, else)
        raise _wrong_arguments("if")
    test = condition(arguments[0], readings)
    then, otherwise = (_compile(argument, readings) for argument in arguments[1:])
    return _Compiled(
        lambda row: then.run(row) if test(row) else otherwise.run(row), _kind_of_all("if", [then, otherwise])
    )


def _case(arguments: tuple[Expression, ...], readings: Readings) -> _Compiled:
    if len(arguments) % 2 or not arguments:
        raise _wrong_arguments("case")
    tests = [condition(test, readings) for test in arguments[::2]]
    results = [_compile(result, readings) for result in arguments[1::2]]
    branches = list(zip(tests, results, strict=True))
    return _Compiled(
        lambda row: next((result.run(row) for test, result in branches if test(row)), None),
        _kind_of_all("case", results),
    )


def _coalesce(arguments: tuple[Expression, ...], readings: Readings) -> _Compiled:
    if not arguments:
        raise _wrong_arguments("coalesce")
    choices = [_compile(argument, readings) for argument in arguments]

    def run(row: Row) -> Value:
        return next((given for choice in choices if (given := choice.run(row)) is not None), None)

    return _Compiled(run, _kind_of_all("coalesce", choices))


def _kind_of_all(name: str, results: list[_Compiled]) -> bool | None:
    kinds = {result.condition for result in results} - {None}
    if len(kinds) > 1:
        raise _wrong_arguments(name)
    return kinds.pop() if kinds else None


def _mvfilter(arguments: tuple[Expression, ...], readings: Readings) -> _Compiled:
    names = fields_of(arguments[0]) if len(arguments) == 1 else set()
    if len(names) != 1 or (not readings.json_in_mvfilter and any(map(_is_json, calls_of(arguments[0])))):
        raise _wrong_arguments("mvfilter")
    name, test = names.pop(), condition(arguments[0], readings)

    def run(row: Row) -> Value:
        return single([item for item in several(row.get(name)) if test(_OneValue(row, name, item))])

    return _Compiled(run)


def _is_json(function: str) -> bool:
    return function.startswith("json_")


def _mvmap(arguments: tuple[Expression, ...], readings: Readings) -> _Compiled:
    """Let the expression read one value of the field at a time; a null is left out of the list."""
    if len(arguments) != 2 or not isinstance(arguments[0], Field):  # noqa: PLR2004 - mvmap(field, expression)
        raise _wrong_arguments("mvmap")
    name, made = arguments[0].name, value(arguments[1], readings)

    def run(row: Row) -> Value:
        mapped = (made(_OneValue(row, name, item)) for item in several(row.get(name)))
        return single([item for values in mapped for item in several(values)])

    return _Compiled(run)


@dataclass(frozen=True, slots=True)
class _OneValue:
    """A row in which one field has a single one of its values."""

    row: Row
    name: str
    item: str

    def get(self, name: str) -> Value:
        return self.item if name == self.name else self.row.get(name)


def _literal(name: str, constant: Value, kind: bool | None) -> Form:
    def form(arguments: tuple[Expression, ...], _: Readings) -> _Compiled:
        if arguments:
            raise _wrong_arguments(name)
        return _Compiled(lambda _: constant, kind)

    return form


_FORMS: dict[str, Form] = {
    "case": _case,
    "coalesce": _coalesce,
    "false": _literal("false", False, True),
    "if": _if,
    "isnotnull": _isnotnull,
    "isnull": _isnull,
    "mvfilter": _mvfilter,
    "mvmap": _mvmap,
    "null": _literal("null", None, None),
    "true": _literal("true", True, True),
}
_TAKE_CONDITIONS = frozenset({"json_object", "tostring"})
