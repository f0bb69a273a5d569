from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from segment_bridge import closing, housekeeping, layout, line, watermark
from segment_bridge.errors import ConfigurationError, FatalError, HoleError, SilentSourceError, UnbalancedBooks
from segment_bridge.exclusions import Exclusions
from segment_bridge.identity import Maps
from segment_bridge.plan import Plan, Span
from segment_bridge.redrive import Redrive
from segment_bridge.report import Alarm, JourneyBooks, MapBooks, MessageBooks, Report, ToleratedBooks
from segment_bridge.runs import find
from segment_bridge.source_check import Seen
from segment_bridge.splunk.messages import crowded
from segment_bridge.staging import Staging
from segment_bridge.window import Kind
from tests.unit.leftovers import JOURNEY, NOON, USERS, WORKSPACES, always, recounted, result, stage

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)


@pytest.fixture
def root(tmp_path: Path) -> Staging:
    return Staging.at(str(tmp_path))


def replan(folder: Staging, **changes: object) -> None:
    plan = folder.read_json(layout.PLAN, Plan)
    folder.write_json(layout.PLAN, msgspec.structs.replace(plan, begun=NOON, **changes))


def test_books_that_balance_have_no_problems(root: Staging) -> None:
    run = stage(root, "one", [result("a"), result("b", namespace="nobody's")], segment=always(200))
    replan(run.folder)
    report = closing.close(run.folder, "one")
    assert (report.balanced, report.problems, report.warnings, report.alarms) == (True, (), (), ())
    assert report.alarm_kinds == ()
    assert report.coverage == 0.5
    report.require_success()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (layout.map_file(layout.USERS), "there is no map of users"),
        (layout.rejected(JOURNEY), f"{JOURNEY}: its results are not converted"),
        (layout.results(JOURNEY), f"{JOURNEY}: no complete answer to its search"),
    ],
)
def test_a_step_that_has_left_nothing_is_a_problem_even_where_nothing_was_found(
    root: Staging, damage: str, told: str
) -> None:
    run = stage(root, "one", [], closed=False)
    run.folder.write_json(layout.SOURCE, Seen(silent=False))
    run.folder.remove(damage)
    report = closing.close(run.folder, "one")
    assert report.problems == (told,)
    with pytest.raises(FatalError) as caught:
        report.require_success()
    assert str(caught.value) == f"the run is not complete: {told}"


def test_a_batch_that_is_gone_breaks_the_books_and_is_an_alarm(root: Staging) -> None:
    run = stage(root, "one", [result("a"), result("b")], segment=always(200))
    run.folder.remove(layout.batch(JOURNEY, 1))
    report = closing.close(run.folder, "one")
    told = f"{JOURNEY}: 2 found, but 0 converted and 0 rejected"
    assert (report.balanced, report.problems, report.alarms) == (False, (told,), (told,))
    assert report.alarm_kinds == (Alarm.UNBALANCED,)
    with pytest.raises(UnbalancedBooks):
        report.require_success()


def test_a_hole_is_a_problem_with_its_name(root: Staging) -> None:
    run = stage(root, "one", [result("a")], segment=always(200))
    replan(run.folder, hole=Span(NOON - 20 * HOUR, NOON - 4 * HOUR))
    report = closing.close(run.folder, "one")
    hole = "[2026-01-04T16:00:00Z, 2026-01-05T08:00:00Z)"
    told = f"no run has covered {hole}, and none will by itself: start a backfill while Splunk has the records"
    assert (report.problems, report.alarms, report.alarm_kinds) == ((told,), (told,), (Alarm.HOLE,))
    assert closing.covers(report)
    with pytest.raises(HoleError) as caught:
        report.require_success()
    assert str(caught.value) == f"the run is not complete: {told}"


