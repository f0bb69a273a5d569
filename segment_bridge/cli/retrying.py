"""How often the command line asks again; under Airflow, its tasks' retries do this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segment_bridge.cli.options import environment
from segment_bridge.errors import RetryableError
from segment_bridge.settings import RETRY_PAUSE

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

ATTEMPTS = 3
#: Seconds before the second try, if the environment does not say otherwise, and the most that is waited: by
#: ourselves, and where a server asks for a pause.
_PAUSE, _MAX_PAUSE, _MAX_ASKED = 1.0, 30.0, 300.0


def retrying() -> Retrying:
    """Return a policy for whatever may succeed later: three tries, growing pauses or the one asked for."""
    import tenacity  # noqa: PLC0415 - not every command asks the outside world

    with environment() as env:
        pause = env.seconds(RETRY_PAUSE) or _PAUSE
    growing = tenacity.wait_exponential(multiplier=pause, max=max(pause, _MAX_PAUSE))
    backoff = growing + tenacity.wait_random(0, pause)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, RetryableError) else None
        return backoff(state) if asked is None else min(asked, _MAX_ASKED)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(RetryableError),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=wait,
        reraise=True,
    )
