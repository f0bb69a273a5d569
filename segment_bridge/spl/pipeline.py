"""A whole search: terms first, then commands, each a value; printed one command a line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from segment_bridge.errors import ConfigurationError
from segment_bridge.spl import quoting

if TYPE_CHECKING:
    from segment_bridge.spl.expressions import Expression
    from segment_bridge.spl.terms import Term


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A search that grows by one command a call; ``str()`` prints it.

    Fields that an expression needs are made just before the first command that reads them. Raises
    :class:`ConfigurationError` for two fields of one name.
    """

    search: Term
    commands: tuple[str, ...] = ()
    made: tuple[tuple[str, Expression], ...] = ()

    def __str__(self) -> str:
        return "\n| ".join((f"search {self.search}", *self.commands))

    def where(self, condition: Expression) -> Pipeline:
        """Keep the rows for which the condition is true."""
        return self._then(f"where {condition}", condition)

    def eval(self, **fields: Expression) -> Pipeline:
        """Make fields, in order."""
        made = ", ".join(f"{quoting.new_field(name)}={expression}" for name, expression in fields.items())
        return self._then(f"eval {made}", *fields.values())

    def dedup_earliest(self, field: Expression) -> Pipeline:
        """Keep, of the rows with one value of a named field, the earliest; drop rows without one."""
        return self._then(f"dedup {quoting.new_field(field.text)} sortby +_time", field)

    def head(self, count: int) -> Pipeline:
        """Keep the first rows, and search no further."""
        return self._then(f"head {count}")

    def largest(self, field: Expression, count: int) -> Pipeline:
        """Keep the rows with the largest numbers in a named field, the largest first."""
        return self._then(f"sort {count} -{quoting.new_field(field.text)}", field)

    def count_by(self, field: Expression) -> Pipeline:
        """Count the rows with each value of a named field."""
        return self._then(f"stats count by {quoting.new_field(field.text)}", field)

    def lookup(self, table: str, *, match: tuple[str, str], output: tuple[str, str]) -> Pipeline:
        """Look a value up, letter by letter; each pair is a field of the table and the field that it is in a row.

        The search head does it itself: its search peers know no KV store.
        """
        pairs = (f"{quoting.new_field(column)} AS {quoting.new_field(name)}" for column, name in (match, output))
        return self._then(f"lookup local=true {quoting.new_field(table)} {' OUTPUT '.join(pairs)}")

    def fields(self, *names: str) -> Pipeline:
        """Keep these fields and no others, Splunk's internal ones included."""
        kept = self._then(f"fields {','.join(map(quoting.new_field, names))}")
        return replace(kept, commands=(*kept.commands, "fields - _*"))

    def _then(self, command: str, *reads: Expression) -> Pipeline:
        """Add a command, and before it what it takes to make the fields that it reads."""
        made = dict(self.made)
        new: dict[str, Expression] = {}
        for name, definition in (pair for expression in reads for pair in expression.made):
            if (made | new).get(name, definition) != definition:
                raise ConfigurationError(f"a search makes two different fields named {name}: rename one")
            if name not in made:
                new[name] = definition
        printed = ", ".join(f"{name}={definition}" for name, definition in new.items())
        commands = (f"eval {printed}", command) if new else (command,)
        return replace(self, commands=self.commands + commands, made=(*self.made, *new.items()))
