"""A user journey, and the search that it compiles to."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from segment_bridge import spl
from segment_bridge.catalog import record
from segment_bridge.catalog.clauses import Clause, NoDryRun, OneOf
from segment_bridge.catalog.properties import COMMON, Property
from segment_bridge.catalog.source import records_of
from segment_bridge.errors import ConfigurationError
from segment_bridge.settings import DEFAULT_USER_LOOKUP, IdentityMode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from segment_bridge.settings import Source

#: The name of the user who asked, and what a lookup makes of it.
_USER, _RESOLVED, _IDENTITY = "userId", "userSsoId", "identity"


@dataclass(frozen=True, kw_only=True)
class Journey:
    """What one user journey selects, and what its events carry.

    ``event`` is the fixed name of its events; without one, the name comes from subject and verb. A record that a
    journey of ``unless`` selects is that one's. Raises :class:`ConfigurationError` for a property given twice, and for
    what reads a list by position, or a field that Splunk may not have extracted from a large record.
    """

    name: str
    title: str
    api_group: str
    resource: str
    clauses: tuple[Clause, ...]
    properties: tuple[Property, ...]
    event: str | None = None
    verb: spl.Expression = record.part(record.VERB)  # noqa: RUF009 - a frozen value
    carries_user: bool = False
    unless: tuple[Journey, ...] = ()

    def __post_init__(self) -> None:
        names = [one.name for one in (*COMMON, *self.properties)]
        if len(set(names)) != len(names):
            raise ConfigurationError(f"journey {self.name} gives a property twice: {', '.join(names)}")
        read_by_clauses = (read for clause in self.clauses for read in (clause.condition(), clause.once_per))
        for what, expression in (
            *((f"property {one.name}", one.source) for one in self.properties),
            *(("a clause", read) for read in read_by_clauses if read),
            ("the verb", self.verb),
        ):
            self._require(what, expression.fields)

    def _require(self, what: str, fields: frozenset[str]) -> None:
        if lists := sorted(name for name in fields if "{}" in name):
            raise ConfigurationError(
                f"journey {self.name}: {what} reads a list by position ({', '.join(lists)}), where an element that "
                "lacks a key shifts all others: take elements whole, by record.element"
            )
        if unknown := sorted(fields - record.METADATA):
            raise ConfigurationError(
                f"journey {self.name}: {what} reads fields that Splunk may not have extracted: {', '.join(unknown)}; "
                "read parts of a record by record.part"
            )

    def compile(
        self, source: Source, identity: IdentityMode = IdentityMode.BRIDGE, *, lookup: str = DEFAULT_USER_LOOKUP
    ) -> str:
        """Print the search over this source.

        Where Splunk resolves the user, with the ``lookup`` of this name, a result has no ``userId`` but says so in
        ``identity``, and has ``userSsoId`` if the user has an ID.
        """
        of_kind = self._object()
        terms = (term for clause in (*of_kind, *self.clauses) for term in clause.terms())
        pipeline = records_of(source, *terms).where(_all(of_kind)).where(_all([NoDryRun()]))
        for clause in self.clauses:
            if condition := clause.condition():
                pipeline = pipeline.where(condition)
        for other in self.unless:
            pipeline = pipeline.where(other.leaves_out())
        for clause in self.clauses:
            if clause.once_per:
                pipeline = pipeline.dedup_earliest(clause.once_per)
        output = self.output(identity)
        pipeline = pipeline.eval(**output)
        if _IDENTITY not in output:
            return str(pipeline.fields(*output))
        kept = (name for name in output if name != _USER)
        found = pipeline.lookup(lookup, match=("username", _USER), output=("user_id", _RESOLVED))
        return str(found.fields(*kept, _RESOLVED))

    def leaves_out(self) -> spl.Expression:
        """Hold for a record of its kind of object that this journey does not select."""
        # A condition that is null selects nothing, and its opposite would be null as well.
        return spl.choose(_all(self.clauses), spl.text("yes"), spl.text("no")).equals("no")

    def claims(self) -> dict[str, frozenset[str]]:
        """Give, for each facet of a record, the values with which the whole predicate can hold."""
        claims: dict[str, frozenset[str]] = {}
        for clause in (*self._object(), *self.clauses):
            for facet, values in clause.claims().items():
                claims[facet] = claims.get(facet, values) & values
        return claims

    def output(self, identity: IdentityMode) -> dict[str, spl.Expression]:
        """Give the fields that a result has, before any lookup."""
        output = {
            "messageId": record.part("auditID"),
            "timestamp": record.part("requestReceivedTimestamp"),
            "type": spl.text("track"),
            "namespace": record.part("objectRef.namespace"),
            "event_subject": record.part(record.RESOURCE),
            "event_verb": self.verb,
        }
        if self.event is not None:
            output["event"] = spl.text(self.event)
        if self.carries_user:
            output[_USER] = spl.coalesce(record.part(record.IMPERSONATED_USER), record.part(record.USER))
        properties = {one.name: one.value for one in (*COMMON, *self.properties)}
        output["properties"] = spl.json_object(**properties)
        output["context"] = spl.json_object(userAgent=spl.marked(record.part("userAgent")))
        if self.carries_user and identity is not IdentityMode.BRIDGE:
            output[_IDENTITY] = spl.text(identity)
        return output

    def _object(self) -> tuple[Clause, ...]:
        return (OneOf(record.API_GROUP, (self.api_group,)), OneOf(record.RESOURCE, (self.resource,)))


def _all(clauses: Iterable[Clause]) -> spl.Expression:
    return reduce(operator.and_, filter(None, (clause.condition() for clause in clauses)))
