"""Connections as the web UI makes and tests them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from sandbox.deployment import INDEX
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.traffic import Plan, generate
from segment_bridge_airflow.provider import get_provider_info

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.standalone import Airflow
    from tests.scheduler.conftest import World

Json = dict[str, Any]
SECRET = "a-secret-that-nobody-may-see"
#: An address at which nobody listens.
NOBODY = {"host": "127.0.0.1", "port": 1}


def address(url: str) -> Json:
    parts = urlsplit(url)
    return {"schema": parts.scheme, "host": parts.hostname, "port": parts.port}


@pytest.fixture
def tried(airflow: Airflow) -> Iterator[str]:
    """Give the ID of a connection that is gone afterwards."""
    yield "tried"
    airflow.call("DELETE", "/connections/tried")


def press(airflow: Airflow, connection: Json) -> tuple[bool, str]:
    """Create a connection, and press its Test button: the web UI knows no more of a password than stars."""
    airflow.call("POST", "/connections", connection)
    answer = airflow.call("POST", "/connections/test", {**connection, "password": "***"})
    return answer["status"], answer["message"]


def splunk(world: World, **changed: object) -> Json:
    where = address(world.addresses["splunk"])
    good = {"connection_id": "tried", "conn_type": "splunk", **where, "login": "admin", "password": "changeme"}
    good["extra"] = json.dumps({"index": INDEX})
    return {**good, **changed}


def segment(world: World, **changed: object) -> Json:
    where = address(world.addresses["segment"])
    return {"connection_id": "tried", "conn_type": "segment", **where, "password": SECRET, **changed}


def test_airflow_lists_the_provider(airflow: Airflow) -> None:
    (ours,) = [one for one in airflow.call("GET", "/providers")["providers"] if one["package_name"] == "segment-bridge"]
    assert ours["description"] == get_provider_info()["description"]


@pytest.mark.usefixtures("tried")
def test_splunk_answers_the_test_button_with_what_it_found(airflow: Airflow, world: World, tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    traffic = generate(Plan(users=3, hours=1, start=now - timedelta(hours=2)))
    (tmp_path / "audit.log").write_bytes(b"".join(traffic.records()))
    with serving(create_app(AuditLog.from_files([tmp_path / "audit.log"]))) as url:
        well, message = press(airflow, splunk(world, **address(url)))

    assert well
    assert message.startswith("the credentials are taken; Splunk 10.0.1; ")
    assert " holds audit records within [" in message


@pytest.mark.usefixtures("tried")
def test_an_index_without_records_fails_the_test(airflow: Airflow, world: World) -> None:
    well, message = press(airflow, splunk(world))

    # The login and the search went well; the traffic is long over.
    assert not well
    assert message.startswith("no audit record in audit within [")
    assert message.endswith("check the index, that the role may search it, and that the collector sends records")


@pytest.mark.usefixtures("tried")
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"password": SECRET}, "Splunk answered 401 Unauthorized: check the login and the password, or the token"),
        (NOBODY, "Splunk at 127.0.0.1:1 gave no answer (ConnectionRefusedError): try again later, or check the host"),
        (
            {"extra": json.dumps({"verify": "perhaps"})},
            "verify in the extra of the connection is neither true nor false",
        ),
    ],
)
def test_a_splunk_connection_that_does_not_do_says_what_to_do(
    airflow: Airflow, world: World, changed: Json, told: str
) -> None:
    assert press(airflow, splunk(world, **changed)) == (False, told)


@pytest.mark.usefixtures("tried")
def test_segment_answers_the_test_button(airflow: Airflow, world: World) -> None:
    told = "Segment answered 200 to an empty batch, which does not prove that the write key is right"
    assert press(airflow, segment(world)) == (True, told)


@pytest.mark.usefixtures("tried")
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            NOBODY,
            "Segment at 127.0.0.1:1 gave no answer (NewConnectionError): try again later, or check the batch endpoint",
        ),
        (
            {"password": f'"{SECRET}"'},
            "the write key is empty or has blanks, quotes, colons or other signs that no key has: check it",
        ),
    ],
)
def test_a_segment_connection_that_does_not_do_says_what_to_do(
    airflow: Airflow, world: World, changed: Json, told: str
) -> None:
    assert press(airflow, segment(world, **changed)) == (False, told)


@pytest.mark.usefixtures("tried")
def test_the_test_button_needs_a_port(airflow: Airflow, world: World) -> None:
    """Once this fails, the forms and docs/connections.md need not speak of it any more."""
    connection = segment(world, host=world.addresses["segment"], port=None, schema=None)
    airflow.call("POST", "/connections", connection)
    with pytest.raises(Exception, match="The host or port to test differs"):
        airflow.call("POST", "/connections/test", {**connection, "password": "***", "port": 0})


@pytest.mark.usefixtures("tried")
def test_what_the_api_shows_of_a_connection_holds_no_secret(airflow: Airflow, world: World) -> None:
    airflow.call("POST", "/connections", segment(world))
    assert SECRET not in json.dumps(airflow.call("GET", "/connections/tried"))
