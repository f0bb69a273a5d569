"""What else comes in place of the rows of an answer, so that ``convert`` passes over nothing in silence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from segment_bridge.errors import ConfigurationError
from segment_bridge.events import UNREADABLE

if TYPE_CHECKING:
    from segment_bridge.splunk.messages import MessageCheck

#: What ``convert`` reads.
WANTED = '{"result": {...}} a line, as `segment-bridge search` prints it'

_MISSING = msgspec.Raw()


class _Line(msgspec.Struct):
    preview: bool = False
    lastrow: bool = False
    messages: list[Any] | None = None
    results: msgspec.Raw = _MISSING


_decode = msgspec.json.Decoder(_Line).decode


class _Row(msgspec.Struct):
    result: dict[str, Any]


_decode_row = msgspec.json.Decoder(_Row).decode


def is_row(line: bytes) -> bool:
    """Say whether a line holds a result, whatever is wrong with it."""
    try:
        _decode_row(line)
    except UNREADABLE:
        return False
    return True


class PassedOver:
    """Counts the lines without a row by what they are."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._check: MessageCheck | None = None

    def __call__(self, line: bytes) -> None:
        """Count a line.

        Raises :class:`ConfigurationError` for one of another shape, and :class:`IncompleteAnswer` for a message that
        tells of missing results.
        """
        try:
            read = _decode(line)
        except UNREADABLE:
            read = _Line()
        if read.results is not _MISSING:
            raise ConfigurationError(
                f"standard input holds a whole document of results: give {WANTED} (jq -c '.results[] | {{result: .}}')"
            )
        if read.messages is not None:
            self._judge(read.messages)
            self.counts["message"] += 1
        elif read.preview:
            self.counts["preview"] += 1
        elif read.lastrow:
            self.counts["answer without results"] += 1
        else:
            raise ConfigurationError(
                f"standard input holds a line without a result, as bare results are: give {WANTED} "
                "(jq -c '{result: .}')"
            )

    def require_complete(self) -> None:
        """Raise :class:`IncompleteAnswer` if a lost peer, of which a message told, has not come back."""
        if self._check:
            self._check.require_recovery()

    def _judge(self, messages: list[Any]) -> None:
        from segment_bridge.splunk.messages import Message, MessageCheck  # noqa: PLC0415 - start-up: seldom needed

        self._check = self._check or MessageCheck()
        try:
            read = msgspec.convert(messages, list[Message])
        except msgspec.ValidationError:
            raise ConfigurationError(f"standard input holds messages of an unknown shape: give {WANTED}") from None
        for message in read:
            self._check.take(message)
