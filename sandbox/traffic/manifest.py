"""What a bridge should find in a log: counted from the signals, while they are made."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.traffic.journeys import Journey
from sandbox.traffic.shapes import TRUNCATED

if TYPE_CHECKING:
    from sandbox.traffic.journeys import Signal, Step
    from sandbox.traffic.values import Record


@dataclass
class Tally:
    """The results of one journey's search over the whole log.

    ``audit_ids`` has one entry a result that has an ID. ``names`` counts the events by their names, those of one audit
    ID once, as Segment drops the repeats.
    """

    matching: int = 0
    names: Counter[str] = field(default_factory=Counter)
    audit_ids: list[str] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> Record:
        """Return it as JSON, with the number of track events."""
        return {
            "matching": self.matching,
            "audit_ids": sorted(self.audit_ids),
            "events": self.matching - self.rejected.total(),
            "names": dict(sorted(self.names.items())),
            "rejected": dict(sorted(self.rejected.items())),
        }


class Ledger:
    """Tallies of every journey. Steps are entered in the order of time."""

    def __init__(self) -> None:
        self.tallies = {journey: Tally() for journey in Journey}
        self.steps = 0
        #: By resource, the records of the journeys' kinds that the API server has cut.
        self.truncated: Counter[str] = Counter()
        self._seen: set[str] = set()

    def enter(self, step: Step) -> None:
        """Count one step."""
        self.steps += 1
        if TRUNCATED in step.record.get("annotations", ()):
            self.truncated[step.record["objectRef"]["resource"]] += 1
        signal = step.signal
        if signal is None or (signal.once and self._seen_before(signal.once)):
            return
        tally = self.tallies[signal.journey]
        tally.matching += 1
        audit_id = step.record.get("auditID")
        if audit_id is not None:
            tally.audit_ids.append(audit_id)
        reason = _rejection(signal, audit_id)
        if reason is not None:
            tally.rejected[reason] += 1
        elif not self._seen_before(str(audit_id)):
            tally.names[signal.event] += 1

    @property
    def signals(self) -> int:
        """The number of results in all."""
        return sum(tally.matching for tally in self.tallies.values())

    def _seen_before(self, what: str) -> bool:
        seen = what in self._seen
        self._seen.add(what)
        return seen


def _rejection(signal: Signal, audit_id: str | None) -> str | None:
    """Say why a result becomes no event; of several reasons the first counts."""
    owner = signal.workspace.owner
    if owner is None:
        return "unknown_namespace"
    if owner.user_id is None:
        return "unknown_workspace_owner"
    if signal.user is not None and signal.user.user_id is None:
        return "unknown_user"
    if audit_id is None:
        return "missing_message_id"
    return "too_large" if signal.oversize else None
