"""Deliver one batch to Segment: its retry contract, halving, and an outcome that accounts for every event.

What an answer means::

    2xx                                          delivered, and nothing else is
    408, 410, 429, 460, 5xx but 501 and 505,     the same bytes again, after the pause that Retry-After asks for,
    no answer at all                             or after a growing one, which uses up a try
    400, 413                                     each half by itself, until the offending event stands alone
    401, 403, 404                                a person has to change something: the line stops, nothing is dropped
    all others (redirects too)                   the rest of the batch is undelivered

What keeps one part of a batch back, other than its events, would keep back the others as well: what was not
delivered by then is undelivered, and can be sent again whole, as Segment drops repeats by their messageId.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from segment_bridge.errors import BridgeError, ConfigurationError, FatalError, RetryableError
from segment_bridge.events import to_body, within
from segment_bridge.segment import pauses
from segment_bridge.segment.outcome import Attempt, MisconfiguredError, Outcome, Refused, RefusedError
from segment_bridge.segment.throttle import NoTimeLeftError, Throttle

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from segment_bridge.segment.throttle import Board
    from segment_bridge.settings import SegmentSettings

#: Seconds that a request gets at least, however little of the budget is left.
_MIN_TIMEOUT = 0.1

logger = logging.getLogger(__name__)


class Segment:
    """Segment's batch endpoint, over one pool of connections; several threads can deliver at once.

    Raises :class:`ConfigurationError` for an address or a write key that cannot be one.
    ``sleep`` and ``clock`` (monotonic) are in seconds.
    """

    def __init__(
        self,
        settings: SegmentSettings,
        *,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # What it stands on takes long to import, for which only those who deliver should wait.
        from segment_bridge.segment.transport import Transport  # noqa: PLC0415 - as said

        self._settings = settings
        self._stopped = threading.Event()
        self._sleep = sleep or self._sleep_until_stopped
        self._clock = clock
        self._transport = Transport(settings, clock=clock)
        self._throttle = Throttle(settings, self._sleep, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def connections(self) -> int:
        """How many batches are delivered at once."""
        return self._settings.connections

    def share_pauses(self, board: Board) -> None:
        """Keep the pauses that others were asked for, too, and let them know of ours."""
        self._throttle.board = board

    def stop(self) -> None:
        """Cut all pauses short: what waits in another thread ends undelivered."""
        self._stopped.set()

    def _sleep_until_stopped(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise RetryableError("stopped while waiting")

    def deliver(self, body: bytes) -> Outcome:
        """Deliver one batch, a finished request body, and say what became of each event.

        Raises :class:`MisconfiguredError`, which carries the outcome, where the line has to stop, and
        :class:`FatalError` for a body that is no batch.
        """
        events = within(body)
        budget = pauses.Budget(self._settings.budget, self._clock)
        attempts: list[Attempt] = []
        rejected: list[Refused] = []
        delivered = 0
        parts = [range(len(events))] if events else []
        stopped: BridgeError | None = None
        while parts and not stopped:
            part = parts.pop()
            whole = len(part) == len(events)
            try:
                self._send(body if whole else to_body(events[part.start : part.stop]), len(part), budget, attempts)
            except RefusedError as error:
                if len(part) == 1:
                    rejected.append(Refused(part.start, error.status))
                else:
                    middle = len(part) // 2
                    parts += part[middle:], part[:middle]
            except BridgeError as error:
                parts.append(part)
                stopped = error
            else:
                delivered += len(part)
        outcome = Outcome(
            delivered=delivered,
            rejected=tuple(rejected),
            undelivered=sum(map(len, parts)),
            why=str(stopped or ""),
            terminal=isinstance(stopped, FatalError | ConfigurationError),
            attempts=tuple(attempts),
        )
        logger.info("delivered %d of %d events, requests: %d", delivered, len(events), len(attempts))
        if isinstance(stopped, ConfigurationError):
            raise MisconfiguredError(str(stopped), outcome)
        return outcome

    def _send(self, body: bytes, events: int, budget: pauses.Budget, attempts: list[Attempt]) -> None:
        """Make one request until its answer is final; return if that is a success, and raise what it means if not."""
        before = len(attempts)

        def post() -> None:
            repeats = len(attempts) - before
            self._throttle.wait(events, budget.left())
            answer, error = self._transport.post(
                body, repeats, max(_MIN_TIMEOUT, min(self._settings.timeout, budget.left()))
            )
            attempts.append(Attempt(events, answer))
            if pause := pauses.asked(error):
                self._throttle.pause(pause)
            if error:
                logger.warning("%s (%d events, %d bytes, repeat %d)", error, events, len(body), repeats)
                raise error

        if budget.left() <= 0:
            raise RetryableError(f"of {budget.seconds:g} s none are left")
        try:
            pauses.retrying(self._settings.attempts, self._settings.pause, budget, self._sleep)(post)
        except RetryableError as error:
            too_late = budget.exceeded or isinstance(error, NoTimeLeftError)
            limit = f", of {budget.seconds:g} s too few are left" if too_late else ""
            raise RetryableError(f"{error}; given up after request {len(attempts) - before}{limit}") from None
