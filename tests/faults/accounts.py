"""What became of each event that was due: told by the stand-in for Segment and by what lies in staging."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from segment_bridge.events import from_body

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Due = dict[str, frozenset[str]]
_ENDS = ("sent", "undelivered", "withheld", "acknowledged")


@dataclass(frozen=True)
class Figures:
    """How many events were due, and where each of them is.

    ``undelivered`` ones are kept in staging; ``unreached`` ones belong to journeys, or to a whole run, that are told
    to have failed: they lie in Splunk still. ``duplicated`` ones were accepted more than once, or without being due;
    ``resent`` ones arrived more than once, and Segment's deduplication dropped them.
    """

    due: int
    delivered: int
    rejected: int
    undelivered: int
    unreached: int
    lost: int
    duplicated: int
    resent: int
    exit: int


def account(due: Due, run: Path | None, segment: str, code: int) -> Figures:
    """Trace each event that is due, by its messageId; ``segment`` is the stand-in's own address."""
    accepted = [json.loads(line)["messageId"] for line in _get(segment, "events").splitlines()]
    everything = frozenset[str]().union(*due.values())
    delivered = everything & set(accepted)
    rejected = (everything - delivered) & (set(_rejected(run)) if run else set())
    kept = (everything - delivered - rejected) & (set(_undelivered(run)) if run else set())
    told = read_report(run)
    failed = everything
    if told:
        failed = frozenset[str]().union(*(due[name] for name in due if is_problem(told, name)))
    unreached = (everything - delivered - rejected - kept) & (failed if code else frozenset())
    return Figures(
        due=len(everything),
        delivered=len(delivered),
        rejected=len(rejected),
        undelivered=len(kept),
        unreached=len(unreached),
        lost=len(everything - delivered - rejected - kept - unreached),
        duplicated=len(accepted) - len(delivered),
        resent=sum(json.loads(_get(segment, "duplicates")).values()),
        exit=code,
    )


def require_books(report: Mapping[str, Any], found: Mapping[str, int], *, stopped: bool = False) -> None:
    """Require that the books balance, journey by journey, and that they begin with what there was to find.

    Where the line was ``stopped`` between two stages they cannot, and then the report has to say so.
    """
    open_ = []
    for name, books in report["journeys"].items():
        assert books["found"] == (found[name] if books["state"] == "complete" else 0), name
        if books["found"] != _ended(books):
            assert is_problem(report, name)
            open_.append(name)
    assert stopped or not open_
    assert report["balanced"] is not bool(open_)
    assert open_ or report["total"]["found"] == _ended(report["total"])


def is_problem(report: Mapping[str, Any], journey: str) -> bool:
    """Say whether a report names a journey as failed or unfinished."""
    return any(problem.startswith(f"{journey}: ") for problem in report["problems"])


def _ended(books: Mapping[str, Any]) -> int:
    return int(sum(books["rejected"].values()) + sum(books[end] for end in _ENDS))


def read_report(run: Path | None) -> dict[str, Any]:
    """Return a run's report; nothing where it has none."""
    file = run / "report.json" if run else None
    return dict(json.loads(file.read_text())) if file and file.exists() else {}


def _rejected(run: Path) -> Iterator[str]:
    """Give the messageIds of what the bridge could not convert, and of what Segment refuses."""
    for file in run.glob("rejected/*.ndjson"):
        for line in file.read_bytes().splitlines():
            result = json.loads(line)["result"]
            if isinstance(result, dict) and isinstance(result.get("messageId"), str):
                yield result["messageId"]
    for outcome, events in _batches(run):
        for refused in outcome["rejected"] if outcome else ():
            yield events[refused["position"]]


def _undelivered(run: Path) -> Iterator[str]:
    """Give the messageIds of those batches of which something is still to be delivered."""
    for outcome, events in _batches(run):
        if not outcome or outcome["undelivered"]:
            yield from events


def _batches(run: Path) -> Iterator[tuple[dict[str, Any] | None, list[str]]]:
    for file in run.glob("batches/*/*.json"):
        outcome = run / "outcomes" / file.relative_to(run / "batches")
        events = [json.loads(event)["messageId"] for event in from_body(file.read_bytes())]
        yield json.loads(outcome.read_text()) if outcome.exists() else None, events


def _get(segment: str, what: str) -> bytes:
    return requests.get(f"{segment}/sandbox/{what}", timeout=60).content
