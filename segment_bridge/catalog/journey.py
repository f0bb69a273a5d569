"""A user journey, and the search that it compiles to."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from segment_bridge import spl
from segment_bridge.catalog import record
from segment_bridge.catalog.clauses import Clause, OneOf
from segment_bridge.catalog.properties import COMMON, Property
from segment_bridge.errors import ConfigurationError
from segment_bridge.settings import DEFAULT_USER_LOOKUP, IdentityMode

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERB = spl.field("verb")
#: The name of the user who asked, and what a lookup makes of it.
_USER, _RESOLVED, _IDENTITY = "userId", "userSsoId", "identity"


@dataclass(frozen=True, kw_only=True)
class Journey:
    """What one user journey selects, and what its events carry.

    ``event`` is the fixed name of its events; without one, the name comes from subject and verb.
    Raises :class:`ConfigurationError` for a property given twice, or read from a field that neither the audit
    record nor a clause of the journey has.
    """

    name: str
    title: str
    api_group: str
    resource: str
    clauses: tuple[Clause, ...]
    properties: tuple[Property, ...]
    event: str | None = None
    verb: spl.Expression = _VERB
    carries_user: bool = False

    def __post_init__(self) -> None:
        names = [one.name for one in (*COMMON, *self.properties)]
        if len(set(names)) != len(names):
            raise ConfigurationError(f"journey {self.name} gives a property twice: {', '.join(names)}")
        made = frozenset[str]().union(*(clause.makes for clause in self.clauses))
        for one in self.properties:
            unknown = {
                read for read in one.source.fields if read not in made and read.split(".")[0] not in record.ROOTS
            }
            if unknown:
                raise ConfigurationError(
                    f"journey {self.name}: property {one.name} reads unknown fields: {', '.join(sorted(unknown))}"
                )

    def compile(
        self, index: str, identity: IdentityMode = IdentityMode.BRIDGE, *, lookup: str = DEFAULT_USER_LOOKUP
    ) -> str:
        """Print the search over this index.

        Where Splunk resolves the user, with the ``lookup`` of this name, a result has no ``userId`` but says so in
        ``identity``, and has ``userSsoId`` if the user has an ID.
        """
        pipeline = self.narrow(spl.Pipeline(self.base(index, self.clauses)))
        return str(put_out(pipeline, self.output(identity), lookup))

    def base(self, index: str, clauses: Iterable[Clause]) -> spl.Term:
        """Give the terms of the audit records that are of its kind of object and satisfy these clauses."""
        terms = spl.index(index) & spl.SearchField("log_type").equals("audit")
        return reduce(operator.and_, terms_of((*self._object(), *clauses)), terms)

    def narrow(self, pipeline: spl.Pipeline) -> spl.Pipeline:
        """Add what the terms of all clauses cannot say."""
        for clause in self.clauses:
            pipeline = clause.narrow(pipeline)
        return pipeline

    def claims(self) -> dict[str, frozenset[str]]:
        """Give, for each facet of a record, the values with which the whole predicate can hold."""
        claims: dict[str, frozenset[str]] = {}
        for clause in (*self._object(), *self.clauses):
            for facet, values in clause.claims().items():
                claims[facet] = claims.get(facet, values) & values
        return claims

    def _object(self) -> tuple[Clause, ...]:
        return (OneOf(record.API_GROUP, (self.api_group,)), OneOf(record.RESOURCE, (self.resource,)))

    def output(self, identity: IdentityMode) -> dict[str, spl.Expression]:
        """Give the fields that a result has, before any lookup."""
        output = {
            "messageId": spl.field("auditID"),
            "timestamp": spl.field("requestReceivedTimestamp"),
            "type": spl.text("track"),
            "namespace": spl.field("objectRef.namespace"),
            "event_subject": spl.field("objectRef.resource"),
            "event_verb": self.verb,
        }
        if self.event is not None:
            output["event"] = spl.text(self.event)
        if self.carries_user:
            output[_USER] = spl.coalesce(spl.field(record.IMPERSONATED_USER), spl.field(record.USER))
        properties = {one.name: one.source for one in (*COMMON, *self.properties)}
        output["properties"] = spl.json_object(**properties)
        output["context"] = spl.json_object(userAgent=spl.field("userAgent"))
        if self.carries_user and identity is not IdentityMode.BRIDGE:
            output[_IDENTITY] = spl.text(identity)
        return output


def terms_of(clauses: Iterable[Clause]) -> list[spl.Term]:
    """Give the terms of several clauses."""
    return [term for clause in clauses for term in clause.terms()]


def put_out(pipeline: spl.Pipeline, output: dict[str, spl.Expression], lookup: str, *made: str) -> spl.Pipeline:
    """Make the fields of results, and keep them and those that are ``made``; users are looked up where they say so."""
    pipeline = pipeline.eval(**output)
    if _IDENTITY not in output:
        return pipeline.fields(*made, *output)
    kept = (name for name in output if name != _USER)
    found = pipeline.lookup(lookup, match=("username", _USER), output=("user_id", _RESOLVED))
    return found.fields(*made, *kept, _RESOLVED)
