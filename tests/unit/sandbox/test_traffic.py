from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from sandbox.traffic import Plan, generate
from sandbox.traffic.cli import audit_log

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
SMALL = ("--users", "3", "--hours", "0.5")


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return list(generate(Plan()).records())


@pytest.fixture(scope="module")
def records(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_the_same_plan_gives_the_same_bytes_on_every_python() -> None:
    # A change of the generator changes this digest; another Python must not.
    digest = hashlib.sha256(b"".join(generate(Plan(users=20, hours=1)).records())).hexdigest()
    assert digest == "624cdb0f067e1448dbd6c86e3326ba23554338b3caaa4e7b95204ac713fecb87"


def test_parts_do_not_depend_on_what_was_made_before() -> None:
    traffic = generate(Plan(users=3))
    first, manifest, lists = list(traffic.records()), traffic.manifest, traffic.clusters.lists()
    other = generate(Plan(users=3))
    assert (other.clusters.lists(), other.manifest, list(other.records())) == (lists, manifest, first)
    assert list(traffic.records()) == first


def test_another_seed_gives_another_log() -> None:
    assert list(generate(Plan(users=1, hours=1)).records()) != list(generate(Plan(users=1, hours=1, seed=2)).records())


@pytest.mark.parametrize(
    "plan",
    [Plan(), Plan(users=2, hours=0.01, start=START + timedelta(microseconds=1)), Plan(users=9, hours=30, seed=7)],
    ids=str,
)
def test_records_are_in_the_order_of_time_and_within_the_window(plan: Plan) -> None:
    times = [datetime.fromisoformat(json.loads(line)["requestReceivedTimestamp"]) for line in generate(plan).records()]
    assert times == sorted(times)
    assert plan.start <= times[0]
    assert times[-1] < plan.start + timedelta(hours=plan.hours)


def test_a_log_moves_with_its_start() -> None:
    later = generate(Plan(users=2, hours=1, start=START + timedelta(days=400)))
    assert later.manifest == generate(Plan(users=2, hours=1)).manifest


def test_noise_fills_the_log_up_and_is_always_more_than_ten_times_the_signal() -> None:
    for plan in (Plan(users=2, hours=1, records=9_000), Plan(users=2, hours=1, records=1), Plan(users=2, hours=1)):
        manifest = generate(plan).manifest
        signals = sum(journey["matching"] for journey in manifest["journeys"].values())
        assert manifest["records"] == sum(1 for _ in generate(plan).records())
        assert manifest["records"] >= 11 * signals
        assert manifest["records"] >= (plan.records or 0)
    assert generate(Plan(users=2, hours=1, records=9_000)).manifest["records"] == 9_000


def test_the_log_is_a_stream() -> None:
    assert len(list(islice(generate(Plan(users=2, records=10**12)).records(), 100))) == 100


def test_records_have_the_shape_of_audit_events(records: list[dict[str, Any]]) -> None:
    required = {
        *("kind", "apiVersion", "level", "stage", "requestURI", "verb", "user", "sourceIPs", "userAgent"),
        *("requestReceivedTimestamp", "stageTimestamp", "log_type"),
    }
    optional = {
        *("auditID", "impersonatedUser", "objectRef", "responseStatus", "requestObject", "responseObject"),
        "annotations",
    }
    uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}")
    time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
    for record in records:
        assert required <= record.keys() <= required | optional
        assert (record["kind"], record["apiVersion"], record["log_type"]) == ("Event", "audit.k8s.io/v1", "audit")
        assert uuid.fullmatch(record.get("auditID", "00000000-0000-4000-a000-000000000000"))
        assert time.fullmatch(record["requestReceivedTimestamp"])
        assert record["requestReceivedTimestamp"] <= record["stageTimestamp"]
        assert time.fullmatch(record["stageTimestamp"])
        early = record["stage"] == "RequestReceived"
        assert early == ("responseStatus" not in record)
        assert not (early and ("responseObject" in record or "requestObject" in record))


