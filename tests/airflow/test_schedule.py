"""When scheduled runs start, and what wrong values of the variables behind that do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from segment_bridge.errors import ConfigurationError
from segment_bridge_airflow import schedule


def test_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEGMENT_BRIDGE_SCHEDULE_MINUTE", "SEGMENT_BRIDGE_LATE_MINUTES"):
        monkeypatch.delenv(name, raising=False)
    schedule.require_usable()
    assert (schedule.minute(), schedule.late_after()) == (7, timedelta(minutes=45))


@pytest.mark.parametrize(("text", "minute"), [("0", 0), ("59", 59), (" 7 ", 7)])
def test_another_minute(monkeypatch: pytest.MonkeyPatch, text: str, minute: int) -> None:
    monkeypatch.setenv("SEGMENT_BRIDGE_SCHEDULE_MINUTE", text)
    schedule.require_usable()
    assert schedule.minute() == minute


@pytest.mark.parametrize("text", ["", "60", "-1", "7.5", "nan", "inf", "1e308", "seven", "*/5"])
def test_a_minute_that_is_none_keeps_the_dag_and_fails_its_first_task(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SEGMENT_BRIDGE_SCHEDULE_MINUTE", text)
    assert schedule.minute() == 7
    with pytest.raises(ConfigurationError) as caught:
        schedule.require_usable()
    assert str(caught.value) == (
        "SEGMENT_BRIDGE_SCHEDULE_MINUTE cannot be used: write SEGMENT_BRIDGE_SCHEDULE_MINUTE as a minute from 0 to 59, "
        "and SEGMENT_BRIDGE_LATE_MINUTES as minutes from 0.1 to 1440"
    )


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1e308", "late"])
def test_a_delay_that_is_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SEGMENT_BRIDGE_LATE_MINUTES", text)
    assert schedule.late_after() == timedelta(minutes=45)
    with pytest.raises(ConfigurationError, match=r"^SEGMENT_BRIDGE_LATE_MINUTES cannot be used: "):
        schedule.require_usable()
