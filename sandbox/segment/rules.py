"""What Segment takes: the limits of a batch, and what makes it drop an event without a word."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Bytes of a body, uncompressed. The documentation says 500 KB; this is the smaller reading.
MAX_BODY = 500_000
#: Events of a batch; those after them are dropped.
MAX_EVENTS = 2_500
#: Bytes of one event. The documentation says 32 KB; this is the larger reading, and the official SDKs'.
MAX_EVENT = 32_768
MAX_MESSAGE_ID = 99

_TYPES = frozenset({"alias", "group", "identify", "page", "screen", "track"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Reason(StrEnum):
    """Why an event is dropped, in the order in which the rules are tried."""

    TOO_MANY = "too_many"
    TOO_LARGE = "too_large"
    NOT_AN_OBJECT = "not_an_object"
    INVALID_TYPE = "invalid_type"
    INVALID_ID = "invalid_id"
    MESSAGE_ID_TOO_LONG = "message_id_too_long"
    MISSING_USER = "missing_user"
    MISSING_EVENT_NAME = "missing_event_name"
    INVALID_TIMESTAMP = "invalid_timestamp"


class Verdict(msgspec.Struct, frozen=True):
    """An event as it came, with its messageId if it has one, and the reason if it is dropped."""

    event: bytes
    message_id: str = ""
    reason: Reason | None = None


class Batch(msgspec.Struct):
    """A request's body; the official SDKs add ``writeKey``, and ``sentAt``, which is passed over."""

    batch: list[msgspec.Raw]
    context: dict[str, msgspec.Raw] | None = None
    writeKey: str | None = None  # noqa: N815 - Segment's name


class _Event(msgspec.Struct):
    """What is looked at; :func:`_parse` puts bytes in the place of what is neither text nor null."""

    type: str | None = None
    messageId: str | None = None  # noqa: N815 - Segment's names
    userId: str | None = None  # noqa: N815 - as above
    anonymousId: str | None = None  # noqa: N815 - as above
    groupId: str | None = None  # noqa: N815 - as above
    previousId: str | None = None  # noqa: N815 - as above
    event: str | None = None
    timestamp: str | None = None


_decode_batch = msgspec.json.Decoder(Batch).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read(body: bytes) -> Batch:
    """Read a body; raise :class:`ValueError` with what to answer if it is none."""
    try:
        body.decode()  # what is not looked into below would not be checked
        return _decode_batch(body)
    except msgspec.ValidationError as error:
        raise ValueError(f"invalid batch: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError("malformed JSON") from error


def judge(batch: Batch) -> Iterator[Verdict]:
    """Give a verdict on each event, in order; that an ID came before is none of its concern."""
    for position, part in enumerate(batch.batch):
        event = bytes(part)
        if position >= MAX_EVENTS:
            yield Verdict(event, reason=Reason.TOO_MANY)
        elif _size(event, batch.context) > MAX_EVENT:
            yield Verdict(event, reason=Reason.TOO_LARGE)
        elif not event.startswith(b"{"):
            yield Verdict(event, reason=Reason.NOT_AN_OBJECT)
        else:
            parsed = _parse(event)
            reason = next(_faults(parsed), None)
            yield Verdict(event, "" if reason else parsed.messageId or "", reason)


def _size(event: bytes, shared: Mapping[str, msgspec.Raw] | None) -> int:
    """Count an event's bytes, with what the batch's context adds to it; what the event says itself goes first."""
    if not shared or not event.startswith(b"{"):
        return len(event)
    parts: dict[str, Any] = _decode_parts(event)
    own = bytes(parts.get("context", b"{}"))
    if own.startswith(b"{"):
        parts["context"] = {**shared, **_decode_parts(own)}
    return len(msgspec.json.encode(parts))


def _parse(event: bytes) -> _Event:
    try:
        return _decode_event(event)
    except msgspec.ValidationError:
        parts = _decode_parts(event)
        return _Event(*(_value(bytes(parts.get(name, b"null"))) for name in _Event.__struct_fields__))


def _value(part: bytes) -> Any:  # noqa: ANN401 - text, None or bytes
    if part.startswith(b'"'):
        return msgspec.json.decode(part, type=str)
    return None if part == b"null" else part


def _faults(event: _Event) -> Iterator[Reason]:
    """Give the rules that an event breaks; null and the empty text are the same as nothing.

    Only the first counts: those after it may rely on it.
    """
    ids = (event.messageId, event.userId, event.anonymousId, event.groupId, event.previousId)
    if not isinstance(event.type, str) or event.type not in _TYPES:
        yield Reason.INVALID_TYPE
    if not all(id_ is None or isinstance(id_, str) for id_ in ids):
        yield Reason.INVALID_ID
    # Without a messageId, Segment makes one.
    if len(event.messageId or "") > MAX_MESSAGE_ID:
        yield Reason.MESSAGE_ID_TOO_LONG
    if not event.userId and not event.anonymousId:
        yield Reason.MISSING_USER
    if event.type == "track" and not (event.event and isinstance(event.event, str)):
        yield Reason.MISSING_EVENT_NAME
    # Without a timestamp, it is the time of arrival.
    if event.timestamp is not None and not _is_time(event.timestamp):
        yield Reason.INVALID_TIMESTAMP


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
