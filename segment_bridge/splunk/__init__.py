"""Splunk: run one search over one window, and prove that the answer is complete; publish the user ID map to it."""

from segment_bridge.splunk.clauses import Clause
from segment_bridge.splunk.client import Splunk
from segment_bridge.splunk.kvstore import KvStore, Publication
from segment_bridge.splunk.stream import read_results

__all__ = ["Clause", "KvStore", "Publication", "Splunk", "read_results"]
