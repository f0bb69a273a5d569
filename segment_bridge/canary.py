"""Doubt about silence: where no journey found anything, ask whether there is anything to be found at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segment_bridge import spl
from segment_bridge.books import has_result

if TYPE_CHECKING:
    from segment_bridge.splunk import Splunk
    from segment_bridge.window import Window


def audit_records(index: str) -> spl.Pipeline:
    """Begin a search with all audit records of an index."""
    return spl.Pipeline(spl.index(index) & spl.SearchField("log_type").equals("audit"))


def search(index: str) -> str:
    """Print the search for one audit record, whichever it is; of it, nothing is asked but the index."""
    return str(audit_records(index).head(1).fields("index"))


def holds_records(splunk: Splunk, index: str, window: Window) -> bool:
    """Say whether the window holds any audit record; raises what :meth:`Splunk.search` raises.

    No record means that the source is silent, or that we may not see it: no empty success.
    """
    return sum(map(has_result, splunk.search(search(index), window))) > 0