def in_status(record: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a list of the response object's status."""
    status: dict[str, Any] = (record.get("responseObject") or {}).get("status") or {}
    return list(status.get(key) or ()) if isinstance(status, dict) else []


def test_the_log_holds_what_a_careless_reader_stumbles_over(lines: list[bytes], records: list[dict[str, Any]]) -> None:
    text = b"".join(lines).decode()
    copies = Counter(lines)
    stages = Counter(record.get("auditID") for record, line in zip(records, lines, strict=True) if copies[line] == 1)
    users = {record["user"]["username"] for record in records}
    users |= {(record.get("impersonatedUser") or {}).get("username", "") for record in records}
    sizes = sorted(len(line) for line in lines)
    conditions = [one for record in records for one in in_status(record, "conditions")]
    results = [one for record in records for one in in_status(record, "taskResults") + in_status(record, "results")]
    large = [line for line in lines if len(line) > 5_000]
    starts = Counter(
        record["responseObject"]["metadata"].get("uid")
        for record in records
        if any(one.get("reason") == "Running" for one in in_status(record, "conditions"))
    )
    found = {
        "duplicates": sum(count == 2 for count in copies.values()) > 20,
        "stages": sum(count == 2 for count in stages.values()) > 100,
        "over 100 KB": sum(size > 100_000 for size in sizes) > 10,
        "about 1 MB": 2 < sum(1_000_000 < size < 1_200_000 for size in sizes) < 20,
        "nothing larger": sizes[-1] < 1_200_000,
        "mostly small": sizes[len(sizes) * 9 // 10] < 8_000,
        "codes": {record.get("responseStatus", {}).get("code") for record in records}
        >= {200, 201, 403, 404, 409, 422, 500, None},
        "verbs": {record["verb"] for record in records}
        == {"create", "update", "patch", "delete", "deletecollection", "get", "list", "watch"},
        "impersonated null": any("impersonatedUser" in r and r["impersonatedUser"] is None for r in records),
        "nulls": '"revision":null' in text and '"annotations":null' in text and '"extra":null' in text,
        "no objectRef": any("objectRef" not in record for record in records),
        "no auditID": any("auditID" not in record for record in records),
        "dry runs": all(part in text for part in ("?dryRun=All", "&dryRun=All", '"dryRun":["All"]')),
        "server-side apply": any(
            r["verb"] == "patch" and r.get("responseStatus", {}).get("code") == 201 for r in records
        ),
        "cut": sum("audit.k8s.io/truncated" in record.get("annotations", ()) for record in records) > 20,
        "large, both orders of keys": min(sum(line.startswith(b) for line in large) for b in (b'{"kind', b'{"anno'))
        > 50,
        "large, log_type last": all(line.endswith(b'"log_type":"audit"}\n') for line in large),
        "started several times": sum(count > 1 for count in starts.values()) > 20,
        "ends": {one.get("reason") for one in conditions}
        >= {"Completed", "Succeeded", "Failed", "Cancelled", "PipelineRunTimeout", "CouldntGetPipeline", None},
        "conditions that lack keys": min(
            sum(key not in one for one in conditions) for key in ("type", "status", "reason", "message")
        )
        > 20,
        "scans": {one["name"] for one in results} >= {"CLAIR_SCAN_RESULT", "SCAN_OUTPUT"},
        "results of all types": {type(one.get("value")) for one in results} == {str, list, dict, type(None)},
        "owners of other kinds": '"ownerReferences":[{"apiVersion":"argoproj.io/v1alpha1","kind":"ApplicationSet"'
        in text,
        "sources of both shapes": '"source":{"git":{' in text and '"source":{"url":' in text,
        "JSON patches": all(
            part in text
            for part in ('[{"op":"test"', '},{"op":"test"', '"op":"remove"', '"path":"/metadata/annotations","value":{')
        ),
        "numbers and JSON as text": '"message":"1.10"' in text and '"message":"{\\"exit\\": 1}"' in text,
        "line separators": "\u2028" in text and "\x85" in text,
        "emoji, RTL, marks": all(part in text for part in ("🧑‍🚀", "\u202eנכשל", "e\u0301")),
        "results of both APIs": '"taskResults":[' in text and '"results":[' in text,
        "request patches": '"requestObject":[{"op":' in text and '"requestObject":{"metadata":{"annotations"' in text,
        "decoys": '"type":"NotSucceeded"' in text and '"type":"SucceededOnce"' in text,
        "names": users >= {"ops@example.com", "anna of the hill", "4711", 'say "cheese"', "back\\slash\\name", "שלום"},
    }
    assert [what for what, holds in found.items() if not holds] == []


def test_the_clusters_hold_what_a_careless_reader_stumbles_over() -> None:
    traffic = generate(Plan())
    lists = traffic.clusters.lists()
    assert {cluster: {name: files[name]["kind"] for name in files} for cluster, files in lists.items()} == {
        "host": {"usersignups.json": "UserSignupList", "namespaces.json": "List"},
        "member-1": {"namespaces.json": "List"},
        "member-2": {"namespaces.json": "List"},
    }
    signups = lists["host"]["usersignups.json"]["items"]
    sso_id = "toolchain.dev.openshift.com/sso-user-id"
    ways = Counter((sso_id in s["metadata"]["annotations"], "userID" in s["spec"]["identityClaims"]) for s in signups)
    assert min(ways[way] for way in ((True, False), (False, True), (True, True), (False, False))) > 0
    assert ways[True, False] > sum(ways.values()) / 2
    names = Counter(signup["status"].get("compliantUsername") for signup in signups)
    assert names[None] > 0
    assert sum(count == 2 for count in names.values()) > 2
    states = {signup["metadata"]["labels"]["toolchain.dev.openshift.com/state"] for signup in signups}
    assert states == {"approved", "pending", "deactivated", "banned"}
    ids = traffic.manifest["users"].values()
    assert [
        sum(map(bool, map(re.compile(form).fullmatch, ids))) > 0 for form in ("007", r"\d{30}", r".{8}-.*-.{12}")
    ] == [True] * 3
    first, second = (
        {
            item["metadata"]["name"]: item["metadata"]["labels"].get("toolchain.dev.openshift.com/space")
            for item in items
        }
        for items in (lists[member]["namespaces.json"]["items"] for member in ("member-1", "member-2"))
    )
    assert sum(first[name] != second[name] for name in first.keys() & second.keys()) > 1
    assert {"kube-system", "openshift-monitoring"} <= first.keys() & second.keys()


def test_the_command_writes_the_log_the_clusters_and_the_manifest(tmp_path: Path) -> None:
    log, manifest, clusters = tmp_path / "audit.log", tmp_path / "manifest.json", tmp_path / "clusters"
    files = ("--output", str(log), "--manifest", str(manifest), "--clusters", str(clusters))
    options = (*SMALL, "--seed", "9", "--start", "2027-02-03T04:05:06+01:00", "--records", "400")
    result = CliRunner().invoke(audit_log, [*options, *files])
    assert (result.exit_code, result.output) == (0, "")
    start = datetime(2027, 2, 3, 3, 5, 6, tzinfo=UTC)
    traffic = generate(Plan(users=3, hours=0.5, seed=9, start=start, records=400))
    assert log.read_bytes() == b"".join(traffic.records())
    assert json.loads(manifest.read_bytes()) == traffic.manifest
    written = {
        path.relative_to(clusters).as_posix(): json.loads(path.read_bytes()) for path in clusters.rglob("*.json")
    }
    lists = traffic.clusters.lists()
    assert written == {f"{cluster}/{name}": files[name] for cluster, files in lists.items() for name in files}


def test_the_command_writes_to_standard_output_by_default() -> None:
    result = CliRunner().invoke(audit_log, SMALL)
    assert result.exit_code == 0
    assert result.stdout_bytes == b"".join(generate(Plan(users=3, hours=0.5)).records())


@pytest.mark.parametrize(
    "options",
    [("--users", "0"), ("--hours", "0"), ("--start", "2026-01-05T08:00:00"), ("--start", "now"), ("--records", "-1")],
    ids=" ".join,
)
def test_the_command_refuses_what_describes_no_log(options: tuple[str, str]) -> None:
    assert CliRunner().invoke(audit_log, options).exit_code == 2


@pytest.mark.parametrize(
    "wrong",
    [{"users": 0}, {"hours": 0}, {"hours": float("nan")}, {"start": START.replace(tzinfo=None)}],
    ids=str,
)
def test_a_plan_refuses_what_describes_no_log(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Plan(**wrong)
