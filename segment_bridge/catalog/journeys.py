"""The eight user journeys, each declared once."""

from __future__ import annotations

from segment_bridge import spl
from segment_bridge.catalog import properties as p
from segment_bridge.catalog import record
from segment_bridge.catalog.clauses import (
    REQUEST_ANNOTATION,
    ClairScanResult,
    Exactly,
    OneOf,
    Present,
    PullRequestCreated,
    ServiceAccount,
    StatusCondition,
    StoredIfCreated,
    UserRequest,
)
from segment_bridge.catalog.journey import Journey

_APPSTUDIO = "appstudio.redhat.com"
_TEKTON = "tekton.dev"

_STORED = Present(record.RESOURCE_VERSION)
_OK = OneOf(record.RESPONSE_CODE, ("200",))
_OK_OR_CREATED = OneOf(record.RESPONSE_CODE, ("200", "201"))
_STATUS = OneOf(record.SUBRESOURCE, ("status",))
_BUILD = Exactly(record.label("pipelines.appstudio.openshift.io/type"), ("build",))


def _verbs(*verbs: str) -> OneOf:
    return OneOf("verb", verbs)


def _component_verb() -> spl.Expression:
    """Read the wish of a patch that asks for a build out of its annotation; else take the verb.

    A JSON patch is a list of operations, of which the first counts; one that removes the annotation has no
    value, and the first value then belongs to another operation.
    """
    patch = spl.field("verb").equals("patch")
    first = {part: spl.item(spl.field(f"requestObject{{}}.{part}"), 0) for part in ("op", "path", "value")}
    path = "/metadata/annotations/" + REQUEST_ANNOTATION.replace("/", "~1")
    asks = patch & first["path"].equals(path) & ~spl.coalesce(first["op"], spl.text("")).equals("remove")
    merged = spl.field(record.annotation(REQUEST_ANNOTATION, of="requestObject"))
    return spl.coalesce(spl.case((asks, first["value"]), (patch, merged)), spl.field("verb"))


JOURNEYS = (
    Journey(
        name="application-events",
        title="Application events",
        api_group=_APPSTUDIO,
        resource="applications",
        clauses=(_verbs("create"), _OK_OR_CREATED, UserRequest(), _STORED),
        carries_user=True,
        properties=(p.NAME, p.OWN_APPLICATION),
    ),
    Journey(
        name="component-events",
        title="Component events",
        api_group=_APPSTUDIO,
        resource="components",
        clauses=(_verbs("create", "update", "delete", "patch"), _OK_OR_CREATED, UserRequest(), StoredIfCreated()),
        verb=_component_verb(),
        carries_user=True,
        properties=(p.NAME, p.APPLICATION, p.COMPONENT, p.SRC_URL, p.SRC_REVISION),
    ),
    Journey(
        name="build-pipelinerun-created",
        title="Build PipelineRun creation events",
        api_group=_TEKTON,
        resource="pipelineruns",
        clauses=(_verbs("create"), _OK_OR_CREATED, _BUILD, _STORED),
        event="Build PipelineRun created",
        properties=(
            p.APPLICATION,
            p.COMPONENT,
            p.REPO,
            p.COMMIT_SHA,
            p.TARGET_BRANCH,
            p.GIT_TRIGGER_EVENT_TYPE,
            p.GIT_TRIGGER_PROVIDER,
            p.PIPELINE_LOG_URL,
        ),
    ),
    Journey(
        name="build-pipelinerun-started",
        title="Build PipelineRun started events",
        api_group=_TEKTON,
        resource="pipelineruns",
        clauses=(
            _verbs("update"),
            _OK,
            _STATUS,
            _BUILD,
            _STORED,
            Present(record.START_TIME),
            StatusCondition("Succeeded", reasons=("Running",), message_like="Tasks Completed: 0 %"),
        ),
        event="Build PipelineRun started",
        properties=(
            p.APPLICATION,
            p.COMPONENT,
            p.GIT_TRIGGER_EVENT_TYPE,
            p.GIT_TRIGGER_PROVIDER,
            p.PIPELINE_LOG_URL,
        ),
    ),
    Journey(
        name="clair-scan-completed",
        title="Clair scan TaskRun completion events",
        api_group=_TEKTON,
        resource="taskruns",
        clauses=(
            _verbs("update"),
            _OK,
            _STATUS,
            Exactly(record.label("tekton.dev/pipelineTask", of="requestObject"), ("clair-scan",)),
            Present(record.COMPLETION_TIME),
            StatusCondition("Succeeded", reasons=("Succeeded",), status="True"),
            ClairScanResult(),
        ),
        event="Clair scan TaskRun completed",
        properties=(p.APPLICATION, p.COMPONENT, *p.VULNERABILITIES),
    ),
    Journey(
        name="build-pipelinerun-ended",
        title="Build PipelineRun Completed or Failed events",
        api_group=_TEKTON,
        resource="pipelineruns",
        clauses=(
            _verbs("update"),
            _OK,
            _STATUS,
            _BUILD,
            _STORED,
            Present(record.COMPLETION_TIME),
            StatusCondition("Succeeded", reasons=("Completed", "Failed")),
        ),
        event="Build PipelineRun ended",
        properties=(
            p.APPLICATION,
            p.COMPONENT,
            p.STATUS_MESSAGE,
            p.STATUS_REASON,
            p.REPO,
            p.COMMIT_SHA,
            p.TARGET_BRANCH,
            p.GIT_TRIGGER_EVENT_TYPE,
            p.GIT_TRIGGER_PROVIDER,
            p.PIPELINE_LOG_URL,
        ),
    ),
    Journey(
        name="release-done",
        title="Release Succeeded or Failed events",
        api_group=_APPSTUDIO,
        resource="releases",
        clauses=(
            _verbs("patch"),
            _OK,
            _STATUS,
            _STORED,
            Present(record.COMPLETION_TIME),
            StatusCondition("Released", reasons=("Succeeded", "Failed")),
        ),
        event="Release process done",
        properties=(p.NAME, p.OWNER_APPLICATION, p.STATUS_REASON, p.STATUS_MESSAGE),
    ),
    Journey(
        name="pull-request-created",
        title="Pull Request created events",
        api_group=_APPSTUDIO,
        resource="components",
        clauses=(
            _verbs("update"),
            _OK,
            ServiceAccount(record.USER, ("system:serviceaccount:build-service:build-service-controller-manager",)),
            PullRequestCreated(),
        ),
        event="Pull request created",
        properties=(p.NAME, p.APPLICATION, p.COMPONENT, p.MERGE_URL, p.SRC_URL, p.SRC_REVISION),
    ),
)
