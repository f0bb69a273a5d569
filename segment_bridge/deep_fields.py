"""Whether Splunk extracts what lies deep in a large record.

By default it looks no further than some 10,000 characters and 100 fields into a record, and says nothing: a journey
whose fields lie behind that finds nothing. So some fields are taken from large records twice: as Splunk extracts
them, and out of the text itself, with a path of their own, to which those limits do not apply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from segment_bridge import spl
from segment_bridge.canary import audit_records

if TYPE_CHECKING:
    from segment_bridge.splunk import Splunk
    from segment_bridge.window import Window

#: Characters: Splunk's own limit, if nobody has raised it.
LARGE = 10_240
#: Every record has them. Request and response make a record large; the first two fields stand behind those in the
#: order in which Kubernetes writes, the last two in that of the alphabet, in which some collectors do.
FIELDS = ("requestReceivedTimestamp", "stageTimestamp", "userAgent", "verb")
_RECORDS = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """How many large records there were, and which fields Splunk has not extracted from each of them."""

    records: int
    missing: tuple[str, ...]


class _Line(msgspec.Struct):
    result: dict[str, Any] | None = None


def search(index: str) -> str:
    """Print the search."""
    large = audit_records(index).where(spl.length(spl.field("_raw")).above(LARGE)).head(_RECORDS)
    asked = large.eval(raw=spl.field("_raw"))
    for field in FIELDS:
        asked = asked.spath(source="raw", path=field, output=_in_text(field))
    return str(asked.fields(*FIELDS, *map(_in_text, FIELDS)))


def compare(splunk: Splunk, index: str, window: Window) -> Seen:
    """Compare some large records of the window; raises what :meth:`Splunk.search` raises."""
    lines = [msgspec.json.decode(line, type=_Line).result for line in splunk.search(search(index), window)]
    # Nothing can be said about a record whose text cannot be read as JSON.
    rows = [row for row in lines if row and any(_values(row, _in_text(field)) for field in FIELDS)]
    missing = tuple(
        field for field in FIELDS if any(_values(row, _in_text(field)) - _values(row, field) for row in rows)
    )
    return Seen(len(rows), missing)


def _in_text(field: str) -> str:
    return f"{field}_in_text"


def _values(row: dict[str, Any], field: str) -> set[str]:
    value = row.get(field, [])
    return set(map(str, value if isinstance(value, list) else [value]))
