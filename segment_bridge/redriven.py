"""What redrives have made of a run's leftovers, and how that changes its books.

Each redrive keeps records of its own, one for each body that it sent, so that two at once never write one file::

    redrives/ID/JOURNEY/000001.json

A record names events by their messageIds, as Segment does. So it stays true whatever else happens in the run's
folder, and events that are recorded twice count once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING

import msgspec

from segment_bridge import layout
from segment_bridge.books import REFUSED
from segment_bridge.events import Reason, from_body, read_head
from segment_bridge.segment.history import History
from segment_bridge.segment.outcome import Outcome  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from segment_bridge.report import JourneyBooks
    from segment_bridge.staging import Staging

#: The reasons that can pass, because users and namespaces come to be known.
PASSING = frozenset({Reason.UNKNOWN_NAMESPACE, Reason.UNKNOWN_WORKSPACE_OWNER, Reason.UNKNOWN_USER})


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What became of some events of one journey, by their messageIds as Segment knows them."""

    at: datetime
    #: Put before each audit ID.
    prefix: str = ""
    #: The events of one body, in its order, and the outcome of sending it.
    sent: tuple[str, ...] = ()
    outcome: Outcome | None = None
    #: Events that were not sent, since Segment had acknowledged them to another run.
    acknowledged: tuple[str, ...] = ()

    @property
    def history(self) -> History:
        """What became of each event of the body."""
        return History(len(self.sent), self.outcome)


@dataclass(frozen=True, slots=True)
class Ends:
    """The messageIds of a journey that redrives have brought to an end."""

    delivered: frozenset[str]
    acknowledged: frozenset[str]
    refused: frozenset[str]
    prefixes: frozenset[str]

    @classmethod
    def of(cls, run: Staging, journey: str) -> Ends:
        """Read all records of a journey; an event that was delivered once is refused no more."""
        delivered: set[str] = set()
        acknowledged: set[str] = set()
        refused: set[str] = set()
        prefixes: set[str] = set()
        for _, record in read(run, journey):
            prefixes.add(record.prefix)
            acknowledged.update(record.acknowledged)
            delivered.update(record.sent[at] for at in record.history.delivered)
            refused.update(record.sent[at] for at in record.history.refused)
        taken = delivered | acknowledged
        return cls(
            frozenset(delivered),
            frozenset(acknowledged - delivered),
            frozenset(refused - taken),
            frozenset(prefixes),
        )

    @property
    def taken(self) -> frozenset[str]:
        """Those that Segment has, whoever delivered them."""
        return self.delivered | self.acknowledged

    def __contains__(self, message_id: str) -> bool:
        return any(message_id in ended for ended in self._all)

    def count(self, message_ids: Collection[str]) -> tuple[int, int, int]:
        """Say how many of these were delivered, how many acknowledged to another run, and how many refused."""
        delivered, acknowledged, refused = (sum(map(ended.__contains__, message_ids)) for ended in self._all)
        return delivered, acknowledged, refused

    @property
    def _all(self) -> tuple[frozenset[str], ...]:
        return self.delivered, self.acknowledged, self.refused


class RejectedLine(msgspec.Struct):
    """A line of the rejected; what Splunk gave stays as it is."""

    reason: str
    result: msgspec.Raw


class _ResultHead(msgspec.Struct):
    messageId: str | None = None  # noqa: N815 - the searches' name
    identity: str | None = None


read_rejected: Callable[[bytes], RejectedLine] = msgspec.json.Decoder(RejectedLine).decode
_read_result: Callable[[msgspec.Raw], _ResultHead] = msgspec.json.Decoder(_ResultHead).decode


def read(run: Staging, journey: str) -> Iterator[tuple[str, Record]]:
    """Yield each record of a journey with its file's name, the oldest redrive first."""
    for name in run.names(layout.REDRIVES):
        if name.split("/")[2] == journey:
            yield name, run.read_json(name, Record)


def undelivered(run: Staging, journey: str) -> Iterator[list[bytes]]:
    """Yield, batch by batch, the events that the run itself left undelivered."""
    for name in run.names(layout.batches(journey)):
        outcome = layout.read_outcome(run, name)
        if outcome is None or outcome.undelivered:
            with run.read(name) as file:
                events = from_body(file.read())
            yield [events[at] for at in History(len(events), outcome).undelivered]


def passing(run: Staging, journey: str) -> Iterator[RejectedLine]:
    """Yield the rejections of the run whose reason can pass.

    Where Splunk has looked the user up, a result says no more than that there was no ID: only a search can find one.
    """
    if run.exists(layout.rejected(journey)):
        with run.read(layout.rejected(journey)) as lines:
            for rejected in map(read_rejected, lines):
                reason = rejected.reason
                if reason in PASSING and (reason != Reason.UNKNOWN_USER or not _read_result(rejected.result).identity):
                    yield rejected


def settle(run: Staging, journey: str, books: JourneyBooks) -> JourneyBooks:
    """Return a journey's books, counted in what the run itself has done, as they stand after all redrives.

    What was delivered since counts as sent, with the results that became events only then; what Segment refused,
    as refused; what another run had delivered, as acknowledged. ``batches`` stays the number of the run's own.
    """
    ends = Ends.of(run, journey)
    if books.state == "failed" or not (ends.taken or ends.refused):
        return books
    sent = acknowledged = refused = 0
    for events in undelivered(run, journey):
        delivered, known, turned_down = ends.count([read_head(event).messageId for event in events])
        sent, acknowledged, refused = sent + delivered, acknowledged + known, refused + turned_down
    # Where an outcome does not prove which of its events are the undelivered ones, all of them were sent again.
    sent = min(sent, books.undelivered)
    acknowledged = min(acknowledged, books.undelivered - sent)
    refused = min(refused, books.undelivered - sent - acknowledged)
    ended = sent + acknowledged + refused
    events_made = -acknowledged
    reasons: Counter[str] = Counter(books.rejected)
    for line in passing(run, journey):
        audit_id = _read_result(line.result).messageId or ""
        delivered, known, turned_down = ends.count([prefix + audit_id for prefix in ends.prefixes])
        if not (delivered or known or turned_down):
            continue
        reasons[line.reason] -= 1
        if known and not delivered:
            acknowledged += 1
        else:
            events_made += 1
            sent, refused = sent + bool(delivered), refused + (not delivered)
    reasons[REFUSED] += refused
    return msgspec.structs.replace(
        books,
        events=books.events + events_made,
        sent=books.sent + sent,
        rejected={reason: count for reason, count in sorted(reasons.items()) if count},
        refused=books.refused + refused,
        undelivered=books.undelivered - ended,
        acknowledged=books.acknowledged + acknowledged,
    )
