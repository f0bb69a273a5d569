from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_bridge import closing, drift, layout
from segment_bridge.drift import Share
from segment_bridge.staging import Staging
from tests.unit.leftovers import JOURNEY, result, stage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Staging:
    return Staging.at(str(tmp_path))


def results(*filled: bool, **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Make a result for each, with a URL or without; it always has a name, and never a revision."""
    return [
        result(str(number), **more)
        | {"properties": json.dumps({"name": "x", "url": "https://x" if one else None, "revision": None})}
        for number, one in enumerate(filled)
    ]


def warned(root: Staging, key: str, given: list[dict[str, Any]]) -> tuple[str, ...]:
    run = stage(root, key, given, closed=False)
    return tuple(one for one in closing.close(run.folder, key).warnings if "used to be filled" in one)


def told(count: int) -> tuple[str]:
    advice = "look where the platform keeps it now"
    return (f"{JOURNEY}: url is null in all {count} results, and used to be filled: {advice}",)


def test_a_property_that_was_always_filled_and_is_null_in_all_results(root: Staging) -> None:
    assert warned(root, "one", results(*[True] * 10)) == ()
    assert warned(root, "two", results(*[False] * 10)) == told(10)
    # It stays told until it is filled again.
    assert warned(root, "three", results(*[False] * 10)) == told(10)
    assert warned(root, "four", results(*[False] * 10, True)) == ()


def test_of_rejected_results_too(root: Staging) -> None:
    assert warned(root, "one", results(*[True] * 10)) == ()
    assert warned(root, "two", results(*[False] * 10, user="x")) == told(10)


def test_one_that_was_never_filled_is_not_missed(root: Staging) -> None:
    for key in ("one", "two"):
        assert warned(root, key, results(*[True] * 300)) == ()


@pytest.mark.parametrize(("count", "warns"), [(2, False), (3, True)])
def test_a_few_results_may_be_chance(root: Staging, count: int, warns: bool) -> None:
    assert warned(root, "one", results(*[True] * 9)) == ()
    assert warned(root, "two", results(*[False] * count)) == (told(count) if warns else ())


def test_one_that_is_filled_now_and_then_is_not_missed_at_once(root: Staging) -> None:
    assert warned(root, "one", results(*([True] + [False] * 19) * 10)) == ()
    assert warned(root, "two", results(*[False] * 50)) == ()
    assert warned(root, "three", results(*[False] * 500)) == told(500)


def test_a_single_result_far_behind_is_found(root: Staging) -> None:
    assert warned(root, "one", results(*[True] * 10)) == ()
    assert warned(root, "two", results(*[False] * 1_000, True)) == ()


def test_a_run_that_is_converted_again_says_the_same(root: Staging) -> None:
    assert warned(root, "one", results(*[True] * 5)) == ()
    for _ in range(5):
        assert warned(root, "two", results(*[False] * 5)) == told(5)
    for _ in range(5):
        assert warned(root, "two", results(*[True] * 5)) == ()


def test_it_alarms_nobody_and_stays_when_the_books_are_counted_again(root: Staging) -> None:
    warned(root, "one", results(*[True] * 10))
    run = stage(root, "two", results(*[False] * 10))
    report = closing.close(run.folder, "two")
    assert told(10)[0] in report.warnings
    assert report.alarms == ()


def test_a_property_that_a_journey_no_longer_has_is_not_missed(root: Staging) -> None:
    assert warned(root, "one", results(*[True] * 10)) == ()
    assert warned(root, "two", [result(str(number)) for number in range(10)]) == ()


def test_what_is_no_result_counts_for_nothing(root: Staging) -> None:
    odd = [result("a") | {"properties": text} for text in ("", "[]", "{", '"x"')]
    assert warned(root, "one", results(*[True] * 10)) == ()
    assert warned(root, "two", [*odd, *results(*[False] * 10)]) == told(14)


def test_a_damaged_memory_is_none(root: Staging) -> None:
    assert warned(root, "one", results(*[True] * 10)) == ()
    with root.write("filled.json") as file:
        file.write(b"{")
    assert warned(root, "two", results(*[False] * 10)) == ()
    assert warned(root, "three", results(*[True] * 10)) == ()
    assert warned(root, "four", results(*[False] * 10)) == told(10)


def test_a_run_that_was_not_converted_misses_nothing(root: Staging) -> None:
    assert drift.unfilled(layout.run_of(root, "none")) == {}


def test_what_came_long_before_fades() -> None:
    share = Share()
    for _ in range(100):
        share = share.plus(200, 200)
    assert share.results <= 10_000
    assert not share.explains(1)
    runs = 0
    while not share.explains(200):
        share, runs = share.plus(0, 200), runs + 1
    assert 100 < runs < 500


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_more_nulls_are_never_likelier(filled: int, more: int, nulls: int) -> None:
    share = Share(filled, filled + more)
    assert share.explains(nulls) or not share.explains(nulls + 1)
    assert share.explains(0)
