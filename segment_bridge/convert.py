"""Turn search results into track events: pure, one at a time, in order."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import msgspec

from segment_bridge.event_names import event_name
from segment_bridge.events import MAX_EVENT, UNREADABLE, Identity, Reason, Rejection, SearchResult, TrackEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from segment_bridge.events import Identities

    Resolve = Callable[[str | None, str | None], "_Stamp | Reason"]

#: Segment takes message IDs of less than 100 characters.
MAX_MESSAGE_ID = 99
#: Levels of properties and of a context. Without a bound, whether an event can be written, and read again out of its
#: batch, would hang on how deep the calls are.
MAX_DEPTH = 100


class _Line(msgspec.Struct, gc=False):
    """A line of a search's answer; one without a result is a message or the empty answer."""

    preview: bool = False
    result: SearchResult | None = None


class _Head(msgspec.Struct, gc=False):
    """What a track event begins with; the order of the fields is the order of its keys."""

    messageId: str  # noqa: N815 - Segment's names
    timestamp: str
    namespace: str
    type: str
    userId: str  # noqa: N815
    event: str


class _Stamp(msgspec.Struct, gc=False):
    """Who an event belongs to, and how that is printed at the end of its properties."""

    identity: Identity
    workspace: bytes


class _Flat(msgspec.Struct, gc=False):
    """Any JSON object; nothing is kept of it but whether it holds the key that is ours."""

    workspaceID: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - the dashboards' name


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_flat = msgspec.json.Decoder(_Flat).decode
# Fractions pass through as they are written: not every one is a float.
_decode_deep_object = msgspec.json.Decoder(dict[str, Any], float_hook=msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode


def convert(
    lines: Iterable[bytes], identities: Identities, *, message_id_prefix: str = ""
) -> Iterator[TrackEvent | Rejection]:
    """Yield one event or rejection for each result, in the order of the results.

    ``lines`` are those of a search's answer; empty ones, previews and lines without a result are passed over.
    ``message_id_prefix`` keeps two bridges apart that read the same records into one Segment workspace.
    """
    # People do several things: most pairs of namespace and user come again.
    resolve = lru_cache(maxsize=4_096)(partial(_stamp, identities))
    for line in lines:
        try:
            decoded = _decode_line(line)
        except UNREADABLE:
            if line and not line.isspace():
                yield Rejection(Reason.MALFORMED_RESULT, line)
            continue
        if decoded.result is None or decoded.preview:
            continue
        made = _event(decoded.result, resolve, message_id_prefix)
        yield made if isinstance(made, TrackEvent) else Rejection(made, line)


def _stamp(identities: Identities, namespace: str | None, user: str | None) -> _Stamp | Reason:
    identity = identities.resolve(namespace, user)
    if isinstance(identity, Reason):
        return identity
    return _Stamp(identity, b',"workspaceID":%s}' % _encode(identity.workspace_id))


def _event(result: SearchResult, resolve: Resolve, prefix: str) -> TrackEvent | Reason:  # noqa: PLR0911 - one return a rule, in the order of the rules
    resolved = result.identity is not None
    stamp = _resolved(result, resolve) if resolved else resolve(result.namespace, result.userId)
    if not isinstance(stamp, _Stamp):
        return stamp
    name = result.event or _name(result.event_subject, result.event_verb)
    if not name:
        return Reason.MISSING_EVENT
    try:
        properties = _properties(result.properties or "", stamp)
    except UNREADABLE:
        return Reason.MALFORMED_PROPERTIES
    try:
        context = _compact(result.context or "")
    except UNREADABLE:
        return Reason.MALFORMED_CONTEXT
    if not result.messageId:
        return Reason.MISSING_MESSAGE_ID
    if not result.timestamp:
        return Reason.MISSING_TIMESTAMP
    message_id = prefix + result.messageId
    if len(message_id) > MAX_MESSAGE_ID:
        return Reason.MESSAGE_ID_TOO_LONG
    head = _encode(
        _Head(
            message_id,
            result.timestamp,
            result.namespace or "",
            result.type or "track",
            stamp.identity.user_id,
            name,
        )
    )
    body = _body(head, properties, context)
    if len(body) > MAX_EVENT:  # unless some of it is only escapes that nobody needs
        body = _body(head, _printed_again(result.properties or "", stamp), context)
    return Reason.TOO_LARGE if len(body) > MAX_EVENT else TrackEvent(message_id, body)


def _body(head: bytes, properties: bytes, context: bytes) -> bytes:
    return b"".join((head[:-1], b',"properties":', properties, b',"context":', context, b"}"))


def _resolved(result: SearchResult, resolve: Resolve) -> _Stamp | Reason:
    """Return who stands behind a result whose search has resolved the user, but never the owner."""
    owner = resolve(result.namespace, None)
    if isinstance(owner, Reason):
        return owner
    if not result.userSsoId:
        return Reason.UNKNOWN_USER
    return _Stamp(Identity(result.userSsoId, owner.identity.workspace_id), owner.workspace)


@lru_cache(maxsize=1_024)
def _name(subject: str | None, verb: str | None) -> str | None:
    return event_name(subject, verb) if subject and verb else None


def _properties(text: str, stamp: _Stamp) -> bytes:
    """Print the text of a JSON object compactly, with the workspace in it.

    An object within which there is no other one is checked, but neither built nor printed again, if the workspace is
    new to it.
    """
    if text.find("{", 1) < 0 and "[" not in text and _decode_flat(text).workspaceID is msgspec.UNSET:
        printed = text.encode()
        if " " in text or "\n" in text or "\r" in text or "\t" in text:  # which may be within a string
            printed = msgspec.json.format(printed, indent=-1)
        if len(printed) > len("{}"):
            return printed[:-1] + stamp.workspace
    return _printed_again(text, stamp)


def _printed_again(text: str, stamp: _Stamp) -> bytes:
    properties = _decode_object(text)
    properties["workspaceID"] = stamp.identity.workspace_id
    return _encode(properties)


def _decode_object(text: str) -> dict[str, Any]:
    """Parse the text of a JSON object, unless it is nested deeper than is allowed."""
    decoded: dict[str, Any] = _decode_deep_object(text)
    # Most texts are too short for it, or have not even so many brackets.
    if len(text) > 2 * MAX_DEPTH and text.count("{") + text.count("[") > MAX_DEPTH and _is_deep(decoded):
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
    """Parse and print the text of a JSON object; that of a context names a program, and there are few of those."""
    return _encode(_decode_object(text))
