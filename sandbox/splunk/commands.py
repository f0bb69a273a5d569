"""The commands after a pipe, each compiled to a function from rows to rows; and the search that they make up."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from itertools import chain, islice, product
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from sandbox.splunk import cutoff, json_path, language, patterns, search, syntax
from sandbox.splunk import eval as expressions
from sandbox.splunk.errors import SplError
from sandbox.splunk.readings import DOCUMENTED
from sandbox.splunk.records import AuditLog, Row
from sandbox.splunk.values import Value, number, several, single, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from decimal import Decimal

    from sandbox.splunk.kvstore import Table
    from sandbox.splunk.operators import Run
    from sandbox.splunk.readings import Readings

    Stage: TypeAlias = Callable[[Iterable[Row]], Iterable[Row]]

_INTERNAL = ("_time", "_raw")


@dataclass(frozen=True)
class Search:
    """A compiled search, to be run over any audit log and window."""

    index: str
    stages: tuple[Stage, ...]
    readings: Readings

    def run(
        self,
        log: AuditLog,
        earliest: Decimal | None = None,
        latest: Decimal | None = None,
        cost: Counter[str] | None = None,
    ) -> Iterator[dict[str, Value]]:
        """Give the results over [earliest, latest), in microseconds since the epoch; SplError may come late.

        In ``cost`` is counted, as the results come, how many records were ``scanned``, how many of them ``matched`` the
        terms of the first command, and the ``results``.
        """
        cost = Counter() if cost is None else cost
        first, *others = self.stages
        rows: Iterable[Row] = first(_counted(log.rows(self.index, earliest, latest, self.readings), cost, "scanned"))
        rows = _counted(rows, cost, "matched")
        for stage in others:
            rows = stage(rows)
        return (row.all() for row in _counted(rows, cost, "results"))


def compile_search(
    text: str, lookups: Mapping[str, Table] = MappingProxyType({}), readings: Readings = DOCUMENTED
) -> Search:
    """Compile the text of a search, which may use these lookups; raise SplError for what is wrong or unknown here."""
    try:
        first, *others = language.parse(text)
        index = search.asked_index(first.term) if isinstance(first, syntax.Search) else ""
        stages = tuple(_stage(command, lookups, readings) for command in (first, *others))
        return Search(index, stages, readings)
    except RecursionError as error:
        raise SplError("The search is nested too deeply.") from error


def _stage(  # noqa: C901, PLR0911, PLR0912 - one case a command
    command: syntax.Command, lookups: Mapping[str, Table], readings: Readings
) -> Stage:
    match command:
        case syntax.Search(term):
            return _keep(search.condition(term))
        case syntax.Where(condition):
            return _keep(expressions.condition(condition, readings))
        case syntax.Eval(assignments):
            return _eval([(name, expressions.value(expression, readings)) for name, expression in assignments])
        case syntax.Makeresults():
            return lambda _: iter([Row({"_time": str(int(time.time()))})])
        case syntax.Spath(source, None, _):
            return lambda rows: (_extracted(row, source, readings) for row in rows)
        case syntax.Spath():
            return _spath(command)
        case syntax.Fields():
            return _fields(command)
        case syntax.Dedup():
            return _dedup(command)
        case syntax.Sort(limit, keys):
            return lambda rows: _sorted(rows, keys)[: limit or None]
        case syntax.Head(count):
            return lambda rows: islice(rows, count)
        case syntax.Rename(pairs):
            return _rename(pairs)
        case syntax.StatsCount(by):
            return lambda rows: _count(rows, by)
        case syntax.Lookup():
            return _lookup(command, lookups)


def _counted(rows: Iterable[Row], cost: Counter[str], what: str) -> Iterator[Row]:
    for row in rows:
        cost[what] += 1
        yield row


def _keep(holds: Callable[[Row], Value]) -> Stage:
    return lambda rows: (row for row in rows if holds(row))


def _eval(assignments: list[tuple[str, Run]]) -> Stage:
    def stage(rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            for name, run in assignments:
                row.set(name, run(row))
            yield row

    return stage


def _extracted(row: Row, source: str, readings: Readings) -> Row:
    """Extract all fields of a JSON object, as far as the cutoff lets it be seen."""
    line = text(row.get(source) or "").encode()
    if json_path.is_json(line.decode()) and line.lstrip().startswith(b"{"):
        members = cutoff.seen(line, readings.extraction_cutoff or len(line))
        for name, values in json_path.flatten(members, readings).items():
            row.set(name, single(values))
    return row


def _spath(command: syntax.Spath) -> Stage:
    path = json_path.compiled(command.path or "")

    def stage(rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            source = row.get(command.source)
            if source is not None and (found := single(path.find(text(source)))) is not None:
                row.set(command.output, found)
            yield row

    return stage


def _fields(command: syntax.Fields) -> Stage:
    exact = [name for name in command.names if "*" not in name]
    wild = [patterns.wildcard(name).fullmatch for name in command.names if "*" in name]
    kept_anyway = _INTERNAL if command.internal else ()

    def named(name: str) -> bool:
        return name in exact or any(matches(name) for matches in wild)

    def keep(row: Row) -> Row:
        values = {name: row.get(name) for name in (*exact, *kept_anyway)}
        if wild:
            values |= {name: value for name, value in row.all().items() if named(name)}
        return Row(values)

    def drop(row: Row) -> Row:
        return Row({name: value for name, value in row.all().items() if not named(name)})

    return lambda rows: map(keep if command.keep else drop, rows)


def _dedup(command: syntax.Dedup) -> Stage:
    def stage(rows: Iterable[Row]) -> Iterator[Row]:
        seen: Counter[tuple[tuple[str, ...], ...]] = Counter()
        for row in _sorted(rows, command.sort) if command.sort else rows:
            values = tuple(tuple(several(row.get(name))) for name in command.names)
            seen[values] += 1
            if seen[values] <= command.count if all(values) else command.keep_empty:
                yield row

    return stage


def _sorted(rows: Iterable[Row], keys: tuple[syntax.SortKey, ...]) -> list[Row]:
    """Sort by numbers where values look like numbers, else by text; rows without a value stand last."""
    ordered = list(rows)
    for key in reversed(keys):
        present = [row for row in ordered if row.get(key.name) is not None]
        missing = [row for row in ordered if row.get(key.name) is None]
        present.sort(key=lambda row: _order(row.get(key.name)), reverse=key.descending)
        ordered = present + missing
    return ordered


def _order(value: Value) -> tuple[bool, float, str]:
    string = several(value)[0]
    numeric = number(string)
    return (True, 0, string) if numeric is None else (False, numeric, "")


def _rename(pairs: tuple[tuple[str, str], ...]) -> Stage:
    def stage(rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            for old, new in pairs:
                row.set(new, row.get(old))
                row.set(old, None)
            yield row

    return stage


def _lookup(command: syntax.Lookup, lookups: Mapping[str, Table]) -> Stage:
    table = lookups.get(command.table)
    if table is None:
        pairs = [[one] if one == other else [one, "AS", other] for one, other in (*command.match, *command.output)]
        pairs.insert(len(command.match), ["OUTPUT"])
        said = ", ".join([command.table, *chain.from_iterable(pairs)])
        raise SplError(
            f"Error in 'lookup' command: Could not construct lookup '{said}'. See search.log for more details."
        )
    if not {column for column, _ in command.match + command.output} <= {*table.definition.fields, "_key"}:
        raise SplError(
            "Error in 'lookup' command: Could not find all of the specified lookup fields in the lookup table."
        )

    def stage(rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            given = {column: row.get(name) for column, name in command.match}
            wanted = {column: text(value) for column, value in given.items() if value is not None}
            columns = [column for column, _ in command.output]
            found = table.find(wanted, columns) if len(wanted) == len(given) else {}
            for column, name in command.output:
                row.set(name, single(found.get(column, [])))
            yield row

    return stage


def _count(rows: Iterable[Row], by: tuple[str, ...]) -> Iterator[Row]:
    """Count rows for each combination of values; a row counts once for each value of a multivalue."""
    if not by:
        return iter([Row({"count": sum(1 for _ in rows)})])
    groups: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        groups.update(product(*(several(row.get(name)) for name in by)))
    return (Row({**dict(zip(by, values, strict=True)), "count": count}) for values, count in sorted(groups.items()))
