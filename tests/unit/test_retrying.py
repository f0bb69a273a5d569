"""How often, and after how long, the command line asks again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from segment_bridge.cli.retrying import retrying
from segment_bridge.errors import ConfigurationError, FatalError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def command() -> Iterator[None]:
    with click.Context(click.Command("run")):
        yield


def pauses(error: Exception) -> list[float]:
    """Return the pauses between the tries of what always fails."""
    asked: list[float] = []

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        retrying().copy(sleep=asked.append)(fail)
    return asked


def test_two_growing_pauses() -> None:
    first, second = pauses(RetryableError("try again"))
    assert 1 <= first <= 2
    assert 2 <= second <= 3


def test_a_first_pause_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENT_BRIDGE_RETRY_PAUSE", "60")
    first, second = pauses(RetryableError("try again"))
    assert 60 <= first <= 120
    assert 60 <= second <= 120


def test_a_pause_that_is_asked_for() -> None:
    assert pauses(RetryableError("try again", retry_after=7.0)) == [7.0, 7.0]


def test_a_pause_of_a_day_is_cut() -> None:
    assert pauses(RetryableError("try again", retry_after=86_400.0)) == [300.0, 300.0]


@pytest.mark.parametrize("error", [FatalError("no"), ConfigurationError("no"), OSError("no")])
def test_what_cannot_succeed_is_not_tried_again(error: Exception) -> None:
    assert pauses(error) == []
