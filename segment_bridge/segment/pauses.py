"""How long to wait before a request is repeated, and when to give up: policies for tenacity."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

import tenacity
from tenacity.stop import stop_base

from segment_bridge.errors import RetryableError
from segment_bridge.segment.throttle import MAX_PAUSE, NoTimeLeftError

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds: the least that is waited where Segment asks for a pause.
_MIN_PAUSE = 1.0
#: Seconds beyond which a pause grows no more.
_MAX_GROWN = 60.0
_JITTER = 0.1

logger = logging.getLogger(__name__)


class Budget(stop_base):
    """The time that a batch has; as a policy to stop, it lets no pause reach its end."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self.seconds = seconds
        self.exceeded = False
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Return the seconds that are left."""
        return self._end - self._clock()

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        """Say whether the coming pause would reach the end."""
        self.exceeded = retry_state.upcoming_sleep >= self.left()
        return self.exceeded


def retrying(
    attempts: int, pause: float, budget: Budget, sleep: Callable[[float], None]
) -> Callable[[Callable[[], None]], None]:
    """Return what makes a request until its answer is final; a pause that Segment asks for uses up no try.

    The other pauses grow from ``pause``.
    """
    as_asked = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_asks_for_a_pause),
        wait=_asked_pause,
        stop=budget,
        sleep=sleep,
        before_sleep=_log_pause,
        reraise=True,
    )
    backing_off = as_asked.copy(
        retry=tenacity.retry_if_exception(_may_succeed_later),
        wait=_growing_from(pause),
        stop=tenacity.stop_after_attempt(attempts) | budget,
    )
    # What waits as asked is one try to what backs off, however often it was asked to.
    return lambda request: backing_off(as_asked, request)


def asked(error: BaseException | None) -> float | None:
    """Return the seconds that Segment asks to wait, within bounds; None where it does not."""
    seconds = error.retry_after if isinstance(error, RetryableError) else None
    return None if seconds is None else min(max(seconds, _MIN_PAUSE), MAX_PAUSE)


def _asks_for_a_pause(error: BaseException) -> bool:
    return asked(error) is not None


def _may_succeed_later(error: BaseException) -> bool:
    # One that still asks for a pause has no time left for it.
    return isinstance(error, RetryableError) and error.retry_after is None and not isinstance(error, NoTimeLeftError)


def _asked_pause(state: tenacity.RetryCallState) -> float:
    return asked(state.outcome.exception() if state.outcome else None) or _MIN_PAUSE


def _log_pause(state: tenacity.RetryCallState) -> None:
    logger.info("the next request in %.1f s", state.upcoming_sleep)


def _growing_from(pause: float) -> Callable[[tenacity.RetryCallState], float]:
    doubling = tenacity.wait_exponential(multiplier=pause, max=max(pause, _MAX_GROWN))

    def wait(state: tenacity.RetryCallState) -> float:
        return doubling(state) * random.uniform(1, 1 + _JITTER)  # noqa: S311 - no secret depends on it

    return wait
