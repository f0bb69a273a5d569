"""Read out of an outcome what became of each event: which requests carried it, and how they ended.

An outcome keeps its requests in order. A batch is halved in one way only, so that each request's part of the batch
follows from the answers before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segment_bridge.segment.outcome import Outcome

#: The answers after which a part is halved, as the transport has them.
_HALVED_AFTER = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its number, from 1, the positions that it carried, and its HTTP status or kind of error."""

    number: int
    part: range
    answer: int | str


@dataclass(frozen=True)
class History:
    """What became of a batch of ``size`` events, by their positions from 0; no outcome: nothing was proven."""

    size: int
    outcome: Outcome | None

    @cached_property
    def requests(self) -> tuple[Request, ...]:
        """All requests in order, as far as they fit a batch of this size."""
        parts = [range(self.size)]
        made: list[Request] = []
        for attempt in self.outcome.attempts if self.outcome else ():
            if not parts or len(parts[-1]) != attempt.events:
                break
            part = parts[-1]
            made.append(Request(len(made) + 1, part, attempt.answer))
            if _is_success(attempt.answer):
                parts.pop()
            elif attempt.answer in _HALVED_AFTER:
                parts.pop()
                middle = len(part) // 2
                parts += (part[middle:], part[:middle]) if middle else ()
        return tuple(made)

    @cached_property
    def refused(self) -> dict[int, int]:
        """The status of each event that Segment will not take by itself."""
        return {one.position: one.status for one in self.outcome.rejected} if self.outcome else {}

    @cached_property
    def delivered(self) -> frozenset[int]:
        """The events that were delivered; where the requests do not prove which, none of a mixed batch."""
        if self.outcome is None or not self.outcome.delivered:
            return frozenset()
        if not self.outcome.undelivered:
            return frozenset(range(self.size)) - self.refused.keys()
        taken = frozenset(position for one in self.requests if _is_success(one.answer) for position in one.part)
        return taken if len(taken) == self.outcome.delivered else frozenset()

    @property
    def undelivered(self) -> list[int]:
        """The events that are neither delivered nor refused."""
        return [at for at in range(self.size) if at not in self.delivered and at not in self.refused]

    def of(self, position: int) -> tuple[Request, ...]:
        """Return the requests that carried an event."""
        return tuple(one for one in self.requests if position in one.part)


def _is_success(answer: int | str) -> bool:
    return isinstance(answer, int) and HTTPStatus.OK <= answer < HTTPStatus.MULTIPLE_CHOICES
