"""Where audit records lie in Splunk, and searches about all of them."""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING

from segment_bridge import spl
from segment_bridge.catalog import record

if TYPE_CHECKING:
    from segment_bridge.settings import Source

_LOG_TYPE = "audit"


def everything_in(source: Source) -> spl.Term:
    """Ask for all records of a source, audit records or not."""
    terms = spl.index(source.index)
    if source.sourcetype:
        terms &= spl.SearchField("sourcetype").equals(source.sourcetype)
    for name, value in source.fields:
        terms &= spl.SearchField(name).matches(value)
    return terms


def records_of(source: Source, *terms: spl.Term) -> spl.Pipeline:
    """Begin a search with the audit records of a source that satisfy these terms.

    The collector's ``log_type`` may stand in the text of a record, even at its end, where automatic extraction does
    not reach in a large record, or beside it.
    """
    searched = spl.SearchField("log_type").equals(_LOG_TYPE) | spl.phrase("log_type")
    base = reduce(operator.and_, terms, everything_in(source) & searched)
    return spl.Pipeline(base).where(record.log_type().equals(_LOG_TYPE))
