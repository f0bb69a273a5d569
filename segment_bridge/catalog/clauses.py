"""The clauses of which journeys' predicates are made.

Each clause gives ``terms``, words that the text of every such record holds, so that Splunk's index leaves out most of
the others, and ``condition``, which is exact. ``claims`` says what a record must be to satisfy the clause; two journeys
whose claims contradict each other can never select the same record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from segment_bridge import spl
from segment_bridge.catalog import record
from segment_bridge.catalog.component_verb import CREATED, REQUEST_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS_ANNOTATION = "build.appstudio.openshift.io/status"


class Clause:
    """One condition of a predicate; the defaults say nothing."""

    #: A named field each of whose values counts once, by its earliest record.
    once_per: ClassVar[spl.Expression | None] = None

    def terms(self) -> tuple[spl.Term, ...]:
        """Give search terms that every record of the journey satisfies."""
        return ()

    def condition(self) -> spl.Expression | None:
        """Give the exact condition."""
        return None

    def claims(self) -> Mapping[str, frozenset[str]]:
        """Give, for each facet of a record, the values with which the clause can hold."""
        return {}


@dataclass(frozen=True)
class OneOf(Clause):
    """The value at a path is one of these."""

    path: str
    values: tuple[str, ...]

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return (spl.any_phrase(*self.values),)

    def condition(self) -> spl.Expression:
        """See :class:`Clause`."""
        return record.part(self.path).one_of(*self.values)

    def claims(self) -> Mapping[str, frozenset[str]]:
        """See :class:`Clause`."""
        return {self.path: frozenset(self.values)}


@dataclass(frozen=True)
class Responded(Clause):
    """The response has one of these codes."""

    codes: tuple[int, ...]

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return (spl.any_phrase(*map(str, self.codes)),)

    def condition(self) -> spl.Expression:
        """See :class:`Clause`."""
        return record.part(record.RESPONSE_CODE).is_number(*self.codes)

    def claims(self) -> Mapping[str, frozenset[str]]:
        """See :class:`Clause`."""
        return {record.RESPONSE_CODE: frozenset(map(str, self.codes))}


@dataclass(frozen=True)
class Labelled(Clause):
    """An object has a label with this value."""

    key: str
    value: str
    of: str = "responseObject"

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return (spl.phrase(self.value),)

    def condition(self) -> spl.Expression:
        """See :class:`Clause`."""
        return record.label(self.key, of=self.of).equals(self.value)


@dataclass(frozen=True)
class Present(Clause):
    """There is a value at a path."""

    path: str

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return (spl.phrase(self.path.rpartition(".")[2]),)

    def condition(self) -> spl.Expression:
        """See :class:`Clause`."""
        return spl.is_not_null(record.part(self.path))


@dataclass(frozen=True)
class Created(Clause):
    """The request has created the object, by whichever verb."""

    def condition(self) -> spl.Expression:
        """See :class:`Clause`."""
        return CREATED


@dataclass(frozen=True)
class StoredIfCreated(Clause):
    """The object was stored, if the request has created it."""

    def condition(self) -> spl.Expression:
        """See :class:`Clause`."""
        return ~CREATED | spl.is_not_null(record.part(record.RESOURCE_VERSION))


@dataclass(frozen=True)
class NoDryRun(Clause):
    """The request was no dry run, as its URI says, or for a delete its body alone."""

    def condition(self) -> spl.Expression:
        """See :class:`Clause`."""
        uri, kind, asked = (
            spl.coalesce(record.part(path), spl.text(""))
            for path in (record.REQUEST_URI, "requestObject.kind", "requestObject.dryRun")
        )
        in_body = kind.equals("DeleteOptions") & asked.like('%"All"%')
        return ~(uri.matches("[?&]dryRun=All(&|$)") | in_body)


@dataclass(frozen=True)
class UserRequest(Clause):
    """A person asked: by impersonation, or under a name that does not begin with ``system:``."""

    def condition(self) -> spl.Expression:
        """See :class:`Clause`."""
        user = record.part(record.USER)
        impersonated = spl.is_not_null(record.part(record.IMPERSONATED_USER))
        return impersonated | (spl.is_not_null(user) & ~user.like("system:%"))


@dataclass(frozen=True)
class OncePerObject(Clause):
    """Of the records of one object, the earliest counts; without a UID, namespace and name stand for the object."""

    once_per = spl.named(
        "object",
        spl.coalesce(
            record.part("responseObject.metadata.uid"),
            spl.joined(record.part("objectRef.namespace"), spl.text("/"), record.part("objectRef.name")),
        ),
    )


@dataclass(frozen=True)
class StatusCondition(Clause):
    """The status condition of this type has one of these statuses, and what else is given.

    Its parts are those of one element of the list, whatever other elements lack.
    """

    type: str
    statuses: tuple[str, ...]
    reason: str | None = None
    message_like: str | None = None

    def part(self, key: str) -> spl.Expression:
        """Read a part of the condition."""
        element = spl.named("condition", record.element("responseObject.status.conditions", type=self.type))
        return spl.named(f"condition_{key}", record.member(element, key))

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return tuple(map(spl.phrase, dict.fromkeys(filter(None, (self.type, self.reason)))))

    def condition(self) -> spl.Expression:
        """See :class:`Clause`."""
        condition = self.part("status").one_of(*self.statuses)
        if self.reason:
            condition &= self.part("reason").equals(self.reason)
        if self.message_like:
            condition &= self.part("message").like(self.message_like)
        return condition

    def claims(self) -> Mapping[str, frozenset[str]]:
        """See :class:`Clause`."""
        return {f"status of condition {self.type}": frozenset(self.statuses)}


@dataclass(frozen=True)
class ScanResult(Clause):
    """A TaskRun has a result of one of these names, which is JSON with counts of vulnerabilities.

    Results lie in ``taskResults`` up to Tekton's v1beta1 and in ``results`` from v1 on.
    """

    names: tuple[str, ...]

    def count(self, severity: str) -> spl.Expression:
        """Read how many vulnerabilities of a severity there are."""
        return record.not_json_null(spl.json_path(self._value(), f"vulnerabilities.{severity}"))

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return (spl.any_phrase(*self.names),)

    def condition(self) -> spl.Expression:
        """See :class:`Clause`."""
        return spl.is_not_null(self._value())

    def _value(self) -> spl.Expression:
        paths = ("responseObject.status.taskResults", "responseObject.status.results")
        results = (record.element(path, name=name) for path in paths for name in self.names)
        return spl.named("scan_result", spl.coalesce(*(record.member(result, "value") for result in results)))


@dataclass(frozen=True)
class PullRequestCreated(Clause):
    """The build service noted a pull request in the component's annotations; each counts once.

    Once the request is done its annotation is gone, and the status annotation, itself JSON, says how it went.
    """

    _STATUS = spl.named("build_status", record.annotation(STATUS_ANNOTATION))
    once_per = spl.named("merge_url", record.not_json_null(spl.json_path(_STATUS, "pac.merge-url")))

    def terms(self) -> tuple[spl.Term, ...]:
        """See :class:`Clause`."""
        return (spl.phrase("pac"), spl.phrase("merge-url"))

    def condition(self) -> spl.Expression:
        """See :class:`Clause`."""
        done = ~spl.is_not_null(record.annotation(REQUEST_ANNOTATION))
        enabled = spl.json_path(self._STATUS, "pac.state").equals("enabled")
        return done & enabled & spl.is_not_null(self.once_per)
