"""What a run is about; staged as its first file, so that each of its tasks works on the same."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations

import msgspec

from segment_bridge.window import Window


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The window of a run, the names of its journeys, and whether it sends what it makes."""

    start: datetime
    end: datetime
    journeys: tuple[str, ...]
    dry_run: bool = False

    @property
    def window(self) -> Window:
        """The span that every search of the run covers."""
        return Window(self.start, self.end)
