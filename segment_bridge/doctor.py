"""Checks before a run, or after a bad one: each says what it saw, and where it failed what to do about it."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import msgspec

from segment_bridge import identity, large_records, mapping, source_check
from segment_bridge.catalog import JOURNEYS
from segment_bridge.errors import BridgeError, ConfigurationError, FatalError, IncompleteAnswer, RetryableError
from segment_bridge.events import FIELDS_TWICE
from segment_bridge.segment.outcome import RefusedError
from segment_bridge.splunk import Splunk
from segment_bridge.splunk.transport import Transport as SplunkTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from segment_bridge.identity import IdentityMap
    from segment_bridge.kubernetes import Cluster
    from segment_bridge.settings import SegmentSettings, SplunkSettings
    from segment_bridge.staging import Staging
    from segment_bridge.tenants import Tenants
    from segment_bridge.window import Window

T = TypeVar("T")

#: Seconds after which a check counts as failed for want of an answer.
PATIENCE = 30.0
#: The names of what is checked of Splunk, in this order.
SPLUNK_CHECKS = (
    "splunk reachable",
    "splunk login",
    "splunk search endpoint",
    "splunk index",
    "splunk large records",
)
_SEGMENT, _STAGING = "segment reachable", "staging writable"
_THERE = (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
_OTHERS = "; it holds other records, but none with log_type=audit"
_ADVICE = {
    False: "check SPLUNK_INDEX, that the role may search it, and that the collector sends records",
    True: "check SPLUNK_INDEX, and what the collector adds to audit records",
}
_INFO = "/services/server/info"
_EMPTY_BATCH = b'{"batch":[]}'


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at; ``ok`` is None where it could not be checked, which is no failure of its own."""

    name: str
    ok: bool | None
    told: str
    #: What to do about it, where it failed.
    advice: str = ""

    def text(self) -> str:
        """Return it as a line to read, and where it failed another one that says what to do."""
        mark = {True: "ok", False: "FAILED", None: "-"}[self.ok]
        lines = [f"{mark:8}{self.name}: {self.told}"]
        return "\n".join([*lines, f"{'':8}what to do: {self.advice}"] if self.advice else lines)


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a run needs; each is made when it is its turn, so that one that cannot be made keeps no other back."""

    splunk: Callable[[], SplunkSettings]
    host: Callable[[], Cluster]
    members: Callable[[], Sequence[Cluster]]
    tenants: Callable[[], Tenants]
    segment: Callable[[], SegmentSettings]
    staging: Callable[[], Staging]


def check_all(needs: Needs, window: Window) -> Iterator[Check]:
    """Check all that a run over this window needs."""
    yield from _of(SPLUNK_CHECKS, needs.splunk, lambda settings: check_splunk(settings, window))
    yield check_map("users", lambda: identity.user_map(needs.host().user_signups()))
    yield check_map("workspaces", lambda: _workspaces(needs.members(), needs.tenants()))
    yield from _of([_SEGMENT], needs.segment, lambda settings: [check_segment(settings)])
    yield from _of([_STAGING], needs.staging, lambda staging: [check_staging(staging)])


def require_health(checks: Sequence[Check]) -> None:
    """Raise :class:`FatalError` where one has failed."""
    failed = sum(check.ok is False for check in checks)
    if failed:
        raise FatalError(f"{failed} of {len(checks)} checks failed")


def _of(names: Sequence[str], make: Callable[[], T], check: Callable[[T], Iterable[Check]]) -> Iterator[Check]:
    """Make something and check it; where it cannot be made, that is the first check's failure."""
    try:
        made = make()
    except BridgeError as error:
        yield _failure(names[0], error)
        yield from map(_not_checked, names[1:])
        return
    yield from check(made)


def check_splunk(settings: SplunkSettings, window: Window) -> Iterator[Check]:
    """Check, each step on the ones before it, what searches over this window need."""
    settings = replace(settings, timeout=min(settings.timeout, PATIENCE))
    left = [*SPLUNK_CHECKS]
    for step in (_reachable, _login):
        name = left.pop(0)
        try:
            yield Check(name=name, ok=True, told=step(settings))
        except BridgeError as error:
            yield _failure(name, error)
            yield from map(_not_checked, left)
            return
    with Splunk(settings) as splunk:
        yield from _searches(splunk, settings, window)


def check_map(name: str, make: Callable[[], IdentityMap]) -> Check:
    """Make a map, and count it."""
    check = f"map of {name}"
    try:
        made = make()
        identity.require_usable(made, name)
    except BridgeError as error:
        return _failure(check, error)
    doubts = mapping.count(name, made, made.entries).doubts()
    told = f"{len(made.entries)} entries, {made.skipped} skipped, {made.collisions} collisions"
    return Check(name=check, ok=True, told="; ".join((told, *doubts)))


def check_segment(settings: SegmentSettings) -> Check:
    """Send a batch without events, which leaves nothing behind.

    What Segment itself answers to one is not proven; 400 shows as well as 200 that it is there. A wrong write key
    gets a 200 from it, so that no answer proves the key.
    """
    from segment_bridge.segment.transport import Transport  # noqa: PLC0415 - start-up

    try:
        transport = Transport(settings)
    except ConfigurationError as error:
        return _failure(_SEGMENT, error)
    with contextlib.closing(transport):
        answer, failure = transport.post(_EMPTY_BATCH, 0, min(settings.timeout, PATIENCE))
    if failure and not isinstance(failure, RefusedError):
        return _failure(_SEGMENT, failure)
    told = f"answered {answer} to an empty batch, which does not prove that the write key is right"
    return Check(name=_SEGMENT, ok=True, told=told)


