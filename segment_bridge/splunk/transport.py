"""How requests reach Splunk: the handler that the SDK is given in place of its own.

The SDK's own waits for a full buffer where a few rows may be all that comes for minutes, takes an answer that does
not say ``Connection: close`` for an empty one, and verifies no certificate unless told to.
"""

from __future__ import annotations

import contextlib
import io
import re
import ssl
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec

from segment_bridge.errors import (
    BridgeError,
    ConfigurationError,
    FatalError,
    IncompleteAnswer,
    RetryableError,
    error_for_status,
    seconds_to_wait,
)
from segment_bridge.splunk.clauses import Clause
from segment_bridge.splunk.messages import Message  # noqa: TC001 - msgspec reads the annotations of a Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from segment_bridge.settings import SplunkSettings

DEFAULT_PORT = 8089
_CHUNK = 256 * 2**10
#: Bytes of a refusal that are read, and characters of it that are told.
_MAX_REFUSAL, _MAX_TOLD = 64 * 2**10, 500
_HEADERS = {
    "Accept": "*/*",
    "Connection": "close",
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "segment-bridge",
}


class Body:
    """The body of an answer, in chunks as they arrive.

    Iterating raises :class:`IncompleteAnswer` where the body breaks off, as far as that shows: a body that has
    neither a length nor chunks ends wherever its connection does.
    """

    def __init__(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        self._connection = connection
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        left: int | None = self._response.length
        taken = 0
        while left is None or left > 0:
            try:
                chunk = self._response.read1(_CHUNK if left is None else min(_CHUNK, left))
            except (OSError, HTTPException) as error:
                kind = type(error).__name__
                raise IncompleteAnswer(Clause.CUT_SHORT, f"{kind} after {taken} bytes of the body") from None
            if not chunk:
                break
            taken += len(chunk)
            left = None if left is None else left - len(chunk)
            yield chunk
        if left:
            raise IncompleteAnswer(Clause.CUT_SHORT, f"{taken} bytes of the body came, and {left} more were due")

    def read(self) -> bytes:
        """Return the whole body, and close; the SDK reads the answer to a login so."""
        with contextlib.closing(self):
            return b"".join(self)

    def close(self) -> None:
        """Close the connection, whether the body was read or not."""
        self._response.close()
        self._connection.close()


class Transport:
    """Makes a request of the SDK, over a connection of its own.

    Raises :class:`ConfigurationError` for settings that name no server.
    """

    def __init__(self, settings: SplunkSettings) -> None:
        self.scheme, self.host, self.port, self._prefix = _address(settings.url)
        self._tls = _tls(settings) if self.scheme == "https" else None
        self._timeout = settings.timeout
        self._private = (settings.username, settings.password, settings.token, settings.session_key)

    def __call__(self, url: str, message: Mapping[str, Any], **_: object) -> dict[str, Any]:
        """Return a success with its open :class:`Body`, or a 401, upon which the SDK may log in again.

        Raises what any other answer means, or none.
        """
        with contextlib.ExitStack() as on_error:
            connection = self._connect()
            on_error.callback(connection.close)
            response = self._ask(connection, url, message)
            body: Body | io.BytesIO = Body(connection, response)
            on_error.callback(body.close)
            if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
                on_error.pop_all()
            elif response.status == HTTPStatus.UNAUTHORIZED:
                body = io.BytesIO()
            else:
                error = self._error(response, _credentials(message))
                error.http_status = response.status
                raise error
            return {"status": response.status, "reason": "", "headers": list(_cookies(response)), "body": body}

    def _connect(self) -> HTTPConnection:
        if self._tls:
            return HTTPSConnection(self.host, self.port, timeout=self._timeout, context=self._tls)
        return HTTPConnection(self.host, self.port, timeout=self._timeout)

    def _ask(self, connection: HTTPConnection, url: str, message: Mapping[str, Any]) -> HTTPResponse:
        """Send a request; no error is chained, as their texts can quote headers."""
        asked = urlsplit(url)
        path = self._prefix + asked.path + (f"?{asked.query}" if asked.query else "")
        body = bytes(message.get("body", b""))
        try:
            connection.request(message["method"], path, body, _HEADERS | dict(message["headers"]))
            return connection.getresponse()
        except ssl.SSLCertVerificationError as error:
            raise ConfigurationError(
                f"Splunk's certificate is not trusted ({error.verify_message}): "
                "set SPLUNK_CA_FILE to a PEM file of the authority that signed it"
            ) from None
        except (OSError, HTTPException) as error:
            kind = type(error).__name__
            raise RetryableError(f"Splunk gave no answer ({kind}): try again later, or check SPLUNK_API_URL") from None
        except ValueError:
            raise ConfigurationError(
                "Splunk cannot be asked: SPLUNK_API_URL or a credential has characters that cannot stand in it"
            ) from None

    def _error(self, response: HTTPResponse, sent: str) -> BridgeError:
        match response.status:
            case status if status < HTTPStatus.BAD_REQUEST:
                return ConfigurationError(
                    f"Splunk answered {status}, which is no answer to a search: check that SPLUNK_API_URL "
                    f"is the address of its REST API (port {DEFAULT_PORT}, if not configured otherwise)"
                )
            case HTTPStatus.BAD_REQUEST:
                return FatalError(f"Splunk refuses the request: {self._told(response, sent)}")
            case HTTPStatus.NOT_FOUND:
                return ConfigurationError(
                    "Splunk answered 404 Not Found: check SPLUNK_API_URL, SPLUNK_APP_NAME and SPLUNK_OWNER"
                )
            case status:
                pause = seconds_to_wait(response.getheader("Retry-After"), response.getheader("Date"))
                return error_for_status("Splunk", status, retry_after=pause)

    def _told(self, response: HTTPResponse, sent: str) -> str:
        """Return what a refusal says about the search, within bounds and without the credentials."""
        try:
            refusal = msgspec.json.decode(response.read(_MAX_REFUSAL), type=_Refusal)
        except (OSError, HTTPException, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return "it does not say why"
        text = "; ".join(message.text for message in refusal.messages)
        private = filter(None, (*self._private, sent))
        text = re.sub("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in private) or "(?!)", "...", text)
        return "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_TOLD])


class _Refusal(msgspec.Struct):
    messages: tuple[Message, ...]


def _address(address: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port, and the path that a proxy may have put before Splunk's own."""
    try:
        url = urlsplit(address)
        port = url.port or DEFAULT_PORT
    except ValueError:
        url, port = urlsplit(""), 0
    host = url.hostname
    usable = url.scheme in ("http", "https") and host and not re.search(r"[\x00-\x20\x7f@]", url.netloc)
    if not (usable and host) or url.query or url.fragment:
        # It is not quoted: a password may stand in it.
        raise ConfigurationError(
            "SPLUNK_API_URL is not the address of a Splunk: write it as https://splunk.example.com:8089, "
            "with a path only where a proxy needs one, and without a user name"
        )
    return url.scheme, host, port, quote(url.path.rstrip("/"), safe="/%")


def _tls(settings: SplunkSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"SPLUNK_CA_FILE cannot be used ({type(error).__name__}): it has to be a PEM file of certificates"
        ) from None
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _credentials(message: Mapping[str, Any]) -> str:
    """Return what a request was authorized with, which after a login is a key that Splunk has made up."""
    return str(dict(message["headers"]).get("Authorization", "")).partition(" ")[2]


def _cookies(response: HTTPResponse) -> Iterator[tuple[str, str]]:
    """Yield the headers that the SDK looks at: login and load balancers may set cookies, and not all can be read."""
    for cookie in response.headers.get_all("Set-Cookie", []):
        with contextlib.suppress(CookieError):
            SimpleCookie(cookie)
            yield "Set-Cookie", cookie
