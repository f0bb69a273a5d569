"""The properties of track events: where each is found in an audit record.

The names are what dashboards are built on. A property whose source is missing is ``null``.
"""

from __future__ import annotations

from dataclasses import dataclass

from segment_bridge import spl
from segment_bridge.catalog import record
from segment_bridge.catalog.clauses import PullRequestCreated, ScanResult, StatusCondition


@dataclass(frozen=True)
class Property:
    """A property and the expression that finds it; a text that somebody has chosen may look like a number."""

    name: str
    source: spl.Expression
    is_chosen: bool = True

    @property
    def value(self) -> spl.Expression:
        """What a search gives."""
        return spl.marked(self.source) if self.is_chosen else self.source


def _spelled(name: str, path: str) -> Property:
    """Take what the API server spells, and nobody chooses."""
    return Property(name, record.part(path), is_chosen=False)


def _part(name: str, path: str) -> Property:
    return Property(name, record.part(path))


def _annotation(name: str, key: str) -> Property:
    return Property(name, record.annotation(key))


def _or_label(name: str, path: str, key: str) -> Property:
    return Property(name, spl.coalesce(record.part(path), record.label(key)))


COMMON = (
    _spelled("apiGroup", record.API_GROUP),
    _spelled("apiVersion", "objectRef.apiVersion"),
    _spelled("kind", record.RESOURCE),
)
NAME = _part("name", "objectRef.name")

_APPLICATION_LABEL = "appstudio.openshift.io/application"
APPLICATION = _or_label("application", "responseObject.spec.application", _APPLICATION_LABEL)
#: The application, where the object is one.
OWN_APPLICATION = _part("application", "objectRef.name")
COMPONENT = _or_label("component", "responseObject.spec.componentName", "appstudio.openshift.io/component")


def _owner_application() -> spl.Expression:
    """Read which application owns a release; newer ones have no owner, but a label."""
    owners = record.elements("responseObject.metadata.ownerReferences")
    kind, version = (spl.json_member(owners, key) for key in ("kind", "apiVersion"))
    owner = spl.item(spl.those(owners, kind.equals("Application") & version.like("appstudio.redhat.com/%")), 0)
    return spl.coalesce(record.member(owner, "name"), record.label(_APPLICATION_LABEL))


OWNER_APPLICATION = Property("application", _owner_application())


def _revision() -> spl.Expression:
    """Read the revision of a component's source; one that has several versions has none of its own."""
    versions = record.elements("responseObject.spec.source.versions")
    only = spl.case((spl.count(versions).is_number(1), versions))
    return spl.coalesce(record.part("responseObject.spec.source.git.revision"), record.member(only, "revision"))


SRC_URL = Property(
    "src_url",
    spl.coalesce(record.part("responseObject.spec.source.git.url"), record.part("responseObject.spec.source.url")),
)
SRC_REVISION = Property("src_revision", _revision())

REPO = Property("repo", spl.cut_before(record.annotation("build.appstudio.openshift.io/repo"), "?"))
COMMIT_SHA = _annotation("commit_sha", "build.appstudio.redhat.com/commit_sha")
TARGET_BRANCH = _annotation("target_branch", "build.appstudio.redhat.com/target_branch")
GIT_TRIGGER_EVENT_TYPE = _annotation("git_trigger_event_type", "pipelinesascode.tekton.dev/event-type")
GIT_TRIGGER_PROVIDER = _annotation("git_trigger_provider", "pipelinesascode.tekton.dev/git-provider")
PIPELINE_LOG_URL = _annotation("pipeline_log_url", "pipelinesascode.tekton.dev/log-url")
MERGE_URL = Property("merge_url", PullRequestCreated.once_per)


def status(condition: StatusCondition) -> tuple[Property, Property]:
    """Give the message and the reason of a status condition."""
    return tuple(Property(f"status_{key}", condition.part(key)) for key in ("message", "reason"))  # type: ignore[return-value] # two


def vulnerabilities(scan: ScanResult) -> tuple[Property, ...]:
    """Give the counts of a scan."""
    severities = ("critical", "high", "medium", "low")
    return tuple(
        Property(f"vulnerabilities_{severity}", scan.count(severity), is_chosen=False) for severity in severities
    )