def check_staging(staging: Staging) -> Check:
    """Write a file, read it back, and remove it."""
    file, written = f"doctor-{secrets.token_hex(4)}.json", "written by the doctor"
    try:
        staging.write_json(file, written)
        read = staging.read_json(file, str)
        staging.remove(file)
    except BridgeError as error:
        return _failure(_STAGING, error)
    except OSError as error:
        return Check(
            name=_STAGING,
            ok=False,
            told=f"{staging.uri()} cannot be written, read and cleared ({type(error).__name__})",
            advice="check that the place exists, has space left, and lets this user write",
        )
    if read != written:
        return Check(
            name=_STAGING, ok=False, told=f"{staging.uri()} gave back something else", advice="use another place"
        )
    return Check(name=_STAGING, ok=True, told=staging.uri())


def _workspaces(members: Sequence[Cluster], tenants: Tenants) -> IdentityMap:
    return identity.workspace_map((member.tenant_namespaces(tenants) for member in members), tenants)


def _reachable(settings: SplunkSettings) -> str:
    """Ask without credentials: whatever is answered, something is there."""
    transport = SplunkTransport(settings)
    url = f"{transport.scheme}://{transport.host}:{transport.port}"
    try:
        answer = transport(url + _INFO, {"method": "GET", "headers": []})
    except BridgeError as error:
        if error.http_status is None:
            raise
    else:
        answer["body"].close()
    proxy = f", through the proxy {transport.route.proxy}" if transport.route.proxy else ""
    return f"{transport.host}, port {transport.port}, answers{proxy}"


def _login(settings: SplunkSettings) -> str:
    with Splunk(settings) as splunk:
        version = splunk.log_in()
    return f"the credentials are taken; Splunk {version}" if version else "the credentials are taken"


def _searches(splunk: Splunk, settings: SplunkSettings, window: Window) -> Iterator[Check]:
    *_, endpoint, readable, large = SPLUNK_CHECKS
    try:
        source = settings.source
        found = source_check.holds(splunk, source_check.audit_record(source), window)
        others = not found and source_check.holds(splunk, source_check.any_record(source), window)
        times = source_check.times_extracted(splunk, source, window) if found else None
    except BridgeError as error:
        # What is refused for its rights or its contents, or ends too early, has met an endpoint that is there.
        if isinstance(error, IncompleteAnswer) or error.http_status in _THERE:
            yield Check(name=endpoint, ok=True, told="version 2 answers")
            yield _failure(readable, error)
        else:
            yield _failure(endpoint, error)
            yield _not_checked(readable)
        yield _not_checked(large)
        return
    yield Check(name=endpoint, ok=True, told="version 2 answers")
    if not found:
        yield Check(
            name=readable,
            ok=False,
            told=f"no audit record in {source.index} within {window}{_OTHERS if others else ''}",
            advice=_ADVICE[others],
        )
        yield _not_checked(large)
        return
    told = f"{source.index} holds audit records within {window}"
    if times is None:
        told = f"{told}, but {source_check.UNREADABLE}"
        yield Check(name=readable, ok=False, told=told, advice=source_check.SEND_WHOLE)
        yield _not_checked(large)
        return
    try:
        cut = source_check.look(splunk, source, window, JOURNEYS, nothing_found=False).cut()
    except BridgeError as error:
        yield _failure(readable, error)
        yield _not_checked(large)
        return
    yield Check(name=readable, ok=True, told="; ".join(filter(None, (told, _extracted(times), cut))))
    try:
        yield _large(large, large_records.look(splunk, source, window))
    except BridgeError as error:
        yield _failure(large, error)


def _extracted(times: int) -> str | None:
    """Say what is odd about Splunk's own extraction of fields."""
    if times > 1:
        return f"{FIELDS_TWICE} (no journey depends on it)"
    return None if times else "Splunk does not extract their fields by itself, on which no journey depends"


def _large(name: str, seen: large_records.Seen) -> Check:
    if not seen.records:
        told = f"not checked: no record is larger than {large_records.EXTRACTED:,} bytes"
        return Check(name=name, ok=None, told=told)
    told = f"{seen.records} large records, of up to {seen.largest:,} bytes"
    if seen.unread:
        return Check(
            name=name,
            ok=False,
            told=f"Splunk does not read the whole of {told}, even by explicit paths: {', '.join(seen.unread)}",
            advice="raise extraction_cutoff in [spath], and maxchars and limit in [kv], of Splunk's limits.conf",
        )
    if seen.unextracted:
        told += "; automatic extraction, on which no search depends, does not reach their end"
    return Check(name=name, ok=True, told=f"searches read the whole of {told}")


def _failure(name: str, error: BridgeError) -> Check:
    told, advice = str(error), ""
    match error:
        case IncompleteAnswer():
            advice = "look at the search's job in Splunk, and search again"
        case ConfigurationError() | RetryableError():
            # Their messages end with the next step.
            told, _, advice = told.rpartition(": ")
    return Check(name=name, ok=False, told=told or str(error), advice=advice if told else "check the settings")


def _not_checked(name: str) -> Check:
    return Check(name=name, ok=None, told="not checked: what it needs has failed")
