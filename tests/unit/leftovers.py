"""Runs in staging that have left something behind, and a Segment that answers as it is told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from segment_bridge import closing, layout, line
from segment_bridge.errors import ConfigurationError
from segment_bridge.exclusions import NOBODY, Exclusions
from segment_bridge.plan import Plan, Resend, Span
from segment_bridge.runs import find
from segment_bridge.segment import Segment
from segment_bridge.segment.transport import _status_error
from segment_bridge.settings import SegmentSettings
from segment_bridge.source_check import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from segment_bridge.report import Report
    from segment_bridge.runs import Run
    from segment_bridge.staging import Staging

    Answer = Callable[[list[str]], int | str]

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
JOURNEY = "application-events"
USERS = {"ann": "id-ann", "owner": "id-owner"}
WORKSPACES = {"ann-tenant": "owner"}


def result(audit_id: str, user: str = "ann", namespace: str = "ann-tenant", at: str = "10:00") -> dict[str, str]:
    """Make a result as Splunk gives it."""
    return {
        "messageId": audit_id,
        "timestamp": f"2026-01-05T{at}:00.000000Z",
        "type": "track",
        "namespace": namespace,
        "userId": user,
        "event_subject": "applications",
        "event_verb": "create",
        "properties": '{"name":"shop"}',
        "context": '{"userAgent":"curl"}',
    }


@dataclass
class Answers:
    """Takes the place of the client's transport; ``answer`` is given the messageIds of a request."""

    answer: Answer
    requests: list[list[str]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)

    @property
    def delivered(self) -> list[str]:
        return [event["messageId"] for event in self.taken]

    def post(self, body: bytes, _repeats: int, _timeout: float) -> tuple[int | str, Exception | None]:
        events = json.loads(body)["batch"]
        self.requests.append([event["messageId"] for event in events])
        answer = self.answer(self.requests[-1])
        assert isinstance(answer, int), "these tests tell of statuses alone"
        error = _status_error(answer, None)
        if error is None:
            self.taken += events
        return answer, error

    def close(self) -> None:
        pass

    def segment(self) -> Segment:
        """Return a client that is answered so."""
        client = Segment(SegmentSettings(write_key="k", batch_api="http://127.0.0.1:1"), sleep=lambda _: None)
        client._transport = self  # type: ignore[assignment] # it stands in for it
        return client


def always(status: int) -> Answers:
    return Answers(lambda _: status)


def stage(
    root: Staging,
    key: str,
    results: Iterable[dict[str, str]],
    *,
    segment: Answers | None = None,
    prefix: str = "",
    end: datetime = NOON,
    dry_run: bool = False,
    resend: Resend = Resend.ALWAYS,
    exclusions: Exclusions = NOBODY,
    closed: bool = True,
) -> Run:
    """Carry results through the line; without ``segment`` nothing is sent."""
    folder = layout.run_of(root, key)
    plan = Plan(
        span=Span(end - timedelta(hours=4), end),
        journeys=(JOURNEY,),
        message_id_prefix=prefix,
        dry_run=dry_run,
        resend=resend,
    )
    line.begin(folder, plan)
    for name, entries in ((layout.USERS, USERS), (layout.WORKSPACES, WORKSPACES)):
        folder.write_json(layout.map_file(name), entries)
    with folder.write(layout.results(JOURNEY)) as file:
        for number, one in enumerate(results):
            file.write(msgspec.json.encode({"preview": False, "offset": number, "result": one}) + b"\n")
    folder.write_json(layout.SOURCE, Seen())
    batches = line.convert_results(folder, exclusions)
    if segment:
        deliver(folder, batches, segment)
    if closed:
        closing.close(folder, key)
    return next(run for run in find(root) if run.name == key)


def deliver(folder: Staging, batches: list[str], answers: Answers) -> None:
    """Deliver until Segment stops the line."""
    try:
        for _ in line.deliver(folder, batches, answers.segment()):
            pass
    except ConfigurationError:
        pass


def recounted(run: Run) -> Report:
    """Close the books anew."""
    return closing.close(run.folder, run.name)
