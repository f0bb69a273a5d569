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

from segment_bridge.errors import BridgeError, ConfigurationError, RetryableError
from segment_bridge.network import Route, authorities, authority, default_port
from segment_bridge.splunk import refusals
from segment_bridge.splunk.body import Body

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from segment_bridge.settings import SplunkSettings

DEFAULT_PORT = 8089
_HEADERS = {
    "Accept": "*/*",
    "Connection": "close",
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "segment-bridge",
}


class Transport:
    """Makes a request of the SDK, over a connection of its own.

    Raises :class:`ConfigurationError` for settings that name no server.
    """

    def __init__(self, settings: SplunkSettings) -> None:
        self.scheme, self.host, port, self._prefix = _address(settings.url)
        self.port = port or DEFAULT_PORT
        self.route = Route.to(self.scheme, self.host, self.port)
        self._names_no_port = port is None
        self._tls = _tls(settings) if self.scheme == "https" else None
        self._timeout = settings.timeout
        self._secrets = (settings.password, settings.token, settings.session_key)
        self._names = (settings.username,)

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
                raise self._refusal(response, message)
            return {"status": response.status, "reason": "", "headers": list(_cookies(response)), "body": body}

    def _connect(self) -> HTTPConnection:
        proxy = self.route.proxy
        host, port = (proxy.host, proxy.port) if proxy else (self.host, self.port)
        if self._tls is None:
            connection = HTTPConnection(host, port, timeout=self._timeout)
        else:
            connection = HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)
            if proxy:
                connection.set_tunnel(self.host, self.port, dict(proxy.headers))
        try:
            connection.connect()
        except Exception as error:  # noqa: BLE001 - the libraries' texts can quote headers
            reached = connection.sock is not None
            connection.close()
            raise self._failure(error, reached=reached) from None
        return connection

    def _ask(self, connection: HTTPConnection, url: str, message: Mapping[str, Any]) -> HTTPResponse:
        """Send a request; no error is chained, as their texts can quote headers."""
        asked = urlsplit(url)
        path = self._prefix + asked.path + (f"?{asked.query}" if asked.query else "")
        headers = _HEADERS | dict(message["headers"])
        if self.route.proxy and self._tls is None:
            path = f"http://{authority(self.host, self.port)}{path}"
            headers |= self.route.proxy.headers
        try:
            connection.request(message["method"], path, bytes(message.get("body", b"")), headers)
            return connection.getresponse()
        except Exception as error:  # noqa: BLE001 - as above
            raise self._failure(error, reached=True) from None

    def _failure(self, error: Exception, *, reached: bool) -> BridgeError:
        """Return what it means that there is no answer; ``reached`` says whether there was a connection."""
        kind = type(error).__name__
        if isinstance(error, ssl.SSLCertVerificationError):
            return ConfigurationError(
                f"Splunk's certificate is not trusted ({error.verify_message}): "
                "set SPLUNK_CA_FILE to a PEM file of the authority that signed it"
            )
        if failure := self.route.failed(error, kind, reached=reached):
            return failure
        if not isinstance(error, (OSError, HTTPException)):
            return ConfigurationError(
                f"Splunk at {self.route} cannot be asked ({kind}): "
                "SPLUNK_API_URL or a credential has characters that cannot stand in it"
            )
        told = f"Splunk at {self.route} gave no answer ({kind})"
        if self._names_no_port:
            return RetryableError(
                f"{told}, and {DEFAULT_PORT} is only Splunk's default port: "
                f"try again later, or write the port into SPLUNK_API_URL, as "
                f"{self.scheme}://{authority(self.host, default_port(self.scheme))}"
            )
        return RetryableError(f"{told}: try again later, or check SPLUNK_API_URL")

    def _refusal(self, response: HTTPResponse, message: Mapping[str, Any]) -> BridgeError:
        if failure := self.route.answered(response.status):
            return failure
        return refusals.error_of(response, [*self._secrets, *self._sent(message)], self._names)

    def _sent(self, message: Mapping[str, Any]) -> Iterator[str]:
        """Yield what a request was authorized with: after a login, that is a key that Splunk has made, or cookies."""
        headers = dict(message["headers"]) | dict(self.route.proxy.headers if self.route.proxy else {})
        for name in ("Authorization", "Proxy-Authorization"):
            yield str(headers.get(name, "")).partition(" ")[2]
        for cookie in str(headers.get("Cookie", "")).split("; "):
            yield cookie.partition("=")[2]


def _address(address: str) -> tuple[str, str, int | None, str]:
    """Return scheme, host, port, and the path that a proxy may have put before Splunk's own.

    The port is None where Splunk's default is meant: there is neither a port, nor a path of a proxy.
    """
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    host, prefix = url.hostname, url.path.rstrip("/")
    odd = " " in url.netloc or re.search(r"[\x00-\x1f\x7f@]", address)
    if url.scheme not in {"http", "https"} or not host or odd or url.query or url.fragment:
        # It is not quoted: a password may stand in it.
        raise ConfigurationError(
            "SPLUNK_API_URL is not the address of a Splunk: write it as https://splunk.example.com:8089, "
            "with a path only where a proxy needs one, and without a user name"
        )
    if prefix and not port:
        port = default_port(url.scheme)
    return url.scheme, host, port or None, quote(prefix, safe="/%")


def _tls(settings: SplunkSettings) -> ssl.SSLContext:
    if settings.verify:
        return ssl.create_default_context(cafile=authorities(settings.ca_file, "SPLUNK_CA_FILE") or None)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _cookies(response: HTTPResponse) -> Iterator[tuple[str, str]]:
    """Yield the headers that the SDK looks at: login and load balancers may set cookies, and not all can be read."""
    for cookie in response.headers.get_all("Set-Cookie", []):
        with contextlib.suppress(CookieError):
            SimpleCookie(cookie)
            yield "Set-Cookie", cookie
