"""What journeys cannot tell of a window: whether it holds any record, and how many of its records were cut."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from segment_bridge import spl
from segment_bridge.catalog import record
from segment_bridge.catalog.source import everything_in, records_of
from segment_bridge.splunk.client import search_in_parts
from segment_bridge.window import LOOK_BACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from segment_bridge.catalog import Journey
    from segment_bridge.settings import Source
    from segment_bridge.splunk import Splunk
    from segment_bridge.window import Window

_TRUNCATED = "audit.k8s.io/truncated"


class Seen(msgspec.Struct, frozen=True):
    """What a source holds in a window."""

    #: Whether there is no audit record at all; None where that was not asked.
    silent: bool | None = None
    #: Whether there are records of other types, where there is no audit record.
    other_records: bool = False
    #: By resource, how many records of the journeys' kinds the API server has cut.
    truncated: dict[str, int] = {}


class _Line(msgspec.Struct):
    result: dict[str, str] | None = None


_decode: Callable[[bytes], _Line] = msgspec.json.Decoder(_Line).decode


def look(
    splunk: Splunk,
    source: Source,
    window: Window,
    journeys: Iterable[Journey],
    *,
    nothing_found: bool,
    longest: timedelta = LOOK_BACK,
) -> Seen:
    """Count cut records, and where nothing was found look for any record; raises what :meth:`Splunk.search` raises.

    No record means that the source is silent, or that we may not see it: no empty success.
    """
    truncated = Counter[str]()
    for line in search_in_parts(splunk, truncated_records(source, journeys), window, longest):
        if row := _decode(line).result:
            truncated[row["objectRef_resource"]] += int(row["count"])
    silent = not holds(splunk, audit_record(source), window) if nothing_found else None
    others = bool(silent) and holds(splunk, any_record(source), window)
    return Seen(silent=silent, other_records=others, truncated=dict(sorted(truncated.items())))


def holds(splunk: Splunk, search: str, window: Window) -> bool:
    """Say whether a search finds anything."""
    return any([_decode(line).result is not None for line in splunk.search(search, window)])  # noqa: C419 - to its end


def audit_record(source: Source) -> str:
    """Print the search for one audit record, whichever it is; of it, nothing is asked but the index."""
    return str(records_of(source).head(1).fields("index"))


def any_record(source: Source) -> str:
    """Print the search for one record of any type."""
    return str(spl.Pipeline(everything_in(source)).head(1).fields("index"))


def truncated_records(source: Source, journeys: Iterable[Journey]) -> str:
    """Print the search that counts, by resource, the records of the journeys' kinds that the API server has cut.

    One request has one record with a response; without the response code its other stages would be counted as well.
    """
    kinds: dict[str, set[str]] = {}
    for journey in journeys:
        kinds.setdefault(journey.api_group, set()).add(journey.resource)
    group, resource = record.part(record.API_GROUP), record.part(record.RESOURCE)
    conditions = [group.equals(name) & resource.one_of(*sorted(of)) for name, of in sorted(kinds.items())]
    of_a_kind = conditions[0]
    for condition in conditions[1:]:
        of_a_kind |= condition
    cut = record.member(record.part("annotations"), _TRUNCATED).equals("true")
    done = record.part(record.RESPONSE_CODE).is_number(200, 201)
    found = records_of(source, spl.phrase("truncated"), spl.any_phrase(*sorted(kinds))).where(cut)
    return str(found.where(of_a_kind).where(done).count_by(resource))
