"""The run's books: every result that a search returned ends in exactly one place.

For each journey, and for the run::

    found = sent + rejected (by reason) + undelivered + withheld (in a dry run) + acknowledged (earlier)

The figures are counted in what lies in staging, not carried along from task to task.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from segment_bridge.errors import FatalError, HoleError, SilentSourceError, UnbalancedBooks
from segment_bridge.events import FIELDS_TWICE, MEANINGS, Reason
from segment_bridge.plan import Plan  # noqa: TC001 - msgspec reads the annotations of a Struct

if TYPE_CHECKING:
    from collections.abc import Container

State = Literal["complete", "failed"]
_UNMAPPED = (Reason.UNKNOWN_NAMESPACE, Reason.UNKNOWN_WORKSPACE_OWNER, Reason.UNKNOWN_USER)


class JourneyBooks(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one journey's results; ``failed`` means that there is no complete answer to its search."""

    state: State = "complete"
    found: int = 0
    #: Events made, in ``batches`` request bodies.
    events: int = 0
    batches: int = 0
    sent: int = 0
    rejected: dict[str, int] = {}
    #: Events that Segment will not take, however often they are sent; a part of ``rejected``.
    refused: int = 0
    undelivered: int = 0
    withheld: int = 0
    #: Not sent, as Segment has acknowledged them earlier; no part of ``events``.
    acknowledged: int = 0
    #: The level and the known pattern of the message of Splunk for which there is no complete answer, if one is why.
    stopped_by: str = ""

    @property
    def coverage(self) -> float:
        """The share of results whose user and workspace are known, of those that are not excluded; 1 of none."""
        unmapped = sum(self.rejected.get(reason, 0) for reason in _UNMAPPED)
        return 1 - unmapped / self.wanted if self.wanted else 1.0

    @property
    def wanted(self) -> int:
        """How many results are not excluded by a setting."""
        return self.found - self.rejected.get(Reason.EXCLUDED, 0)

    @property
    def is_futile(self) -> bool:
        """Whether there were results that are not excluded, and all of them were rejected."""
        return bool(self.wanted) and self.found == sum(self.rejected.values()) and not self.events

    def reasons(self) -> str:
        """Say how many results were rejected for which reasons, other than that they are excluded."""
        told = (
            f"{count} {reason}: {MEANINGS.get(reason, reason)}"
            for reason, count in self.rejected.items()
            if reason != Reason.EXCLUDED
        )
        return "; ".join(told)

    def imbalance(self) -> str:
        """Say in which stage the books break, or nothing."""
        rejected = sum(self.rejected.values())
        converted = self.events + self.acknowledged
        if self.found != converted + rejected - self.refused:
            return f"{self.found} found, but {converted} converted and {rejected - self.refused} rejected"
        ended = self.sent + self.refused + self.undelivered + self.withheld
        if self.events != ended:
            return f"{self.events} events in {self.batches} batches, but outcomes for {ended}"
        return ""


class MapBooks(msgspec.Struct, frozen=True, kw_only=True):
    """What a map was made of: entries, objects left out for lack of a part, names claimed more than once."""

    entries: int
    skipped: int
    collisions: int
    #: Of those left out, the ones with an ID that identifies nobody.
    unusable_ids: int = 0
    #: IDs that several user names have, and users with an ID that Amplitude removes for its length.
    shared_ids: int = 0
    short_ids: int = 0
    #: Why it is the last good map that stands in; empty where it is not.
    stands_in: str = ""

    def doubts(self) -> tuple[str, ...]:
        """Say what is odd about the IDs, without any."""
        told = (
            (
                self.unusable_ids,
                "UserSignups left out, whose ID identifies nobody, such as null or unknown",
            ),
            (self.shared_ids, "IDs with several user names each, whose events count as one user's"),
            (self.short_ids, "users with an ID of fewer than 5 characters, which Amplitude removes"),
        )
        return tuple(f"{count} {what}" for count, what in told if count)


