from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from segment_bridge import housekeeping, layout, ledger, line
from segment_bridge.events import to_body
from segment_bridge.explain import explain
from segment_bridge.ledger import Ledger
from segment_bridge.plan import Resend
from segment_bridge.redrive import Redrive
from segment_bridge.report import JourneyBooks
from segment_bridge.runs import find
from segment_bridge.segment import Attempt, Outcome, Refused
from segment_bridge.staging import Staging
from tests.unit import leftovers
from tests.unit.leftovers import JOURNEY, NOON, Answers, always, recounted, result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from segment_bridge.runs import Run

stage = partial(leftovers.stage, resend=Resend.UNACKNOWLEDGED)


@pytest.fixture(params=["disk", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Staging]:
    made = Staging.at(str(tmp_path) if request.param == "disk" else f"memory://{uuid4()}")
    yield made
    made.remove()


def event(message_id: str, at: str = "2026-01-05T10:00:00Z") -> bytes:
    return json.dumps({"messageId": message_id, "timestamp": at, "userId": "u"}).encode()


def enter(root: Staging, *events: bytes, outcome: Outcome | None = None) -> None:
    ledger.enter(root, to_body(events), outcome or Outcome(delivered=len(events)))


def hours(root: Staging) -> list[str]:
    return root.folder("ledger").folders()


def books(run: Run) -> JourneyBooks:
    report = recounted(run)
    assert report.balanced, report.problems
    return report.journeys[JOURNEY]


def test_what_is_entered_is_held_and_nothing_else(root: Staging) -> None:
    assert event("1") not in Ledger(root)
    enter(root, event("1"), event("2", "2026-01-05T11:59:59.999Z"))
    known = Ledger(root)
    assert event("1") in known
    assert event("2", "2026-01-05T11:59:59.999Z") in known
    assert event("2") not in known  # in another hour it would be another event
    assert event("3") not in known
    assert hours(root) == ["2026-01-05T10", "2026-01-05T11"]


def test_an_id_takes_16_bytes_and_a_file_has_the_name_of_what_it_holds(root: Staging) -> None:
    for _ in range(2):
        enter(root, *(event(str(number)) for number in range(100)))
    (name,) = root.names("ledger")
    with root.read(name) as file:
        assert len(file.read()) == 1_600


def test_only_what_an_outcome_proves_is_entered(root: Staging) -> None:
    mixed = Outcome(
        delivered=1,
        rejected=(Refused(1, 400),),
        undelivered=1,
        attempts=(Attempt(3, 400), Attempt(1, 200), Attempt(2, 400), Attempt(1, 400), Attempt(1, 503)),
    )
    enter(root, event("1"), event("2"), event("3"), outcome=mixed)
    enter(root, event("4"), event("5"), outcome=Outcome(delivered=1, undelivered=1))
    enter(root, event("6"), outcome=Outcome(undelivered=1))
    assert [str(n) for n in range(1, 7) if event(str(n)) in Ledger(root)] == ["1"]


@pytest.mark.parametrize("at", ["", "yesterday", "1767607200", "../../../etc/passwd", "2026-01-05"])
def test_an_event_without_an_hour_is_always_sent(root: Staging, at: str) -> None:
    enter(root, event("1", at))
    assert event("1", at) not in Ledger(root)
    assert root.names("") == []


def test_the_next_run_sends_only_what_is_new(root: Staging) -> None:
    segment = always(200)
    first = stage(root, "a", [result("1"), result("2", at="11:00")], segment=segment, prefix="p-")
    later = NOON + timedelta(hours=1)
    second = stage(
        root, "b", [result("1"), result("2", at="11:00"), result("3")], segment=segment, prefix="p-", end=later
    )
    third = stage(root, "c", [result("1"), result("9", user="x")], segment=segment, prefix="p-", end=later)
    assert segment.requests == [["p-1", "p-2"], ["p-3"]]
    assert books(first) == JourneyBooks(found=2, events=2, batches=1, sent=2)
    assert books(second) == JourneyBooks(found=3, events=1, batches=1, sent=1, acknowledged=2)
    assert books(third) == JourneyBooks(found=2, acknowledged=1, rejected={"unknown_user": 1})
    report = recounted(second)
    assert (report.succeeded, report.total.acknowledged) == (True, 2)
    assert report.summary().startswith("3 found = 1 sent + 0 rejected + 0 undelivered + 0 withheld + 2 acknowledged;")


def test_with_another_prefix_it_is_another_event(root: Staging) -> None:
    segment = always(200)
    for prefix in ("a-", "b-"):
        stage(root, prefix, [result("1")], segment=segment, prefix=prefix)
    assert segment.delivered == ["a-1", "b-1"]


def test_whoever_always_resends_neither_reads_nor_writes_the_ledger(root: Staging) -> None:
    segment = always(200)
    stage(root, "a", [result("1")], segment=segment, resend=Resend.ALWAYS)
    assert hours(root) == []
    stage(root, "b", [result("1")], segment=segment)
    run = stage(root, "c", [result("1")], segment=segment, resend=Resend.ALWAYS)
    assert segment.delivered == ["1", "1", "1"]
    assert not run.folder.exists(layout.acknowledged(JOURNEY))


def test_what_segment_did_not_take_is_sent_by_the_next_run(root: Staging) -> None:
    stage(root, "a", [result("1")], segment=always(503))
    segment = always(200)
    stage(root, "b", [result("1")], segment=segment)
    assert segment.delivered == ["1"]


def test_a_dry_run_tells_what_is_acknowledged(root: Staging) -> None:
    stage(root, "a", [result("1")], segment=always(200))
    run = stage(root, "b", [result("1"), result("2")], dry_run=True)
    assert books(run) == JourneyBooks(found=2, events=1, batches=1, withheld=1, acknowledged=1)


def test_a_crash_before_the_ledger_sends_again_and_loses_nothing(
    root: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = always(200)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "enter", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            stage(root, "a", [result("1")], segment=segment)
    first = next(run for run in find(root) if run.name == "a")
    assert line.deliver_all(first.folder, [layout.batch(JOURNEY, 1)], segment.segment()) == 1
    assert segment.delivered == ["1"]  # its outcome was staged
    assert [books(stage(root, key, [result("1")], segment=segment)).acknowledged for key in "bc"] == [0, 1]
    assert segment.delivered == ["1", "1"]


def test_converting_anew_after_delivery_leaves_the_books_balanced(root: Staging) -> None:
    run = stage(root, "a", [result("1"), result("2")], segment=always(200))
    line.convert_results(run.folder)
    assert books(run) == JourneyBooks(found=2, acknowledged=2)


def test_what_a_redrive_delivers_is_entered(root: Staging) -> None:
    run = stage(root, "a", [result("1")], segment=always(503))
    Redrive(find(root), always(200).segment(), now=NOON).take_up(run)
    segment = always(200)
    assert books(stage(root, "b", [result("1")], segment=segment)).acknowledged == 1
    assert segment.requests == []


def test_explain_tells_that_it_was_acknowledged(root: Staging) -> None:
    for key in "ab":
        stage(root, key, [result("1")], segment=always(200), prefix="p-")
    told = explain(find(root), "1").text()
    assert f"acknowledged/{JOURNEY}.ndjson: acknowledged by Segment before, to another run" in told
    assert explain(find(root), "p-1").text().count("acknowledged by Segment") == 1


def test_odd_ids_are_counted_as_one_each(root: Staging) -> None:
    segment = Answers(lambda _: 200)
    odd = [result("a\nb"), result('"'), result("\u2028")]
    stage(root, "a", odd, segment=segment)
    assert books(stage(root, "b", odd, segment=segment)).acknowledged == 3


def test_old_hours_expire(root: Staging) -> None:
    now = datetime(2026, 1, 9, 10, 30, tzinfo=UTC)
    for day in range(1, 10):
        enter(root, event("1", f"2026-01-{day:02}T10:00:00Z"))
    forever = timedelta(days=99)
    housekeeping.expire(root, keep=forever, keep_reports=forever, keep_ledger=timedelta(days=2), now=now)
    assert hours(root) == ["2026-01-07T10", "2026-01-08T10", "2026-01-09T10"]
    assert event("1", "2026-01-07T10:00:00Z") in Ledger(root)
