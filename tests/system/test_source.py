"""What a run and ``doctor`` say of a source in which the journeys find nothing, or not all."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import segment
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.splunk.records import Record
from tests.system.stand_ins import bridge, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.stand_ins import Done, World

WINDOW = ("--from", "2026-03-04T04:00:00Z", "--to", "2026-03-04T08:00:00Z")
BOUNDS = "[2026-03-04T04:00:00Z, 2026-03-04T08:00:00Z)"
#: Of a collector that calls audit records by another name.
UNTYPED: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Metadata",
    "auditID": "e-1",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/default/pods",
    "verb": "get",
    "user": {"username": "system:serviceaccounts:default:default", "groups": ["system:authenticated"]},
    "sourceIPs": ["192.0.2.1"],
    "userAgent": "kubectl/v1.26.1",
    "objectRef": {"resource": "pods", "namespace": "default", "name": "p", "apiGroup": "", "apiVersion": "v1"},
    "responseStatus": {"metadata": {}, "code": 200},
    "requestReceivedTimestamp": "2026-03-04T06:22:18.819232Z",
    "stageTimestamp": "2026-03-04T06:22:18.822532Z",
    "annotations": {"authorization.k8s.io/decision": "allow"},
    "log_type": "kube-audit",
}
#: An update of a build's status of which the API server has left out request and response.
TRUNCATED = UNTYPED | {
    "level": "RequestResponse",
    "auditID": "truncated",
    "requestURI": "/apis/tekton.dev/v1beta1/namespaces/ann-tenant/pipelineruns/shop-on-push/status",
    "verb": "update",
    "objectRef": {
        "resource": "pipelineruns",
        "namespace": "ann-tenant",
        "name": "shop-on-push",
        "apiGroup": "tekton.dev",
        "apiVersion": "v1beta1",
        "subresource": "status",
    },
    "annotations": {"authorization.k8s.io/decision": "allow", "audit.k8s.io/truncated": "true"},
    "log_type": "audit",
}


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@contextlib.contextmanager
def serving_records(*records: dict[str, Any]) -> Iterator[str]:
    lines = (json.dumps(record).encode() for record in records)
    with serving(create_app(AuditLog(tuple(map(Record.parse, lines))))) as url:
        yield url


def run(stand_ins: World, splunk: str, folder: Path) -> tuple[Done, dict[str, Any]]:
    """Carry what is found; return what the command said, and the report."""
    with serving(segment.create_app()) as url:
        settings = {"SPLUNK_API_URL": splunk, "SEGMENT_BATCH_API": url, "SEGMENT_BRIDGE_STAGING": str(folder)}
        done = bridge("run", *WINDOW, settings=stand_ins.settings | settings)
    (report,) = (json.loads(path.read_text()) for path in folder.glob("runs/*/report.json"))
    return done, report


def doctor_of(stand_ins: World, splunk: str, folder: Path) -> dict[str, dict[str, Any]]:
    settings = {"SPLUNK_API_URL": splunk, "SEGMENT_BRIDGE_STAGING": str(folder)}
    done = bridge("doctor", "--to", "2026-03-04T08:00:00Z", "--json", settings=stand_ins.settings | settings)
    return {check.pop("name"): check for check in json.loads(done.out)}


def test_records_without_the_type_that_is_searched_for(stand_ins: World, tmp_path: Path) -> None:
    with serving_records(UNTYPED) as url:
        done, report = run(stand_ins, url, tmp_path)
        checks = doctor_of(stand_ins, url, tmp_path)
    told = (
        "the window holds records, but none with log_type=audit: "
        "check the index, and what the collector adds to audit records"
    )
    assert (done.code, done.err.strip()) == (1, f"segment-bridge: the run is not complete: {told}")
    assert (report["problems"], report["alarms"]) == ([told], [told])
    assert report["alarm_kinds"] == ["the source is silent"]
    assert checks["splunk index"] == {
        "ok": False,
        "told": f"no audit record in audit within {BOUNDS}; it holds other records, but none with log_type=audit",
        "advice": "check SPLUNK_INDEX, and what the collector adds to audit records",
    }


def test_no_record_at_all(stand_ins: World, tmp_path: Path) -> None:
    with serving_records() as url:
        done, report = run(stand_ins, url, tmp_path)
        checks = doctor_of(stand_ins, url, tmp_path)
    told = "the source is silent: the window holds no audit record at all; check the index, and what feeds it"
    assert (done.code, done.err.strip()) == (1, f"segment-bridge: the run is not complete: {told}")
    assert (report["problems"], report["alarms"]) == ([told], [told])
    assert report["alarm_kinds"] == ["the source is silent"]
    assert checks["splunk index"] == {
        "ok": False,
        "told": f"no audit record in audit within {BOUNDS}",
        "advice": "check SPLUNK_INDEX, that the role may search it, and that the collector sends records",
    }


def test_a_record_that_the_api_server_has_cut(stand_ins: World, tmp_path: Path) -> None:
    with serving_records(TRUNCATED, UNTYPED | {"log_type": "audit"}) as url:
        done, report = run(stand_ins, url, tmp_path)
        searches = [
            json.loads(line)["search"] for line in requests.get(f"{url}/sandbox/searches", timeout=10).iter_lines()
        ]
    told = (
        "the API server cut records that were too large, which journeys may have missed: 1 of pipelineruns; "
        "raise its --audit-log-truncate-max-event-size, or that of the webhook"
    )
    assert (done.code, done.err.strip()) == (0, "")
    assert report["truncated"] == {"pipelineruns": 1}
    about_users = "the map of users: 2 users with an ID of fewer than 5 characters, which Amplitude removes"
    assert (report["problems"], report["warnings"], report["alarms"]) == ([], [told, about_users], [])
    assert sum("stats count by" in search for search in searches) == 1
    # Eight journeys, that one, and two that ask for any audit record and for one that can be read.
    assert len(searches) == 11
