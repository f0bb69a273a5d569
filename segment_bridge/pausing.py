"""Share a pause that Segment asks for among the tasks of a run, which may be on different machines."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from segment_bridge.errors import BridgeError

if TYPE_CHECKING:
    from segment_bridge.staging import Staging

_FILE = "pause.json"

logger = logging.getLogger(__name__)


class _Pause(msgspec.Struct, frozen=True):
    """Until when nothing is to be sent, in seconds since the epoch."""

    until: float


@dataclass(frozen=True, slots=True)
class SharedPause:
    """A file in the run's folder; a run goes on without it where staging does not give or take it."""

    run: Staging

    def read(self) -> float:
        """Return the end of the pause; 0 where there is none."""
        try:
            return self.run.read_json(_FILE, _Pause).until if self.run.exists(_FILE) else 0.0
        except (BridgeError, OSError) as error:
            logger.warning("whether the run pauses cannot be read: %s", type(error).__name__)
            return 0.0

    def write(self, until: float) -> None:
        """Note the end of a pause, unless the one that stands there ends later."""
        try:
            if until > self.read():
                self.run.write_json(_FILE, _Pause(until))
        except (BridgeError, OSError) as error:
            logger.warning("the pause is kept by this task alone: %s", type(error).__name__)