class ToleratedBooks(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages of Splunk passed by one pattern of the setting ``tolerated_messages``."""

    pattern: str
    reason: str
    count: int


class MessageBooks(msgspec.Struct, frozen=True, kw_only=True):
    """What became of Splunk's messages about one search."""

    #: Warnings and errors that have nothing to do with how complete the answer is.
    passed: int = 0
    tolerated: tuple[ToleratedBooks, ...] = ()
    #: Levels with so many messages that others may not have reached us.
    full: tuple[str, ...] = ()
    stopped_by: str = ""


class Alarm(StrEnum):
    """What somebody is told of, as the title of an alert says it; the gravest comes first."""

    UNBALANCED = "the books do not balance"
    SILENT = "the source is silent"
    UNKNOWN_SILENCE = "nobody knows whether the source is silent"
    HOLE = "hours are not covered"
    UNKNOWN = "few users are known"
    STAND_IN = "a map stands in"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run's books as one document."""

    run: str
    plan: Plan
    journeys: dict[str, JourneyBooks]
    total: JourneyBooks
    maps: dict[str, MapBooks]
    #: By resource, how many records the API server has cut, so that journeys may have missed them.
    truncated: dict[str, int] = {}
    #: Over all searches of the run.
    tolerated_messages: tuple[ToleratedBooks, ...] = ()
    balanced: bool
    #: The share of results whose user and workspace are known.
    coverage: float
    #: What keeps the run from being a success, one sentence each.
    problems: tuple[str, ...] = ()
    #: What does not, and is to be known all the same.
    warnings: tuple[str, ...] = ()
    #: Of both, what somebody has to be told.
    alarms: tuple[str, ...] = ()
    #: Of which kinds those are.
    alarm_kinds: tuple[Alarm, ...] = ()
    #: Of a dry run: what an event of each journey looks like, its values named by their kind.
    samples: dict[str, dict[str, Any]] = {}

    def summary(self) -> str:
        """Return the books in few lines of text, as a log shows them."""
        one = self.total
        ends = {
            "sent": one.sent,
            "rejected": sum(one.rejected.values()),
            "undelivered": one.undelivered,
            "withheld": one.withheld,
            "acknowledged": one.acknowledged,
        }
        ended = " + ".join(f"{count} {end}" for end, count in ends.items())
        lines = [f"{one.found} found = {ended}; {one.batches} batches"]
        lines += [f"rejected {count}: {reason}" for reason, count in one.rejected.items()]
        lines += [f"problem: {problem}" for problem in self.problems]
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    @property
    def succeeded(self) -> bool:
        """Whether everything that was to be sent has been sent, and nothing else is wrong."""
        return not self.problems

    def require_success(self) -> None:
        """Raise the error of the gravest problem's kind, or :class:`FatalError`, where the run is none."""
        if self.succeeded:
            return
        kind = next((kind for kind in self.alarm_kinds if kind in _ERRORS), None)
        said = kind if kind is Alarm.UNBALANCED else "the run is not complete"
        raise _ERRORS.get(kind, FatalError)(f"{said}: {'; '.join(self.problems)}")


_ERRORS: dict[Alarm | None, type[FatalError]] = {
    Alarm.UNBALANCED: UnbalancedBooks,
    Alarm.SILENT: SilentSourceError,
    Alarm.HOLE: HoleError,
}


def total(books: dict[str, JourneyBooks]) -> JourneyBooks:
    """Add up the journeys."""
    rejected: Counter[str] = Counter()
    for journey in books.values():
        rejected.update(journey.rejected)
    numbers = {
        name: sum(getattr(journey, name) for journey in books.values())
        for name in ("found", "events", "batches", "sent", "refused", "undelivered", "withheld", "acknowledged")
    }
    state: State = "failed" if any(journey.state == "failed" for journey in books.values()) else "complete"
    return JourneyBooks(state=state, rejected=dict(sorted(rejected.items())), **numbers)


def problems(books: dict[str, JourneyBooks]) -> tuple[str, ...]:
    """Say what keeps the books from being those of a success, beside :func:`refusals`."""
    said = []
    for name, journey in books.items():
        if journey.state == "failed":
            why = f" ({journey.stopped_by})" if journey.stopped_by else ""
            said.append(f"{name}: no complete answer to its search{why}")
        if imbalance := journey.imbalance():
            said.append(f"{name}: {imbalance}")
        if journey.undelivered:
            said.append(f"{name}: {journey.undelivered} events undelivered")
        if twice := journey.rejected.get(Reason.FIELDS_TWICE):
            said.append(f"{name}: {twice} results rejected: {FIELDS_TWICE}")
    return tuple(said)


def futile(books: dict[str, JourneyBooks], expected: Container[str]) -> tuple[str, ...]:
    """Say which journeys have nothing but rejected results, though that is not ``expected`` of them.

    Excluded results do not count, nor does what :func:`problems` names the cause of.
    """
    return tuple(
        f"{name}: all {one.wanted} results were rejected ({one.reasons()}); "
        "if that is to be expected, name the journey in expect_all_rejected"
        for name, one in books.items()
        if name not in expected and one.is_futile and Reason.FIELDS_TWICE not in one.rejected
    )


def refusals(books: dict[str, JourneyBooks]) -> tuple[str, ...]:
    """Say what Segment would not take by itself, which it would not take another time either."""
    return tuple(f"{name}: {one.refused} events refused by Segment" for name, one in books.items() if one.refused)
