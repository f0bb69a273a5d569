"""The manifest, against a reading of the journeys' rules that shares nothing with the generator.

Everything here works on what a bridge would see: the log's JSON lines and the cluster objects in their files.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.traffic import Plan, generate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Json = dict[str, Any]
APPSTUDIO, TEKTON = "appstudio.redhat.com", "tekton.dev"
BUILD_SERVICE = "system:serviceaccount:build-service:build-service-controller-manager"
TYPE = "pipelines.appstudio.openshift.io/type"
REQUEST = "build.appstudio.openshift.io/request"
STATUS = "build.appstudio.openshift.io/status"
ANNOTATIONS = "/metadata/annotations"
REQUEST_PATH = f"{ANNOTATIONS}/build.appstudio.openshift.io~1request"
TRUNCATED = "audit.k8s.io/truncated"
KINDS = {
    *((APPSTUDIO, "applications"), (APPSTUDIO, "components"), (APPSTUDIO, "releases")),
    *((TEKTON, "pipelineruns"), (TEKTON, "taskruns")),
}
TOO_LARGE = 32_000


def get(value: Any, *path: str) -> Any:  # noqa: ANN401 - any JSON value
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def of(record: Json, group: str, resource: str, codes: tuple[int, ...], *verbs: str) -> dict[str, bool]:
    return {
        "group": get(record, "objectRef", "apiGroup") == group,
        "resource": get(record, "objectRef", "resource") == resource,
        "code": get(record, "responseStatus", "code") in codes,
        "verb": record["verb"] in verbs,
        "dry run": not dry_run(record),
    }


def dry_run(record: Json) -> bool:
    parameters = record["requestURI"].partition("?")[2].split("&")
    options = get(record, "requestObject", "kind") == "DeleteOptions"
    return "dryRun=All" in parameters or (options and "All" in record["requestObject"].get("dryRun", ()))


def applied_again(record: Json) -> bool:
    return bool(record["verb"] == "patch" and get(record, "responseStatus", "code") == 200)


def creates(record: Json) -> bool:
    return bool(record["verb"] == "create" or (record["verb"], get(record, "responseStatus", "code")) == ("patch", 201))


def by_user(record: Json) -> bool:
    user = get(record, "user", "username")
    impersonated = get(record, "impersonatedUser", "username")
    return impersonated is not None or (user is not None and not user.startswith("system:"))


def stored(record: Json) -> bool:
    return get(record, "responseObject", "metadata", "resourceVersion") is not None


def build(record: Json) -> bool:
    return bool(get(record, "responseObject", "metadata", "labels", TYPE) == "build")


def on_status(record: Json) -> bool:
    return bool(get(record, "objectRef", "subresource") == "status")


def in_status(record: Json, key: str) -> bool:
    return get(record, "responseObject", "status", key) is not None


def condition(record: Json, type_: str) -> Json:
    found = [c for c in get(record, "responseObject", "status", "conditions") or () if c.get("type") == type_]
    return found[0] if found else {}


def scan_result(record: Json) -> Json | None:
    status = get(record, "responseObject", "status")
    results = [*(get(status, "taskResults") or ()), *(get(status, "results") or ())]
    found = [
        json.loads(result["value"]) for result in results if result["name"] in ("CLAIR_SCAN_RESULT", "SCAN_OUTPUT")
    ]
    return found[0] if found else None


def pac(record: Json) -> Json:
    text = get(record, "responseObject", "metadata", "annotations", STATUS)
    try:
        return get(json.loads(text or ""), "pac") or {}
    except ValueError:
        return {}


def application(record: Json) -> dict[str, bool]:
    clauses = of(record, APPSTUDIO, "applications", (200, 201), "create", "patch")
    return clauses | {"user": by_user(record), "created": not applied_again(record), "stored": stored(record)}


def component(record: Json) -> dict[str, bool]:
    clauses = of(record, APPSTUDIO, "components", (200, 201), "create", "update", "delete", "patch")
    return clauses | {
        "user": by_user(record),
        "stored": not creates(record) or stored(record),
        "pull request": not all(pull_request(record).values()),
    }


def build_created(record: Json) -> dict[str, bool]:
    clauses = of(record, TEKTON, "pipelineruns", (200, 201), "create")
    return clauses | {"build": build(record), "stored": stored(record)}


def build_started(record: Json) -> dict[str, bool]:
    succeeded = condition(record, "Succeeded")
    return of(record, TEKTON, "pipelineruns", (200,), "update") | {
        "subresource": on_status(record),
        "build": build(record),
        "stored": stored(record),
        "startTime": in_status(record, "startTime"),
        "condition": bool(succeeded),
        "status": not succeeded or succeeded.get("status") == "Unknown",
        "reason": not succeeded or succeeded.get("reason") == "Running",
        "message": not succeeded or str(succeeded.get("message")).startswith("Tasks Completed: 0 "),
    }


def clair_scan(record: Json) -> dict[str, bool]:
    succeeded = condition(record, "Succeeded")
    return of(record, TEKTON, "taskruns", (200,), "update") | {
        "subresource": on_status(record),
        "task": get(record, "requestObject", "metadata", "labels", "tekton.dev/pipelineTask") == "clair-scan",
        "completionTime": in_status(record, "completionTime"),
        "condition": bool(succeeded),
        "reason": not succeeded or succeeded.get("reason") == "Succeeded",
        "status": not succeeded or succeeded.get("status") == "True",
        "result": scan_result(record) is not None,
    }


def build_ended(record: Json) -> dict[str, bool]:
    succeeded = condition(record, "Succeeded")
    return of(record, TEKTON, "pipelineruns", (200,), "update") | {
        "subresource": on_status(record),
        "build": build(record),
        "stored": stored(record),
        "completionTime": in_status(record, "completionTime"),
        "condition": bool(succeeded),
        "status": not succeeded or succeeded.get("status") in ("True", "False"),
    }


def release(record: Json) -> dict[str, bool]:
    released = condition(record, "Released")
    return of(record, APPSTUDIO, "releases", (200,), "patch") | {
        "subresource": on_status(record),
        "stored": stored(record),
        "completionTime": in_status(record, "completionTime"),
        "condition": bool(released),
        "status": not released or released.get("status") in ("True", "False"),
    }


def pull_request(record: Json) -> dict[str, bool]:
    annotations = get(record, "responseObject", "metadata", "annotations")
    told = pac(record)
    return of(record, APPSTUDIO, "components", (200,), "update") | {
        "user": get(record, "user", "username") == BUILD_SERVICE,
        "annotation": "pac" in (get(annotations, STATUS) or ""),
        "request": get(annotations, REQUEST) is None,
        "state": "pac" not in (get(annotations, STATUS) or "") or told.get("state") == "enabled",
        "merge-url": told.get("state") != "enabled" or told.get("merge-url") is not None,
    }


PREDICATES: dict[str, Callable[[Json], dict[str, bool]]] = {
    "Application events": application,
    "Component events": component,
    "Build PipelineRun creation events": build_created,
    "Build PipelineRun started events": build_started,
    "Clair scan TaskRun completion events": clair_scan,
    "Build PipelineRun Completed or Failed events": build_ended,
    "Release Succeeded or Failed events": release,
    "Pull Request created events": pull_request,
}
CARRIES_USER = ("Application events", "Component events")
NAMES = {
    "Application events": "Application created",
    "Build PipelineRun creation events": "Build PipelineRun created",
    "Build PipelineRun started events": "Build PipelineRun started",
    "Clair scan TaskRun completion events": "Clair scan TaskRun completed",
    "Build PipelineRun Completed or Failed events": "Build PipelineRun ended",
    "Release Succeeded or Failed events": "Release process done",
    "Pull Request created events": "Pull request created",
}


def once(title: str, record: Json) -> str | None:
    """Return what a journey counts once, by its earliest record."""
    if title == "Pull Request created events":
        return str(pac(record)["merge-url"])
    if title == "Build PipelineRun started events":
        uid = get(record, "responseObject", "metadata", "uid")
        return str(uid or (record["objectRef"]["namespace"], record["objectRef"]["name"]))
    return None


def name(title: str, record: Json) -> str:
    """Return the name of the event that a record becomes."""
    if title in NAMES:
        return NAMES[title]
    wish = wished(record.get("requestObject")) if record["verb"] == "patch" and not creates(record) else None
    done = {"create": "created", "update": "updated", "delete": "deleted", "patch": "patched"}
    return f"Component {'created' if creates(record) else wish or done[record['verb']]}"


def wished(body: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """Return what a patch leaves in the annotation of requests, if it has put it there."""
    if not isinstance(body, list):
        asked = get(body, "metadata", "annotations", REQUEST)
        return None if asked is None else str(asked)
    left = None
    for operation in body:
        if operation["op"] == "test":
            continue
        value = operation.get("value")
        if operation["path"] == REQUEST_PATH:
            left = value
        if operation["path"] == ANNOTATIONS:
            left = get(value, REQUEST)
    return None if left is None else str(left)


# A clause about a part of something (a condition's reason, an annotation's state) holds where the whole is missing,
# so that a record is blamed for one thing at a time.


def search(records: Iterable[Json]) -> tuple[dict[str, list[Json]], set[tuple[str, str]]]:
    """Return the results of every journey, and the clauses that some record fails while it satisfies the others."""
    results: dict[str, list[Json]] = {title: [] for title in PREDICATES}
    lone: set[tuple[str, str]] = set()
    seen: set[str] = set()
    for record in records:
        for title, predicate in PREDICATES.items():
            failed = [clause for clause, holds in predicate(record).items() if not holds]
            if len(failed) == 1:
                lone.add((title, failed[0]))
            if failed:
                continue
            if (key := once(title, record)) is not None:
                if key in seen:
                    continue
                seen.add(key)
            results[title].append(record)
    return results, lone


def items(path: Path) -> list[Json]:
    return list(json.loads(path.read_bytes())["items"])


def user_map(folder: Path) -> dict[str, str]:
    found: dict[str, tuple[bool, str, str]] = {}
    for signup in items(folder / "host" / "usersignups.json"):
        meta, name = signup["metadata"], signup["status"].get("compliantUsername")
        assert meta["namespace"] == "toolchain-host-operator"
        user_id = meta["annotations"].get("toolchain.dev.openshift.com/sso-user-id")
        if user_id is None:
            user_id = signup["spec"]["identityClaims"].get("userID")
        if name is None or user_id is None:
            continue
        approved = meta["labels"]["toolchain.dev.openshift.com/state"] == "approved"
        rank = (approved, meta["creationTimestamp"], user_id)
        found[name] = max(found.get(name, rank), rank)
    return {name: rank[2] for name, rank in found.items()}


def workspace_map(folder: Path) -> dict[str, str]:
    spaces: dict[str, str] = {}
    for member in ("member-1", "member-2"):
        for namespace in items(folder / member / "namespaces.json"):
            labels = namespace["metadata"]["labels"]
            space = labels.get("toolchain.dev.openshift.com/space")
            if labels.get("toolchain.dev.openshift.com/type") == "tenant" and space is not None:
                spaces[namespace["metadata"]["name"]] = space
    return spaces


def size_of_event(title: str, record: Json) -> int:
    """Return about the bytes of a track event: those of its large parts and an allowance for the small ones."""
    type_ = {
        "Build PipelineRun Completed or Failed events": "Succeeded",
        "Release Succeeded or Failed events": "Released",
    }
    message = condition(record, type_[title]).get("message") if title in type_ else ""
    small = {key: record[key] for key in ("objectRef", "userAgent", "user")}
    meta = get(record, "responseObject", "metadata", "annotations") or {}
    small |= {key: value for key, value in meta.items() if key != "example.com/export"}
    size = len(json.dumps([message, small], ensure_ascii=False).encode())
    assert not TOO_LARGE * 0.8 < size < TOO_LARGE, "too near to the limit to be told without the exact event"
    return size


def rejection(title: str, record: Json, users: dict[str, str], spaces: dict[str, str]) -> str | None:
    owner = spaces.get(record["objectRef"]["namespace"])
    if owner is None:
        return "unknown_namespace"
    if owner not in users:
        return "unknown_workspace_owner"
    user = get(record, "impersonatedUser", "username") or record["user"]["username"]
    if title in CARRIES_USER and user not in users:
        return "unknown_user"
    if record.get("auditID") is None:
        return "missing_message_id"
    return "too_large" if size_of_event(title, record) > TOO_LARGE else None


def truncated(records: list[Json]) -> dict[str, int]:
    """Count, by resource, the records of the journeys' kinds that have been cut."""
    cut = [record for record in records if get(record, "annotations", TRUNCATED) == "true"]
    kinds = [record["objectRef"] for record in cut if get(record, "responseStatus", "code") in (200, 201)]
    return dict(Counter(ref["resource"] for ref in kinds if (ref.get("apiGroup"), ref["resource"]) in KINDS))


