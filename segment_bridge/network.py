"""How a client reaches its server: through which proxy, and which authorities it trusts.

All clients read the environment here, so that the same variables count for each of them.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import ssl
from collections.abc import Mapping  # noqa: TC003 - dataclass reads it
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import unquote_to_bytes, urlsplit

from segment_bridge.errors import BridgeError, ConfigurationError, RetryableError

#: The variables that name a PEM file of trusted authorities. The first one that is set counts.
AUTHORITY_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_PORTS = {"http": 80, "https": 443}
#: What a proxy answers for itself where it passes on what the server answers. 503 may be either's.
_PROXY_STATUSES = frozenset(
    {HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}
)
#: How ``http.client``, on which all clients are built, says that a proxy refused CONNECT.
_REFUSED_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")


def keep_heads_out_of_the_log() -> None:
    """Let urllib3 not log what it cannot read in the head of an answer: a server may send back what it was sent."""
    logging.getLogger("urllib3.connection").addFilter(_tells_no_head)


def _tells_no_head(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Failed to parse headers")


def default_port(scheme: str) -> int:
    """Return the port of a URL that names none."""
    return _PORTS[scheme]


def authority(host: str, port: int | str) -> str:
    """Return host and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; ``source`` is the setting that names it."""

    host: str
    port: int
    source: str
    #: The header that holds user name and password, if there are any.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def parse(cls, address: str, source: str) -> Proxy:
        """Read ``http://user:password@host:port``, of which the host alone is required.

        Raises :class:`ConfigurationError`, which quotes nothing: what breaks an address is often a password.
        """
        address = address.strip()
        try:
            url = urlsplit(address if "://" in address else f"http://{address}")
            port = url.port or _PORTS["http"]
            user, _, password = url.netloc.rpartition("@")[0].partition(":")
            pair = b":".join(map(unquote_to_bytes, (user, password)))
        except ValueError:
            url, port, pair = urlsplit(""), 0, b""
        host = url.hostname or ""
        # What follows the host may be the end of a password, the beginning of which was taken for the host.
        whole = url.path in {"", "/"} and not re.search(r"[\x00-\x20\x7f?#]", address)
        if url.scheme != "http" or not whole or not re.fullmatch(r"[\w.:-]+", host):
            raise ConfigurationError(
                f"{source} is not the address of an HTTP proxy: write it as http://host:port or "
                "http://user:password@host:port, with special characters in user and password percent-encoded"
            )
        headers = {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"} if user or password else {}
        return cls(host, port, source, headers)

    @property
    def url(self) -> str:
        """The address without user name and password."""
        return f"http://{self}"

    def __str__(self) -> str:
        return authority(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a server: its scheme, host and port, and the proxy in between; as text, for messages."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None = None

    @classmethod
    def to(cls, scheme: str, host: str, port: int | None = None, proxy: Proxy | None = None) -> Route:
        """Return the way through the proxy that is given, else through that of the environment."""
        port = port or _PORTS[scheme]
        return cls(scheme, host, port, proxy or _proxy_for(scheme, authority(host, port)))

    def __str__(self) -> str:
        server = authority(self.host, self.port)
        return f"{server} (through the proxy {self.proxy})" if self.proxy else server

    def failed(self, error: Exception, kind: str, *, reached: bool) -> BridgeError | None:
        """Return what the proxy is to blame for, None where the failure is not its own.

        ``reached`` says whether there was a connection to the proxy; ``kind`` names the error otherwise.
        """
        if not self.proxy:
            return None
        if refused := _REFUSED_TUNNEL.search(str(error)):
            return self._refused(self.proxy, int(refused[1]))
        if reached:
            return None
        told = f"the proxy {self.proxy}, asked for {authority(self.host, self.port)}, gave no answer ({kind})"
        return RetryableError(f"{told}: try again later, or check {self.proxy.source}")

    def answered(self, status: int) -> BridgeError | None:
        """Return what a status means that the proxy answers in the server's place; None for any other."""
        if self.proxy and self.scheme == "http" and status in _PROXY_STATUSES:
            return self._refused(self.proxy, status)
        return None

    def _refused(self, proxy: Proxy, status: int) -> BridgeError:
        try:
            phrase = f" {HTTPStatus(status).phrase}"
        except ValueError:
            phrase = ""
        told = f"the proxy {proxy}, asked for {authority(self.host, self.port)}, answered {status}{phrase}"
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return ConfigurationError(f"{told}: check the user name and the password in {proxy.source}")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return RetryableError(f"{told}: try again later, or check the address")
        return ConfigurationError(f"{told}: let the proxy pass it on, or check {proxy.source} and NO_PROXY")


def _proxy_for(scheme: str, server: str) -> Proxy | None:
    """Return the proxy that the environment names for a server, unless ``NO_PROXY`` excepts it."""
    from urllib.request import getproxies_environment  # noqa: PLC0415 - start-up

    addresses = getproxies_environment()
    for name in (scheme, "all"):
        if address := addresses.get(name):
            from requests.utils import should_bypass_proxies  # noqa: PLC0415 - start-up: few have a proxy

            if should_bypass_proxies(f"{scheme}://{server}", no_proxy=None):
                return None
            return Proxy.parse(address, f"{name.upper()}_PROXY")
    return None


def authorities(ca_file: str, setting: str) -> str:
    """Return the PEM file of the authorities to trust: a client's own, or that of the environment, else "".

    Raises :class:`ConfigurationError` that names the setting or the variable whose file cannot be used.
    """
    named = {setting: ca_file} | {name: os.environ.get(name, "") for name in AUTHORITY_VARIABLES}
    source, path = next(((name, path) for name, path in named.items() if path), ("", ""))
    if path:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"{source} cannot be used ({type(error).__name__}): it has to be a PEM file of certificates"
            ) from None
    return path
