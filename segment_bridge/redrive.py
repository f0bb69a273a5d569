"""Send again what runs have left behind: undelivered events, and rejections whose user or namespace is known by now.

Events keep their messageIds, so that Segment drops what it has already, as far back as it remembers. What cannot be
left to its memory is looked up in staging: an event that an earlier redrive or another run has delivered is not sent.
A redrive that dies between sending and recording leaves no more behind than events that are sent once more.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from segment_bridge import batch, layout, ledger, redriven
from segment_bridge.closing import DEDUPLICATION
from segment_bridge.convert import convert
from segment_bridge.errors import ConfigurationError
from segment_bridge.events import TrackEvent, from_body, read_head
from segment_bridge.plan import Resend
from segment_bridge.redriven import Ends, Record
from segment_bridge.segment.history import History
from segment_bridge.segment.outcome import MisconfiguredError
from segment_bridge.window import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from segment_bridge.events import Identities
    from segment_bridge.runs import Run
    from segment_bridge.segment import Segment


class Redriven(msgspec.Struct, kw_only=True):
    """What a redrive did with one run, in events.

    ``undelivered`` + ``rejected`` = ``acknowledged`` + ``sent`` + ``refused`` + ``left`` + ``withheld``.
    """

    run: str
    #: Taken up: events that were undelivered, and results that were rejected.
    undelivered: int = 0
    rejected: int = 0
    #: Results whose user or namespace is still not known, and which stay rejected.
    unknown: int = 0
    #: Of those to be sent, the ones that Segment would not recognize, had it taken them before.
    old: int = 0
    #: Not sent, as another run had delivered them.
    acknowledged: int = 0
    sent: int = 0
    refused: int = 0
    left: int = 0
    #: Not sent in a dry run.
    withheld: int = 0

    @property
    def taken(self) -> int:
        """How many there were to be sent."""
        return self.undelivered + self.rejected

    def told(self) -> Iterator[str]:
        """Yield what there is to tell of the run; nothing where it has left nothing behind."""
        if self.unknown:
            yield f"{self.run}: {self.unknown} rejected results stay so, as their user or namespace is not known"
        if self.taken:
            ends = ("sent", "refused", "left", "acknowledged", "withheld")
            ended = ", ".join(f"{getattr(self, end)} {end}" for end in ends if getattr(self, end))
            yield f"{self.run}: {self.undelivered} undelivered and {self.rejected} rejected taken up: {ended}"

    def warnings(self) -> Iterator[str]:
        """Yield what somebody has to know who looks at figures downstream."""
        if self.old:
            yield (
                f"{self.run}: {self.old} events are older than the {DEDUPLICATION / timedelta(hours=1):g} hours for "
                "which Segment recognizes repeats: any that it took without saying so counts twice"
            )


@dataclass
class Redrive:
    """One redrive, which knows all ``runs`` that there are and takes up any of them.

    Without ``identities`` it leaves rejections alone, without ``segment`` it sends and records nothing. ``now`` tells
    old events from young ones; it decides nothing else.
    """

    runs: list[Run]
    segment: Segment | None
    identities: Identities | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.id = f"{self.now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        #: What a dry run would have sent by now, and would not send twice.
        self._withheld: set[str] = set()

    def take_up(self, run: Run) -> Redriven:
        """Send what a run has left behind, and record it in the run's folder.

        Raises :class:`MisconfiguredError` where Segment takes nothing; what came before it is recorded.
        """
        done = Redriven(run=run.name)
        for journey in run.plan.journeys:
            self._journey(run, journey, done)
        return done

    def _journey(self, run: Run, journey: str, done: Redriven) -> None:
        ends = Ends.of(run.folder, journey)
        leftovers = self._leftovers(run, journey, ends, done)
        wanted = {message_id: self._is_old(event) for message_id, event in leftovers}
        acknowledged = self._delivered_elsewhere(run, journey, wanted.keys()) | (wanted.keys() & self._withheld)
        to_send = wanted.keys() - acknowledged
        done.acknowledged += len(acknowledged)
        done.old += sum(wanted[message_id] for message_id in to_send)
        if self.segment is None:
            done.withheld += len(to_send)
            self._withheld |= to_send
            return
        if not wanted:
            return
        file = _Records(run, self.id, journey, self.now)
        if acknowledged:
            file.write(acknowledged=tuple(sorted(acknowledged)))
        again = self._leftovers(run, journey, ends, Redriven(run=run.name))
        for packed in batch.pack(event for message_id, event in again if message_id in to_send):
            self._send(packed.body, self.segment, file, done)

    def _is_old(self, event: bytes) -> bool:
        try:
            return self.now - parse_time(read_head(event).timestamp) > DEDUPLICATION
        except ConfigurationError:
            return True

    def _leftovers(self, run: Run, journey: str, ends: Ends, done: Redriven) -> Iterator[tuple[str, bytes]]:
        """Yield messageId and body of the events that have not come to an end, each once, and count them."""
        seen: set[str] = set()

        def is_new(message_id: str) -> bool:
            fresh = message_id not in ends and message_id not in seen
            seen.add(message_id)
            return fresh

        for events in redriven.undelivered(run.folder, journey):
            for event in events:
                if is_new(message_id := read_head(event).messageId):
                    done.undelivered += 1
                    yield message_id, event
        if self.identities is None:
            return
        prefix = run.plan.message_id_prefix
        for line in redriven.passing(run.folder, journey):
            (made,) = convert([b'{"result":%s}' % bytes(line.result)], self.identities, message_id_prefix=prefix)
            if not isinstance(made, TrackEvent):
                done.unknown += made.reason in redriven.PASSING
            elif is_new(made.message_id):
                done.rejected += 1
                yield made.message_id, made.body

    def _delivered_elsewhere(self, run: Run, journey: str, wanted: AbstractSet[str]) -> set[str]:
        """Return those that another run has delivered, which only one over some of the same hours can have."""
        found: set[str] = set()
        for other in self.runs:
            if wanted and other.name != run.name and other.overlaps(run) and journey in other.plan.journeys:
                found |= wanted & Ends.of(other.folder, journey).taken
                for delivered in _delivered(other, journey):
                    found |= wanted & delivered
        return found

    @staticmethod
    def _send(body: bytes, segment: Segment, file: _Records, done: Redriven) -> None:
        stopped = None
        try:
            outcome = segment.deliver(body)
        except MisconfiguredError as error:
            outcome, stopped = error.outcome, error
        file.write(sent=tuple(read_head(event).messageId for event in from_body(body)), outcome=outcome)
        if file.run.plan.resend is Resend.UNACKNOWLEDGED:
            ledger.enter(layout.root_of(file.run.folder), body, outcome)
        done.sent += outcome.delivered
        done.refused += len(outcome.rejected)
        done.left += outcome.undelivered
        if stopped:
            raise stopped


@dataclass
class _Records:
    """Where one redrive keeps its records of one journey."""

    run: Run
    redrive: str
    journey: str
    now: datetime
    number: int = 0

    def write(self, **found: object) -> None:
        self.number += 1
        record = Record(at=self.now, prefix=self.run.plan.message_id_prefix, **found)  # type: ignore[arg-type] # named above
        self.run.folder.write_json(layout.redrive(self.redrive, self.journey, self.number), record)


def to_be_redriven(runs: Iterable[Run]) -> list[Run]:
    """Return the runs that are closed, and were to send what they made."""
    return [run for run in runs if not run.plan.dry_run and run.closed]


def asks_for_maps(run: Run) -> bool:
    """Say whether the run has rejections that new maps may turn into events."""
    return any(True for journey in run.plan.journeys for _ in redriven.passing(run.folder, journey))


def recount(run: Run, close: Callable[[], object]) -> None:
    """Close a run's books anew, and again if another redrive has recorded something meanwhile."""
    while True:
        counted = run.folder.names(layout.REDRIVES)
        close()
        if run.folder.names(layout.REDRIVES) == counted:
            return


def _delivered(run: Run, journey: str) -> Iterator[set[str]]:
    for name in run.folder.names(layout.batches(journey)):
        outcome = layout.read_outcome(run.folder, name)
        if outcome and outcome.delivered:
            with run.folder.read(name) as file:
                events = from_body(file.read())
            yield {read_head(events[at]).messageId for at in History(len(events), outcome).delivered}