def test_nothing_found_is_no_success_before_the_source_is_known_to_speak(root: Staging) -> None:
    run = stage(root, "one", [])
    report = closing.close(run.folder, "one")
    told = "no journey found anything, and nothing says whether there was anything to be found"
    assert (report.problems, report.alarms, report.alarm_kinds) == ((told,), (told,), (Alarm.UNKNOWN_SILENCE,))
    assert not closing.covers(report)
    with pytest.raises(FatalError) as caught:
        report.require_success()
    assert type(caught.value) is FatalError


def test_a_refused_event_is_a_problem_that_no_later_run_would_make_good(root: Staging) -> None:
    run = stage(root, "one", [result("a")], segment=always(400))
    report = closing.close(run.folder, "one")
    assert report.problems == (f"{JOURNEY}: 1 events refused by Segment",)
    assert closing.covers(report)


class TestAllRejected:
    """A journey that found something, and made no event of it."""

    GHOST, STRANGER = "no tenant namespace of that name", "no user of that name"

    def close(self, root: Staging, *results: dict[str, Any], **plan: object) -> Report:
        run = stage(root, "one", results, segment=always(200), closed=False, exclusions=Exclusions.of(users=["load-*"]))
        replan(run.folder, **plan)
        return closing.close(run.folder, "one")

    def told(self, count: int, reasons: str) -> tuple[str]:
        advice = "if that is to be expected, name the journey in expect_all_rejected"
        return (f"{JOURNEY}: all {count} results were rejected ({reasons}); {advice}",)

    def test_it_is_a_problem_with_its_reasons_but_another_run_would_find_the_same(self, root: Staging) -> None:
        found = [result("a", namespace="gone"), result("b", user="x"), result("c", user="x")]
        report = self.close(root, *found, kind=Kind.SCHEDULED)
        reasons = f"1 unknown_namespace: {self.GHOST}; 2 unknown_user: {self.STRANGER}"
        assert (report.problems, report.alarms) == (self.told(3, reasons), ())
        assert closing.covers(report)
        with pytest.raises(FatalError, match=r"^the run is not complete: application-events: all 3 results"):
            report.require_success()

    def test_one_event_among_them_is_enough(self, root: Staging) -> None:
        report = self.close(root, result("a"), result("b", user="x"), result("c", user="x"))
        assert report.problems == ()

    def test_a_setting_may_say_that_it_is_expected(self, root: Staging) -> None:
        report = self.close(root, result("b", user="x"), expect_all_rejected=(JOURNEY,))
        assert (report.problems, report.total.rejected) == ((), {"unknown_user": 1})

    def test_of_another_journey_that_says_nothing(self, root: Staging) -> None:
        report = self.close(root, result("b", user="x"), expect_all_rejected=("release-done",))
        assert report.problems == self.told(1, f"1 unknown_user: {self.STRANGER}")

    def test_what_is_excluded_alarms_nobody(self, root: Staging) -> None:
        report = self.close(root, result("a", user="load-1"), result("b", user="load-2"), least_coverage=1.0)
        assert (report.problems, report.alarms, report.coverage) == ((), (), 1.0)
        assert report.total.rejected == {"excluded": 2}

    def test_what_is_excluded_counts_for_nothing_beside_the_rest(self, root: Staging) -> None:
        found = [result("a", user="load-1"), result("b", user="load-2"), result("c", user="x")]
        report = self.close(root, *found)
        assert report.problems == self.told(1, f"1 unknown_user: {self.STRANGER}")
        assert report.coverage == 0.0
        assert self.close(root, *found, result("d")).coverage == 0.5

    def test_what_is_not_converted_is_told_as_that(self, root: Staging) -> None:
        run = stage(root, "one", [result("b", user="x")], closed=False)
        run.folder.remove(layout.rejected(JOURNEY))
        assert closing.close(run.folder, "one").problems == (
            f"{JOURNEY}: its results are not converted",
            f"{JOURNEY}: 1 found, but 0 converted and 0 rejected",
        )

    def test_a_redrive_that_makes_events_of_them_ends_it(self, root: Staging) -> None:
        run = stage(root, "one", [result("b", user="bob")], segment=always(200))
        assert not recounted(run).succeeded
        maps = Maps(users={**USERS, "bob": "id-bob"}, workspaces=WORKSPACES)
        Redrive([run], always(200).segment(), maps).take_up(run)
        assert recounted(run).problems == ()


