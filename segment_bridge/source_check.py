"""What journeys cannot tell of a window: whether it holds any record, and how many of its records were cut."""

from __future__ import annotations

import operator
from collections import Counter
from functools import reduce
from typing import TYPE_CHECKING, Any

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
#: What is wrong where audit records are there that searches cannot read, and what to do about it.
UNREADABLE = "no audit record's text is the audit event as JSON, which searches read"
SEND_WHOLE = "let the collector send each audit event as it is, with nothing before or around it"


class Seen(msgspec.Struct, frozen=True):
    """What a source holds in a window."""

    #: Whether there is no audit record at all; None where that was not asked.
    silent: bool | None = None
    #: Whether there are records of other types, where there is no audit record.
    other_records: bool = False
    #: Whether there are audit records, but none that searches can read.
    unreadable: bool = False
    #: By resource, how many records of the journeys' kinds the API server has cut.
    truncated: dict[str, int] = {}

    def cut(self) -> str | None:
        """Say how many records were cut, and what to do; None if there are none."""
        if not self.truncated:
            return None
        counted = ", ".join(f"{count} of {resource}" for resource, count in self.truncated.items())
        said = f"the API server cut records that were too large, which journeys may have missed: {counted}"
        return f"{said}; raise its --audit-log-truncate-max-event-size, or that of the webhook"


class _Line(msgspec.Struct):
    result: dict[str, Any] | None = None


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
    unreadable = silent is False and times_extracted(splunk, source, window) is None
    return Seen(silent=silent, other_records=others, unreadable=unreadable, truncated=dict(sorted(truncated.items())))


def holds(splunk: Splunk, search: str, window: Window) -> bool:
    """Say whether a search finds anything."""
    return any([_decode(line).result is not None for line in splunk.search(search, window)])  # noqa: C419 - to its end


def times_extracted(splunk: Splunk, source: Source, window: Window) -> int | None:
    """Say how often Splunk extracts a field of an audit record of its own accord; None if no record can be read."""
    rows = [row for line in splunk.search(readable_record(source), window) if (row := _decode(line).result)]
    return int(float(rows[0].get("times", 0))) if rows else None


def audit_record(source: Source) -> str:
    """Print the search for one audit record, whichever it is; of it, nothing is asked but the index."""
    return str(records_of(source).head(1).fields("index"))


def readable_record(source: Source) -> str:
    """Print the search for one audit record whose text is the audit event as JSON."""
    found = records_of(source).where(spl.is_not_null(record.part("auditID"))).head(1)
    # In no order of keys does this field stand behind the request and the response, which may be large.
    return str(found.eval(times=spl.count(spl.field("apiVersion"))).fields("index", "times"))


def any_record(source: Source) -> str:
    """Print the search for one record of any type."""
    return str(spl.Pipeline(everything_in(source)).head(1).fields("index"))


def truncated_records(source: Source, journeys: Iterable[Journey]) -> str:
    """Print the search that counts, by resource, the records of the journeys' kinds that the API server has cut.

    Reads are left out: lists are often too large, and no journey looks at them.
    One request has one record with a response; without the response code its other stages would be counted as well.
    """
    verbs: dict[tuple[str, str], set[str]] = {}
    for journey in journeys:
        verbs.setdefault((journey.api_group, journey.resource), set()).update(journey.claims()[record.VERB])
    group, resource, verb = (record.part(path) for path in (record.API_GROUP, record.RESOURCE, record.VERB))
    of_a_kind = reduce(
        operator.or_,
        (
            group.equals(of_group) & resource.equals(name) & verb.one_of(*sorted(of))
            for (of_group, name), of in sorted(verbs.items())
        ),
    )
    cut = record.member(record.part("annotations"), _TRUNCATED).equals("true")
    done = record.part(record.RESPONSE_CODE).is_number(200, 201)
    groups = sorted({of_group for of_group, _ in verbs})
    found = records_of(source, spl.phrase("truncated"), spl.any_phrase(*groups)).where(cut)
    return str(found.where(of_a_kind).where(done).count_by(resource))
