"""Turn search results into track events: pure, one at a time, in order."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, final

import msgspec
from msgspec import UNSET

from segment_bridge.event_names import event_name
from segment_bridge.events import MAX_EVENT, UNREADABLE, Reason, Rejection, SearchResult, TrackEvent, unmarked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from segment_bridge.events import Identities, Identity

    Resolve = Callable[[str | None, str | None], Identity | Reason]

#: Segment takes message IDs of less than 100 characters.
MAX_MESSAGE_ID = 99
#: Levels of properties and of a context. Without a bound, whether an event can be written, and read again out of its
#: batch, would hang on how deep the calls are.
MAX_DEPTH = 100


_QUOTE, _OBJECT, _END, _ARRAY, _LINE_FEED, _RETURN = b'"{}[\n\r'
#: Stands for properties whose texts alone are too large: how they are printed makes no difference.
_TOO_LARGE = bytes(MAX_EVENT + 1)


class _Line(msgspec.Struct, gc=False):
    """A line of a search's answer; one without a result is a message or the empty answer."""

    preview: bool = False
    result: SearchResult | None = None


@final
class _Stamp(msgspec.Struct, gc=False):
    """Who an event belongs to, as it is printed: before the event's name, and at the end of its properties."""

    who: bytes
    workspace_id: str
    workspace: bytes


class _AnyResult(msgspec.Struct):
    """A line whose result may hold anything."""

    result: dict[str, Any]


class _Flat(msgspec.Struct, gc=False):
    """Any JSON object; nothing is kept of it but whether it holds the key that is ours."""

    workspaceID: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - the dashboards' name


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_any_result = msgspec.json.Decoder(_AnyResult).decode
_decode_flat = msgspec.json.Decoder(_Flat).decode
# Fractions pass through as they are written: not every one is a float.
_decode_deep_object = msgspec.json.Decoder(dict[str, Any], float_hook=msgspec.Raw).decode
_decode_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def convert(  # noqa: C901, PLR0912, PLR0915 - one rule after the other: calls would cost a tenth of the time
    lines: Iterable[bytes],
    identities: Identities,
    *,
    message_id_prefix: str = "",
    pass_over: Callable[[bytes], None] | None = None,
) -> Iterator[TrackEvent | Rejection]:
    """Yield one event or rejection for each result, in the order of the results.

    ``lines`` are those of a search's answer; empty ones are passed over, and so are previews and lines without a
    result, each of which ``pass_over`` is told of.
    ``message_id_prefix`` keeps two bridges apart that read the same records into one Segment workspace.
    """
    # People do several things: most pairs of namespace and user come again, and so does what is printed of them.
    resolve = lru_cache(maxsize=4_096)(partial(_stamp, identities.resolve))
    looked_up = lru_cache(maxsize=4_096)(partial(_stamp, identities.resolve_looked_up))
    for line in lines:
        try:
            answer = _decode_line(line)
        except UNREADABLE:
            if line and not line.isspace():
                yield Rejection(_why_unreadable(line), line)
            continue
        result = answer.result
        if result is None or answer.preview:
            if pass_over:
                pass_over(line)
            continue
        stamp = (
            resolve(result.namespace, result.userId, result.type)
            if result.identity is None
            else looked_up(result.namespace, result.userSsoId, result.type)
        )
        if type(stamp) is not _Stamp:
            yield Rejection(stamp, line)
            continue
        event = result.event
        name = _named(event) if event else _derived(result.event_subject, result.event_verb)
        if not name:
            yield Rejection(Reason.MISSING_EVENT, line)
            continue
        data = unmarked((result.properties or "").encode())
        inner, workspace = data[1:-1], stamp.workspace
        try:
            # An object within which there is no other one is checked, but neither built nor printed again, if it
            # stands on one line and the workspace is new to it.
            if not (
                len(data) <= MAX_EVENT
                and _QUOTE in inner
                and _OBJECT not in inner
                and _ARRAY not in inner
                and _LINE_FEED not in inner
                and _RETURN not in inner
                and _decode_flat(data).workspaceID is UNSET
                and data[-1] == _END
            ):
                inner, workspace = _printed(data, stamp), b""
        except UNREADABLE:
            yield Rejection(Reason.MALFORMED_PROPERTIES, line)
            continue
        try:
            context = _compact(result.context or "")
        except UNREADABLE:
            yield Rejection(Reason.MALFORMED_CONTEXT, line)
            continue
        message_id, timestamp = result.messageId, result.timestamp
        if not message_id:
            yield Rejection(Reason.MISSING_MESSAGE_ID, line)
            continue
        if not timestamp:
            yield Rejection(Reason.MISSING_TIMESTAMP, line)
            continue
        message_id = message_id_prefix + message_id
        if len(message_id) > MAX_MESSAGE_ID:
            yield Rejection(Reason.MESSAGE_ID_TOO_LONG, line)
            continue
        start, time = _encode(message_id), _encode(timestamp)
        body = b"".join((b'{"messageId":', start, b',"timestamp":', time, stamp.who, name, inner, workspace, context))
        if len(body) > MAX_EVENT and workspace:  # some of it may be blanks, or escapes that nobody needs
            body = body.removesuffix(inner + workspace + context) + _printed(data, stamp) + context
        if len(body) > MAX_EVENT:
            yield Rejection(Reason.TOO_LARGE, line)
            continue
        yield TrackEvent(message_id, body)


