"""One request to Segment, and what its answer means."""

from __future__ import annotations

import contextlib
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError

from segment_bridge import __version__
from segment_bridge.errors import (
    BridgeError,
    ConfigurationError,
    RetryableError,
    error_for_status,
    seconds_to_wait,
)
from segment_bridge.network import Route, authorities, keep_heads_out_of_the_log
from segment_bridge.segment.answers import BoundedAdapter
from segment_bridge.segment.outcome import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from segment_bridge.settings import SegmentSettings

_PATH = "/v1/batch"
#: The statuses that are about the events; every other failure is about the request or about Segment.
_ABOUT_EVENTS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
#: An answer as short and as quick as this is read to its end, so that its connection serves again.
_SHORT_ANSWER, _QUICK_ANSWER = 4_096, 1.0


class Transport:
    """The batch endpoint, over one pool of connections that threads can share; ``clock`` is monotonic, in seconds.

    Raises :class:`ConfigurationError` for an address or a write key that cannot be one.
    """

    def __init__(self, settings: SegmentSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._url = _endpoint(settings.batch_api)
        url = urlsplit(self._url)
        self._route = Route.to(url.scheme, url.hostname or "", url.port)
        keep_heads_out_of_the_log()
        self._session = _Session()
        # All that the environment says has been read already; a .netrc must not take the place of the key.
        self._session.trust_env = False
        self._session.verify = authorities(settings.ca_file, "SEGMENT_CA_FILE") or True
        self._session.auth = _credentials(settings.write_key)
        if proxy := self._route.proxy:
            self._session.proxies = {url.scheme: proxy.url}
        adapter = BoundedAdapter(settings.connections, proxy.headers if proxy else {})
        self._session.mount(f"{url.scheme}://", adapter)
        self._session.headers.update(
            {"Content-Type": "application/json", "User-Agent": f"segment-bridge/{__version__}"}
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def post(self, body: bytes, repeats: int, timeout: float) -> tuple[int | str, BridgeError | None]:
        """Make one request; return its status or kind of error, and what to do about it unless it is a success."""
        try:
            with self._session.post(
                self._url,
                data=body,
                headers={"X-Retry-Count": str(repeats)} if repeats else None,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                self._drain(response)
        except Exception as error:  # noqa: BLE001 - of whatever type, its text is not for us to tell
            return _kind(error), self._network_error(error)
        pause = seconds_to_wait(response.headers.get("Retry-After"), response.headers.get("Date"))
        status = response.status_code
        return status, self._route.answered(status) or _status_error(status, pause)

    def _network_error(self, error: Exception) -> BridgeError:
        kind = _kind(error)
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return ConfigurationError(
                "Segment's certificate is not trusted: check the address, or set SEGMENT_CA_FILE to a PEM file of the "
                "authority that signed it"
            )
        if failure := self._route.failed(error, kind, reached=not isinstance(error, requests.exceptions.ProxyError)):
            return failure
        if isinstance(error, ValueError) or not isinstance(error, (OSError, HTTPError)):
            return ConfigurationError(f"Segment at {self._route} cannot be asked ({kind}): check the address")
        return RetryableError(f"Segment at {self._route} gave no answer ({kind}): try again later")

    def _drain(self, response: requests.Response) -> None:
        """Read what is left of an answer, within bounds and byte by byte, so that none can hold us up for long."""
        end = self._clock() + _QUICK_ANSWER
        with contextlib.suppress(OSError, HTTPError):
            for _ in range(_SHORT_ANSWER):
                if not response.raw.read(1, decode_content=False) or self._clock() > end:
                    return


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Know of no redirect: only to prepare for one, requests would read the whole answer."""


def _status_error(status: int, retry_after: float | None) -> BridgeError | None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if status in _ABOUT_EVENTS:
        return RefusedError(status)
    return error_for_status("Segment", status, retry_after=retry_after)


def _kind(error: Exception) -> str:
    cause = getattr(error.args[0], "reason", None) if error.args else None
    cause = getattr(cause, "original_error", cause)  # where there is a proxy
    return type(cause if isinstance(cause, Exception) else error).__name__


def _endpoint(address: str) -> str:
    """Return the address to post to; without a path, it is the public API's."""
    try:
        url = urlsplit(requests.Request("POST", address).prepare().url or "")
    except ValueError:
        url = urlsplit("")
    # What is taken for host and port may be half of a password, if there is one in the address.
    if url.scheme not in {"http", "https"} or not url.hostname or "@" in address:
        raise ConfigurationError("the address of Segment's batch API is none: write it as https://host/path")
    return url._replace(path=_PATH).geturl() if url.path in {"", "/"} else url.geturl()


def _credentials(write_key: str) -> HTTPBasicAuth:
    # Segment answers 200 to a wrong key, so one that was copied with a blank or a line end would go unnoticed.
    if not re.fullmatch(r"[!-~]+", write_key) or set(write_key) & set(":\"'`"):
        raise ConfigurationError(
            "the write key is empty or has blanks, quotes, colons or other signs that no key has: check it"
        )
    return HTTPBasicAuth(write_key, "")
