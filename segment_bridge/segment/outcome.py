"""What became of a batch."""

from __future__ import annotations

import msgspec

from segment_bridge.errors import ConfigurationError, FatalError


class Attempt(msgspec.Struct, frozen=True):
    """One request: how many events it carried, and its HTTP status or else the kind of error."""

    events: int
    answer: int | str


class Refused(msgspec.Struct, frozen=True):
    """An event that Segment refuses by itself, by its position in the batch, from 0."""

    position: int
    status: int

    @property
    def reason(self) -> str:
        """The reason under which it is counted."""
        return f"refused_with_{self.status}"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch: each of its events is delivered, rejected or undelivered.

    Undelivered events say ``why``, and may be sent again; rejected ones would be refused again. It is ``terminal`` if
    an answer came that stays the same until a person has changed something.
    """

    delivered: int = 0
    rejected: tuple[Refused, ...] = ()
    undelivered: int = 0
    why: str = ""
    terminal: bool = False
    attempts: tuple[Attempt, ...] = ()


class RefusedError(FatalError):
    """An answer that is about the events."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Segment answered {status}")
        self.status = status


class MisconfiguredError(ConfigurationError):
    """Segment takes nothing before a person has changed something; ``outcome`` tells how far the batch came."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome
