from __future__ import annotations

import contextlib
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_bridge.errors import ConfigurationError
from segment_bridge.window import LOOK_BACK, Decision, Kind, Window, decide, format_time, parse_time

EIGHT = datetime(2024, 5, 1, 8, tzinfo=UTC)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
#: Times of any offset, far enough from the ends of the calendar to be in UTC too.
MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001 - hypothesis adds the time zones
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001 - as above
    timezones=st.builds(timezone, st.integers(-23 * 60, 23 * 60).map(lambda minutes: timedelta(minutes=minutes))),
)


class TestWindow:
    @given(MOMENTS, MOMENTS)
    def test_keeps_both_moments_and_writes_them_in_utc(self, one: datetime, other: datetime) -> None:
        start, end = sorted((one, other))
        if start == end:
            with pytest.raises(ConfigurationError):
                Window(start, end)
            return
        window = Window(start, end)
        assert (window.start, window.end) == (start, end)
        assert (window.start.tzinfo, window.end.tzinfo) == (UTC, UTC)
        with pytest.raises(ConfigurationError):
            Window(end, start)

    @pytest.mark.parametrize(
        ("start", "end", "overlaps"),
        [(4, 8, False), (4, 9, True), (9, 10, True), (11, 13, True), (12, 13, False), (7, 13, True)],
    )
    def test_overlaps_what_could_hold_one_of_its_records(self, start: int, end: int, overlaps: bool) -> None:
        window, other = Window(EIGHT, NOON), Window(EIGHT.replace(hour=start), EIGHT.replace(hour=end))
        assert (window.overlaps(other), other.overlaps(window)) == (overlaps, overlaps)

    @given(st.integers(1, 10**12), st.integers(10**9, 10**12))
    def test_its_parts_are_all_of_it_the_latest_first(self, length: int, longest: int) -> None:
        whole = Window(NOON - timedelta(microseconds=length), NOON)
        parts = list(whole.parts(timedelta(microseconds=longest)))
        assert [part.end for part in parts] == [whole.end, *(part.start for part in parts[:-1])]
        assert parts[-1].start == whole.start
        assert {part.end - part.start for part in parts[:-1]} <= {timedelta(microseconds=longest)}
        assert parts[-1].end - parts[-1].start <= timedelta(microseconds=longest)

    def test_is_none_between_no_ends(self) -> None:
        assert Window.between("", "") is None
        assert Window.between("2024-05-01T08:00:00Z", "2024-05-01T12:00:00Z") == Window(EIGHT, NOON)

    @given(MOMENTS, MOMENTS)
    def test_is_printed_so_that_it_can_be_read_back(self, one: datetime, other: datetime) -> None:
        start, end = sorted((one, other))
        if start != end:
            window = Window(start, end)
            assert str(window) == f"[{format_time(start)}, {format_time(end)})"
            assert Window.parse(*str(window)[1:-1].split(", ")) == window

    def test_is_half_open(self) -> None:
        assert str(Window(EIGHT, NOON)) == "[2024-05-01T08:00:00Z, 2024-05-01T12:00:00Z)"

    def test_the_offset_makes_no_difference(self) -> None:
        berlin = timezone(timedelta(hours=2))
        assert Window(EIGHT.astimezone(berlin), NOON.astimezone(berlin)) == Window(EIGHT, NOON)
        assert hash(Window(EIGHT.astimezone(berlin), NOON)) == hash(Window(EIGHT, NOON))

    @pytest.mark.parametrize("name", ["start", "end"])
    def test_a_moment_without_a_time_zone(self, name: str) -> None:
        moments = {"start": EIGHT, "end": NOON}
        moments[name] = moments[name].replace(tzinfo=None)
        with pytest.raises(ConfigurationError) as caught:
            Window(**moments)
        assert str(caught.value) == f"the window's {name} has no time zone: write it with Z or an offset"

    @pytest.mark.parametrize("end", [EIGHT, EIGHT - timedelta(microseconds=1)])
    def test_an_end_that_is_not_after_the_start(self, end: datetime) -> None:
        with pytest.raises(ConfigurationError) as caught:
            Window(EIGHT, end)
        assert str(caught.value) == (
            f"the window ends ({format_time(end)}) before it has begun (2024-05-01T08:00:00Z): "
            "give an end that is later than the start"
        )

    def test_the_shortest(self) -> None:
        window = Window(EIGHT, EIGHT + timedelta(microseconds=1))
        assert str(window) == "[2024-05-01T08:00:00Z, 2024-05-01T08:00:00.000001Z)"

    def test_a_scheduled_run_looks_back_four_hours(self) -> None:
        assert timedelta(hours=4) == LOOK_BACK

    def test_keeps_plain_moments(self) -> None:
        class Moment(datetime):
            pass

        window = Window(Moment(2024, 5, 1, 8, tzinfo=UTC), Moment(2024, 5, 1, 12, 0, 0, 7, tzinfo=UTC))
        assert window == Window(EIGHT, NOON.replace(microsecond=7))
        assert (type(window.start), type(window.end)) == (datetime, datetime)

    def test_is_frozen(self) -> None:
        with pytest.raises(FrozenInstanceError):
            Window(EIGHT, NOON).end = EIGHT  # type: ignore[misc] # what is tested


class TestParseTime:
    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2024-05-01T08:00:00Z", EIGHT),
            ("2024-05-01T08:00:00+00:00", EIGHT),
            ("2024-05-01T10:00:00+02:00", EIGHT),
            ("2024-05-01T03:30-04:30", EIGHT),
            ("2024-05-01T08:00:00", EIGHT),
            ("2024-05-01 08:00", EIGHT),
            ("20240501T080000Z", EIGHT),
            ("2024-05-01", EIGHT.replace(hour=0)),
            ("2024-05-01T08:00:00.000250Z", EIGHT.replace(microsecond=250)),
            ("1714550400", EIGHT),
            ("1714550400.5", EIGHT.replace(microsecond=500_000)),
            ("20240501", datetime(2024, 5, 1, tzinfo=UTC)),
        ],
    )
    def test_iso_8601_or_seconds(self, text: str, moment: datetime) -> None:
        assert parse_time(text) == moment
        assert parse_time(text).utcoffset() is not None

    @pytest.mark.parametrize(
        "text",
        [
            *("", " ", "now", "now()", "today", "-4h", "-4h@h", "+1d", "@d", "4h", "rt", "yesterday"),
            *("2024-13-01T00:00:00Z", "2024-02-30", "2024-05-01T25:00:00Z", "2024-05-01T08:00:00 UTC", "08:00"),
            *("nan", "inf", "-inf", "1e30", "0x10", "1714550400s", "0", "2024"),
        ],
    )
    def test_anything_else(self, text: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            parse_time(text)
        assert str(caught.value) == (
            f"{text!r} is not a time: write it as 2026-01-31T08:00:00Z or as seconds since the epoch"
        )

    @given(st.text())
    def test_any_text_is_a_time_with_a_zone_or_refused(self, text: str) -> None:
        with contextlib.suppress(ConfigurationError):
            assert parse_time(text).tzinfo is not None

    @given(st.integers(10**8, 4_102_444_800))
    def test_seconds(self, seconds: int) -> None:
        assert parse_time(str(seconds)) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


class TestFormatTime:
    @given(MOMENTS)
    def test_round_trip(self, moment: datetime) -> None:
        assert parse_time(format_time(moment)) == moment
        assert format_time(moment).endswith("Z")

    @pytest.mark.parametrize(
        ("moment", "text"),
        [
            (EIGHT, "2024-05-01T08:00:00Z"),
            (EIGHT.astimezone(timezone(timedelta(hours=-5))), "2024-05-01T08:00:00Z"),
            (EIGHT.replace(microsecond=1), "2024-05-01T08:00:00.000001Z"),
            (EIGHT.replace(microsecond=500_000), "2024-05-01T08:00:00.500000Z"),
        ],
    )
    def test_what_is_written(self, moment: datetime, text: str) -> None:
        assert format_time(moment) == text


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


class TestDecide:
    def test_a_scheduled_run_looks_back_from_the_end_of_its_data_interval(self) -> None:
        assert decide(Kind.SCHEDULED, NOON) == Decision(Window(EIGHT, NOON))
        assert decide(Kind.SCHEDULED, NOON, look_back=hours(1)) == Decision(Window(NOON - hours(1), NOON))

    @pytest.mark.parametrize("covered", [NOON + hours(1), NOON, NOON - hours(1)])
    def test_where_no_run_is_missing_nothing_changes(self, covered: datetime) -> None:
        assert decide(Kind.SCHEDULED, NOON, covered=covered) == Decision(Window(EIGHT, NOON))

    @pytest.mark.parametrize("missing", [1, 3, 8.5, 100, 7 * 24 - 4])
    def test_it_searches_what_all_that_are_missing_would_have_searched(self, missing: float) -> None:
        first = Window(EIGHT - hours(missing), NOON - hours(missing))
        found = decide(Kind.SCHEDULED, NOON, covered=first.end - hours(1))
        assert found == Decision(Window(first.start, NOON))

    @pytest.mark.parametrize(("missing", "start"), [(20, -24), (20.5, -21.5), (100, -101)])
    def test_it_repeats_nothing_that_segment_would_count_again(self, missing: float, start: float) -> None:
        covered = NOON - hours(missing + 1)
        found = decide(Kind.SCHEDULED, NOON, covered=covered, recognized=hours(24))
        assert found == Decision(Window(NOON + hours(start), NOON))

    def test_a_look_back_of_less_than_an_hour_leaves_no_gap(self) -> None:
        found = decide(Kind.SCHEDULED, NOON, covered=NOON - hours(3), look_back=hours(0.5))
        assert found == Decision(Window(NOON - hours(3), NOON))

    def test_beyond_the_bound_there_is_a_hole_with_a_name(self) -> None:
        covered, farthest = NOON - hours(200), NOON - hours(7 * 24)
        expected = Decision(Window(farthest, NOON), hole=Window(covered, farthest))
        assert decide(Kind.SCHEDULED, NOON, covered=covered) == expected

    def test_a_look_back_beyond_the_bound_is_kept(self) -> None:
        found = decide(Kind.SCHEDULED, NOON, covered=NOON - hours(10), look_back=hours(8), reach=hours(6))
        assert found == Decision(Window(NOON - hours(8), NOON), hole=Window(NOON - hours(10), NOON - hours(8)))

    @given(st.integers(0, 400), st.integers(1, 12), st.integers(1, 300), st.none() | st.integers(1, 400))
    def test_nothing_lies_between_what_is_covered_the_hole_and_the_window(
        self, ago: int, look_back: int, reach: int, recognized: int | None
    ) -> None:
        covered = NOON - hours(ago)
        found = decide(
            Kind.SCHEDULED,
            NOON,
            covered=covered,
            look_back=hours(look_back),
            reach=hours(reach),
            recognized=None if recognized is None else hours(recognized),
        )
        assert found.window.end == NOON
        assert found.window.start <= NOON - hours(look_back)
        if found.hole is None:
            assert found.window.start <= covered
        else:
            assert (found.hole.start, found.hole.end) == (covered, found.window.start)

    def test_a_run_of_a_backfill_covers_its_own_hour_unless_asked_for_more(self) -> None:
        covered = NOON - hours(50)
        assert decide(Kind.BACKFILL, NOON, covered=covered) == Decision(Window(NOON - hours(1), NOON))
        assert decide(Kind.BACKFILL, NOON, look_back=hours(4)) == Decision(Window(EIGHT, NOON))

    def test_two_clicks_ask_for_the_same_window(self) -> None:
        clicks = (NOON + timedelta(minutes=3), NOON + timedelta(minutes=59, seconds=59))
        assert {decide(Kind.MANUAL, click) for click in clicks} == {Decision(Window(EIGHT, NOON))}

    def test_a_form_says_the_window(self) -> None:
        span = ("2024-05-01T08:00:00+00:00", "2024-05-01T09:30:00Z")
        found = decide(Kind.MANUAL, NOON, span=span)
        assert found == Decision(Window(EIGHT, EIGHT + hours(1.5)))

    @pytest.mark.parametrize(
        ("span", "told"),
        [
            (("2024-05-01T08:00:00Z", ""), "the window has one end: give both from and to, or neither"),
            (("", "2024-05-01T08:00:00Z"), "the window has one end: give both from and to, or neither"),
            (
                ("2024-05-01T09:00:00Z", "2024-05-01T08:00:00Z"),
                (
                    "the window ends (2024-05-01T08:00:00Z) before it has begun (2024-05-01T09:00:00Z): "
                    "give an end that is later than the start"
                ),
            ),
            (
                ("2024-05-01T09:00:00Z", "2024-05-01T12:00:01Z"),
                (
                    "the window [2024-05-01T09:00:00Z, 2024-05-01T12:00:01Z) reaches beyond 2024-05-01T12:00:00Z, "
                    "when the run was asked for: nothing is there yet"
                ),
            ),
            (
                ("2023-05-01", "2024-05-01"),
                (
                    "the window [2023-05-01T00:00:00Z, 2024-05-01T00:00:00Z) is longer than 31 days: "
                    "ask for less, or for a backfill hour by hour"
                ),
            ),
        ],
    )
    def test_a_bad_span_is_refused(self, span: tuple[str, str], told: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            decide(Kind.MANUAL, NOON, span=span)
        assert str(caught.value) == told


class TestSomeMinutesPastTheHour:
    @pytest.mark.parametrize("kind", list(Kind))
    @given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(minutes=59, seconds=59)))
    def test_the_window_is_that_of_the_full_hour(self, kind: Kind, late: timedelta) -> None:
        assert decide(kind, NOON + late) == decide(kind, NOON)
