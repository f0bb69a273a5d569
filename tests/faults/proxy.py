"""A server that stands before a stand-in and misbehaves on cue, on the wire itself.

Each connection carries one request. Where no cue applies, the stand-in's answer goes through as it is.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds after which nothing here waits any longer.
PATIENCE = 60.0
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Answer:
    """An answer as a whole; its headers are those that say something about the body's content."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> list[bytes]:
        """The body's lines, each with its end."""
        return self.body.splitlines(keepends=True)

    def with_lines(self, *lines: bytes) -> Answer:
        return replace(self, body=b"".join(lines))


class Wire:
    """One request, and what can be done with its connection."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler
        self.proxy = handler.server.proxy
        self.method, self.path = handler.command, handler.path

    @cached_property
    def body(self) -> bytes:
        """The request's body, which is not read from the connection before it is asked for."""
        return self._handler.rfile.read(int(self._handler.headers.get("Content-Length") or 0))

    @property
    def search(self) -> str:
        """The SPL of an export; nothing for another request."""
        return parse_qs(self.body.decode())["search"][0] if self.path.endswith("/export") else ""

    def ask(self, path: str | None = None) -> Answer:
        """Let the stand-in have the request, and return its answer."""
        return self.proxy.ask(self, path or self.path, dict(self._handler.headers))

    def reply(self, answer: Answer, *, framing: str = "length", claimed: int | None = None) -> None:
        """Send an answer: with its length, in chunks, or until the connection closes.

        ``claimed`` is a length other than the true one.
        """
        _ = self.body  # closing with a request half read would reset the connection
        head = [f"HTTP/1.1 {answer.status} -", "Connection: close"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        body = answer.body
        if framing == "chunked":
            head.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        elif framing == "length":
            head.append(f"Content-Length: {len(body) if claimed is None else claimed}")
        self.send("\r\n".join([*head, "", ""]).encode() + body)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._handler.connection.sendall(data)

    def reset(self) -> None:
        """Let the connection end with a reset."""
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def wait(self) -> None:
        """Hold the connection open, without a byte, until the test is over."""
        self.proxy.over.wait(PATIENCE)


def everything(_: Wire) -> bool:
    """Let a cue apply to every request."""
    return True


@dataclass
class _Cue:
    fault: Callable[[Wire], None]
    applies: Callable[[Wire], bool]
    left: float
    skip: int

    def takes(self, wire: Wire) -> bool:
        if not self.left or not self.applies(wire):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.left -= 1
        return True


class Proxy:
    """The server at ``url``; ``memorable`` requests are answered from memory the second time."""

    def __init__(self, upstream: str, memorable: Callable[[Wire], bool] = lambda _: False) -> None:
        self._host, self._port = urlsplit(upstream).hostname or "", urlsplit(upstream).port
        self._memorable = memorable
        self._memory: dict[bytes, Answer] = {}
        self._lock = threading.Lock()
        self._cues: list[_Cue] = []
        self.asked: list[tuple[str, str]] = []
        self.over = threading.Event()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.proxy = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def cue(
        self,
        fault: Callable[[Wire], None],
        *,
        applies: Callable[[Wire], bool] = everything,
        times: float = float("inf"),
        skip: int = 0,
    ) -> None:
        """Answer so many of the requests that the cue applies to with a fault, after so many that go well."""
        self._cues.append(_Cue(fault, applies, times, skip))

    def clear(self) -> None:
        """Forget cues and requests, and let go of what is held."""
        self.over.set()
        self._cues, self.asked, self.over = [], [], threading.Event()

    def take(self, wire: Wire) -> None:
        """Answer a request."""
        with self._lock:
            self.asked.append((wire.method, wire.path))
            cue = next((cue for cue in self._cues if cue.takes(wire)), None)
        if cue:
            cue.fault(wire)
        else:
            wire.reply(wire.ask())

    def ask(self, wire: Wire, path: str, headers: dict[str, str]) -> Answer:
        key = wire.body if self._memorable(wire) else b""
        if key in self._memory:
            return self._memory[key]
        given = {name: value for name, value in headers.items() if name.lower() not in ("host", "connection")}
        upstream = HTTPConnection(self._host, self._port, timeout=PATIENCE)
        try:
            upstream.request(wire.method, path, wire.body or None, given)
            got = upstream.getresponse()
            kind = got.getheader("Content-Type")
            again = got.getheader("Retry-After")
            kept = {name: value for name, value in (("Content-Type", kind), ("Retry-After", again)) if value}
            answer = Answer(got.status, got.read(), kept)
        finally:
            upstream.close()
        if key and answer.status == 200:
            self._memory[key] = answer
        return answer


@contextmanager
def standing_before(upstream: str, memorable: Callable[[Wire], bool] = lambda _: False) -> Iterator[Proxy]:
    """Run a proxy while the block runs."""
    proxy = Proxy(upstream, memorable)
    thread = threading.Thread(target=proxy.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.clear()
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    proxy: Proxy

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close at once: an orderly end before it would hide a reset."""
        self.close_request(request)

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: tuple[str, int]
    ) -> None:
        """Say nothing of clients that were killed, or gave up: they are what is tested."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.proxy.take(Wire(self))

    do_POST = do_GET  # noqa: N815 - as the server has it

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def unbound() -> str:
    """Return an address where nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"


def elsewhere(name: str) -> str:
    """Return an address whose host no resolver knows."""
    return f"http://{name}-{os.getpid()}.invalid:8089"
