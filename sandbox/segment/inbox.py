"""What arrived, kept for inspection."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.segment.rules import Verdict


@dataclass
class Inbox:
    """Requests by their answers, and the events of those batches that were answered with 200.

    Each of these events is accepted, a duplicate of one that was, or rejected. Events lie one a line, byte for byte
    as they came, in blocks of a batch each; one that came on several lines has lost the blanks between its tokens.
    """

    accepted: list[bytes] = field(default_factory=list)
    rejected: list[bytes] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    retry_counts: Counter[str] = field(default_factory=Counter)
    _arrivals: dict[str, int] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _reasons: Counter[str] = field(default_factory=Counter)
    _keys: set[int] = field(default_factory=set)

    def take(self, write_key: str, size: int, verdicts: Iterable[Verdict]) -> None:
        """Keep a batch of ``size`` bytes."""
        accepted, rejected = [], []
        for verdict in verdicts:
            self._counts["events"] += 1
            line = _line(verdict.event)
            if verdict.reason:
                self._reasons[verdict.reason] += 1
                rejected.append(b'{"reason":"%s","event":%s}\n' % (verdict.reason.encode(), line))
            elif self._is_new(verdict.message_id):
                self._counts["accepted"] += 1
                accepted.append(line + b"\n")
            else:
                self._counts["duplicates"] += 1
        if accepted:
            self.accepted.append(b"".join(accepted))
        if rejected:
            self.rejected.append(b"".join(rejected))
        self._counts["batches"] += 1
        self._counts["bytes"] += size
        self._keys.add(hash(write_key))  # to count them, which does not need the keys themselves

    def duplicates(self) -> dict[str, int]:
        """Return how often each messageId came again after the first time."""
        return {message_id: count - 1 for message_id, count in self._arrivals.items() if count > 1}

    def summary(self) -> dict[str, Any]:
        """Count it all."""
        return {
            "requests": self.answers.total(),
            "answers": {str(status): count for status, count in sorted(self.answers.items())},
            "x_retry_counts": dict(sorted(self.retry_counts.items())),
            "write_keys": len(self._keys),
            **{name: self._counts[name] for name in ("batches", "bytes", "events", "accepted", "duplicates")},
            "rejected": dict(sorted(self._reasons.items())),
        }

    def _is_new(self, message_id: str) -> bool:
        if not message_id:
            return True
        count = self._arrivals.get(message_id, 0) + 1
        self._arrivals[message_id] = count
        return count == 1


def _line(event: bytes) -> bytes:
    return msgspec.json.format(event, indent=-1) if b"\n" in event or b"\r" in event else event
