"""The properties of track events: where each is found in an audit record.

The names are what dashboards are built on. A property whose source is missing is ``null``.
"""

from __future__ import annotations

from dataclasses import dataclass

from segment_bridge import spl
from segment_bridge.catalog import record


@dataclass(frozen=True)
class Property:
    """A property and the expression that finds it."""

    name: str
    source: spl.Expression


def _field(name: str, path: str) -> Property:
    return Property(name, spl.field(path))


def _made(name: str) -> Property:
    """Take a field of the same name that a clause makes."""
    return Property(name, spl.field(name))


def _or_label(name: str, path: str, key: str) -> Property:
    return Property(name, spl.coalesce(spl.field(path), spl.field(record.label(key))))


COMMON = (
    _field("apiGroup", "objectRef.apiGroup"),
    _field("apiVersion", "objectRef.apiVersion"),
    _field("kind", "objectRef.resource"),
)
NAME = _field("name", "objectRef.name")

APPLICATION = _or_label("application", "responseObject.spec.application", "appstudio.openshift.io/application")
#: The application, where the object is one.
OWN_APPLICATION = _field("application", "objectRef.name")
#: The application of a release is what owns it.
OWNER_APPLICATION = Property("application", spl.item(spl.field("responseObject.metadata.ownerReferences{}.name"), 0))
COMPONENT = _or_label("component", "responseObject.spec.componentName", "appstudio.openshift.io/component")

SRC_URL = _field("src_url", "responseObject.spec.source.git.url")
SRC_REVISION = _field("src_revision", "responseObject.spec.source.git.revision")

REPO = Property("repo", spl.cut_before(spl.field(record.annotation("build.appstudio.openshift.io/repo")), "?"))
COMMIT_SHA = _field("commit_sha", record.annotation("build.appstudio.redhat.com/commit_sha"))
TARGET_BRANCH = _field("target_branch", record.annotation("build.appstudio.redhat.com/target_branch"))
GIT_TRIGGER_EVENT_TYPE = _field("git_trigger_event_type", record.annotation("pipelinesascode.tekton.dev/event-type"))
GIT_TRIGGER_PROVIDER = _field("git_trigger_provider", record.annotation("pipelinesascode.tekton.dev/git-provider"))
PIPELINE_LOG_URL = _field("pipeline_log_url", record.annotation("pipelinesascode.tekton.dev/log-url"))

STATUS_REASON = _made("status_reason")
STATUS_MESSAGE = _made("status_message")
VULNERABILITIES = tuple(_made(f"vulnerabilities_{severity}") for severity in ("critical", "high", "medium", "low"))
MERGE_URL = _made("merge_url")
