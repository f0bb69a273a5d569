"""Turn search results into track events: pure, one at a time, in order."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from segment_bridge.event_names import event_name
from segment_bridge.events import MAX_EVENT, Reason, Rejection, SearchResult, TrackEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from segment_bridge.events import Identities

#: Segment takes message IDs of less than 100 characters.
MAX_MESSAGE_ID = 99


class _Line(msgspec.Struct):
    """A line of a search's answer; one without a result is a message or the empty answer."""

    preview: bool = False
    result: SearchResult | None = None


class _RawLine(msgspec.Struct):
    result: msgspec.Raw


class _Event(msgspec.Struct):
    """A track event; the order of the fields is the order of its keys."""

    messageId: str  # noqa: N815 - Segment's names
    timestamp: str
    namespace: str
    type: str
    userId: str  # noqa: N815
    event: str
    properties: dict[str, Any]
    context: dict[str, Any]


_decode_line = msgspec.json.Decoder(_Line).decode
# Numbers that a float cannot hold pass through as they are written.
_decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def convert(
    lines: Iterable[bytes], identities: Identities, *, message_id_prefix: str = ""
) -> Iterator[TrackEvent | Rejection]:
    """Yield one event or rejection for each result, in the order of the results.

    ``lines`` are those of a search's answer; empty ones, previews and lines without a result are passed over.
    ``message_id_prefix`` keeps two bridges apart that read the same records into one Segment workspace.
    """
    for line in lines:
        if not line or line.isspace():
            continue
        try:
            decoded = _decode_line(line)
        except _UNREADABLE:
            yield Rejection(Reason.MALFORMED_RESULT, _kept(line))
            continue
        if decoded.result is None or decoded.preview:
            continue
        made = _event(decoded.result, identities, message_id_prefix)
        yield Rejection(made, _kept(line)) if isinstance(made, Reason) else made


def _event(result: SearchResult, identities: Identities, prefix: str) -> TrackEvent | Reason:  # noqa: PLR0911 - one return a rule, in the order of the rules
    identity = identities.resolve(result.namespace, result.userId)
    if isinstance(identity, Reason):
        return identity
    name = result.event or _name(result)
    if not name:
        return Reason.MISSING_EVENT
    properties, context = _object(result.properties), _object(result.context)
    if properties is None:
        return Reason.MALFORMED_PROPERTIES
    if context is None:
        return Reason.MALFORMED_CONTEXT
    if not result.messageId:
        return Reason.MISSING_MESSAGE_ID
    if not result.timestamp:
        return Reason.MISSING_TIMESTAMP
    message_id = prefix + result.messageId
    if len(message_id) > MAX_MESSAGE_ID:
        return Reason.MESSAGE_ID_TOO_LONG
    properties["workspaceID"] = identity.workspace_id
    body = _encode(
        _Event(
            messageId=message_id,
            timestamp=result.timestamp,
            namespace=result.namespace or "",
            type=result.type or "track",
            userId=identity.user_id,
            event=name,
            properties=properties,
            context=context,
        )
    )
    return Reason.TOO_LARGE if len(body) > MAX_EVENT else TrackEvent(message_id, body)


def _name(result: SearchResult) -> str | None:
    if not result.event_subject or not result.event_verb:
        return None
    return event_name(result.event_subject, result.event_verb)


def _object(text: str | None) -> dict[str, Any] | None:
    """Parse the text of a JSON object; None for anything else."""
    if text is None:
        return None
    try:
        return _decode_object(text)
    except _UNREADABLE:
        return None


def _kept(line: bytes) -> bytes:
    """Return the result of a line as it came, or where the line is not JSON its text as a JSON string."""
    try:
        return bytes(msgspec.json.decode(line, type=_RawLine).result)
    except _UNREADABLE:
        return _encode(line.decode(errors="backslashreplace"))
