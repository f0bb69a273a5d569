"""What the journeys make of generated traffic, event by event, against a reading of the records that knows no SPL."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.splunk import DOCUMENTED, AuditLog
from sandbox.splunk.commands import compile_search
from sandbox.splunk.records import Record
from sandbox.traffic import Plan, generate
from segment_bridge import source_check
from segment_bridge.catalog import JOURNEYS
from segment_bridge.events import Rejection, TrackEvent
from segment_bridge.identity import Maps
from segment_bridge.settings import Source
from tests.journeys.in_process import SEARCHES, SETTINGS, compiled, converted
from tests.unit.sandbox.test_traffic_manifest import CARRIES_USER, condition, get, name, pac, scan_result

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

TRAFFIC = generate(Plan(users=40, hours=2, seed=5))
LABELS = ("responseObject", "metadata", "labels")
ANNOTATIONS = ("responseObject", "metadata", "annotations")


@cache
def log() -> AuditLog:
    return AuditLog(tuple(map(Record.parse, TRAFFIC.records())))


@cache
def answered() -> dict[str, Json]:
    """Return the records of requests that were answered, by their audit IDs."""
    records = map(json.loads, TRAFFIC.records())
    return {record["auditID"]: record for record in records if "auditID" in record and "responseStatus" in record}


def common(record: Json) -> Json:
    of = record["objectRef"]
    return {"apiGroup": of["apiGroup"], "apiVersion": of["apiVersion"], "kind": of["resource"]}


def first(*values: object) -> object:
    return next((value for value in values if value is not None), None)


def part_of(record: Json) -> Json:
    spec = get(record, "responseObject", "spec")
    labels = get(record, *LABELS)
    return {
        "application": first(get(spec, "application"), get(labels, "appstudio.openshift.io/application")),
        "component": first(get(spec, "componentName"), get(labels, "appstudio.openshift.io/component")),
    }


def source(record: Json) -> Json:
    whole = get(record, "responseObject", "spec", "source")
    return {
        "src_url": first(get(whole, "git", "url"), get(whole, "url")),
        "src_revision": get(whole, "git", "revision"),
    }


def told_by_git(record: Json) -> Json:
    notes = get(record, *ANNOTATIONS) or {}
    return {
        "repo": str(notes["build.appstudio.openshift.io/repo"]).split("?")[0],
        "commit_sha": notes.get("build.appstudio.redhat.com/commit_sha"),
        "target_branch": notes.get("build.appstudio.redhat.com/target_branch"),
        **trigger(record),
    }


def trigger(record: Json) -> Json:
    notes = get(record, *ANNOTATIONS) or {}
    return {
        "git_trigger_event_type": notes.get("pipelinesascode.tekton.dev/event-type"),
        "git_trigger_provider": notes.get("pipelinesascode.tekton.dev/git-provider"),
        "pipeline_log_url": notes.get("pipelinesascode.tekton.dev/log-url"),
    }


def outcome(record: Json, type_: str) -> Json:
    ended = condition(record, type_)
    return {"status_reason": ended.get("reason"), "status_message": ended.get("message")}


def released(record: Json) -> Json:
    owners = get(record, "responseObject", "metadata", "ownerReferences") or ()
    ours = [
        one
        for one in owners
        if (one["kind"], one.get("apiVersion")) == ("Application", "appstudio.redhat.com/v1alpha1")
    ]
    label = get(record, *LABELS, "appstudio.openshift.io/application")
    return {"application": ours[0]["name"] if ours else label}


def scanned(record: Json) -> Json:
    counts = get(scan_result(record), "vulnerabilities")
    return {f"vulnerabilities_{severity}": counts.get(severity) for severity in ("critical", "high", "medium", "low")}


def named(record: Json) -> Json:
    return {"name": record["objectRef"]["name"]}


PROPERTIES: dict[str, Callable[[Json], Json]] = {
    "Application events": lambda r: named(r) | {"application": r["objectRef"]["name"]},
    "Component events": lambda r: named(r) | part_of(r) | source(r),
    "Build PipelineRun creation events": lambda r: part_of(r) | told_by_git(r),
    "Build PipelineRun started events": lambda r: part_of(r) | trigger(r),
    "Clair scan TaskRun completion events": lambda r: part_of(r) | scanned(r),
    "Build PipelineRun Completed or Failed events": lambda r: part_of(r) | outcome(r, "Succeeded") | told_by_git(r),
    "Release Succeeded or Failed events": lambda r: named(r) | released(r) | outcome(r, "Released"),
    "Pull Request created events": lambda r: named(r) | part_of(r) | {"merge_url": pac(r)["merge-url"]} | source(r),
}


def expected(title: str, record: Json) -> Json:
    users, namespace = TRAFFIC.manifest["users"], record["objectRef"]["namespace"]
    owner = TRAFFIC.manifest["workspaces"][namespace]
    who = first(get(record, "impersonatedUser", "username"), get(record, "user", "username"))
    return {
        "messageId": record["auditID"],
        "timestamp": record["requestReceivedTimestamp"],
        "namespace": namespace,
        "type": "track",
        "userId": users[who if title in CARRIES_USER else owner],
        "event": name(title, record),
        "properties": {**common(record), **PROPERTIES[title](record), "workspaceID": users[owner]},
        "context": {"userAgent": record["userAgent"]},
    }


@pytest.mark.parametrize("settings", [(), SETTINGS], ids=["as documented", "all otherwise"])
@pytest.mark.parametrize("title", SEARCHES)
def test_every_event_is_that_of_its_record(title: str, settings: tuple[str, ...]) -> None:
    maps = Maps(TRAFFIC.manifest["users"], TRAFFIC.manifest["workspaces"])
    made = converted(compiled(title, settings).run(log()), maps)
    events = [json.loads(one.body) for one in made if isinstance(one, TrackEvent)]
    rejected = Counter(str(one.reason) for one in made if isinstance(one, Rejection))
    due = TRAFFIC.manifest["journeys"][title]
    names = Counter({event["messageId"]: event["event"] for event in events}.values())
    assert (len(events), names, rejected) == (due["events"], due["names"], due["rejected"])
    assert events == [expected(title, answered()[event["messageId"]]) for event in events]


@pytest.mark.parametrize("settings", [(), SETTINGS], ids=["as documented", "all otherwise"])
def test_what_was_cut_is_counted(settings: tuple[str, ...]) -> None:
    search = source_check.truncated_records(Source("audit"), JOURNEYS)
    rows = compile_search(search, readings=DOCUMENTED.having(*settings)).run(log())
    assert {row["objectRef_resource"]: row["count"] for row in rows} == TRAFFIC.manifest["truncated"]
