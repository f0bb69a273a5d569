"""What becomes of a result whose user Splunk has resolved."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from segment_bridge.convert import convert
from segment_bridge.events import Reason, Rejection, TrackEvent
from segment_bridge.exclusions import Exclusions
from segment_bridge.identity import Maps
from segment_bridge.settings import IdentityMode

MAPS = Maps({"ann": "11111", "bob": "22222"}, {"ann-tenant": "ann", "ghost-tenant": "ghost"})
RESULT = {
    "messageId": "m-1",
    "timestamp": "2024-05-01T09:20:00Z",
    "type": "track",
    "namespace": "ann-tenant",
    "event_subject": "components",
    "event_verb": "create",
    "properties": '{"name":"cart"}',
    "context": "{}",
    "identity": str(IdentityMode.SPLUNK_LOOKUP),
}


def made(**change: str) -> Any:  # noqa: ANN401 - either kind
    (one,) = convert([json.dumps({"result": RESULT | change}).encode()], MAPS)
    return one.reason if isinstance(one, Rejection) else json.loads(one.body)


def test_the_event_is_the_users_and_the_workspace_the_owners() -> None:
    event = made(userSsoId="007")
    assert (event["userId"], event["properties"]) == ("007", {"name": "cart", "workspaceID": "11111"})
    assert list(event) == ["messageId", "timestamp", "namespace", "type", "userId", "event", "properties", "context"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, Reason.UNKNOWN_USER),
        ({"userSsoId": ""}, Reason.UNKNOWN_USER),
        ({"userId": "bob"}, Reason.UNKNOWN_USER),
        ({"namespace": "no-tenant"}, Reason.UNKNOWN_NAMESPACE),
        ({"namespace": "no-tenant", "userSsoId": "007"}, Reason.UNKNOWN_NAMESPACE),
        ({"namespace": "ghost-tenant"}, Reason.UNKNOWN_WORKSPACE_OWNER),
        ({"namespace": "ghost-tenant", "userSsoId": "007"}, Reason.UNKNOWN_WORKSPACE_OWNER),
    ],
)
def test_the_reasons_are_those_of_the_bridge_and_nobody_is_replaced_by_the_owner(
    change: dict[str, str], reason: Reason
) -> None:
    assert made(**change) == reason


def test_an_id_counts_only_where_the_search_says_that_it_resolved_the_user() -> None:
    line = {key: value for key, value in RESULT.items() if key != "identity"} | {"userId": "bob", "userSsoId": "007"}
    (one,) = convert([json.dumps({"result": line}).encode()], MAPS)
    assert isinstance(one, TrackEvent)
    assert json.loads(one.body)["userId"] == "22222"


@pytest.mark.parametrize("several", ["userSsoId", "identity"])
def test_several_values_are_no_result(several: str) -> None:
    (one,) = convert([json.dumps({"result": RESULT | {several: ["a", "b"]}}).encode()], MAPS)
    assert isinstance(one, Rejection)
    assert one.reason == Reason.MALFORMED_RESULT


def test_excluded_users_are_known_by_their_ids() -> None:
    maps = replace(MAPS, exclusions=Exclusions.of(users=["bob"]))
    lines = [json.dumps({"result": RESULT | {"userSsoId": user_id}}).encode() for user_id in ("22222", "11111", "")]
    assert [one.reason if isinstance(one, Rejection) else "event" for one in convert(lines, maps)] == [
        Reason.EXCLUDED,
        "event",
        Reason.UNKNOWN_USER,
    ]
