"""Answers that come to an end: within the time that there is, and with a head that is whole.

A socket's timeout is for each of its bytes, so that an answer that drips could take for ever; and the standard library
takes a head for finished wherever its connection ends.
"""

from __future__ import annotations

import io
import math
import time
from http.client import HTTPResponse, RemoteDisconnected
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping


class BoundedAdapter(HTTPAdapter):
    """Takes no answer that needs more time altogether than there is for one of its bytes, nor one with half a head.

    It keeps so many connections to one server; ``proxy_headers`` go to the proxy, if there is one.
    """

    def __init__(self, connections: int, proxy_headers: Mapping[str, str]) -> None:
        super().__init__(pool_connections=1, pool_maxsize=connections)
        self._proxy_headers = proxy_headers

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002 - there is only one
        """Return what a proxy is told, which is not in its address, as addresses get into errors and logs."""
        return dict(self._proxy_headers)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - its own
        """Let the connections of a pool, a proxy's as well, read answers so."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _BoundedHttps if issubclass(pool.ConnectionCls, HTTPSConnection) else _BoundedHttp
        return pool


class _Bounded(io.RawIOBase):
    """What a socket receives before an end, given by the monotonic clock; ``ended`` says that no more will come."""

    def __init__(self, received: io.RawIOBase, connection: socket.socket, end: float) -> None:
        self._received, self._connection, self._end = received, connection, end
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - a buffer has no type
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        if left < math.inf:
            self._connection.settimeout(left)
        count = self._received.readinto(buffer)
        self.ended = count == 0
        return count

    def close(self) -> None:
        self._received.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(sock, *args, **kwargs)
        seconds = sock.gettimeout()
        end = math.inf if seconds is None else time.monotonic() + seconds
        self._bounded = _Bounded(self.fp.detach(), sock, end)
        self.fp = io.BufferedReader(self._bounded)

    def begin(self) -> None:
        super().begin()
        # Whoever has read a whole head had no need to look for more.
        if self._bounded.ended:
            raise RemoteDisconnected("the head of the answer breaks off")


class _BoundedHttp(HTTPConnection):
    response_class = _Answer


class _BoundedHttps(HTTPSConnection):
    response_class = _Answer
