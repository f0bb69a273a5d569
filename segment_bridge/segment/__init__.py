"""Segment: deliver one batch, and say what became of each of its events."""

from segment_bridge.segment.client import Segment
from segment_bridge.segment.outcome import Attempt, MisconfiguredError, Outcome, Refused
from segment_bridge.segment.several import deliver_several

__all__ = ["Attempt", "MisconfiguredError", "Outcome", "Refused", "Segment", "deliver_several"]
