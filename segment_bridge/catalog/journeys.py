"""The eight user journeys, each declared once."""

from __future__ import annotations

from segment_bridge import spl
from segment_bridge.catalog import properties as p
from segment_bridge.catalog import record
from segment_bridge.catalog.clauses import (
    Created,
    Labelled,
    OncePerObject,
    OneOf,
    Present,
    PullRequestCreated,
    Responded,
    ScanResult,
    StatusCondition,
    StoredIfCreated,
    UserRequest,
)
from segment_bridge.catalog.component_verb import COMPONENT_VERB
from segment_bridge.catalog.journey import Journey

_APPSTUDIO = "appstudio.redhat.com"
_TEKTON = "tekton.dev"

_STORED = Present(record.RESOURCE_VERSION)
_OK = Responded((200,))
_OK_OR_CREATED = Responded((200, 201))
_STATUS = OneOf(record.SUBRESOURCE, ("status",))
_BUILD = Labelled("pipelines.appstudio.openshift.io/type", "build")


_SCANNED = ScanResult(("CLAIR_SCAN_RESULT", "SCAN_OUTPUT"))
_ENDED = StatusCondition("Succeeded", ("True", "False"))
_RELEASED = StatusCondition("Released", ("True", "False"))


def _verbs(*verbs: str) -> OneOf:
    return OneOf(record.VERB, verbs)


_PULL_REQUEST_CREATED = Journey(
    name="pull-request-created",
    title="Pull Request created events",
    api_group=_APPSTUDIO,
    resource="components",
    clauses=(
        _verbs("update"),
        _OK,
        OneOf(record.USER, ("system:serviceaccount:build-service:build-service-controller-manager",)),
        PullRequestCreated(),
    ),
    event="Pull request created",
    properties=(p.NAME, p.APPLICATION, p.COMPONENT, p.MERGE_URL, p.SRC_URL, p.SRC_REVISION),
)

JOURNEYS = (
    Journey(
        name="application-events",
        title="Application events",
        api_group=_APPSTUDIO,
        resource="applications",
        clauses=(_verbs("create", "patch"), _OK_OR_CREATED, Created(), UserRequest(), _STORED),
        verb=spl.text("create"),
        carries_user=True,
        properties=(p.NAME, p.OWN_APPLICATION),
    ),
    Journey(
        name="component-events",
        title="Component events",
        api_group=_APPSTUDIO,
        resource="components",
        clauses=(
            _verbs("create", "update", "delete", "patch"),
            _OK_OR_CREATED,
            UserRequest(),
            StoredIfCreated(),
        ),
        verb=COMPONENT_VERB,
        carries_user=True,
        unless=(_PULL_REQUEST_CREATED,),
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
            StatusCondition("Succeeded", ("Unknown",), reason="Running", message_like="Tasks Completed: 0 %"),
            OncePerObject(),
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
            Labelled("tekton.dev/pipelineTask", "clair-scan", of="requestObject"),
            Present(record.COMPLETION_TIME),
            StatusCondition("Succeeded", ("True",), reason="Succeeded"),
            _SCANNED,
        ),
        event="Clair scan TaskRun completed",
        properties=(p.APPLICATION, p.COMPONENT, *p.vulnerabilities(_SCANNED)),
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
            _ENDED,
        ),
        event="Build PipelineRun ended",
        properties=(
            p.APPLICATION,
            p.COMPONENT,
            *p.status(_ENDED),
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
            _RELEASED,
        ),
        event="Release process done",
        properties=(p.NAME, p.OWNER_APPLICATION, *p.status(_RELEASED)[::-1]),
    ),
    _PULL_REQUEST_CREATED,
)
