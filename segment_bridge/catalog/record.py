"""Reading an audit record's parts by explicit paths, which see the whole record however large it is.

Splunk's automatic extraction stops after 5,000 bytes of a record, gives each key of a list of objects as a list of its
own, and extracts a JSON null as the text ``null``. None of this holds for what is read here.
"""

from __future__ import annotations

from segment_bridge import spl
from segment_bridge.errors import ConfigurationError

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
#: What Splunk has of a record without looking into its JSON.
METADATA = frozenset({"_raw", "_time", "index", "log_type", "sourcetype"})
#: Parts from which several values are read: they are taken out of the record once.
_SHARED = ("objectRef", "responseObject.metadata", "responseObject.spec", "responseObject.status")
_RAW = spl.field("_raw")

API_GROUP = "objectRef.apiGroup"
RESOURCE = "objectRef.resource"
SUBRESOURCE = "objectRef.subresource"
VERB = "verb"
RESPONSE_CODE = "responseStatus.code"
USER = "user.username"
IMPERSONATED_USER = "impersonatedUser.username"
REQUEST_URI = "requestURI"
RESOURCE_VERSION = "responseObject.metadata.resourceVersion"
START_TIME = "responseObject.status.startTime"
COMPLETION_TIME = "responseObject.status.completionTime"


def part(path: str) -> spl.Expression:
    """Read the value at a path of keys, an object or a list as its JSON; a JSON null is null.

    Raises :class:`ConfigurationError` for a path that no audit record has, or that leads into a list: its elements are
    taken whole, by :func:`elements`.
    """
    return spl.named(path.replace(".", "_"), not_json_null(_read(path)))


def log_type() -> spl.Expression:
    """Read the collector's type of the record, which stands in its text or beside it."""
    return spl.coalesce(not_json_null(_read("log_type")), spl.item(spl.field("log_type"), 0))


def label(key: str, *, of: str = "responseObject") -> spl.Expression:
    """Read a label; its key may hold dots."""
    return member(_named(f"{of}.metadata.labels"), key)


def annotation(key: str, *, of: str = "responseObject") -> spl.Expression:
    """Read an annotation, likewise."""
    return member(_named(f"{of}.metadata.annotations"), key)


def elements(path: str) -> spl.Expression:
    """Read the elements of a list, objects as their JSON; null where there is none."""
    return spl.named(f"{path.replace('.', '_')}_elements", spl.json_elements(_read(path)))


def element(path: str, **members: str) -> spl.Expression:
    """Read the first element of a list whose members have exactly these values, as its JSON."""
    several = elements(path)
    condition, *others = (spl.json_member(several, key).equals(value) for key, value in members.items())
    for other in others:
        condition &= other
    return spl.item(spl.those(several, condition), 0)


def member(source: spl.Expression, key: str) -> spl.Expression:
    """Read the member of an object that is given as its JSON; a JSON null is null."""
    return not_json_null(spl.json_member(source, key))


def not_json_null(expression: spl.Expression) -> spl.Expression:
    """Make null of the text ``null``, which a JSON null may have become."""
    return spl.null_if(expression, "null")


def _named(path: str) -> spl.Expression:
    return spl.named(path.replace(".", "_"), _read(path))


def _read(path: str) -> spl.Expression:
    if path.split(".", maxsplit=1)[0] not in ROOTS:
        raise ConfigurationError(f"{path} is no field of an audit record: it begins with none of its members")
    for shared in _SHARED:
        if path.startswith(f"{shared}."):
            return spl.json_path(_named(shared), path.removeprefix(f"{shared}."))
    return spl.json_path(_RAW, path)
