"""Where audit records lie in Splunk, and searches about all of them."""

from __future__ import annotations

import operator
from functools import partial, reduce
from typing import TYPE_CHECKING

from segment_bridge import spl
from segment_bridge.catalog import record
from segment_bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from segment_bridge.settings import Source

_LOG_TYPE = "audit"


def everything_in(source: Source) -> spl.Term:
    """Ask for all records of a source, audit records or not.

    Raises :class:`ConfigurationError` for a term that cannot be searched for, or that reads a field from the text of
    records: automatic extraction does not reach the end of large ones.
    """
    terms = spl.index(source.index)
    if source.sourcetype:
        terms &= _fixed("sourcetype", partial(spl.SearchField("sourcetype").equals, source.sourcetype))
    for name, value in source.fields:
        if name.split(".", maxsplit=1)[0] in record.ROOTS - record.METADATA:
            raise ConfigurationError(
                f"the search field {name} is one of the audit record itself, which Splunk does not extract from large "
                "records: name one that the collector adds, such as host or source"
            )
        terms &= _fixed(name, partial(spl.SearchField(name).matches, value))
    return terms


def _fixed(name: str, term: Callable[[], spl.Term]) -> spl.Term:
    try:
        return term()
    except ConfigurationError as error:
        raise ConfigurationError(f"the fixed term {name} of the source cannot be used: {error}") from error


def records_of(source: Source, *terms: spl.Term) -> spl.Pipeline:
    """Begin a search with the audit records of a source that satisfy these terms.

    The collector's ``log_type`` may stand in the text of a record, even at its end, where automatic extraction does
    not reach in a large record, or beside it.
    """
    searched = spl.SearchField("log_type").equals(_LOG_TYPE) | spl.phrase("log_type")
    base = reduce(operator.and_, terms, everything_in(source) & searched)
    return spl.Pipeline(base).where(record.log_type().equals(_LOG_TYPE))
