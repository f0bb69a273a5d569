"""How often the command line asks again; under Airflow, its tasks' retries do this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segment_bridge.errors import RetryableError

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

ATTEMPTS = 3


def retrying() -> Retrying:
    """Return a policy for whatever may succeed later: three tries, growing pauses or the one asked for."""
    import tenacity  # noqa: PLC0415 - not every command asks the outside world

    backoff = tenacity.wait_exponential_jitter(initial=1, max=30)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, RetryableError) else None
        return backoff(state) if asked is None else asked

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(RetryableError),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=wait,
        reraise=True,
    )
