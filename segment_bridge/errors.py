"""The error tree: each branch is named for what the caller should do next.

::

    BridgeError
    ├── RetryableError            ask again later: the same request may succeed
    │   └── IncompleteAnswer      Splunk answered, but not provably with everything
    ├── FatalError                asking again gives the same answer
    │   ├── UnbalancedBooks       results went missing between two stages
    │   ├── HoleError             hours that no run has covered, and none will by itself
    │   └── SilentSourceError     nothing to be found where there always is something
    └── ConfigurationError        a person has to change a setting, a right or an address

Bad data is no error: it becomes a :class:`segment_bridge.events.Rejection` with a reason.
Messages carry facts and the next step, never data, names or secrets. Only :class:`IncompleteAnswer` and the refusal of
a search quote Splunk, which may name people: they belong in a log, and not in reports, alerts or XCom.
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus


class BridgeError(Exception):
    """Whatever the bridge raises on purpose; ``http_status`` is what Splunk answered, where it did."""

    http_status: int | None = None


class RetryableError(BridgeError):
    """The same request may succeed later.

    ``retry_after`` is the pause in seconds that the server asked for, if it did.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class IncompleteAnswer(RetryableError):  # noqa: N818 - named for what happened, as the vocabulary has it
    """Splunk's answer is not provably complete; ``clause`` names the rule that it broke.

    ``summary`` says what of it may stand anywhere, if Splunk said it itself: the message's level and the known pattern.
    """

    def __init__(self, clause: str, message: str, *, summary: str = "") -> None:
        super().__init__(f"incomplete answer ({clause}): {message}")
        self.clause = clause
        self.summary = summary


class FatalError(BridgeError):
    """Asking again gives the same answer."""


class UnbalancedBooks(FatalError):  # noqa: N818 - named for what happened, as the vocabulary has it
    """What a stage took in is not what it gave out."""


class HoleError(FatalError):
    """No run has covered some hours, and none will by itself."""


class SilentSourceError(FatalError):
    """The window holds no audit record at all."""


class ConfigurationError(BridgeError):
    """A person has to change a setting, a right or an address."""


#: Beside 5xx: the statuses after which the same request may succeed (Segment's retry contract).
_RETRYABLE = frozenset({408, 410, 429, 460})
_NEVER_RETRYABLE = frozenset({501, 505})
_MISCONFIGURED = {
    401: "check the credentials",
    403: "check the rights of the credentials",
    404: "check the address",
}


def error_for_status(system: str, status: int, *, retry_after: float | None = None) -> BridgeError:
    """Turn an HTTP status that is not a success into the error that says what to do about it.

    ``retry_after`` is in seconds, as :func:`seconds_to_wait` reads it from the answer's header.
    """
    try:
        said = f"{system} answered {status} {HTTPStatus(status).phrase}"
    except ValueError:
        said = f"{system} answered {status}"
    if status in _MISCONFIGURED:
        return ConfigurationError(f"{said}: {_MISCONFIGURED[status]}")
    if status in _RETRYABLE or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _NEVER_RETRYABLE):
        return RetryableError(f"{said}: try again later", retry_after=retry_after)
    return FatalError(f"{said}: the request itself is not acceptable")


def seconds_to_wait(retry_after: str | None, date: str | None = None) -> float | None:
    """Return the pause that a ``Retry-After`` header asks for in either of its forms; None for what is neither.

    A moment is counted from the answer's own ``Date``, where it has one: our clock may be hours off.
    """
    text = (retry_after or "").strip()
    try:
        if re.fullmatch("[0-9]{1,999}", text):
            return float(text)
        until, now = _epoch(text), _epoch(date or "")
    except (ValueError, OverflowError):
        return None
    return None if until is None else max(0.0, until - (time.time() if now is None else now))


def _epoch(date: str) -> float | None:
    from email.utils import mktime_tz, parsedate_tz  # noqa: PLC0415 - start-up: few answers ask for a pause

    parts = parsedate_tz(date)
    return None if parts is None else mktime_tz(parts)