@pytest.mark.parametrize(
    "plan",
    [
        Plan(),
        Plan(seed=2, hours=2),
        Plan(users=120, hours=1, seed=3),
        Plan(users=1, hours=0.5, seed=4),
        Plan(users=7, hours=8, seed=-5, records=5_000),
    ],
    ids=str,
)
def test_the_manifest_says_what_the_rules_find(plan: Plan, tmp_path: Path) -> None:
    traffic = generate(plan)
    traffic.clusters.write(tmp_path)
    records = [json.loads(line) for line in traffic.records()]
    users, spaces = user_map(tmp_path), workspace_map(tmp_path)
    results, _ = search(records)
    expected = {}
    for title, found in results.items():
        outcomes = [rejection(title, record, users, spaces) for record in found]
        reasons = Counter(filter(None, outcomes))
        kept = {record["auditID"]: record for record, reason in zip(found, outcomes, strict=True) if reason is None}
        expected[title] = {
            "matching": len(found),
            "audit_ids": sorted(record["auditID"] for record in found if "auditID" in record),
            "events": len(found) - reasons.total(),
            "names": dict(Counter(name(title, record) for record in kept.values())),
            "rejected": dict(reasons),
        }
    assert traffic.manifest == {
        "records": len(records),
        "journeys": expected,
        "truncated": truncated(records),
        "users": users,
        "workspaces": spaces,
    }


def test_every_clause_alone_keeps_some_record_out() -> None:
    records = [json.loads(line) for line in generate(Plan()).records()]
    _, lone = search(records)
    assert lone == {(title, clause) for title, predicate in PREDICATES.items() for clause in predicate(records[0])}


def test_every_journey_and_every_reason_occurs() -> None:
    for seed in (1, 2, 3):
        journeys = generate(Plan(seed=seed)).manifest["journeys"]
        assert [title for title in journeys if journeys[title]["events"] < 20] == []
        assert {reason for journey in journeys.values() for reason in journey["rejected"]} == {
            *("unknown_namespace", "unknown_workspace_owner", "unknown_user", "missing_message_id", "too_large"),
        }
