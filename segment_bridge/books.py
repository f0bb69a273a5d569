"""Count what became of a journey's results, from what lies in staging: no figure is carried along from task to task."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from segment_bridge import layout
from segment_bridge.events import from_body
from segment_bridge.report import JourneyBooks, MessageBooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from segment_bridge.staging import Staging

#: The reason under which the books count what Segment itself will not take.
REFUSED = "refused_by_segment"


def count(run: Staging, journey: str, *, dry_run: bool) -> JourneyBooks:
    """Return the books of one journey.

    A batch without an outcome was withheld in a dry run; in any other it counts as undelivered, for nothing proves
    that it was taken.
    """
    if not run.exists(layout.results(journey)):
        return JourneyBooks(state="failed", stopped_by=messages(run, journey).stopped_by)
    with run.read(layout.results(journey)) as lines:
        found = sum(map(has_result, lines))
    rejected = _rejections(run, journey)
    events = sent = refused = undelivered = withheld = 0
    names = run.names(layout.batches(journey))
    for name in names:
        with run.read(name) as file:
            size = len(from_body(file.read()))
        events += size
        outcome = layout.read_outcome(run, name)
        if outcome is not None:
            sent += outcome.delivered
            refused += len(outcome.rejected)
            undelivered += outcome.undelivered
        elif dry_run:
            withheld += size
        else:
            undelivered += size
    if refused:
        rejected[REFUSED] = refused
    return JourneyBooks(
        found=found,
        events=events,
        batches=len(names),
        sent=sent,
        rejected=dict(sorted(rejected.items())),
        refused=refused,
        undelivered=undelivered,
        withheld=withheld,
        acknowledged=_lines(run, layout.acknowledged(journey)),
    )


def messages(run: Staging, search: str) -> MessageBooks:
    """Return what became of Splunk's messages about a search; nothing, where that is not staged."""
    name = layout.messages(search)
    return run.read_json(name, MessageBooks) if run.exists(name) else MessageBooks()


def has_result(line: bytes) -> bool:
    """Say whether a line of an answer is a row."""
    return _decode_result(line).result is not _NONE


def _rejections(run: Staging, journey: str) -> Counter[str]:
    if not run.exists(layout.rejected(journey)):
        return Counter()
    with run.read(layout.rejected(journey)) as lines:
        return Counter(_decode_reason(line).reason for line in lines)


def _lines(run: Staging, name: str) -> int:
    if not run.exists(name):
        return 0
    with run.read(name) as lines:
        return sum(1 for _ in lines)


_NONE = msgspec.Raw()


class _Reason(msgspec.Struct):
    reason: str


class _Result(msgspec.Struct):
    result: msgspec.Raw = _NONE


_decode_reason: Callable[[bytes], _Reason] = msgspec.json.Decoder(_Reason).decode
_decode_result: Callable[[bytes], _Result] = msgspec.json.Decoder(_Result).decode
