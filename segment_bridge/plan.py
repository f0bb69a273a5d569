"""What a run is about; staged as its first file, so that each of its tasks works on the same."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from segment_bridge.settings import IdentityMode
from segment_bridge.window import Decision, Kind, Window


class Resend(StrEnum):
    """What a run does about events that an earlier one has sent; the value is that of the setting ``resend``."""

    #: Send them again: Segment recognizes them by their messageIds.
    ALWAYS = "always"
    #: Send only what the ledger does not hold.
    UNACKNOWLEDGED = "unacknowledged"


class Span(msgspec.Struct, frozen=True):
    """A window as it is staged."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, window: Window) -> Span:
        """Take the ends of a window."""
        return cls(window.start, window.end)

    @property
    def window(self) -> Window:
        """The window itself."""
        return Window(self.start, self.end)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The window of a run, the names of its journeys, and how it is to go about them."""

    span: Span
    journeys: tuple[str, ...]
    kind: Kind = Kind.MANUAL
    #: Up to when scheduled runs had succeeded when this one began for the first time.
    covered: datetime | None = None
    #: What no run has covered, and this one does not reach either.
    hole: Span | None = None
    #: Whether it does everything but send.
    dry_run: bool = False
    message_id_prefix: str = ""
    resend: Resend = Resend.ALWAYS
    identity: IdentityMode = IdentityMode.BRIDGE
    #: Below this share of results whose user and workspace are known, somebody is told; 0 tells nobody.
    least_coverage: float = 0.0
    #: Journeys whose results may all be rejected without that being a problem.
    expect_all_rejected: tuple[str, ...] = ()
    #: When the run began, by the clock of its worker: housekeeping and warnings go by it, and no window.
    begun: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def following(cls, decision: Decision, **settings: object) -> Plan:
        """Make the plan of a run whose window is decided."""
        hole = None if decision.hole is None else Span.of(decision.hole)
        return cls(span=Span.of(decision.window), hole=hole, **settings)  # type: ignore[arg-type] # named by the caller

    @property
    def window(self) -> Window:
        """The span that every search of the run covers."""
        return self.span.window