@pytest.mark.parametrize("beside", [0, 1])
def test_fields_extracted_twice_are_a_problem_until_they_are_searched_again(root: Staging, beside: int) -> None:
    twice: Any = {name: [value, value] for name, value in result("a").items()}
    run = stage(root, "one", [twice, *[result("b")] * beside], segment=always(200), closed=False)
    replan(run.folder, expect_all_rejected=(JOURNEY,))
    report = closing.close(run.folder, "one")
    told = (
        f"{JOURNEY}: 1 results rejected: Splunk extracts every field twice, as it does with INDEXED_EXTRACTIONS=json "
        "beside KV_MODE=json: remove one of the two from Splunk's props.conf"
    )
    assert report.problems == (told,)
    assert not closing.covers(report)


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (
            Seen(silent=True),
            "the source is silent: the window holds no audit record at all; check the index, and what feeds it",
        ),
        (
            Seen(silent=True, other_records=True),
            (
                "the window holds records, but none with log_type=audit: "
                "check the index, and what the collector adds to audit records"
            ),
        ),
        (
            Seen(silent=False, unreadable=True),
            (
                "no audit record's text is the audit event as JSON, which searches read: "
                "let the collector send each audit event as it is, with nothing before or around it"
            ),
        ),
    ],
)
def test_a_silent_source_is_a_problem(root: Staging, seen: Seen, told: str) -> None:
    run = stage(root, "one", [])
    run.folder.write_json(layout.SOURCE, seen)
    report = closing.close(run.folder, "one")
    assert (report.problems, report.alarms, report.alarm_kinds) == ((told,), (told,), (Alarm.SILENT,))
    assert not closing.covers(report)
    with pytest.raises(SilentSourceError) as caught:
        report.require_success()
    assert str(caught.value) == f"the run is not complete: {told}"


def test_a_source_that_speaks_is_no_problem_where_nothing_was_found(root: Staging) -> None:
    run = stage(root, "one", [])
    run.folder.write_json(layout.SOURCE, Seen(silent=False))
    report = closing.close(run.folder, "one")
    assert (report.problems, report.warnings, report.alarms, report.alarm_kinds) == ((), (), (), ())
    assert closing.covers(report)
    report.require_success()


def test_records_that_the_api_server_has_cut_are_counted_and_warned_of(root: Staging) -> None:
    run = stage(root, "one", [result("a")], segment=always(200))
    replan(run.folder)
    run.folder.write_json(layout.SOURCE, Seen(truncated={"components": 2, "pipelineruns": 12}))
    report = closing.close(run.folder, "one")
    told = (
        "the API server cut records that were too large, which journeys may have missed: 2 of components, "
        "12 of pipelineruns; raise its --audit-log-truncate-max-event-size, or that of the webhook"
    )
    assert report.truncated == {"components": 2, "pipelineruns": 12}
    assert (report.problems, report.warnings, report.alarms) == ((), (told,), ())
    assert report.summary() == (
        f"1 found = 1 sent + 0 rejected + 0 undelivered + 0 withheld + 0 acknowledged; 1 batches\nwarning: {told}"
    )


def test_a_source_that_was_not_checked_is_told(root: Staging) -> None:
    run = stage(root, "one", [result("a")], segment=always(200))
    replan(run.folder)
    run.folder.remove(layout.SOURCE)
    report = closing.close(run.folder, "one")
    told = "nothing says how many records the API server has cut: the source was not checked"
    assert (report.truncated, report.problems, report.warnings, report.alarms) == ({}, (), (told,), ())


