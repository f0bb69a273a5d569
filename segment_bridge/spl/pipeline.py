"""A whole search: terms first, then commands, each a value; printed one command a line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from segment_bridge.spl import quoting

if TYPE_CHECKING:
    from segment_bridge.spl.expressions import Expression
    from segment_bridge.spl.terms import Term


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A search that grows by one command a call; ``str()`` prints it."""

    search: Term
    commands: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n| ".join((f"search {self.search}", *self.commands))

    def where(self, condition: Expression) -> Pipeline:
        """Keep the rows for which the condition is true."""
        return self._then(f"where {condition}")

    def eval(self, **fields: Expression) -> Pipeline:
        """Make fields, in order; a later one may read an earlier one."""
        made = ", ".join(f"{quoting.new_field(name)}={expression}" for name, expression in fields.items())
        return self._then(f"eval {made}")

    def spath(self, *, source: str, path: str, output: str) -> Pipeline:
        """Read one path out of the JSON text in field ``source``."""
        return self._then(
            f"spath input={quoting.new_field(source)} path={quoting.eval_text(path)} output={quoting.new_field(output)}"
        )

    def dedup_earliest(self, field: str) -> Pipeline:
        """Keep, of the rows with one value of the field, the earliest; drop rows without one."""
        return self._then(f"dedup {quoting.new_field(field)} sortby +_time")

    def head(self, count: int) -> Pipeline:
        """Keep the first rows, and search no further."""
        return self._then(f"head {count}")

    def lookup(self, table: str, *, match: tuple[str, str], output: tuple[str, str]) -> Pipeline:
        """Look a value up, letter by letter; each pair is a field of the table and the field that it is in a row.

        The search head does it itself: its search peers know no KV store.
        """
        pairs = (f"{quoting.new_field(column)} AS {quoting.new_field(name)}" for column, name in (match, output))
        return self._then(f"lookup local=true {quoting.new_field(table)} {' OUTPUT '.join(pairs)}")

    def fields(self, *names: str) -> Pipeline:
        """Keep these fields and no others, Splunk's internal ones included."""
        return self._then(f"fields {','.join(map(quoting.new_field, names))}", "fields - _*")

    def _then(self, *commands: str) -> Pipeline:
        return replace(self, commands=self.commands + commands)
