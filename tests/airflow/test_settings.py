"""The Variable, as it comes from the environment, which is also how secrets backends give it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from segment_bridge.errors import ConfigurationError
from segment_bridge.gate import Limits
from segment_bridge_airflow.settings import BridgeSettings, read


def given(monkeypatch: pytest.MonkeyPatch, text: str) -> BridgeSettings:
    monkeypatch.setenv("AIRFLOW_VAR_SEGMENT_BRIDGE", text)
    return read()


def test_every_member_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, "{}")
    assert settings == BridgeSettings()
    assert settings.limits == Limits() == Limits(largest_shrink=20, oldest=timedelta(hours=24))


def test_what_a_map_has_to_keep_to(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, json.dumps({"map_shrink_percent": 50, "map_stand_in_hours": 72}))
    assert settings.limits == Limits(largest_shrink=50, oldest=timedelta(hours=72))


@pytest.mark.parametrize(
    ("member", "value", "told"),
    [
        ("map_shrink_percent", 101, "Expected `int` <= 100 - at `$.map_shrink_percent`"),
        ("map_shrink_percent", -1, "Expected `int` >= 0 - at `$.map_shrink_percent`"),
        ("map_shrink_percent", "20", "Expected `int`, got `str` - at `$.map_shrink_percent`"),
        ("map_stand_in_hours", 8761, "Expected `int` <= 8760 - at `$.map_stand_in_hours`"),
        ("map_stand_in_hours", 0.5, "Expected `int`, got `float` - at `$.map_stand_in_hours`"),
        ("keep_days", 0, "keep_days has to be more than 0"),
        ("no_such_member", 1, "Object contains unknown field `no_such_member`"),
    ],
)
def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch, member: str, value: object, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        given(monkeypatch, json.dumps({member: value}))
    assert str(caught.value) == f"the Variable segment_bridge cannot be used: {told}"
