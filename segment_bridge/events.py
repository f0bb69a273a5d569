"""What flows through the line: search results in, track events or rejections out.

There are millions of them, so they are structs: made in a fraction of the time of a frozen dataclass.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, final

import msgspec

from segment_bridge.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


#: Bytes of one event, as compact UTF-8 JSON. Segment's documentation says 32 KB; a larger one is answered with 400, or
#: with 200 and dropped.
MAX_EVENT = 32_000


#: The ``'`` that searches put before a text which ``json_object`` might take for a number or for JSON.
_MARK = re.compile(rb"""(?<=[:\s]")'(?=[\s'\[{\\0-9+.-])""")


def unmarked(data: bytes) -> bytes:
    """Return a JSON object that a search has made, its texts as they were in the record."""
    return _MARK.sub(b"", data) if b"\"'" in data else data


class SearchResult(msgspec.Struct, gc=False):
    """A row that a search returned, field by field as Splunk gives it.

    Splunk leaves a field out where the record has none; ``properties`` and ``context`` are JSON objects *as text*.
    Where ``identity`` stands, the search has resolved the user already: to ``userSsoId``, or to nobody.
    """

    # In the order of the alphabet, as Splunk prints them: each is then found where it is looked for first.
    context: str | None = None
    event: str | None = None
    event_subject: str | None = None
    event_verb: str | None = None
    identity: str | None = None
    messageId: str | None = None  # noqa: N815 - the names of the fields are the searches' contract
    namespace: str | None = None
    properties: str | None = None
    timestamp: str | None = None
    type: str | None = None
    userId: str | None = None  # noqa: N815 - as above
    userSsoId: str | None = None  # noqa: N815 - as above


class Reason(StrEnum):
    """Why a result cannot become an event, or an event cannot be delivered."""

    # A text's own: an enumeration's is a call of Python for each result that is turned away.
    __hash__ = str.__hash__

    MALFORMED_RESULT = "malformed_result"
    FIELDS_TWICE = "fields_twice"
    EXCLUDED = "excluded"
    UNKNOWN_NAMESPACE = "unknown_namespace"
    UNKNOWN_WORKSPACE_OWNER = "unknown_workspace_owner"
    UNKNOWN_USER = "unknown_user"
    MISSING_EVENT = "missing_event"
    MALFORMED_PROPERTIES = "malformed_properties"
    MALFORMED_CONTEXT = "malformed_context"
    MISSING_MESSAGE_ID = "missing_message_id"
    MISSING_TIMESTAMP = "missing_timestamp"
    MESSAGE_ID_TOO_LONG = "message_id_too_long"
    TOO_LARGE = "too_large"


#: What to do where every field is extracted twice.
FIELDS_TWICE = (
    "Splunk extracts every field twice, as it does with INDEXED_EXTRACTIONS=json beside KV_MODE=json: "
    "remove one of the two from Splunk's props.conf"
)
#: What a reason means, in few words.
MEANINGS: dict[str, str] = {
    Reason.MALFORMED_RESULT: "not a result as the searches give it",
    Reason.FIELDS_TWICE: "Splunk extracts every field twice",
    Reason.EXCLUDED: "its user or namespace is excluded by a setting",
    Reason.UNKNOWN_NAMESPACE: "no tenant namespace of that name",
    Reason.UNKNOWN_WORKSPACE_OWNER: "the workspace's owner: no user of that name",
    Reason.UNKNOWN_USER: "no user of that name",
    Reason.MISSING_EVENT: "neither an event name, nor a subject and a verb",
    Reason.MALFORMED_PROPERTIES: "its properties are not a JSON object",
    Reason.MALFORMED_CONTEXT: "its context is not a JSON object",
    Reason.MISSING_MESSAGE_ID: "no audit ID",
    Reason.MISSING_TIMESTAMP: "no time",
    Reason.MESSAGE_ID_TOO_LONG: "prefix and audit ID are too long together",
    Reason.TOO_LARGE: "larger than Segment takes",
}


@final
class TrackEvent(msgspec.Struct, frozen=True, gc=False):
    """What Segment takes: ``body`` is the event as UTF-8 JSON on one line, without a line end.

    It is compact, but for blanks between the parts of its properties where Splunk wrote some.
    """

    message_id: str
    body: bytes


class _ResultLine(msgspec.Struct, gc=False):
    result: msgspec.Raw


_decode_result_line = msgspec.json.Decoder(_ResultLine).decode
_encode = msgspec.json.Encoder().encode
#: What decoding raises for what is no JSON, or not of the kind that it should be.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A result that cannot become an event; ``answer`` is the line of the answer in which it came."""

    reason: Reason
    answer: bytes

    @property
    def result(self) -> bytes:
        """The result's JSON as it came, or where the line is not JSON its text as a JSON string."""
        try:
            self.answer.decode()  # which the bytes of a string that nobody looks at may not be
            return bytes(_decode_result_line(self.answer).result)
        except UNREADABLE:
            return _encode(self.answer.decode(errors="backslashreplace"))

    @property
    def line(self) -> bytes:
        """The rejection as one line of NDJSON: ``{"reason": ..., "result": ...}``."""
        return b'{"reason":"%s","result":%s}' % (self.reason.encode(), self.result)


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Who an event belongs to, as the anonymous IDs that dashboards know."""

    user_id: str
    workspace_id: str


class Identities(Protocol):
    """Says who stands behind a result."""

    def resolve(self, namespace: str | None, user: str | None) -> Identity | Reason:
        """Return both IDs, or the reason why there are none; ``user`` is None where the journey names nobody."""

    def resolve_looked_up(self, namespace: str | None, user_id: str | None) -> Identity | Reason:
        """Do the same where the search has looked the user up, and found ``user_id`` or nobody."""


class EventHead(msgspec.Struct, gc=False):
    """What is read of an event to know it again."""

    messageId: str = ""  # noqa: N815 - Segment's name
    timestamp: str = ""


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    batch: list[msgspec.Raw]


read_head: Callable[[bytes], EventHead] = msgspec.json.Decoder(EventHead).decode
_decode_body = msgspec.json.Decoder(_Body).decode
_HEAD, _TAIL = b'{"batch":[', b"]}"
#: Bytes of a request body beside its events and the commas between them.
ENVELOPE = len(_HEAD) + len(_TAIL)


def to_body(events: Sequence[bytes | msgspec.Raw]) -> bytes:
    """Make a request body of events."""
    return _HEAD + b",".join(events) + _TAIL


def from_body(body: bytes) -> list[bytes]:
    """Return the events of a request body, byte for byte; raise :class:`FatalError` for what is none."""
    return [bytes(event) for event in within(body)]


def within(body: bytes) -> list[msgspec.Raw]:
    """Return the same as parts of the body, which are not copied."""
    try:
        return _decode_body(body).batch
    except (ValueError, RecursionError):
        raise FatalError(f"a body of {len(body)} bytes is no batch: make it again from the events") from None
