"""A stand-in for Segment: the batch endpoint of its HTTP Tracking API, with its limits, silences and memory of IDs."""

from sandbox.segment.rules import Reason
from sandbox.segment.server import create_app

__all__ = ["Reason", "create_app"]