def _stamp(resolve: Resolve, namespace: str | None, user: str | None, type_: str | None) -> _Stamp | Reason:
    identity = resolve(namespace, user)
    if isinstance(identity, Reason):
        return identity
    parts = (_encode(namespace), _encode(type_ or "track"), _encode(identity.user_id))
    workspace = b',"workspaceID":%s' % _encode(identity.workspace_id)
    return _Stamp(b',"namespace":%s,"type":%s,"userId":%s,"event":' % parts, identity.workspace_id, workspace)


def _why_unreadable(line: bytes) -> Reason:
    """Tell fields that hold one text several times each, of which one alone would be odd data, from any other flaw."""
    try:
        result = _decode_any_result(line).result
    except UNREADABLE:
        return Reason.MALFORMED_RESULT
    values = (result.get(name) for name in SearchResult.__struct_fields__)
    twice = sum(isinstance(value, list) and len(value) > 1 and value == value[:1] * len(value) for value in values)
    return Reason.FIELDS_TWICE if twice > 1 else Reason.MALFORMED_RESULT


@lru_cache(maxsize=1_024)
def _named(event: str) -> bytes:
    """Print the name of an event, and what leads from there to its properties."""
    return b'%s,"properties":{' % _encode(event)


@lru_cache(maxsize=1_024)
def _derived(subject: str | None, verb: str | None) -> bytes | None:
    """Print the same where the name is made of a subject and a verb."""
    return _named(event_name(subject, verb)) if subject and verb else None


def _printed(data: bytes, stamp: _Stamp) -> bytes:
    """Print an object anew, with the workspace in it and without its braces."""
    if len(data) > MAX_EVENT and _least(data) > MAX_EVENT:
        return _TOO_LARGE
    properties = _decode_object(data)
    properties["workspaceID"] = stamp.workspace_id
    return _encode(properties)[1:-1]


def _least(data: bytes) -> int:
    """Return how many bytes the texts of an object take at least, however it is printed."""
    values = _decode_parts(data)
    values.pop("workspaceID", None)
    escapes = len(data) - len(data.replace(b"\\", b""))  # in half the time of counting them
    # Six bytes of an escape become one, and no fewer.
    return sum(len(value) for value in values.values() if memoryview(value)[0] == _QUOTE) - 5 * escapes


def _decode_object(data: bytes) -> dict[str, Any]:
    """Parse a JSON object, unless it is nested deeper than is allowed."""
    decoded: dict[str, Any] = _decode_deep_object(data)
    # Most are too short for it, or nest nothing: that is found sooner than brackets are counted.
    nests = len(data) > 2 * MAX_DEPTH and (_ARRAY in data or data.find(_OBJECT, 1) > 0)
    if nests and data.count(_OBJECT) + data.count(_ARRAY) > MAX_DEPTH and _is_deep(decoded):
        raise RecursionError
    return decoded


def _is_deep(value: dict[str, Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [part for parts in inner for part in parts if isinstance(part, (dict, list))]
        if not level:
            return False
    return True


@lru_cache(maxsize=256)
def _compact(text: str) -> bytes:
    """Parse and print a context, and what ends the event with it; it names a program, and there are few of those."""
    return b'},"context":%s}' % _encode(_decode_object(unmarked(text.encode())))
