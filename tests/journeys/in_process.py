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
from segment_bridge.events import Rejection, TrackEvent
from segment_bridge.identity import Maps
from segment_bridge.settings import Source
from tests.journeys.cases import END, START, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    """Return the events that the journey of a title makes of records in the window; none may be rejected."""
    lines = (json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() for record in records)
    results = compiled(title, settings).run(AuditLog(tuple(map(Record.parse, lines))), FIRST, LAST)
    made = converted(results, MAPS)
    assert [one for one in made if isinstance(one, Rejection)] == []
    return [json.loads(one.body) for one in made if isinstance(one, TrackEvent)]


def converted(results: Iterator[dict[str, Any]], maps: Maps) -> list[TrackEvent | Rejection]:
    """Convert the results of a search by way of the lines in which Splunk gives them."""
    return [*convert(b"".join(stream(results, preview=False)).split(b"\n"), maps)]
