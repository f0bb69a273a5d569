"""The Variable, as it comes from the environment, which is also how secrets backends give it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import supervisor, task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable, GetVariableKeys, VariableKeysResult
from airflow.sdk.execution_time.secrets.execution_api import ExecutionAPISecretsBackend

from segment_bridge.errors import ConfigurationError, RetryableError
from segment_bridge.gate import Limits
from segment_bridge.tenants import TOOLCHAIN, Tenants
from segment_bridge_airflow.operators import failing_at_once
from segment_bridge_airflow.settings import BridgeSettings, read

if TYPE_CHECKING:
    from collections.abc import Callable


def given(monkeypatch: pytest.MonkeyPatch, text: str) -> BridgeSettings:
    monkeypatch.setenv("AIRFLOW_VAR_SEGMENT_BRIDGE", text)
    return read()


class Comms:
    """Takes the place of the API server at the other end of a task's line to it."""

    def __init__(self, variable: object, keys: object) -> None:
        self.answers: dict[Any, object] = {GetVariable: variable, GetVariableKeys: keys}

    def send(self, asked: object) -> object:
        return self.answers.get(type(asked))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[object, object], None]:
    def answer(variable: object, keys: object) -> None:
        monkeypatch.delenv("AIRFLOW_VAR_SEGMENT_BRIDGE", raising=False)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Comms(variable, keys), raising=False)
        monkeypatch.setattr(supervisor, "ensure_secrets_backend_loaded", lambda: [ExecutionAPISecretsBackend()])

    return answer


DOWN = ErrorResponse(error=ErrorType.API_SERVER_ERROR)
NOT_FOUND = ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)


def test_a_variable_that_is_not_set_is_all_defaults(asked: Callable[[object, object], None]) -> None:
    asked(NOT_FOUND, VariableKeysResult(keys=["segment_bridge_other"], total_entries=1))
    assert read() == BridgeSettings()


def test_a_variable_that_could_not_be_read_is_no_variable_that_is_not_set(
    asked: Callable[[object, object], None],
) -> None:
    asked(DOWN, VariableKeysResult(keys=["segment_bridge"], total_entries=1))
    with pytest.raises(RetryableError, match="the Variable segment_bridge is set, but cannot be read"):
        read()
    asked(DOWN, DOWN)
    with pytest.raises(AirflowRuntimeError, match="API_SERVER_ERROR"):
        read()


def test_a_connection_that_is_not_found_fails_at_once_only_if_somebody_has_looked(
    asked: Callable[[object, object], None],
) -> None:
    @failing_at_once
    def look() -> None:
        raise AirflowNotFoundException("no such connection")

    asked(NOT_FOUND, VariableKeysResult(keys=[], total_entries=0))
    with pytest.raises(AirflowFailException, match="no such connection"):
        look()
    asked(DOWN, DOWN)
    with pytest.raises(AirflowRuntimeError):
        look()


def test_every_member_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, "{}")
    assert settings == BridgeSettings()
    assert settings.limits == Limits() == Limits(largest_shrink=20, oldest=timedelta(hours=24))


def test_what_a_map_has_to_keep_to(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, json.dumps({"map_shrink_percent": 50, "map_stand_in_hours": 72}))
    assert settings.limits == Limits(largest_shrink=50, oldest=timedelta(hours=72))


def test_how_tenants_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, json.dumps({"tenant_selectors": ["konflux-ci.dev/type=tenant"]}))
    assert settings.tenants == Tenants(("konflux-ci.dev/type=tenant",))
    assert BridgeSettings().tenants == TOOLCHAIN


@pytest.mark.parametrize(
    ("member", "value", "told"),
    [
        ("map_shrink_percent", 101, "Expected `int` <= 100 - at `$.map_shrink_percent`"),
        ("map_shrink_percent", -1, "Expected `int` >= 0 - at `$.map_shrink_percent`"),
        ("map_shrink_percent", "20", "Expected `int`, got `str` - at `$.map_shrink_percent`"),
        ("map_stand_in_hours", 8761, "Expected `int` <= 8760 - at `$.map_stand_in_hours`"),
        ("map_stand_in_hours", 0.5, "Expected `int`, got `float` - at `$.map_stand_in_hours`"),
        ("tolerated_messages", {}, "Expected `array`, got `object` - at `$.tolerated_messages`"),
        (
            "tolerated_messages",
            [{"pattern": "Timed out waiting*"}],
            "Object missing required field `reason` - at `$.tolerated_messages[0]`",
        ),
        (
            "tolerated_messages",
            [{"pattern": "* peer *", "reason": "x"}],
            "a pattern needs at least 8 characters beside * and blanks - at `$.tolerated_messages[0]`",
        ),
        ("tenant_selectors", [], "tenant_selectors is empty: give at least one value, or leave it out for the default"),
        (
            "space_labels",
            ["a b"],
            "space_labels: value 1 is not the key of a label, as Kubernetes has them: correct it",
        ),
        ("exclude_users", "ann", "Expected `array`, got `str` - at `$.exclude_users`"),
        ("exclude_users", ["ann", ""], "exclude_users: pattern 2 is empty: remove it"),
        ("exclude_namespaces", ["*"], "exclude_namespaces: pattern 1 matches every name: name whom to exclude"),
        ("keep_days", 0, "keep_days has to be more than 0"),
        ("no_such_member", 1, "Object contains unknown field `no_such_member`"),
    ],
)
def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch, member: str, value: object, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        given(monkeypatch, json.dumps({member: value}))
    assert str(caught.value) == f"the Variable segment_bridge cannot be used: {told}"
