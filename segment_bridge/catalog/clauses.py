"""The clauses of which journeys' predicates are made.

Each clause gives ``terms``, which let Splunk's index leave out most records but ignore case, and ``narrow``,
which adds the exact conditions and any field that properties read. ``claims`` says what a record must be to
satisfy the clause; two journeys whose claims contradict each other can never select the same record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from segment_bridge import spl
from segment_bridge.catalog import record

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_ANNOTATION = "build.appstudio.openshift.io/request"
STATUS_ANNOTATION = "build.appstudio.openshift.io/status"


class Clause:
    """One condition of a predicate; the defaults say nothing."""

    #: The fields that :meth:`narrow` makes.
    makes: ClassVar[frozenset[str]] = frozenset()

    def terms(self) -> tuple[spl.Term, ...]:
        """Give search terms that every record of the journey satisfies."""
        return ()

    def narrow(self, pipeline: spl.Pipeline) -> spl.Pipeline:
        """Add what the terms cannot say."""
        return pipeline

    def claims(self) -> Mapping[str, frozenset[str]]:
        """Give, for each facet of a record, the values with which the clause can hold."""
        return {}


@dataclass(frozen=True)
class OneOf(Clause):
    """A field has one of these values. Only for fields whose values the API server spells in lower case."""

    field: str
    values: tuple[str, ...]

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return (spl.SearchField(self.field).one_of(*self.values),)

    def claims(self) -> Mapping[str, frozenset[str]]:
        """See :class:`Clause`."""
        return {self.field: frozenset(self.values)}


@dataclass(frozen=True)
class Exactly(OneOf):
    """As :class:`OneOf`, letter by letter: for values that people choose."""

    def narrow(self, pipeline: spl.Pipeline) -> spl.Pipeline:
        """See :class:`Clause`."""
        return pipeline.where(spl.field(self.field).one_of(*self.values))


@dataclass(frozen=True)
class Present(Clause):
    """The record has the field."""

    field: str

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return (spl.SearchField(self.field).present(),)


@dataclass(frozen=True)
class StoredIfCreated(Clause):
    """The object was stored, where the verb is create: a dry run has no resource version."""

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return (~spl.SearchField("verb").equals("create") | spl.SearchField(record.RESOURCE_VERSION).present(),)


@dataclass(frozen=True)
class UserRequest(Clause):
    """A person asked: by impersonation, or under a name that does not begin with ``system:``."""

    def narrow(self, pipeline: spl.Pipeline) -> spl.Pipeline:
        """See :class:`Clause`; terms would take ``System:`` for ``system:``."""
        user = spl.field(record.USER)
        impersonated = spl.is_not_null(spl.field(record.IMPERSONATED_USER))
        return pipeline.where(impersonated | (spl.is_not_null(user) & ~user.like("system:%")))

    def claims(self) -> Mapping[str, frozenset[str]]:
        """See :class:`Clause`."""
        return {"requester": frozenset({"person"})}


@dataclass(frozen=True)
class ServiceAccount(Exactly):
    """A certain service account asked."""

    def claims(self) -> Mapping[str, frozenset[str]]:
        """See :class:`Clause`; a service account's requests that impersonate a person are not told apart."""
        return {"requester": frozenset(self.values)}


@dataclass(frozen=True)
class StatusCondition(Clause):
    """The status condition of exactly this type has one of these reasons.

    Type, reason, status and message are four lists; what stands at the position of the type belongs together.
    """

    makes = frozenset({"status_reason", "status_message"})

    type: str
    reasons: tuple[str, ...]
    status: str | None = None
    message_like: str | None = None

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return (
            spl.SearchField(record.condition("type")).equals(self.type),
            spl.SearchField(record.condition("reason")).one_of(*self.reasons),
        )

    def narrow(self, pipeline: spl.Pipeline) -> spl.Pipeline:
        """See :class:`Clause`."""
        position = spl.position_of(spl.field(record.condition("type")), self.type)
        parts = {
            f"status_{part}": spl.item(spl.field(record.condition(part)), spl.field("condition"))
            for part in ("reason", "status", "message")
        }
        condition = spl.field("status_reason").one_of(*self.reasons)
        if self.status:
            condition &= spl.field("status_status").equals(self.status)
        if self.message_like:
            condition &= spl.field("status_message").like(self.message_like)
        return pipeline.eval(condition=position, **parts).where(condition)

    def claims(self) -> Mapping[str, frozenset[str]]:
        """See :class:`Clause`."""
        return {f"condition {self.type}": frozenset(self.reasons)}


@dataclass(frozen=True)
class ClairScanResult(Clause):
    """A TaskRun has the result of exactly this name, whose value is JSON text with counts of vulnerabilities.

    Results lie in ``taskResults`` up to Tekton's v1beta1 and in ``results`` from v1 on.
    """

    SEVERITIES: ClassVar[tuple[str, ...]] = ("critical", "high", "medium", "low")
    makes = frozenset(f"vulnerabilities_{severity}" for severity in SEVERITIES)

    name: str = "CLAIR_SCAN_RESULT"

    def narrow(self, pipeline: spl.Pipeline) -> spl.Pipeline:
        """See :class:`Clause`."""
        found = spl.coalesce(*(self._value(results) for results in ("taskResults", "results")))
        pipeline = pipeline.eval(scan_result=found).where(spl.is_not_null(spl.field("scan_result")))
        for severity in self.SEVERITIES:
            pipeline = pipeline.spath(
                source="scan_result", path=f"vulnerabilities.{severity}", output=f"vulnerabilities_{severity}"
            )
        return pipeline

    def _value(self, results: str) -> spl.Expression:
        path = f"responseObject.status.{results}{{}}"
        return spl.item(spl.field(f"{path}.value"), spl.position_of(spl.field(f"{path}.name"), self.name))


@dataclass(frozen=True)
class PullRequestCreated(Clause):
    """The build service noted a pull request in the component's annotations: one record a pull request.

    Once the request is done its annotation is gone, and the status annotation, itself JSON, says how it went.
    """

    makes = frozenset({"merge_url"})

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return (
            spl.SearchField(record.annotation(STATUS_ANNOTATION)).matches("*pac*"),
            ~spl.SearchField(record.annotation(REQUEST_ANNOTATION)).present(),
        )

    def narrow(self, pipeline: spl.Pipeline) -> spl.Pipeline:
        """See :class:`Clause`."""
        return (
            pipeline.eval(build_status=spl.field(record.annotation(STATUS_ANNOTATION)))
            .spath(source="build_status", path="pac.state", output="pac_state")
            .spath(source="build_status", path="pac.merge-url", output="merge_url")
            .where(spl.field("pac_state").equals("enabled"))
            .dedup_earliest("merge_url")
        )
