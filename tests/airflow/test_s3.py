"""The DAG with its staging in S3: the same comes of it as with a folder."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
from airflow.sdk.io import attach

from segment_bridge.errors import ConfigurationError
from segment_bridge_airflow.runs import root_of
from segment_bridge_airflow.settings import BridgeSettings
from tests.buckets import bucket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.airflow.conftest import Airflow, World
    from tests.buckets import Bucket

#: All of the traffic lies in each of these windows.
FIRST, SECOND = "2026-01-05T12:01:00Z", "2026-01-05T12:01:01Z"


@pytest.fixture
def s3() -> Iterator[Bucket]:
    with bucket() as one:
        yield one


def figures(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report without what is each run's own."""
    return {name: value for name, value in report.items() if name not in {"run", "plan"}}


def test_the_dag_does_with_s3_what_it_does_with_a_folder(
    airflow: Airflow, world: World, s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = airflow.run(FIRST)
    events = world.sent_to(airflow.segment)
    requests.delete(f"{airflow.segment}/sandbox/events", timeout=60)

    for name, value in s3.settings.items():
        monkeypatch.setenv(name, value)
    settings = json.loads(os.environ["AIRFLOW_VAR_SEGMENT_BRIDGE"]) | {"staging": s3.url}
    monkeypatch.setenv("AIRFLOW_VAR_SEGMENT_BRIDGE", json.dumps(settings))
    run = airflow.dag.test(logical_date=datetime.fromisoformat(SECOND))

    (report,) = (json.loads(data) for name, data in s3.files().items() if name.endswith("/report.json"))
    assert (local.state, str(run.state), report["run"]) == ("success", "success", f"segment_bridge__{run.run_id}")
    assert figures(report) == figures(local.report)
    assert world.sent_to(airflow.segment) == events
    assert events


def test_a_connection_in_the_url_brings_its_credentials(s3: Bucket) -> None:
    attach(protocol="s3", conn_id="store", fs=s3.filesystem)
    root = root_of(BridgeSettings(staging=s3.url.replace("s3://", "s3://store@")))
    root.write_json("one.json", 1)
    assert s3.files() == {"one.json": b"1"}
    assert root.uri("one.json") == f"{s3.url}/one.json"


def test_a_connection_without_its_provider_is_said() -> None:
    with pytest.raises(ConfigurationError) as caught:
        root_of(BridgeSettings(staging="s3://no-such-connection@bucket/bridge"))
    assert str(caught.value) == (
        "staging cannot be opened (No filesystem registered for scheme s3): "
        "check its URL, and that the connection's provider is installed"
    )