def test_few_known_users_are_a_warning_that_somebody_is_told(root: Staging) -> None:
    run = stage(root, "one", [result("a"), *(result(f"b{n}", user="x") for n in range(3))], segment=always(200))
    replan(run.folder, least_coverage=0.5)
    report = closing.close(run.folder, "one")
    told = (
        "of 4 results, the user and workspace of 25.0% are known, and 50.0% are expected: "
        "compare the maps with those of earlier reports"
    )
    assert (report.problems, report.warnings, report.alarms) == ((), (told,), (told,))
    assert report.alarm_kinds == (Alarm.UNKNOWN,)


def test_a_map_that_stands_in_is_told(root: Staging) -> None:
    run = stage(root, "one", [result("a")], segment=always(200))
    replan(run.folder)
    books = MapBooks(entries=2, skipped=0, collisions=0, stands_in="the cluster is down")
    run.folder.write_json(layout.map_summary(layout.USERS), books)
    report = closing.close(run.folder, "one")
    told = "the map of users: the cluster is down"
    assert (report.problems, report.warnings, report.alarms) == ((), (told,), (told,))
    assert report.alarm_kinds == (Alarm.STAND_IN,)


def test_what_became_of_splunks_messages_is_told(root: Staging) -> None:
    known = ToleratedBooks(pattern="Timed out waiting*", reason="a test", count=2)
    run = stage(root, "one", [result("a")], segment=always(200)).folder
    replan(run, journeys=(JOURNEY, "release-done"))
    run.write_json(layout.messages(JOURNEY), MessageBooks(passed=3, tolerated=(known,), full=("ERROR", "WARN")))
    run.write_json(layout.messages(layout.SOURCE_CHECK), MessageBooks(tolerated=(known,)))
    stopped = MessageBooks(stopped_by="WARN, results may be missing")
    run.write_json(layout.messages("release-done"), stopped)
    report = closing.close(run, "one")
    assert report.tolerated_messages == (msgspec.structs.replace(known, count=4),)
    assert report.warnings == (
        'tolerated messages of Splunk: 4 as "Timed out waiting*" (a test)',
        f"{JOURNEY}: {crowded(('WARN', 'ERROR'))}",
    )
    assert report.problems == ("release-done: no complete answer to its search (WARN, results may be missing)",)
    assert report.journeys["release-done"] == JourneyBooks(state="failed", stopped_by=stopped.stopped_by)


def test_odd_ids_are_warnings_without_names(root: Staging) -> None:
    run = stage(root, "one", [result("a")], segment=always(200))
    replan(run.folder)
    run.folder.write_json(
        layout.map_summary(layout.USERS), MapBooks(entries=2, skipped=3, collisions=0, unusable_ids=2, short_ids=1)
    )
    report = closing.close(run.folder, "one")
    assert (report.problems, report.alarms) == ((), ())
    assert tuple(one for one in report.warnings if one.startswith("the map")) == (
        "the map of users: 2 UserSignups left out, whose ID identifies nobody, such as null or unknown",
        "the map of users: 1 users with an ID of fewer than 5 characters, which Amplitude removes",
    )


@pytest.mark.parametrize(("later", "warned"), [(20 * HOUR, False), (20 * HOUR + timedelta(seconds=1), True)])
def test_events_older_than_segment_remembers_are_a_warning(root: Staging, later: timedelta, warned: bool) -> None:
    run = stage(root, "one", [result("a")], segment=always(200))
    plan = run.folder.read_json(layout.PLAN, Plan)
    run.folder.write_json(layout.PLAN, msgspec.structs.replace(plan, begun=NOON + later))
    assert bool(closing.close(run.folder, "one").warnings) is warned


