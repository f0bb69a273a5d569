"""What became of one audit ID, in all runs that lie in staging.

Files are read a line, or a batch, at a time; what does not hold the ID's bytes is not decoded. What is told has no
user names: results hold them, and so no more is taken from one than the name of its event.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec

from segment_bridge import layout, redriven
from segment_bridge.errors import FatalError
from segment_bridge.events import MEANINGS, from_body
from segment_bridge.segment.history import History
from segment_bridge.window import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from segment_bridge.runs import Run

#: ``waiting``: not sent yet; ``acknowledged``: another run had delivered it.
End = Literal["delivered", "refused", "undelivered", "withheld", "waiting", "acknowledged"]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request that carried the event: its number among those of its batch, and its HTTP status or kind of error."""

    number: int
    events: int
    answer: int | str


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the event in one batch; ``file`` is that of the batch, or of the redrive's record."""

    file: str
    end: End
    message_id: str
    #: Its place among the batch's events, from 1.
    place: int = 0
    size: int = 0
    #: Its name and its time; a redrive's record has neither.
    event: str = ""
    timestamp: str = ""
    why: str = ""
    requests: tuple[Request, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Where a journey of a run has the audit ID: its results, the reasons of its rejections, its events."""

    run: str
    window: str
    journey: str
    results: int
    rejections: tuple[str, ...]
    sendings: tuple[Sending, ...]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """All that staging knows of an audit ID."""

    audit_id: str
    findings: tuple[Finding, ...]

    def text(self) -> str:
        """Return it as lines to read."""
        lines = [f"audit ID {self.audit_id}"]
        for found in self.findings:
            lines += ["", f"run {found.run}, window {found.window}"]
            lines.append(f"  journey {found.journey} matched it: {found.results} in its results")
            lines += [f"  rejected: {reason}{_meaning(reason)}" for reason in found.rejections]
            lines += [f"  {line}" for sending in found.sendings for line in _told(sending)]
            if not found.rejections and not found.sendings:
                lines.append("  not converted")
        return "\n".join(lines)


def explain(runs: list[Run], audit_id: str) -> Explanation:
    """Look for an audit ID, which may have a run's message-ID prefix before it.

    Raises :class:`FatalError` where no run has it.
    """
    found = tuple(one for run in runs for journey in run.plan.journeys if (one := _find(run, journey, audit_id)))
    if not found:
        raise FatalError(f"audit ID {audit_id} is in none of {_told_runs(runs)}")
    return Explanation(audit_id=audit_id, findings=found)


def _find(run: Run, journey: str, audit_id: str) -> Finding | None:
    wanted = _Wanted(audit_id.removeprefix(run.plan.message_id_prefix), run.plan.message_id_prefix)
    results = sum(1 for _ in _lines(run, layout.results(journey), wanted, _id_of_row))
    rejections = tuple(
        redriven.read_rejected(line).reason for line in _lines(run, layout.rejected(journey), wanted, _id_of_rejected)
    )
    before = layout.acknowledged(journey)
    acknowledged = (
        Sending(file=before, end="acknowledged", message_id=wanted.message_id)
        for _ in _lines(run, before, wanted, lambda line: _read_event(line).messageId.removeprefix(wanted.prefix))
    )
    sendings = (*acknowledged, *_in_batches(run, journey, wanted), *_in_redrives(run, journey, wanted))
    if not (results or rejections or sendings):
        return None
    window = str(run.plan.window)
    return Finding(
        run=run.name, window=window, journey=journey, results=results, rejections=rejections, sendings=sendings
    )


class _Wanted:
    """What is looked for: an audit ID in results, and with its prefix in events."""

    def __init__(self, audit_id: str, prefix: str) -> None:
        self.audit_id = audit_id
        self.prefix = prefix
        self.message_id = prefix + audit_id
        # JSON can write other characters in several ways; then every line is decoded.
        self.bytes = audit_id.encode() if re.fullmatch(r"[\w.:-]+", audit_id, re.ASCII) else b""


class _Result(msgspec.Struct):
    messageId: str | None = None  # noqa: N815 - the searches' name


class _Row(msgspec.Struct):
    result: _Result | None = None


class _Event(msgspec.Struct):
    messageId: str = ""  # noqa: N815 - Segment's names
    timestamp: str = ""
    event: str = ""


_read_row: Callable[[bytes], _Row] = msgspec.json.Decoder(_Row).decode
_read_event: Callable[[bytes], _Event] = msgspec.json.Decoder(_Event).decode


def _id_of_row(line: bytes) -> str | None:
    result = _read_row(line).result
    return result.messageId if result else None


#: A rejection holds a result in the same place as a row does.
_id_of_rejected = _id_of_row


def _lines(run: Run, name: str, wanted: _Wanted, id_of: Callable[[bytes], str | None]) -> Iterator[bytes]:
    """Yield the lines of a file that have the ID; one that cannot be read, if the ID stands anywhere in it."""
    if not run.folder.exists(name):
        return
    with run.folder.read(name) as file:
        for line in file:
            if wanted.bytes not in line:
                continue
            try:
                has_it = id_of(line) == wanted.audit_id
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                has_it = wanted.audit_id.encode() in line
            if has_it:
                yield line


def _in_batches(run: Run, journey: str, wanted: _Wanted) -> Iterator[Sending]:
    for name in run.folder.names(layout.batches(journey)):
        with run.folder.read(name) as file:
            body = file.read()
        if wanted.bytes not in body:
            continue
        events = from_body(body)
        for at, event in enumerate(events):
            if wanted.bytes in event and (read := _read_event(event)).messageId == wanted.message_id:
                history = History(len(events), layout.read_outcome(run.folder, name))
                yield _sending(name, history, at, read, _end(run, history, at))


def _in_redrives(run: Run, journey: str, wanted: _Wanted) -> Iterator[Sending]:
    for name, record in redriven.read(run.folder, journey):
        event = _Event(wanted.message_id)
        if wanted.message_id in record.acknowledged:
            yield Sending(file=name, end="acknowledged", message_id=wanted.message_id)
        if wanted.message_id in record.sent:
            at = record.sent.index(wanted.message_id)
            yield _sending(name, record.history, at, event, _end(run, record.history, at))


def _sending(file: str, history: History, at: int, event: _Event, end: End) -> Sending:
    requests = (Request(number=one.number, events=len(one.part), answer=one.answer) for one in history.of(at))
    return Sending(
        file=file,
        end=end,
        message_id=event.messageId,
        place=at + 1,
        size=history.size,
        event=event.event,
        timestamp=event.timestamp,
        why=history.outcome.why if history.outcome and end == "undelivered" else "",
        requests=tuple(requests),
    )


def _end(run: Run, history: History, at: int) -> End:
    if at in history.delivered:
        return "delivered"
    if at in history.refused:
        return "refused"
    if history.outcome is None and run.plan.dry_run:
        return "withheld"
    return "waiting" if history.outcome is None and not run.closed else "undelivered"


def _told(sending: Sending) -> Iterator[str]:
    if sending.event:
        yield f'became the event "{sending.event}" of {sending.timestamp}, messageId {sending.message_id}'
    if sending.end == "acknowledged":
        yield f"{sending.file}: acknowledged by Segment before, to another run"
        return
    yield f"{sending.file}, event {sending.place} of {sending.size}:"
    for one in sending.requests:
        yield f"  request {one.number}, with {one.events} events: {one.answer}"
    yield f"  {sending.end}" + (f": {sending.why}" if sending.why else "")


def _meaning(reason: str) -> str:
    return f" ({MEANINGS[reason]})" if reason in MEANINGS else ""


def _told_runs(runs: list[Run]) -> str:
    if not runs:
        return "the runs in staging, as there are none: check --staging"
    start = format_time(min(run.plan.window.start for run in runs))
    end = format_time(max(run.plan.window.end for run in runs))
    return (
        f"the runs in staging ({len(runs)}), whose windows lie between {start} and {end}: "
        "check the ID; a record that no journey selects turns up nowhere"
    )
