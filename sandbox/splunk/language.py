"""Parse the text of a search into its syntax tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError

from sandbox.splunk import syntax
from sandbox.splunk.errors import SplError

if TYPE_CHECKING:
    from collections.abc import Callable

_ESCAPED = re.compile(r'\\(["\\])')
_ESCAPED_STAR = re.compile(r"(?<!\\)(?:\\\\)*\\\*")
_DEFAULT_HEAD = 10
_DEFAULT_SORT_LIMIT = 10_000
#: Operators and directives of ``search``.
_NO_PHRASES = frozenset({"AND", "OR", "NOT", "IN", "TERM", "CASE"})
_TRAILING_SORT_ORDERS = frozenset({"a", "asc", "ascending", "d", "desc", "descending"})


def parse(text: str) -> tuple[syntax.Command, ...]:
    """Return the commands of a search, of which the first is a ``syntax.Search``; raise SplError."""
    if not re.match(r"search\s|\|", text):
        raise SplError("The search must begin with 'search ' or '|'.")
    if "`" in text:
        raise SplError("Macros and comments (backticks) are not implemented.")
    try:
        commands: tuple[syntax.Command, ...] = _PARSER.parse(text)  # type: ignore[assignment] # what the builder returns
    except UnexpectedInput as error:
        raise SplError(_explain(text, error)) from error
    except VisitError as error:
        raise error.orig_exc from error
    return commands


def _explain(text: str, error: UnexpectedInput) -> str:
    if isinstance(error, UnexpectedEOF) or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
        return "The search ends too early."
    position = error.pos_in_stream or 0
    if re.search(r"\|\s*$", text[:position]) and (command := re.match(r"\w+", text[position:])):
        return f"Unknown search command '{command[0]}', wrong use of it, or none that may stand here."
    return f"Syntax error, or a construct that is not implemented, at character {position + 1} of the search."


def _unquote(string: str) -> str:
    r"""Resolve ``\"`` and ``\\``; any other backslash stands for itself, as regular expressions need it."""
    return _ESCAPED.sub(r"\1", string[1:-1])


def _logic(operator: str) -> Callable[[Any, list[Any]], Any]:
    def build(_: object, parts: list[Any]) -> syntax.Logic[Any]:
        return syntax.Logic(operator, tuple(parts))  # type: ignore[arg-type] # one of its three literals

    return build


