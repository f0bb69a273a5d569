"""What an answer of Splunk means that is no success."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from segment_bridge.errors import BridgeError, ConfigurationError, FatalError, error_for_status, seconds_to_wait
from segment_bridge.splunk.messages import Message  # noqa: TC001 - msgspec reads the annotations of a Struct
from segment_bridge.splunk.quoted import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from http.client import HTTPResponse

#: Bytes of a refusal that are read.
_MAX_REFUSAL = 64 * 2**10


class _Refusal(msgspec.Struct):
    messages: tuple[Message, ...]


def error_of(response: HTTPResponse, secrets: Iterable[str], names: Iterable[str]) -> BridgeError:
    """Return the error with its ``http_status``; what it quotes of Splunk holds none of the secrets and names."""
    error = _error(response, secrets, names)
    error.http_status = response.status
    return error


def _error(response: HTTPResponse, secrets: Iterable[str], names: Iterable[str]) -> BridgeError:
    match response.status:
        case status if status < HTTPStatus.BAD_REQUEST:
            return ConfigurationError(
                f"Splunk answered {status}, which is no answer to a search: check that SPLUNK_API_URL "
                "is the address of its REST API (port 8089, if not configured otherwise)"
            )
        case HTTPStatus.BAD_REQUEST:
            told = _told(response)
            reason = quoted(told, secrets, names) if told else "it does not say why"
            return FatalError(f"Splunk refuses the request: {reason}")
        case HTTPStatus.NOT_FOUND:
            return ConfigurationError(
                "Splunk answered 404 Not Found: check SPLUNK_API_URL, SPLUNK_APP_NAME and SPLUNK_OWNER"
            )
        case status:
            pause = seconds_to_wait(response.getheader("Retry-After"), response.getheader("Date"))
            return error_for_status("Splunk", status, retry_after=pause)


def _told(response: HTTPResponse) -> str:
    """Return what a refusal says about the search."""
    try:
        refusal = msgspec.json.decode(response.read(_MAX_REFUSAL), type=_Refusal)
    except Exception:  # noqa: BLE001 - however it breaks off, and whatever it is instead
        return ""
    return "; ".join(message.text for message in refusal.messages)
