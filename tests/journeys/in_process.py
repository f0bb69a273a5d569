"""From audit records to track events by function calls alone, which is fast enough to try very many."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from sandbox.splunk import DOCUMENTED, AuditLog
from sandbox.splunk.commands import compile_search
from sandbox.splunk.export import stream
from sandbox.splunk.records import Record, microseconds
from segment_bridge.catalog import JOURNEYS
from segment_bridge.convert import convert
from segment_bridge.events import TrackEvent
from segment_bridge.identity import Maps
from segment_bridge.settings import Source
from tests.journeys.cases import END, START, load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.splunk.commands import Search

SEARCHES = {journey.title: journey.compile(Source("audit")) for journey in JOURNEYS}
MAPS = Maps(**load("identities.yaml"))
FIRST, LAST = (Decimal(microseconds(datetime.fromisoformat(time))) for time in (START, END))
#: Every reading that differs from what is documented or likely, but for the one that no search could stand.
SETTINGS = (
    "null_as_text=false",
    "functions_give_null_as_text=false",
    "keep_empty_texts=false",
    "extract_twice=true",
    "numbers_from_texts=true",
    "nest_json=false",
    "json_in_mvfilter=false",
    "extraction_cutoff=0",
)


@cache
def compiled(title: str, settings: tuple[str, ...]) -> Search:
    return compile_search(SEARCHES[title], readings=DOCUMENTED.having(*settings))


def found(records: Iterable[dict[str, Any]], title: str, *settings: str) -> list[dict[str, Any]]:
    """Return the events that the journey of a title makes of records; none may be rejected."""
    lines = (json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() for record in records)
    results = compiled(title, settings).run(AuditLog(tuple(map(Record.parse, lines))), FIRST, LAST)
    events = [*convert(b"".join(stream(results, preview=False)).split(b"\n"), MAPS)]
    assert [event for event in events if not isinstance(event, TrackEvent)] == []
    return [json.loads(event.body) for event in events if isinstance(event, TrackEvent)]