class TestWatermark:
    def close(self, root: Staging, key: str, **plan: object) -> None:
        run = stage(root, key, [result("a")], segment=always(200), closed=False)
        replan(run.folder, **plan)
        line.close(root, key)

    def test_a_scheduled_success_covers_its_window(self, root: Staging) -> None:
        assert watermark.read(root) is None
        self.close(root, "one", kind=Kind.SCHEDULED)
        assert watermark.read(root) == NOON

    def test_a_run_of_the_past_moves_nothing_back(self, root: Staging) -> None:
        watermark.advance(root, NOON + HOUR, "later")
        self.close(root, "one", kind=Kind.SCHEDULED)
        assert watermark.read(root) == NOON + HOUR

    @pytest.mark.parametrize("plan", [{"kind": Kind.MANUAL}, {"kind": Kind.BACKFILL}])
    def test_other_runs_cover_nothing(self, root: Staging, plan: dict[str, object]) -> None:
        self.close(root, "one", **plan)
        assert watermark.read(root) is None

    def test_a_run_begins_again_with_the_mark_that_it_began_with(self, root: Staging) -> None:
        assert line.covered_before(root, "one") is None
        watermark.advance(root, NOON - 9 * HOUR, "before")
        assert line.covered_before(root, "one") == NOON - 9 * HOUR
        self.close(root, "one", kind=Kind.SCHEDULED, covered=NOON - 9 * HOUR)
        assert watermark.read(root) == NOON
        assert line.covered_before(root, "one") == NOON - 9 * HOUR
        assert line.covered_before(root, "two") == NOON

    def test_a_plan_that_is_damaged_tells_of_no_mark(self, root: Staging) -> None:
        watermark.advance(root, NOON, "before")
        with layout.run_of(root, "one").write(layout.PLAN) as file:
            file.write(b"{")
        assert line.covered_before(root, "one") == NOON

    def test_the_first_run_begins_the_mark_so_that_the_next_one_reaches_back_if_it_fails(self, root: Staging) -> None:
        plan = Plan(span=Span(NOON - 4 * HOUR, NOON), journeys=(JOURNEY,), kind=Kind.SCHEDULED)
        for _ in range(2):
            line.begin(layout.run_of(root, "one"), plan)
            assert watermark.read(root) == NOON - HOUR
        later = msgspec.structs.replace(plan, span=Span(NOON - 4 * HOUR, NOON + 9 * HOUR))
        line.begin(layout.run_of(root, "two"), later)
        assert watermark.read(root) == NOON - HOUR

    @pytest.mark.parametrize("kind", [Kind.MANUAL, Kind.BACKFILL])
    def test_other_runs_begin_no_mark(self, root: Staging, kind: Kind) -> None:
        plan = Plan(span=Span(NOON - 4 * HOUR, NOON), journeys=(JOURNEY,), kind=kind)
        line.begin(layout.run_of(root, "one"), plan)
        assert watermark.read(root) is None

    def test_a_failed_run_covers_nothing(self, root: Staging) -> None:
        run = stage(root, "one", [result("a")], segment=always(503), closed=False)
        replan(run.folder, kind=Kind.SCHEDULED)
        line.close(root, "one")
        assert watermark.read(root) is None

    def test_a_run_with_a_hole_covers_its_window_for_the_hole_is_named(self, root: Staging) -> None:
        self.close(root, "one", kind=Kind.SCHEDULED, hole=Span(NOON - 20 * HOUR, NOON - 4 * HOUR))
        assert watermark.read(root) == NOON


