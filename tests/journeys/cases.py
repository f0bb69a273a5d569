"""Expectations written by hand, read from the YAML files beside this module.

A journey's file has the title of the journey, a ``record`` that the journey keeps, the ``expected`` track event, the
names of the fields of the search's ``result``, and ``cases``. A case has a ``change`` of the record and says whether
the changed record is ``kept``; if it is, ``expects`` is a change of the expected event. A case with ``records`` lists
several such changes. A change is a JSON merge patch (RFC 7386), but for one thing: it removes with ``<absent>``,
since ``null`` is a value that events hold. ``grown`` makes a changed record large (see :func:`grown`). In texts,
``<auditID>`` is an ID of the record's own, ``<uri>`` the journey's request URI without its query, and ``<case>`` the
number of the case.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER = Path(__file__).parent
ABSENT = "<absent>"
#: The window of every search.
START, END = "2024-05-01T08:00:00Z", "2024-05-01T12:00:00Z"
#: The members of an audit event, in the order in which the API server writes them.
_KUBERNETES = (
    *("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "impersonatedUser"),
    *("sourceIPs", "userAgent", "objectRef", "responseStatus", "requestObject", "responseObject"),
    *("requestReceivedTimestamp", "stageTimestamp", "annotations"),
)


@dataclass(frozen=True)
class Record:
    """An audit record, and the track event that it becomes; None where its journey drops it."""

    audit: dict[str, Any]
    event: dict[str, Any] | None


@dataclass(frozen=True)
class Case:
    """A clause put to the test."""

    name: str
    records: tuple[Record, ...]

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(record.audit["auditID"] for record in self.records)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [record.event for record in self.records if record.event is not None]


@dataclass(frozen=True)
class Journey:
    """A journey's expectations; ``fields`` are those of a result of its search."""

    title: str
    fields: tuple[str, ...]
    cases: tuple[Case, ...]


def load(name: str) -> Any:  # noqa: ANN401 - any YAML value
    """Read one of the files beside this module."""
    return yaml.load((FOLDER / name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


@cache
def journeys() -> list[Journey]:
    """Read every journey's file."""
    every = load("every-journey.yaml")["cases"]
    files = [load(path.name) for path in sorted(FOLDER.glob("*.yaml"))]
    return [_journey(file, every) for file in files if "title" in file]


def changed(value: Any, change: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Apply a change; raise KeyError if it removes what is not there, which is a slip in a case."""
    if not isinstance(change, dict):
        return change
    made = dict(value) if isinstance(value, dict) else {}
    for key, part in change.items():
        if part == ABSENT:
            del made[key]
        else:
            made[key] = changed(made.get(key), part)
    return made


def filled(value: Any, **texts: str) -> Any:  # noqa: ANN401 - any JSON value
    """Replace ``<name>`` in every text by the text of that name; raise ValueError for what is no JSON."""
    if isinstance(value, dict):
        return {key: filled(part, **texts) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, **texts) for part in value]
    if isinstance(value, str):
        for name, text in texts.items():
            value = value.replace(f"<{name}>", text)
        if value == ABSENT:
            raise ValueError("only a key of a mapping can be removed")
    json.dumps(value)  # a YAML date, for one, is none
    return value


def in_order(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order events so that they can be compared; counts that came as text become numbers, as either may be."""
    return sorted(map(_counted, events), key=lambda event: (event["messageId"], event["timestamp"]))


def _counted(event: dict[str, Any]) -> dict[str, Any]:
    properties = {
        key: int(value) if key.startswith("vulnerabilities_") and isinstance(value, str) else value
        for key, value in event["properties"].items()
    }
    return event | {"properties": properties}


def grown(record: dict[str, Any], *, characters: int, order: str) -> dict[str, Any]:
    """Return a large record of the same meaning, so that little of it lies within its first bytes.

    The annotations of the record, the request and the response get so many characters each. ``order`` is that of the
    record's keys: ``kubernetes`` or ``alphabet``, in which those of objects stand anyhow. ``log_type`` comes last.
    """
    filler = "x" * characters
    annotations = record.get("annotations") or {}
    made = {key: _swollen(part, filler) if key.endswith("Object") else _sorted(part) for key, part in record.items()}
    made |= {"annotations": {"a.example.com/filler": filler, **_sorted(annotations)}}
    log_type = {"log_type": made.pop("log_type", "audit")}
    keys = sorted(made) if order == "alphabet" else _KUBERNETES
    return {key: made.pop(key) for key in keys if key in made} | made | log_type


def _swollen(part: Any, filler: str) -> Any:  # noqa: ANN401 - any JSON value
    """Put managed fields into an object, and before the operations of a JSON patch."""
    fields = [{"fieldsV1": filler, "manager": "filler", "operation": "Update"}]
    if isinstance(part, list):
        return [{"op": "add", "path": "/metadata/managedFields", "value": fields}, *map(_sorted, part)]
    if isinstance(part, dict):
        part = part | {"metadata": (part.get("metadata") or {}) | {"managedFields": fields}}
    return _sorted(part)


def _sorted(part: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(part, dict):
        return {key: _sorted(part[key]) for key in sorted(part)}
    return [_sorted(one) for one in part] if isinstance(part, list) else part


def _journey(file: dict[str, Any], every: list[dict[str, Any]]) -> Journey:
    unchanged = {"name": "the record as it is", "change": {}, "kept": True}
    cases = [unchanged, *every, *file["cases"]]
    made = tuple(_case(file, case, number) for number, case in enumerate(cases))
    if len({case.name for case in made}) != len(made):
        raise ValueError(f"two cases of one name: {file['title']}")
    return Journey(file["title"], tuple(file["result"]), made)


def _case(file: dict[str, Any], case: dict[str, Any], number: int) -> Case:
    rest = {key: value for key, value in case.items() if key != "name"}
    records = rest.get("records", [rest])
    return Case(case["name"], tuple(_records(file, case["name"], records, number)))


def _records(file: dict[str, Any], name: str, records: list[dict[str, Any]], number: int) -> Iterator[Record]:
    for position, record in enumerate(records):
        if not {"change", "kept"} <= record.keys() <= {"change", "kept", "expects", "grown"}:
            raise ValueError(f"{file['title']}, {name}: a change, kept, perhaps expects and grown, and nothing else")
        audit_id = str(uuid5(NAMESPACE_OID, f"{file['title']}/{name}/{position}"))
        uri = file["record"]["requestURI"].partition("?")[0]
        texts = {"auditID": audit_id, "case": str(number), "uri": uri}
        event = changed(file["expected"], record.get("expects", {})) if record["kept"] else None
        if event and _keys(event) != _keys(file["expected"]):
            raise ValueError(f"{file['title']}, {name}: every event of a journey has the same keys")
        audit = filled(changed(file["record"], record["change"]), **texts)
        large = grown(audit, **record["grown"]) if "grown" in record else audit
        yield Record(large, filled(event, **texts))


def _keys(event: dict[str, Any]) -> list[list[str]]:
    return [list(event), list(event["properties"]), list(event["context"])]
