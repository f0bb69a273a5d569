"""Pack events into request bodies that Segment takes whole: pure, one batch in memory at a time, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from segment_bridge.events import ENVELOPE, MAX_EVENT, to_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Bytes of a body, envelope included. Segment's documentation says 500 KB and not whether of 1,000 or 1,024 bytes;
#: this stays clear of both. A larger body is answered with 400.
MAX_BODY = 475_000
#: Events of a batch. Segment takes the first 2,500, answers 200, and drops the rest.
MAX_EVENTS = 2_500


@dataclass(frozen=True, slots=True)
class Batch:
    """One finished request body, and how many events it carries."""

    body: bytes = field(repr=False)
    events: int


def pack(
    events: Iterable[bytes], *, max_body: int = MAX_BODY, max_events: int = MAX_EVENTS, max_event: int = MAX_EVENT
) -> Iterator[Batch]:
    """Yield batches as large as the limits allow, holding the events byte for byte in their order.

    Each event is JSON on one line, without its end; ``max_body`` and ``max_event`` are in bytes.
    Raises :class:`ValueError` for an event that fits no batch: those are to be rejected before.
    """
    if max_events < 1:
        raise ValueError(f"a batch of at most {max_events} events holds none: allow at least one")
    largest = min(max_event, max_body - ENVELOPE)
    held: list[bytes] = []
    size = ENVELOPE
    for event in events:
        if len(event) > largest:
            raise ValueError(f"an event of {len(event)} bytes is beyond the limit of {largest}: reject it before")
        grown = size + len(event) + (1 if held else 0)
        if held and (grown > max_body or len(held) == max_events):
            yield Batch(to_body(held), len(held))
            held = []
            grown = ENVELOPE + len(event)
        held.append(event)
        size = grown
    if held:
        yield Batch(to_body(held), len(held))