class TestHousekeeping:
    WEEK = timedelta(days=7)

    def begin(self, root: Staging, key: str, age: timedelta, *, closed: bool) -> Staging:
        folder = stage(root, key, [result("a")], segment=always(200), closed=False).folder
        plan = folder.read_json(layout.PLAN, Plan)
        folder.write_json(layout.PLAN, msgspec.structs.replace(plan, begun=datetime.now(UTC) - age))
        if closed:
            closing.close(folder, key)
        return folder

    def expire(self, root: Staging, keep: timedelta = WEEK, but: str = "") -> int:
        return housekeeping.expire(root, keep=keep, keep_reports=timedelta(days=90), but=but)

    def test_the_files_of_an_old_run_go_and_its_report_stays(self, root: Staging) -> None:
        old = self.begin(root, "old", timedelta(days=8), closed=True)
        young = self.begin(root, "young", timedelta(days=6), closed=True)
        before = young.names()
        assert self.expire(root) == 1
        assert (old.names(), young.names()) == ([layout.REPORT], before)
        assert self.expire(root) == 0

    def test_a_very_old_report_goes_too(self, root: Staging) -> None:
        self.begin(root, "old", timedelta(days=91), closed=True)
        assert self.expire(root) == 1
        assert root.folder("runs").folders() == []

    def test_a_run_in_progress_is_never_touched_whatever_the_settings(self, root: Staging) -> None:
        running = self.begin(root, "running", timedelta(hours=30), closed=False)
        before = running.names()
        assert self.expire(root, keep=timedelta(hours=1)) == 0
        assert running.names() == before

    def test_a_run_that_never_ended_goes_in_the_end(self, root: Staging) -> None:
        self.begin(root, "crashed", timedelta(days=8), closed=False)
        assert self.expire(root) == 1
        assert root.folder("runs").folders() == []

    @pytest.mark.parametrize("off", [timedelta(hours=-23), timedelta(hours=23)])
    def test_a_clock_that_is_off_by_less_than_a_day_removes_nothing_that_is_needed(
        self, root: Staging, off: timedelta
    ) -> None:
        running = self.begin(root, "running", timedelta(hours=4), closed=False)
        closed = self.begin(root, "closed", timedelta(days=5, hours=23), closed=True)
        before = running.names(), closed.names()
        now = datetime.now(UTC) + off
        assert housekeeping.expire(root, keep=self.WEEK, keep_reports=self.WEEK, now=now) == 0
        assert (running.names(), closed.names()) == before

    def test_the_run_that_asks_stays_and_so_does_what_is_no_run(self, root: Staging) -> None:
        mine = self.begin(root, "mine", timedelta(days=8), closed=True)
        before = mine.names()
        with root.folder("runs").write("stray/notes.txt") as file:
            file.write(b"a note")
        assert self.expire(root, but="mine") == 0
        assert mine.names() == before
        assert root.folder("runs").exists("stray/notes.txt")

    def test_half_written_files_of_an_old_run_go_too(self, root: Staging, tmp_path: Path) -> None:
        old = self.begin(root, "old", timedelta(days=8), closed=True)
        part = tmp_path / "runs" / "old" / "results" / ".half.part"
        part.write_bytes(b"personal data")
        self.expire(root)
        assert (old.names(), part.exists()) == ([layout.REPORT], False)

    def test_a_run_that_nobody_may_read_stays_and_is_told(
        self, root: Staging, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        strange = self.begin(root, "strange", timedelta(days=8), closed=False)
        old = self.begin(root, "zold", timedelta(days=8), closed=True)
        plan = f"{strange.root}/{layout.PLAN}"
        opened = LocalFileSystem.open

        def refuse(self: LocalFileSystem, path: str, *given: object, **named: object) -> object:
            if path == plan:
                raise PermissionError(13, "Permission denied")
            return opened(self, path, *given, **named)

        monkeypatch.setattr(LocalFileSystem, "open", refuse)
        assert self.expire(root) == 1
        assert (strange.exists(layout.PLAN), old.names()) == (True, [layout.REPORT])
        told = f"staging refuses {plan}: let this user read it"
        assert caplog.messages == [f"a run stays, whatever its age: {told}"]
        with pytest.raises(ConfigurationError) as caught:
            find(root)
        assert str(caught.value) == told

    def test_nothing_at_all(self, root: Staging) -> None:
        assert self.expire(root) == 0
