"""The ``upload`` filter: lines in, batches out, and a summary that adds up."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click
import msgspec

from segment_bridge.batch import pack
from segment_bridge.cli.options import environment, settings_options
from segment_bridge.errors import BridgeError
from segment_bridge.events import MAX_EVENT
from segment_bridge.segment import MisconfiguredError, Segment, deliver_several
from segment_bridge.settings import SegmentSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from segment_bridge.segment import Outcome


_MISSING = msgspec.Raw()
#: Why a line is rejected that belongs before ``convert``.
_UNCONVERTED = "search_result"


class _Object(msgspec.Struct):
    """Any JSON object, as far as it tells an event from what a search returned."""

    result: msgspec.Raw = _MISSING
    results: msgspec.Raw = _MISSING
    messages: msgspec.Raw = _MISSING
    event_subject: msgspec.Raw = _MISSING
    properties: msgspec.Raw = _MISSING

    @property
    def is_unconverted(self) -> bool:
        """Whether it is a line of an answer, or a result by itself, whose properties are a JSON object as text."""
        own = (self.result, self.results, self.messages, self.event_subject)
        return any(part is not _MISSING for part in own) or bytes(memoryview(self.properties)[:1]) == b'"'


_read_object = msgspec.json.Decoder(_Object).decode


class Summary(TypedDict):
    """``events`` = ``delivered`` + ``undelivered`` + ``rejected``; the latter by reason in ``reasons``."""

    events: int
    batches: int
    delivered: int
    undelivered: int
    rejected: int
    reasons: dict[str, int]


@click.command()
@click.option(
    "--summary",
    "summary_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the summary (default: standard output).",
)
@settings_options("SEGMENT_")
def upload(summary_path: Path | None) -> None:
    """Deliver the events on standard input; exit with 0 only if each of them was delivered."""
    with environment() as env:
        settings = SegmentSettings.from_environment(env)
    summary, error = upload_events(sys.stdin.buffer, settings)
    text = json.dumps(summary)
    if summary_path:
        summary_path.write_text(text + "\n")
    else:
        click.echo(text)
    if error:
        raise error
    if summary["delivered"] != summary["events"]:
        told = f"{summary['undelivered']} events undelivered, {summary['rejected']} rejected"
        if unconverted := summary["reasons"].get(_UNCONVERTED):
            told += f"; {unconverted} are results of a search: convert them first"
        raise BridgeError(told)


def upload_events(lines: Iterable[bytes], settings: SegmentSettings) -> tuple[Summary, MisconfiguredError | None]:
    """Deliver all lines; return the summary, and the error that stopped the line if one did."""
    summary = Summary(events=0, batches=0, delivered=0, undelivered=0, rejected=0, reasons={})
    batches = pack(_acceptable(lines, summary))
    without_outcome: dict[int, int] = {}

    def bodies() -> Iterator[tuple[int, bytes]]:
        for packed in batches:
            summary["batches"] += 1
            without_outcome[summary["batches"]] = packed.events
            yield summary["batches"], packed.body

    stopped: MisconfiguredError | None = None
    with Segment(settings) as segment:
        try:
            for number, outcome in deliver_several(bodies(), segment, segment.connections):
                del without_outcome[number]
                _enter(summary, outcome)
        except MisconfiguredError as error:
            stopped = error
    for packed in batches:
        summary["batches"] += 1
        summary["undelivered"] += packed.events
    summary["undelivered"] += sum(without_outcome.values())
    return summary, stopped


def _enter(summary: Summary, outcome: Outcome) -> None:
    summary["delivered"] += outcome.delivered
    summary["undelivered"] += outcome.undelivered
    for refused in outcome.rejected:
        _reject(summary, refused.reason)


def _acceptable(lines: Iterable[bytes], summary: Summary) -> Iterator[bytes]:
    """Let pass objects that are no larger than Segment takes, and count the rest: it would answer 200 and drop it."""
    for line in lines:
        event = line.strip()
        if not event:
            continue
        summary["events"] += 1
        if len(event) > MAX_EVENT:
            _reject(summary, "too_large")
            continue
        try:
            read = _read_object(event.decode())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            _reject(summary, "malformed_event")
            continue
        if read.is_unconverted:
            _reject(summary, _UNCONVERTED)
            continue
        yield event


def _reject(summary: Summary, reason: str) -> None:
    summary["rejected"] += 1
    summary["reasons"][reason] = summary["reasons"].get(reason, 0) + 1
