from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from segment_bridge import layout, line
from segment_bridge.errors import FatalError
from segment_bridge.identity import Maps
from segment_bridge.redrive import Redrive, Redriven, asks_for_maps, recount, to_be_redriven
from segment_bridge.redriven import Record
from segment_bridge.report import JourneyBooks
from segment_bridge.runs import find
from segment_bridge.segment import Attempt, MisconfiguredError, Outcome, Refused
from segment_bridge.staging import Staging
from tests.unit.leftovers import JOURNEY, NOON, USERS, WORKSPACES, Answers, always, recounted, result, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from segment_bridge.runs import Run

BOB_IS_KNOWN = Maps(users={**USERS, "bob": "id-bob"}, workspaces=WORKSPACES)


@pytest.fixture(params=["disk", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Staging]:
    made = Staging.at(str(tmp_path) if request.param == "disk" else f"memory://{uuid4()}")
    yield made
    made.remove()


def redrive(
    root: Staging, run: Run, answers: Answers | None, maps: Maps | None = None, now: datetime = NOON
) -> Redriven:
    return Redrive(find(root), answers.segment() if answers else None, maps, now).take_up(run)


def books(run: Run) -> JourneyBooks:
    """Count anew; the books have to balance, whatever happens."""
    report = recounted(run)
    assert report.balanced, report.problems
    return report.journeys[JOURNEY]


def records(run: Run) -> list[Record]:
    return [run.folder.read_json(name, Record) for name in run.folder.names(layout.REDRIVES)]


def test_undelivered_events_are_sent_with_their_bytes_and_recorded(root: Staging) -> None:
    run = stage(root, "a", [result("1"), result("2")], segment=always(503), prefix="p-")
    before = books(run)
    with run.folder.read(layout.batch(JOURNEY, 1)) as file:
        events = json.loads(file.read())["batch"]
    segment = always(200)

    assert redrive(root, run, segment) == Redriven(run="a", undelivered=2, sent=2)
    assert segment.taken == events
    assert [event["messageId"] for event in events] == ["p-1", "p-2"]
    assert records(run) == [
        Record(
            at=NOON,
            prefix="p-",
            sent=("p-1", "p-2"),
            outcome=Outcome(delivered=2, attempts=(Attempt(2, 200),)),
        )
    ]
    assert before == JourneyBooks(found=2, events=2, batches=1, undelivered=2)
    assert books(run) == JourneyBooks(found=2, events=2, batches=1, sent=2)
    assert recounted(run).problems == ()


def test_nothing_is_redriven_twice(root: Staging) -> None:
    run = stage(root, "a", [result("1"), result("2", user="bob")], segment=always(503))
    first, second = always(200), always(200)
    redrive(root, run, first, BOB_IS_KNOWN)
    assert redrive(root, run, second, BOB_IS_KNOWN) == Redriven(run="a")
    assert (first.delivered, second.requests, len(records(run))) == (["1", "2"], [], 1)


def test_batches_without_an_outcome_are_undelivered(root: Staging) -> None:
    run = stage(root, "a", [result("1")])
    assert redrive(root, run, always(200)) == Redriven(run="a", undelivered=1, sent=1)
    assert books(run) == JourneyBooks(found=1, events=1, batches=1, sent=1)


def test_of_a_batch_delivered_in_part_the_rest_alone_is_sent(root: Staging) -> None:
    poisoned = Answers(lambda ids: 503 if ids == ["3", "4"] else 400 if "2" in ids else 200)
    run = stage(root, "a", [result(str(number)) for number in range(1, 5)], segment=poisoned)
    assert books(run) == JourneyBooks(
        found=4, events=4, batches=1, sent=1, rejected={"refused_by_segment": 1}, refused=1, undelivered=2
    )
    segment = always(200)
    assert redrive(root, run, segment) == Redriven(run="a", undelivered=2, sent=2)
    assert segment.requests == [["3", "4"]]
    assert books(run) == JourneyBooks(
        found=4, events=4, batches=1, sent=3, rejected={"refused_by_segment": 1}, refused=1
    )


def test_where_an_outcome_does_not_prove_which_events_are_left_all_are_sent(root: Staging) -> None:
    run = stage(root, "a", [result("1"), result("2")], segment=always(503))
    run.folder.write_json(layout.outcome(layout.batch(JOURNEY, 1)), Outcome(delivered=1, undelivered=1))
    segment = always(200)
    assert redrive(root, run, segment) == Redriven(run="a", undelivered=2, sent=2)
    assert books(run) == JourneyBooks(found=2, events=2, batches=1, sent=2)


def test_rejections_whose_user_or_namespace_is_known_by_now_become_events(root: Staging) -> None:
    results = [
        result("1"),
        result("2", user="bob"),
        result("3", namespace="new-tenant"),
        result("4", namespace="bobs-tenant"),
        result("5", user="nobody"),
        {**result("6", user="bob"), "properties": "no JSON"},
        {**result("7"), "context": "no JSON"},
    ]
    run = stage(root, "a", results, segment=always(200), prefix="p-")
    assert books(run).rejected == {"malformed_context": 1, "unknown_namespace": 2, "unknown_user": 3}
    maps = Maps(users=BOB_IS_KNOWN.users, workspaces={**WORKSPACES, "new-tenant": "ann", "bobs-tenant": "nobody"})
    segment = always(200)

    assert asks_for_maps(run)
    assert redrive(root, run, segment, maps) == Redriven(run="a", rejected=2, unknown=2, sent=2)
    assert [(event["messageId"], event["userId"], event["properties"]) for event in segment.taken] == [
        ("p-2", "id-bob", {"name": "shop", "workspaceID": "id-owner"}),
        ("p-3", "id-ann", {"name": "shop", "workspaceID": "id-ann"}),
    ]
    # The reasons of those that stay are those of their run.
    assert books(run) == JourneyBooks(
        found=7,
        events=3,
        batches=1,
        sent=3,
        rejected={"malformed_context": 1, "unknown_namespace": 1, "unknown_user": 2},
    )


def test_a_user_whom_splunk_has_looked_up_in_vain_is_left_to_the_next_search(root: Staging) -> None:
    looked_up = {name: value for name, value in result("1").items() if name != "userId"} | {"identity": "splunk_lookup"}
    found = looked_up | {"messageId": "2", "userSsoId": "id-bob", "namespace": "new-tenant"}
    run = stage(root, "a", [looked_up, found], segment=always(200))
    assert books(run).rejected == {"unknown_namespace": 1, "unknown_user": 1}
    maps = Maps(users=BOB_IS_KNOWN.users, workspaces={**WORKSPACES, "new-tenant": "ann"})
    assert redrive(root, run, always(200), maps) == Redriven(run="a", rejected=1, sent=1)
    assert books(run).rejected == {"unknown_user": 1}


def test_without_maps_rejections_are_left_alone(root: Staging) -> None:
    run = stage(root, "a", [result("1", user="bob")], segment=always(200))
    assert redrive(root, run, always(200)) == Redriven(run="a")


@pytest.mark.parametrize(
    ("answers", "done", "after"),
    [
        (
            always(503),
            Redriven(run="a", undelivered=1, rejected=1, left=2),
            JourneyBooks(found=2, events=1, batches=1, undelivered=1, rejected={"unknown_user": 1}),
        ),
        (
            Answers(lambda ids: 400 if "2" in ids else 200),
            Redriven(run="a", undelivered=1, rejected=1, sent=1, refused=1),
            JourneyBooks(found=2, events=2, batches=1, sent=1, rejected={"refused_by_segment": 1}, refused=1),
        ),
        (
            Answers(lambda ids: 413 if "1" in ids else 200),
            Redriven(run="a", undelivered=1, rejected=1, sent=1, refused=1),
            JourneyBooks(found=2, events=2, batches=1, sent=1, rejected={"refused_by_segment": 1}, refused=1),
        ),
    ],
)
def test_the_books_balance_whatever_segment_answers(
    root: Staging, answers: Answers, done: Redriven, after: JourneyBooks
) -> None:
    run = stage(root, "a", [result("1"), result("2", user="bob")], segment=always(503))
    assert redrive(root, run, answers, BOB_IS_KNOWN) == done
    assert books(run) == after
    left = done.left
    again = redrive(root, run, always(200), BOB_IS_KNOWN)
    assert (again.sent, again.left, again.refused) == (left, 0, 0)
    assert books(run).undelivered == 0


def test_a_misconfiguration_stops_it_and_is_recorded(root: Staging) -> None:
    run = stage(root, "a", [result("1")], segment=always(503))
    with pytest.raises(MisconfiguredError):
        redrive(root, run, always(401))
    assert [record.outcome.attempts for record in records(run) if record.outcome] == [(Attempt(1, 401),)]
    assert books(run) == JourneyBooks(found=1, events=1, batches=1, undelivered=1)
    assert redrive(root, run, always(200)) == Redriven(run="a", undelivered=1, sent=1)


def test_a_crash_between_sending_and_recording_sends_the_same_once_more(
    root: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stage(root, "a", [result("1")], segment=always(503))
    segment = always(200)
    with monkeypatch.context() as patch:
        patch.setattr(Staging, "write_json", lambda *_: (_ for _ in ()).throw(FatalError("killed")))
        with pytest.raises(FatalError):
            redrive(root, run, segment)
    assert redrive(root, run, segment) == Redriven(run="a", undelivered=1, sent=1)
    assert segment.requests == [["1"], ["1"]]
    assert books(run) == JourneyBooks(found=1, events=1, batches=1, sent=1)


def test_two_at_once_count_once(root: Staging) -> None:
    run = stage(root, "a", [result("1"), result("2", user="bob")], segment=always(503))
    second = always(200)

    def meanwhile(_: list[str]) -> int:
        if not second.requests:
            assert redrive(root, run, second, BOB_IS_KNOWN).sent == 2
        return 200

    assert redrive(root, run, Answers(meanwhile), BOB_IS_KNOWN).sent == 2
    assert len(records(run)) == 2
    assert books(run) == JourneyBooks(found=2, events=2, batches=1, sent=2)


def test_one_that_fails_does_not_undo_what_another_has_delivered_at_once(root: Staging) -> None:
    run = stage(root, "a", [result("1")], segment=always(503))

    def meanwhile(_: list[str]) -> int:
        redrive(root, run, always(200))
        return 401

    with pytest.raises(MisconfiguredError):
        redrive(root, run, Answers(meanwhile))
    assert books(run) == JourneyBooks(found=1, events=1, batches=1, sent=1)


def test_the_books_are_closed_again_if_another_has_recorded_something_meanwhile(root: Staging) -> None:
    run = stage(root, "a", [result("1")], segment=always(503))
    closed = []

    def close() -> None:
        closed.append(recounted(run).total.sent)
        if len(closed) == 1:
            redrive(root, run, always(200))

    recount(run, close)
    assert closed == [0, 1]


def test_what_another_run_has_delivered_is_not_sent_again(root: Staging) -> None:
    run = stage(root, "a", [result("1"), result("2", user="bob"), result("3")], segment=always(503))
    later = [result("1"), result("2"), result("4")]
    stage(root, "b", later, segment=Answers(lambda _: 200), end=NOON + timedelta(hours=1))
    segment = always(200)
    done = redrive(root, run, segment, BOB_IS_KNOWN)
    assert done == Redriven(run="a", undelivered=2, rejected=1, acknowledged=2, sent=1)
    assert segment.requests == [["3"]]
    assert [record.acknowledged for record in records(run)] == [("1", "2"), ()]
    assert books(run) == JourneyBooks(found=3, events=1, batches=1, sent=1, acknowledged=2)


def test_an_event_that_several_runs_left_behind_is_sent_once(root: Staging) -> None:
    hours = {"a": NOON, "b": NOON + timedelta(hours=1)}
    runs = [stage(root, key, [result("1")], segment=always(503), end=end) for key, end in hours.items()]
    segment = always(200)
    one = Redrive(find(root), segment.segment(), now=NOON)
    assert [one.take_up(run) for run in runs] == [
        Redriven(run="a", undelivered=1, sent=1),
        Redriven(run="b", undelivered=1, acknowledged=1),
    ]
    assert segment.requests == [["1"]]
    assert [(books(run).sent, books(run).acknowledged) for run in runs] == [(1, 0), (0, 1)]


def test_a_dry_run_sends_and_records_nothing_and_counts_each_event_once(root: Staging) -> None:
    hours = {"a": NOON, "b": NOON + timedelta(hours=1)}
    both = [result("1"), result("2", user="bob")]
    runs = [stage(root, key, both, segment=always(503), end=end) for key, end in hours.items()]
    one = Redrive(find(root), None, BOB_IS_KNOWN, NOON)
    assert [one.take_up(run) for run in runs] == [
        Redriven(run="a", undelivered=1, rejected=1, withheld=2),
        Redriven(run="b", undelivered=1, rejected=1, acknowledged=2),
    ]
    assert [records(run) for run in runs] == [[], []]


def test_one_audit_id_twice_in_a_run_is_sent_once_and_counted_twice(root: Staging) -> None:
    run = stage(root, "a", [result("1"), result("1")], segment=always(503))
    segment = always(200)
    assert redrive(root, run, segment) == Redriven(run="a", undelivered=1, sent=1)
    assert books(run) == JourneyBooks(found=2, events=2, batches=1, sent=2)


@pytest.mark.parametrize(("hours", "old"), [(24, 0), (24.1, 1)])
def test_events_older_than_segments_memory_are_counted(root: Staging, hours: float, old: int) -> None:
    run = stage(root, "a", [result("1", at="10:00")], segment=always(503))
    now = datetime(2026, 1, 5, 10, tzinfo=UTC) + timedelta(hours=hours)
    assert redrive(root, run, None, now=now) == Redriven(run="a", undelivered=1, old=old, withheld=1)


def test_of_all_runs_those_are_redriven_that_are_closed_and_were_to_send(root: Staging) -> None:
    stage(root, "closed", [result("1")])
    stage(root, "open", [result("1")], closed=False)
    stage(root, "dry", [result("1")], dry_run=True)
    root.folder("runs").folder("expired").write_json(layout.REPORT, {})
    assert [run.name for run in to_be_redriven(find(root))] == ["closed"]


def test_a_refusal_that_another_redrive_overcame_counts_as_sent(root: Staging) -> None:
    run = stage(root, "a", [result("1")], segment=always(503))
    refused = Outcome(rejected=(Refused(0, 400),), attempts=(Attempt(1, 400),))
    delivered = Outcome(delivered=1, attempts=(Attempt(1, 200),))
    for number, outcome in enumerate((refused, delivered)):
        record = Record(at=NOON, sent=("1",), outcome=outcome)
        run.folder.write_json(layout.redrive(str(number), JOURNEY, 1), record)
    assert books(run) == JourneyBooks(found=1, events=1, batches=1, sent=1)


def test_a_journey_without_an_answer_has_nothing_to_settle(root: Staging) -> None:
    run = stage(root, "a", [result("1", user="bob")], segment=always(200))
    redrive(root, run, always(200), BOB_IS_KNOWN)
    run.folder.remove(layout.results(JOURNEY))
    assert books(run) == JourneyBooks(state="failed")


def test_converting_anew_after_a_redrive_leaves_nothing_undelivered(root: Staging) -> None:
    run = stage(root, "a", [result("1"), result("2", user="bob")], segment=always(503))
    redrive(root, run, always(200), BOB_IS_KNOWN)
    run.folder.write_json(layout.map_file(layout.USERS), BOB_IS_KNOWN.users)
    line.convert_results(run.folder)
    assert books(run) == JourneyBooks(found=2, events=2, batches=1, sent=2)
