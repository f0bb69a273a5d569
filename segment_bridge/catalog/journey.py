"""A user journey, and the search that it compiles to."""

from __future__ import annotations

from dataclasses import dataclass

from segment_bridge import spl
from segment_bridge.catalog import record
from segment_bridge.catalog.clauses import Clause, OneOf
from segment_bridge.catalog.properties import COMMON, Property
from segment_bridge.errors import ConfigurationError
from segment_bridge.events import IdentityMode
from segment_bridge.settings import DEFAULT_USER_LOOKUP

_VERB = spl.field("verb")
#: The name of the user who asked, and what a lookup makes of it.
_USER, _RESOLVED = "userId", "userSsoId"


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
        pipeline = spl.Pipeline(self._terms(index))
        for clause in self.clauses:
            pipeline = clause.narrow(pipeline)
        output = self._output()
        if identity is IdentityMode.BRIDGE or not self.carries_user:
            return str(pipeline.eval(**output).fields(*output))
        made = output | {"identity": spl.text(identity)}
        kept = [*(name for name in made if name != _USER), _RESOLVED]
        return str(
            pipeline.eval(**made).lookup(lookup, match=("username", _USER), output=("user_id", _RESOLVED)).fields(*kept)
        )

    def claims(self) -> dict[str, frozenset[str]]:
        """Give, for each facet of a record, the values with which the whole predicate can hold."""
        claims: dict[str, frozenset[str]] = {}
        for clause in (*self._object(), *self.clauses):
            for facet, values in clause.claims().items():
                claims[facet] = claims.get(facet, values) & values
        return claims

    def _object(self) -> tuple[Clause, ...]:
        return (OneOf(record.API_GROUP, (self.api_group,)), OneOf(record.RESOURCE, (self.resource,)))

    def _terms(self, index: str) -> spl.Term:
        terms = spl.index(index) & spl.SearchField("log_type").equals("audit")
        for clause in (*self._object(), *self.clauses):
            for term in clause.terms():
                terms &= term
        return terms

    def _output(self) -> dict[str, spl.Expression]:
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
        return output
