"""When the next request may go out: the run's rate, and the pauses that Segment asks for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from segment_bridge.errors import RetryableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from segment_bridge.settings import SegmentSettings

#: Seconds: the longest pause that is kept where Segment asks for one.
MAX_PAUSE = 300.0
#: Seconds between two looks at the board.
_LOOK = 1.0


class Board(Protocol):
    """Where the tasks of a run tell each other until when nothing is to be sent, in seconds since the epoch."""

    def read(self) -> float:
        """Return the time; 0 where there is none."""

    def write(self, until: float) -> None:
        """Put it up."""


class NoTimeLeftError(RetryableError):
    """The rate, or a pause that Segment asked for, lets no request go out in time."""


class Bucket:
    """A token bucket that holds what flows in in one second, and a token at least.

    Where more is taken than it holds, the next one waits all the longer.
    """

    def __init__(self, per_second: float, now: float) -> None:
        self._rate = per_second
        self._holds = max(per_second, 1.0)
        #: Since when tokens have flowed in that are not taken yet.
        self._since = now - self._holds / per_second

    def take(self, tokens: float, now: float) -> float:
        """Take tokens, and return when they are there."""
        since = max(self._since, now - self._holds / self._rate)
        self._since = since + tokens / self._rate
        return max(now, since + min(tokens, self._holds) / self._rate)


class Throttle:
    """What all threads of a client go through before each request."""

    def __init__(
        self,
        settings: SegmentSettings,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        now = clock()
        self._requests = Bucket(settings.requests_per_second, now) if settings.requests_per_second else None
        self._events = Bucket(settings.events_per_second, now) if settings.events_per_second else None
        self._sleep, self._clock, self._wall = sleep, clock, wall
        self._lock = threading.Lock()
        self._paused_until = now
        self._next_look = now
        self._last_read = 0.0
        #: Where pauses are shared with other processes.
        self.board: Board | None = None

    def wait(self, events: int, most: float) -> None:
        """Wait until a request with so many events may go out.

        Raises :class:`NoTimeLeftError` as soon as that is known to take longer than ``most`` seconds.
        """
        with self._lock:
            now = self._clock()
            turn = max(
                self._requests.take(1, now) if self._requests else now,
                self._events.take(events, now) if self._events else now,
            )
        end = now + most
        while (until := max(turn, self._pause_end())) > (now := self._clock()):
            if until > end:
                raise NoTimeLeftError("the rate, or a pause, lets no request go out in time")
            self._sleep(until - now)

    def pause(self, seconds: float) -> None:
        """Let no request of the run go out for so long."""
        until = self._clock() + seconds
        with self._lock:
            if until <= self._paused_until:
                return
            self._paused_until = until
            board = self.board
        if board:
            board.write(self._wall() + seconds)

    def _pause_end(self) -> float:
        """Return when the pause ends; what stands on the board is looked at now and then."""
        with self._lock:
            now = self._clock()
            board = self.board if now >= self._next_look else None
            if board:
                self._next_look = now + _LOOK
        if board and (read := board.read()) != self._last_read:
            # Another machine's clock may be wrong: no pause is longer than the longest that is ever asked for, and
            # none begins anew for being read again.
            seconds = min(read - self._wall(), MAX_PAUSE)
            with self._lock:
                self._last_read = read
                self._paused_until = max(self._paused_until, now + seconds)
        return self._paused_until
