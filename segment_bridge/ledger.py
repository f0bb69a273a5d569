"""What Segment has acknowledged, so that the runs whose windows overlap need not send it again.

Beside the runs, a folder for each hour of the events' own timestamps holds small files that never change::

    ledger/2026-01-05T10/7f3c09....ids     16 bytes for each messageId

Each batch that was delivered adds one file for each of its hours, named for what it holds. So tasks on different
machines never write the same file, unless with the same bytes. An ID enters only after Segment's 2xx, once the batch's
outcome is staged: whoever dies in between leaves an event that is sent again, never one that is not sent.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from segment_bridge.events import from_body, read_head
from segment_bridge.segment.history import History

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from segment_bridge.segment.outcome import Outcome
    from segment_bridge.staging import Staging

_FOLDER = "ledger"
_DIGEST = 16
_HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d(?=:)")


class Ledger:
    """The acknowledged events, read an hour at a time, once one of its events is asked for."""

    def __init__(self, root: Staging) -> None:
        self._root = root
        self._of = cache(self._read)

    def __contains__(self, event: bytes) -> bool:
        """Say whether Segment has acknowledged an event."""
        head = read_head(event)
        hour = _HOUR.match(head.timestamp)
        return hour is not None and _digest(head.messageId) in self._of(hour[0])

    def _read(self, hour: str) -> frozenset[bytes]:
        return frozenset(one for name in self._root.names(f"{_FOLDER}/{hour}") for one in self._digests(name))

    def _digests(self, name: str) -> Iterable[bytes]:
        with self._root.read(name) as file:
            data = file.read()
        return (data[at : at + _DIGEST] for at in range(0, len(data), _DIGEST))


def enter(root: Staging, body: bytes, outcome: Outcome) -> None:
    """Enter what an outcome proves to be delivered; an event without a time enters no hour, and is always sent."""
    events = from_body(body)
    hours: defaultdict[str, list[bytes]] = defaultdict(list)
    for at in History(len(events), outcome).delivered:
        head = read_head(events[at])
        if hour := _HOUR.match(head.timestamp):
            hours[hour[0]].append(_digest(head.messageId))
    for name, digests in hours.items():
        data = b"".join(sorted(digests))
        with root.write(f"{_FOLDER}/{name}/{blake2b(data, digest_size=_DIGEST).hexdigest()}.ids") as file:
            file.write(data)


def expire(root: Staging, keep: timedelta, now: datetime) -> None:
    """Remove the hours that ended longer ago than ``keep``."""
    ledger = root.folder(_FOLDER)
    oldest = (now - keep).astimezone(UTC).strftime("%Y-%m-%dT%H")
    for hour in ledger.folders():
        if hour < oldest:
            ledger.remove(hour)


def _digest(message_id: str) -> bytes:
    return blake2b(message_id.encode(), digest_size=_DIGEST).digest()
