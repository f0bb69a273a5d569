"""Names of an audit record's fields, as Splunk extracts them: JSON paths joined with dots, ``{}`` for a list."""

from __future__ import annotations

#: The top-level members of an ``audit.k8s.io/v1`` Event, and what the collector adds.
ROOTS = frozenset(
    {
        "annotations",
        "apiVersion",
        "auditID",
        "impersonatedUser",
        "kind",
        "level",
        "log_type",
        "objectRef",
        "requestObject",
        "requestReceivedTimestamp",
        "requestURI",
        "responseObject",
        "responseStatus",
        "sourceIPs",
        "stage",
        "stageTimestamp",
        "user",
        "userAgent",
        "verb",
    }
)

API_GROUP = "objectRef.apiGroup"
RESOURCE = "objectRef.resource"
SUBRESOURCE = "objectRef.subresource"
RESPONSE_CODE = "responseStatus.code"
USER = "user.username"
IMPERSONATED_USER = "impersonatedUser.username"
RESOURCE_VERSION = "responseObject.metadata.resourceVersion"
START_TIME = "responseObject.status.startTime"
COMPLETION_TIME = "responseObject.status.completionTime"


def label(key: str, *, of: str = "responseObject") -> str:
    """Name the field of a label."""
    return f"{of}.metadata.labels.{key}"


def annotation(key: str, *, of: str = "responseObject") -> str:
    """Name the field of an annotation."""
    return f"{of}.metadata.annotations.{key}"


def condition(part: str) -> str:
    """Name one part of all status conditions, a list by position."""
    return f"responseObject.status.conditions{{}}.{part}"
