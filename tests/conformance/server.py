"""A server on loopback that answers as a script says, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias


@dataclass(frozen=True)
class Request:
    """One request as it came; ``status`` is what it was answered with, 0 if with nothing."""

    method: str
    path: str
    host: str
    repeat: str
    body: bytes
    status: int

    @property
    def names(self) -> list[str]:
        """The names of the events that it carried."""
        return [event["event"] for event in json.loads(self.body)["batch"]] if self.body else []


@dataclass(frozen=True)
class Reply:
    """An answer; in a header, ``{port}`` is the server's, and ``{date}`` two minutes ahead."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


def reset(handler: Handler) -> None:
    """Take the body, and reset the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def hang_up(handler: Handler) -> None:
    """Take the body, and close the connection in order."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def garble(handler: Handler) -> None:
    """Answer with something else than HTTP."""
    handler.wfile.write(b"this is not HTTP\r\n\r\n")


def stall(handler: Handler) -> None:
    """Never answer."""
    handler.scripted.over.wait(30)


if TYPE_CHECKING:
    Answer: TypeAlias = "Reply | Callable[[Handler], None]"


@dataclass
class Server:
    """Answers one after the other, and with the last one for ever; batches with an event ``poison`` by ``refusal``."""

    answers: list[Answer]
    poison: str = ""
    refusal: int = 400
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    #: Set once nobody asks any longer.
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def taken(self) -> int:
        """How many events were answered with success, where they belong."""
        took = (one for one in self.requests if one.path == "/v1/batch" and 200 <= one.status < 300)
        return sum(len(one.names) for one in took)

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        if method != "POST" or path != "/v1/batch":
            return Reply(200)
        if self.poison:
            return Reply(self.refusal if f'"{self.poison}"'.encode() in body else 200)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    scripted: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        made = self.scripted.answer(self.command, self.path, body)
        status = made.status if isinstance(made, Reply) else 0
        headers = self.headers
        self.scripted.requests.append(
            Request(self.command, self.path, headers["Host"], headers.get("X-Retry-Count", ""), body, status)
        )
        if isinstance(made, Reply):
            self._reply(made)
        else:
            self.close_connection = True
            with contextlib.suppress(OSError):
                made(self)

    do_GET = do_POST  # noqa: N815 - as the server has it

    def _reply(self, reply: Reply) -> None:
        now = _now()
        self.send_response_only(reply.status)
        self.send_header("Date", formatdate(now, usegmt=True))
        date = formatdate(now + 120, usegmt=True)
        for name, value in reply.headers.items():
            self.send_header(name, value.format(port=self.scripted.port, date=date))
        empty = reply.status in {204, 304}
        if not empty:
            self.send_header("Content-Length", "2")
        self.end_headers()
        if not empty:
            self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _now() -> int:
    """Return the time in whole seconds, as dates have it; the end of one it avoids."""
    if time.time() % 1 > 0.8:
        time.sleep(0.3)
    return int(time.time())


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error."""


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """Serve while the block runs, and give the address."""
    with _Listener(("127.0.0.1", 0), type("ScriptedHandler", (Handler,), {"scripted": server})) as listener:
        server.port = listener.server_port
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.over.set()
            listener.shutdown()
            thread.join()
