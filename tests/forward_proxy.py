"""A proxy on loopback, as companies have them: it tunnels for CONNECT, and passes on requests with a whole URL."""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Variables that would change where the clients under test connect, and whom they trust.
VARIABLES = [
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
]
_PATIENCE = 30.0


@dataclass
class ForwardProxy:
    """A running proxy, and what it was asked for."""

    port: int
    #: ``user:password``, if it lets only this one through.
    credentials: str = ""
    #: What it answers to everything, if it is not 0.
    status: int = 0
    #: Ports on loopback of the hosts that only the proxy knows.
    hosts: dict[str, int] = field(default_factory=dict)
    #: Methods and targets, such as ("CONNECT", "splunk.example.com:8089").
    asked: list[tuple[str, str]] = field(default_factory=list)
    #: The heads of all requests, as they came.
    heads: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address without credentials."""
        return f"http://{self.place}"

    def address(self, user_info: str) -> str:
        """Return the address with user and password, as they are written in it."""
        return f"http://{user_info}@{self.place}"

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to a server in the client's place."""
        place = ("127.0.0.1", self.hosts[host]) if host in self.hosts else (host, port)
        return socket.create_connection(place, timeout=_PATIENCE)


class _Handler(StreamRequestHandler):
    server: _Server
    timeout = _PATIENCE

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # either side may leave
            self._serve()

    def _serve(self) -> None:
        head = b"".join(iter(self.rfile.readline, b"\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        proxy = self.server.proxy
        proxy.asked.append((method, target))
        proxy.heads.append(head)
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        expected = base64.b64encode(proxy.credentials.encode()).decode()
        status = proxy.status
        if proxy.credentials and fields.get("Proxy-Authorization") != f"Basic {expected}":
            status = 407
        if status:
            self._refuse(status)
            return
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        try:
            upstream = proxy.connect(url.hostname or "", url.port or 80)
        except OSError:
            self._refuse(502)
            return
        with upstream:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = url._replace(scheme="", netloc="").geturl()
                kept = {name: value for name, value in fields.items() if not name.startswith("Proxy-")}
                lines = [f"{name}: {value}" for name, value in (kept | {"Connection": "close"}).items()]
                upstream.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1"))
            self._pump(upstream)

    def _refuse(self, status: int) -> None:
        head = (f"HTTP/1.1 {status} No", "Proxy-Authenticate: Basic", "Content-Length: 0", "Connection: close", "", "")
        self.wfile.write("\r\n".join(head).encode())

    def _pump(self, upstream: socket.socket) -> None:
        def send() -> None:
            with contextlib.suppress(OSError):
                while data := self.rfile.read1():
                    upstream.sendall(data)
            with contextlib.suppress(OSError):
                upstream.shutdown(socket.SHUT_RD)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        with contextlib.suppress(OSError):
            while data := upstream.recv(65_536):
                self.wfile.write(data)
        # A server that speaks TLS would wait for half a minute for an end that is in order.
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RDWR)
        sender.join(_PATIENCE)


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    proxy: ForwardProxy


@contextmanager
def forward_proxy() -> Iterator[ForwardProxy]:
    """Run a proxy while the block runs."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.proxy = ForwardProxy(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.proxy
        finally:
            server.shutdown()
            thread.join()