class _Builder(Transformer[Token, Any]):
    """Each method builds the node of the grammar's rule or alias of that name."""

    all_of = _logic("AND")
    any_of = _logic("OR")
    one_of = _logic("XOR")

    def pipeline(self, commands: list[syntax.Command]) -> tuple[syntax.Command, ...]:
        return tuple(commands)

    @v_args(inline=True)
    def negate(self, part: Any) -> syntax.Negation[Any]:  # noqa: ANN401 - a term or an expression
        return syntax.Negation(part)

    @v_args(inline=True)
    def bare(self, token: Token) -> str:
        return str(token)

    @v_args(inline=True)
    def quoted(self, token: Token) -> str:
        return _unquote(token)

    @v_args(inline=True)
    def pattern(self, token: Token) -> str:
        if _ESCAPED_STAR.search(token):
            raise SplError("A literal * cannot be expressed in a search term.")
        return _unquote(token)

    @v_args(inline=True)
    def search(self, term: syntax.Term) -> syntax.Search:
        return syntax.Search(term)

    @v_args(inline=True)
    def term(self, field: str, operator: Token, value: str) -> syntax.Comparison:
        return _comparison(field, str(operator), (value,))

    @v_args(inline=True)
    def term_in(self, field: str, *values: str) -> syntax.Comparison:
        return _comparison(field, "=", values)

    @v_args(inline=True)
    def word(self, token: Token) -> syntax.Phrase:
        if token in _NO_PHRASES:
            raise SplError(f"'{token}' stands where a search term must stand, or is not implemented.")
        return syntax.Phrase(str(token))

    @v_args(inline=True)
    def phrase(self, token: Token) -> syntax.Phrase:
        text: str = self.pattern(token)
        if not text.strip():
            raise SplError("A search term is empty.")
        return syntax.Phrase(text)

    @v_args(inline=True)
    def where(self, condition: syntax.Expression) -> syntax.Where:
        return syntax.Where(condition)

    def eval(self, assignments: list[tuple[str, syntax.Expression]]) -> syntax.Eval:
        return syntax.Eval(tuple(assignments))

    @v_args(inline=True)
    def assignment(self, target: Token, expression: syntax.Expression) -> tuple[str, syntax.Expression]:
        name = str(target) if target.type == "NAME" else _unquote(target)
        return _not_empty(name), expression

    @v_args(inline=True)
    def binary(self, left: syntax.Expression, operator: Token, right: syntax.Expression) -> syntax.Binary:
        return syntax.Binary(left, str(operator), right)

    @v_args(inline=True)
    def like(self, left: syntax.Expression, right: syntax.Expression) -> syntax.Call:
        return syntax.Call("like", (left, right))

    @v_args(inline=True)
    def member(self, value: syntax.Expression, *options: syntax.Expression) -> syntax.Member:
        return syntax.Member(value, options)

    @v_args(inline=True)
    def negative(self, factor: syntax.Expression) -> syntax.Expression:
        return syntax.Binary(syntax.Number("0"), "-", factor)

    @v_args(inline=True)
    def number(self, token: Token) -> syntax.Number:
        return syntax.Number(str(token))

    @v_args(inline=True)
    def text(self, token: Token) -> syntax.Text:
        return syntax.Text(_unquote(token))

    @v_args(inline=True)
    def field(self, token: Token) -> syntax.Field:
        return syntax.Field(str(token) if token.type == "NAME" else token[1:-1])

    @v_args(inline=True)
    def call(self, function: Token, *arguments: syntax.Expression | None) -> syntax.Call:
        return syntax.Call(str(function), tuple(argument for argument in arguments if argument is not None))

    @v_args(inline=True)
    def spath_option(self, option: Token | None, value: Token) -> tuple[str, str]:
        return str(option or "path"), _unquote(value) if value.type == "STRING" else str(value)

    def spath(self, options: list[tuple[str, str]]) -> syntax.Spath:
        given = dict(options)
        if len(given) < len(options) or ("path" not in given and "output" in given):
            raise SplError("Error in 'spath' command: no option may stand twice, and an output needs a path.")
        path = given.get("path")
        return syntax.Spath(given.get("input", "_raw"), path, given.get("output", path or ""))

    def makeresults(self, _: list[Token]) -> syntax.Makeresults:
        return syntax.Makeresults()

    def names(self, names: list[str]) -> tuple[str, ...]:
        return tuple(map(_not_empty, names))

    def keys(self, keys: list[syntax.SortKey]) -> tuple[syntax.SortKey, ...]:
        if keys[-1].name in _TRAILING_SORT_ORDERS and len(keys) > 1:
            raise SplError("Error in 'sort' command: an order after the fields is not implemented.")
        return tuple(keys)

    @v_args(inline=True)
    def key(self, sign: Token | None, name: str) -> syntax.SortKey:
        return syntax.SortKey(_literal(name), descending=sign == "-")

    @v_args(inline=True)
    def fields(self, sign: Token | None, names: tuple[str, ...]) -> syntax.Fields:
        return syntax.Fields(names, keep=sign != "-")

    @v_args(inline=True)
    def table(self, names: tuple[str, ...]) -> syntax.Fields:
        return syntax.Fields(names, internal=False)

    @v_args(inline=True)
    def dedup(
        self,
        count: Token | None,
        names: tuple[str, ...],
        keep_empty: Token | None,
        keys: tuple[syntax.SortKey, ...] | None,
    ) -> syntax.Dedup:
        if count is not None and int(count) == 0:
            raise SplError("Error in 'dedup' command: the count must be at least 1.")
        empty = keep_empty is not None and keep_empty.endswith(("true", "t", "1"))
        return syntax.Dedup(int(count or 1), tuple(map(_literal, names)), keys or (), keep_empty=empty)

    @v_args(inline=True)
    def sort(self, limit: Token | None, keys: tuple[syntax.SortKey, ...]) -> syntax.Sort:
        return syntax.Sort(_DEFAULT_SORT_LIMIT if limit is None else int(limit), keys)

    @v_args(inline=True)
    def head(self, count: Token | None) -> syntax.Head:
        return syntax.Head(_DEFAULT_HEAD if count is None else int(count))

    def rename(self, pairs: list[tuple[str, str]]) -> syntax.Rename:
        return syntax.Rename(tuple(pairs))

    @v_args(inline=True)
    def renaming(self, old: str, new: str) -> tuple[str, str]:
        return _literal(old), _literal(new)

    @v_args(inline=True)
    def stats(self, by: tuple[str, ...] | None) -> syntax.StatsCount:
        return syntax.StatsCount(tuple(map(_literal, by or ())))

    def columns(self, pairs: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        return tuple(pairs)

    @v_args(inline=True)
    def column(self, name: str, renamed: str | None) -> tuple[str, str]:
        return _literal(name), _literal(renamed or name)

    @v_args(inline=True)
    def lookup(
        self, table: str, match: tuple[tuple[str, str], ...], output: tuple[tuple[str, str], ...]
    ) -> syntax.Lookup:
        return syntax.Lookup(_literal(table), match, output)


def _comparison(field: str, operator: str, values: tuple[str, ...]) -> syntax.Comparison:
    if _literal(field) in ("earliest", "latest"):
        raise SplError("Time modifiers in the search are not implemented: use earliest_time and latest_time.")
    return syntax.Comparison(field, operator, values)


def _literal(name: str) -> str:
    if "*" in _not_empty(name):
        raise SplError("A wildcard in the name of a field is implemented for 'fields' and 'table' alone.")
    return name


def _not_empty(name: str) -> str:
    if not name:
        raise SplError("A field's name is empty.")
    return name


_PARSER = Lark.open(
    "grammar.lark", rel_to=__file__, start="pipeline", parser="lalr", transformer=_Builder(), maybe_placeholders=True
)
