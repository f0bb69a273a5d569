"""Whether Splunk reads the whole of a large record.

Its automatic extraction stops after 5,000 bytes by default. No journey depends on that, but all depend on explicit
paths, for which no document names a limit. So some values that every record has are looked for in the largest records
three times: in their text, by their path, and as Splunk extracts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from segment_bridge import spl
from segment_bridge.catalog import record
from segment_bridge.catalog.source import records_of

if TYPE_CHECKING:
    from segment_bridge.settings import Source
    from segment_bridge.splunk import Splunk
    from segment_bridge.window import Window

#: Bytes that automatic extraction looks at, unless limits.conf says otherwise (``extraction_cutoff`` in ``[spath]``).
EXTRACTED = 5_000
#: Request and response make a record large. The first two stand behind those in the order in which Kubernetes writes,
#: the last two in that of the alphabet, in which some collectors do.
PATHS = ("requestReceivedTimestamp", "stageTimestamp", "userAgent", "verb")
_RECORDS = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """How many large records there were, the size of the largest, and what was not read of some of them."""

    records: int
    largest: int
    #: What explicit paths have not read: then journeys miss records.
    unread: tuple[str, ...]
    #: What Splunk has not extracted of its own accord, which no journey needs.
    unextracted: tuple[str, ...]


class _Line(msgspec.Struct):
    result: dict[str, Any] | None = None


def search(source: Source) -> str:
    """Print the search for the largest records of the window."""
    raw = spl.field("_raw")
    size = spl.named("size", spl.length(raw))
    found = records_of(source, spl.any_phrase("appstudio.redhat.com", "tekton.dev"))
    largest = found.where(size.above(EXTRACTED)).largest(size, _RECORDS)
    marks: dict[str, spl.Expression] = {}
    for path in PATHS:
        value = record.not_json_null(spl.json_path(raw, path))
        in_text = raw.matches(rf'"{path}"\s*:\s*"')
        marks[f"unread_{path}"] = spl.case((in_text & ~spl.is_not_null(value), spl.text("yes")))
        marks[f"unextracted_{path}"] = spl.case((in_text & ~spl.is_not_null(spl.field(path)), spl.text("yes")))
    return str(largest.eval(**marks).fields("size", *marks))


def look(splunk: Splunk, source: Source, window: Window) -> Seen:
    """Look at the largest records of the window; raises what :meth:`Splunk.search` raises."""
    lines = [msgspec.json.decode(line, type=_Line).result for line in splunk.search(search(source), window)]
    rows = [row for row in lines if row]

    def marked(what: str) -> tuple[str, ...]:
        return tuple(path for path in PATHS if any(f"{what}_{path}" in row for row in rows))

    largest = max((int(float(row["size"])) for row in rows), default=0)
    return Seen(len(rows), largest, marked("unread"), marked("unextracted"))
