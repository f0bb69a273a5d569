from __future__ import annotations

import base64
import contextlib
import json
import logging
import re
import socket
import ssl
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from segment_bridge.errors import ConfigurationError, FatalError
from segment_bridge.segment import Attempt, MisconfiguredError, Outcome, Refused, Segment, deliver_several
from segment_bridge.settings import SegmentSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    Fault: TypeAlias = Callable[["Handler"], None]
    #: A status, a reply, or something that happens to the connection.
    Answer: TypeAlias = "int | Reply | Fault"

KEY = "a-write-key-that-nobody-may-see"
BODY = b'{"batch":[{"userId":"ann"},{"userId":"bob"},{"userId":"joe"}]}'

# --- A server on loopback that does what it is told, and remembers what it was asked ---


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    #: The client's address, which stands for the connection.
    client: tuple[str, int]

    @property
    def events(self) -> list[dict[str, Any]]:
        return list(json.loads(self.body)["batch"])


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"success":true}'


@dataclass
class Server:
    answer: Callable[[Request], Answer]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    #: Set once the test is over: nothing waits any longer.
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def retry_counts(self) -> list[str | None]:
        return [request.headers.get("X-Retry-Count") for request in self.requests]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    scripted: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.command, self.path, dict(self.headers), body, self.client_address)
        self.scripted.requests.append(request)
        made = self.scripted.answer(request)
        if isinstance(made, int):
            made = Reply(made)
        if isinstance(made, Reply):
            self.reply(made)
        else:
            self.close_connection = True
            with contextlib.suppress(OSError):
                made(self)

    def reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status not in {204, 304}:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.status not in {204, 304}:
            self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        pass


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up, as some of the tests make it do, is no error."""


@contextmanager
def serving(answer: Callable[[Request], Answer], tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(answer)
    with QuietServer(("127.0.0.1", 0), type("ScriptedHandler", (Handler,), {"scripted": server})) as listener:
        if tls:
            listener.socket = tls.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            listener.shutdown()
            thread.join()


def script(*answers: Answer) -> Callable[[Request], Answer]:
    """Answer one after the other, and with the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def reset(handler: Handler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def hang_up(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def garble(handler: Handler) -> None:
    handler.wfile.write(b"this is not HTTP\r\n\r\n")


def stall(handler: Handler) -> None:
    handler.scripted.over.wait(30)


def endless(status: int, chunk: bytes = b"x" * 65_536, pause: float = 0.0, **headers: str) -> Fault:
    """Answer with a body that never ends."""

    def write(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        while not handler.scripted.over.wait(pause):
            handler.wfile.write(chunk)

    return write


def dripping(head: str) -> Fault:
    """Begin an answer, and go on with a byte now and then."""

    def write(handler: Handler) -> None:
        handler.wfile.write(head.encode())
        while not handler.scripted.over.wait(0.05):
            handler.wfile.write(b"1")

    return write


def certified(folder: Path, patch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return what a server needs for TLS, and let its certificate be trusted."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    patch.setenv("REQUESTS_CA_BUNDLE", str(folder / "ca.pem"))
    return tls


# --- The client under test, with a clock that only pauses move ---


class Time:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now

    def paused(self, *expected: float) -> bool:
        """Say whether the pauses were these, give or take a jitter of a tenth and what the wall clock moved on."""
        return len(self.pauses) == len(expected) and all(
            least - 0.5 * (least > 100) <= pause <= least * 1.1
            for pause, least in zip(self.pauses, expected, strict=True)
        )


@contextmanager
def connected(
    url: str, timer: Time | None = None, *, timeout: float = 10.0, budget: float = 1_800.0, attempts: int = 3
) -> Iterator[Segment]:
    timer = timer or Time()
    settings = SegmentSettings(write_key=KEY, batch_api=url, timeout=timeout, budget=budget, attempts=attempts)
    with Segment(settings, sleep=timer.sleep, clock=timer.clock) as segment:
        yield segment


def deliver(
    server: Server,
    timer: Time | None = None,
    *,
    body: bytes = BODY,
    timeout: float = 10.0,
    budget: float = 1_800.0,
    attempts: int = 3,
) -> Outcome:
    with connected(server.url, timer, timeout=timeout, budget=budget, attempts=attempts) as segment:
        return segment.deliver(body)


def place(url: str) -> str:
    return urlsplit(url).netloc


def batch_of(events: list[dict[str, Any]]) -> bytes:
    return json.dumps({"batch": events}, separators=(",", ":")).encode()


def attempts(*answers: int | str, events: int = 3) -> tuple[Attempt, ...]:
    return tuple(Attempt(events, answer) for answer in answers)


# --- What is sent ---


def test_a_batch_is_one_request_as_segment_documents_it() -> None:
    with serving(script(200)) as server:
        outcome = deliver(server)

    assert outcome == Outcome(delivered=3, attempts=attempts(200))
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/batch", BODY)
    sent = {name.lower(): value for name, value in request.headers.items()}
    assert {name: sent.get(name) for name in ("authorization", "content-type", "content-length", "user-agent")} == {
        "authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode(),
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "user-agent": f"segment-bridge/{version('segment-bridge')}",
    }
    assert not {"content-encoding", "x-retry-count", "transfer-encoding"} & sent.keys()


def test_batches_share_a_connection() -> None:
    with serving(script(200, 429, 200)) as server, connected(server.url) as segment:
        assert [segment.deliver(BODY).delivered for _ in range(4)] == [3, 3, 3, 3]
    assert len({request.client for request in server.requests}) == 1


def test_an_empty_batch_needs_no_request() -> None:
    with serving(script(200)) as server:
        assert deliver(server, body=b'{"batch":[]}') == Outcome()
    assert server.requests == []


@pytest.mark.parametrize("body", [b"", b"ann", b'{"batch":[{"userId":"ann"}', b'{"context":{},"batch":[]}', b"[\xff]"])
def test_what_is_no_batch_is_not_sent(body: bytes) -> None:
    with (
        serving(script(200)) as server,
        pytest.raises(FatalError, match=rf"^a body of {len(body)} bytes is no batch: make it again from the events$"),
    ):
        deliver(server, body=body)
    assert server.requests == []


# --- What an answer means ---


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_any_2xx_is_a_success(status: int) -> None:
    with serving(script(status)) as server:
        assert deliver(server) == Outcome(delivered=3, attempts=attempts(status))


RETRYABLE = [408, 410, 429, 460, 500, 502, 503, 504, 506, 507, 508, 511, 520, 599]
FAULTS = [
    pytest.param(reset, "ConnectionError", id="reset after the body was taken"),
    pytest.param(hang_up, "ConnectionError", id="closed without an answer"),
    pytest.param(garble, "ConnectionError", id="not HTTP"),
    pytest.param(stall, "ReadTimeout", id="no answer in time"),
]


@pytest.mark.parametrize("status", RETRYABLE)
def test_a_retryable_status_is_retried(status: int) -> None:
    timer = Time()
    with serving(script(status, 200)) as server:
        outcome = deliver(server, timer)

    assert outcome == Outcome(delivered=3, attempts=attempts(status, 200))
    assert timer.paused(0.5)
    assert server.retry_counts == [None, "1"]
    assert [request.body for request in server.requests] == [BODY, BODY]


@pytest.mark.parametrize("status", RETRYABLE)
def test_a_retryable_status_for_ever_ends_undelivered(status: int) -> None:
    timer = Time()
    with serving(script(status)) as server:
        outcome = deliver(server, timer)

    why = outcome.why
    assert outcome == Outcome(undelivered=3, why=why, attempts=attempts(status, status, status))
    assert re.fullmatch(rf"Segment answered {status}[A-Za-z ]*: try again later; given up after request 3", why)
    assert timer.paused(0.5, 1.0)
    assert server.retry_counts == [None, "1", "2"]
    assert {request.body for request in server.requests} == {BODY}


@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_a_network_error_is_retried(fault: Fault, kind: str) -> None:
    timer = Time()
    with serving(script(fault, 200)) as server:
        outcome = deliver(server, timer, timeout=1)

    assert outcome == Outcome(delivered=3, attempts=attempts(kind, 200))
    assert timer.paused(0.5)
    assert server.retry_counts == [None, "1"]
    assert [request.body for request in server.requests] == [BODY, BODY]


@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_a_network_error_for_ever_ends_undelivered(fault: Fault, kind: str) -> None:
    with serving(script(fault)) as server:
        outcome = deliver(server, timeout=0.1)

    why = f"Segment at {place(server.url)} gave no answer ({kind}): try again later; given up after request 3"
    assert outcome == Outcome(undelivered=3, why=why, attempts=attempts(kind, kind, kind))
    assert server.retry_counts == [None, "1", "2"]


def test_a_connection_reset_before_the_body_was_taken_is_retried() -> None:
    timer = Time()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def reset_each() -> None:
            for _ in range(3):
                connection, _address = listener.accept()
                connection.recv(1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()

        thread = threading.Thread(target=reset_each, daemon=True)
        thread.start()
        # Larger than the sockets' buffers.
        body = batch_of([{"text": "x" * 20_000_000}])
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with connected(address, timer) as segment:
            outcome = segment.deliver(body)
        thread.join(10)

    kind = "ConnectionError"
    why = f"Segment at {place(address)} gave no answer ({kind}): try again later; given up after request 3"
    assert outcome == Outcome(undelivered=1, why=why, attempts=attempts(kind, kind, kind, events=1))
    assert timer.paused(0.5, 1.0)


def test_a_refused_connection_ends_undelivered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with connected(address) as segment:
        outcome = segment.deliver(BODY)

    kind = "NewConnectionError"
    why = f"Segment at {place(address)} gave no answer ({kind}): try again later; given up after request 3"
    assert outcome == Outcome(undelivered=3, why=why, attempts=attempts(kind, kind, kind))


@pytest.mark.parametrize(
    "status", [300, 301, 302, 303, 304, 307, 308, 402, 405, 406, 409, 411, 415, 422, 499, 501, 505]
)
def test_a_terminal_status_ends_undelivered_at_once(status: int) -> None:
    timer = Time()
    with serving(script(Reply(status, {"Location": "/elsewhere", "Retry-After": "7"}), 200)) as server:
        outcome = deliver(server, timer)

    why = outcome.why
    assert outcome == Outcome(undelivered=3, why=why, terminal=True, attempts=attempts(status))
    assert re.fullmatch(rf"Segment answered {status}[A-Za-z -]*: the request itself is not acceptable", why)
    assert timer.pauses == []
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "Segment answered 401 Unauthorized: check the credentials"),
        (403, "Segment answered 403 Forbidden: check the rights of the credentials"),
        (404, "Segment answered 404 Not Found: check the address"),
    ],
)
def test_a_misconfiguration_stops_the_line_and_drops_nothing(status: int, message: str) -> None:
    with serving(script(status)) as server, pytest.raises(MisconfiguredError) as caught:
        deliver(server)

    assert isinstance(caught.value, ConfigurationError)
    assert str(caught.value) == message
    assert caught.value.outcome == Outcome(undelivered=3, why=message, terminal=True, attempts=attempts(status))
    assert len(server.requests) == 1


# --- Pauses ---


@pytest.mark.parametrize("status", RETRYABLE)
def test_the_pause_that_any_retryable_status_asks_for_is_kept(status: int) -> None:
    timer = Time()
    with serving(script(Reply(status, {"Retry-After": "7"}), 200)) as server:
        assert deliver(server, timer) == Outcome(delivered=3, attempts=attempts(status, 200))
    assert timer.pauses == [7]


@pytest.mark.parametrize(
    ("value", "pause"),
    [("1", 1), ("300", 300), (" 42 ", 42), ("0", 1), ("301", 300), ("9" * 400, 300)],
)
def test_a_pause_in_seconds_is_kept_within_bounds(value: str, pause: float) -> None:
    timer = Time()
    with serving(script(Reply(429, {"Retry-After": value}), 200)) as server:
        deliver(server, timer)
    assert timer.pauses == [pause]


@pytest.mark.parametrize(("ahead", "pause"), [(120, 120), (3_600, 300), (-3_600, 1), (0, 1)])
def test_a_pause_until_a_date_is_kept_within_bounds(ahead: float, pause: float) -> None:
    timer = Time()

    def answer(request: Request) -> Reply:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
        return Reply(200) if "X-Retry-Count" in request.headers else Reply(503, {"Retry-After": date})

    with serving(answer) as server:
        deliver(server, timer)
    # A date has whole seconds.
    assert timer.pauses == [pytest.approx(pause, abs=5 if pause == 120 else 0)]


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "9" * 5_000, "Wed, 21 Oct 99999999999 07:28:00 GMT"])
def test_a_pause_that_cannot_be_read_is_as_good_as_none(value: str) -> None:
    timer = Time()
    with serving(script(Reply(429, {"Retry-After": value}))) as server:
        assert deliver(server, timer).attempts == attempts(429, 429, 429)
    assert timer.paused(0.5, 1.0)


def test_a_pause_that_was_asked_for_uses_up_no_try() -> None:
    timer = Time()
    asks = [Reply(429, {"Retry-After": "2"})] * 5
    with serving(script(*asks, 503, *asks, reset, *asks, 200)) as server:
        outcome = deliver(server, timer)

    answers = [429] * 5 + [503] + [429] * 5 + ["ConnectionError"] + [429] * 5 + [200]
    assert outcome == Outcome(delivered=3, attempts=attempts(*answers))
    assert timer.paused(*[2] * 5, 0.5, *[2] * 5, 1.0, *[2] * 5)
    assert server.retry_counts == [None, *map(str, range(1, 18))]
    assert {request.body for request in server.requests} == {BODY}


def test_without_such_pauses_the_tries_are_used_up() -> None:
    ask = Reply(503, {"Retry-After": "2"})
    with serving(script(503, ask, 503, ask, 503, 200)) as server:
        outcome = deliver(server)

    why = "Segment answered 503 Service Unavailable: try again later; given up after request 5"
    assert outcome == Outcome(undelivered=3, why=why, attempts=attempts(503, 503, 503, 503, 503))


def test_pauses_double_up_to_a_minute_and_are_never_quite_the_same() -> None:
    timer, other = Time(), Time()
    with serving(script(500)) as server:
        deliver(server, timer, attempts=11)
        deliver(server, other, attempts=11)

    assert timer.paused(0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60)
    assert timer.pauses != other.pauses


def test_a_batch_is_given_up_before_its_time_is_over() -> None:
    timer = Time()
    with serving(script(Reply(429, {"Retry-After": "300"}))) as server:
        outcome = deliver(server, timer, budget=1_000)

    why = (
        "Segment answered 429 Too Many Requests: try again later; given up after request 4, of 1000 s too few are left"
    )
    assert outcome == Outcome(undelivered=3, why=why, attempts=attempts(429, 429, 429, 429))
    assert timer.pauses == [300, 300, 300]


def test_a_growing_pause_too_ends_before_the_time_is_over() -> None:
    with serving(script(503)) as server:
        outcome = deliver(server, budget=1)

    why = "Segment answered 503 Service Unavailable: try again later; given up after request 2, of 1 s too few are left"
    assert outcome == Outcome(undelivered=3, why=why, attempts=attempts(503, 503))


def test_the_time_is_for_all_parts_of_a_batch() -> None:
    timer = Time()

    def answer(request: Request) -> int:
        timer.now += 4
        return 400 if len(request.events) == 3 else 200

    with serving(answer) as server:
        outcome = deliver(server, timer, budget=7)

    assert outcome == Outcome(
        delivered=1,
        undelivered=2,
        why="of 7 s none are left",
        attempts=(Attempt(3, 400), Attempt(1, 200)),
    )


def test_a_batch_that_has_no_time_for_a_pause_of_another_one_is_given_up_at_once() -> None:
    timer = Time()
    asks = Reply(429, {"Retry-After": "300"})
    with serving(script(asks, 200)) as server, connected(server.url, timer, budget=60) as segment:
        outcomes = [segment.deliver(BODY) for _ in range(2)]

    told = "given up after request {}, of 60 s too few are left"
    whys = [
        f"Segment answered 429 Too Many Requests: try again later; {told.format(1)}",
        f"the rate, or a pause, lets no request go out in time; {told.format(0)}",
    ]
    assert outcomes == [
        Outcome(undelivered=3, why=whys[0], attempts=attempts(429)),
        Outcome(undelivered=3, why=whys[1]),
    ]
    assert (timer.pauses, len(server.requests)) == ([], 1)


def test_a_request_waits_no_longer_than_the_batch_has_time() -> None:
    with serving(script(stall)) as server:
        begun = time.monotonic()
        outcome = deliver(server, budget=0.2, timeout=20)

    why = (
        f"Segment at {place(server.url)} gave no answer (ReadTimeout): try again later; "
        "given up after request 1, of 0.2 s too few are left"
    )
    assert outcome == Outcome(undelivered=3, why=why, attempts=attempts("ReadTimeout"))
    assert time.monotonic() - begun < 5


# --- Halving ---


def refusing(status: int, is_poison: Callable[[dict[str, Any]], bool]) -> Callable[[Request], Reply]:
    """Take a batch whole or not at all, and say why in plain text."""

    def answer(request: Request) -> Reply:
        poisoned = any(map(is_poison, request.events))
        return Reply(status, {"Content-Type": "text/plain"}, b"Exceeded payload limit") if poisoned else Reply(200)

    return answer


def accepted(server: Server, outcome: Outcome) -> list[dict[str, Any]]:
    """Return the events of the requests that were answered with success."""
    return [
        event
        for request, attempt in zip(server.requests, outcome.attempts, strict=True)
        if attempt.answer == 200
        for event in request.events
    ]


@pytest.mark.parametrize("status", [400, 413])
@pytest.mark.parametrize("position", [0, 1_234, 2_499])
def test_one_poison_event_among_2500_stands_alone_in_the_end(status: int, position: int) -> None:
    events = [{"messageId": str(number)} for number in range(2_500)]
    timer = Time()
    with serving(refusing(status, lambda event: event["messageId"] == str(position))) as server:
        outcome = deliver(server, timer, body=batch_of(events))

    assert outcome == Outcome(delivered=2_499, rejected=(Refused(position, status),), attempts=outcome.attempts)
    assert [attempt.events for attempt in outcome.attempts] == [len(request.events) for request in server.requests]
    assert accepted(server, outcome) == events[:position] + events[position + 1 :]
    # Two requests for each halving, and 2,500 can be halved 11 to 12 times.
    assert 1 + 2 * 11 <= len(server.requests) <= 1 + 2 * 12
    assert server.retry_counts == [None] * len(server.requests)
    assert timer.pauses == []


def test_a_batch_of_one_is_set_aside_at_once() -> None:
    with serving(script(413)) as server:
        outcome = deliver(server, body=b'{"batch":[{}]}')
    assert outcome == Outcome(rejected=(Refused(0, 413),), attempts=attempts(413, events=1))
    assert outcome.rejected[0].reason == "refused_with_413"


@pytest.fixture(scope="module")
def choosy() -> Iterator[Server]:
    """Serve one that refuses batches with an event that says so."""
    with serving(refusing(400, lambda event: bool(event["poison"]))) as server:
        yield server


@given(poison=st.lists(st.booleans(), max_size=9))
def test_halving_sets_aside_the_poison_and_delivers_the_rest_in_order(choosy: Server, poison: list[bool]) -> None:
    choosy.requests.clear()
    events = [{"id": number, "poison": is_poison} for number, is_poison in enumerate(poison)]

    outcome = deliver(choosy, body=batch_of(events))

    assert outcome == Outcome(
        delivered=poison.count(False),
        rejected=tuple(Refused(number, 400) for number, is_poison in enumerate(poison) if is_poison),
        attempts=outcome.attempts,
    )
    assert accepted(choosy, outcome) == [event for event in events if not event["poison"]]


def test_the_parts_hold_the_same_bytes() -> None:
    one, other = b'{ "a" : 1.50 ,"\\u00e9":"\xc3\xa9"}', b'{"b":[1e400,12345678901234567890]}'
    with serving(script(400, 200)) as server:
        outcome = deliver(server, body=b'{"batch":[' + one + b"," + other + b"]}")
    assert outcome == Outcome(delivered=2, attempts=(Attempt(2, 400), Attempt(1, 200), Attempt(1, 200)))
    assert [request.body for request in server.requests[1:]] == [
        b'{"batch":[' + one + b"]}",
        b'{"batch":[' + other + b"]}",
    ]


def test_each_part_has_tries_and_a_count_of_its_own() -> None:
    timer = Time()
    with serving(script(503, 400, 503, 503, 200, 503, 200)) as server:
        outcome = deliver(server, timer)

    assert outcome == Outcome(
        delivered=3,
        attempts=attempts(503, 400) + attempts(503, 503, 200, events=1) + attempts(503, 200, events=2),
    )
    assert server.retry_counts == [None, "1", None, "1", "2", None, "1"]
    assert timer.paused(0.5, 0.5, 1.0, 0.5)


def test_what_keeps_back_one_part_keeps_back_the_rest() -> None:
    with serving(script(400, 200, 400, 503)) as server:
        outcome = deliver(server, body=batch_of([{"id": number} for number in range(8)]))

    assert outcome == Outcome(
        delivered=4,
        undelivered=4,
        why="Segment answered 503 Service Unavailable: try again later; given up after request 3",
        attempts=(Attempt(8, 400), Attempt(4, 200), Attempt(4, 400), *attempts(503, 503, 503, events=2)),
    )


def test_what_was_delivered_before_the_line_stopped_is_known() -> None:
    with serving(script(400, 400, 413, 200, 401)) as server, pytest.raises(MisconfiguredError) as caught:
        deliver(server, body=batch_of([{"id": number} for number in range(4)]))

    assert caught.value.outcome == Outcome(
        delivered=1,
        rejected=(Refused(0, 413),),
        undelivered=2,
        why="Segment answered 401 Unauthorized: check the credentials",
        terminal=True,
        attempts=(Attempt(4, 400), Attempt(2, 400), Attempt(1, 413), Attempt(1, 200), Attempt(2, 401)),
    )


# --- Answers that try to hold us up ---


@pytest.mark.parametrize("status", [200, 302, 400, 422])
def test_an_answer_that_never_ends_is_left(status: int) -> None:
    with serving(script(endless(status, Location="/elsewhere"))) as server:
        outcome = deliver(server, body=b'{"batch":[{}]}')
    assert outcome.attempts == attempts(status, events=1)


def test_an_answer_that_trickles_is_left() -> None:
    with serving(script(endless(200, b"x", pause=0.05))) as server:
        begun = time.monotonic()
        with Segment(SegmentSettings(write_key=KEY, batch_api=server.url)) as segment:
            outcome = segment.deliver(BODY)
    assert outcome == Outcome(delivered=3, attempts=attempts(200))
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        ("HTTP/1.1 503 -\r\nX-Slow: ", "ReadTimeout"),
        ("HTTP/1.1 ", "ReadTimeout"),
        # Of an answer that is there, what is left is of no matter.
        ("HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n", 200),
    ],
    ids=["in a header", "in the first line", "in the length of a chunk"],
)
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_an_answer_that_drips_is_left_when_its_time_is_over(
    head: str, answer: int | str, secure: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(script(dripping(head)), certified(tmp_path, monkeypatch) if secure else None) as server:
        begun = time.monotonic()
        outcome = deliver(server, timeout=0.5, attempts=1)
    assert outcome.attempts == attempts(answer)
    assert 0.5 <= time.monotonic() - begun < 2


def test_what_drips_on_one_connection_keeps_no_other_from_delivering() -> None:
    dripped = batch_of([{"id": "slow"}])

    def answer(request: Request) -> Answer:
        return dripping("HTTP/1.1 200 -\r\nX-Slow: ") if request.body == dripped else 200

    bodies = [(0, dripped), *((number, batch_of([{"id": number}])) for number in range(1, 9))]
    with serving(answer) as server, connected(server.url, timeout=0.5, attempts=1) as segment:
        outcomes = dict(deliver_several(bodies, segment, 4))
    assert [outcomes[number].attempts for number in range(9)] == [
        attempts("ReadTimeout", events=1),
        *[attempts(200, events=1)] * 8,
    ]
    assert len({request.client for request in server.requests}) <= 4


@pytest.mark.parametrize("head", ["HTTP/1.1 200 -", "HTTP/1.1 200 -\r\n", "HTTP/1.1 200 -\r\nServer: a\r\nDat"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_success_whose_head_breaks_off_is_none_and_the_same_bytes_are_sent_again(
    head: str, secure: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(handler: Handler) -> None:
        handler.wfile.write(head.encode())

    with serving(script(break_off, 200), certified(tmp_path, monkeypatch) if secure else None) as server:
        outcome = deliver(server)
    assert outcome == Outcome(delivered=3, attempts=attempts("ConnectionError", 200))
    assert [request.body for request in server.requests] == [BODY, BODY]
    assert server.retry_counts == [None, "1"]


def test_a_head_is_whole_with_its_empty_line() -> None:
    def end(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 -\r\n\r\n")

    with serving(script(end)) as server:
        assert deliver(server) == Outcome(delivered=3, attempts=attempts(200))


def test_a_success_stays_one_when_the_rest_of_the_answer_is_cut() -> None:
    def cut(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"{")

    with serving(script(cut)) as server:
        assert deliver(server) == Outcome(delivered=3, attempts=attempts(200))


# --- Addresses, keys, proxies, certificates ---


@pytest.mark.parametrize(
    ("suffix", "path"),
    [("", "/v1/batch"), ("/", "/v1/batch"), ("/v1/batch", "/v1/batch"), ("/proxy/v1/b", "/proxy/v1/b"), ("/x/", "/x/")],
)
def test_an_address_without_a_path_gets_the_public_one(suffix: str, path: str) -> None:
    with serving(script(200)) as server, connected(server.url + suffix) as segment:
        segment.deliver(BODY)
    assert [request.path for request in server.requests] == [path]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "api.segment.io",
        "ftp://a/v1/batch",
        "https://",
        "http://[",
        "http://a:x",
        "http://*a",
        "mailto:a@b",
        "https://u:p@a",
    ],
)
def test_an_address_that_is_none_is_a_misconfiguration(address: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^the address of Segment's batch API is none: write it as https://host/path$"
    ):
        Segment(SegmentSettings(write_key=KEY, batch_api=address))


@pytest.mark.parametrize(
    "key",
    [
        *("", " \n", f"{KEY}\n{KEY}", f"two {KEY}", f"{KEY}:", "kéy", "ключ", "nul\0", "\udcff"),
        *(f'"{KEY}"', f"'{KEY}'", f"`{KEY}`", f"“{KEY}”"),
    ],
)
def test_a_key_that_is_none_is_a_misconfiguration_and_not_shown(key: str) -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"^the write key is empty or has blanks, quotes, colons or other signs that no key has: check it$",
    ):
        Segment(SegmentSettings(write_key=key))


@pytest.mark.parametrize("around", [f"{KEY}\n", f"{KEY}\r\n", f" {KEY}\t"])
def test_blanks_around_a_key_do_not_count(around: str) -> None:
    with (
        serving(script(200)) as server,
        Segment(SegmentSettings(write_key=around, batch_api=server.url)) as segment,
    ):
        segment.deliver(BODY)
    assert server.requests[0].headers["Authorization"] == "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()


def test_the_key_goes_before_a_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login some password one\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(script(200)) as server:
        deliver(server)
    assert server.requests[0].headers["Authorization"] == "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()


def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    message = (
        "Segment's certificate is not trusted: check the address, or set SEGMENT_CA_FILE to a PEM file of the "
        "authority that signed it"
    )
    with serving(script(200), tls) as server:
        with pytest.raises(MisconfiguredError) as caught:
            deliver(server)
        assert caught.value.outcome == Outcome(undelivered=3, why=message, terminal=True, attempts=attempts("SSLError"))
        assert server.requests == []

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        assert deliver(server) == Outcome(delivered=3, attempts=attempts(200))


# --- What is told, and what is not ---


def test_logs_and_errors_hold_facts_and_neither_keys_nor_events(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = Reply(400, {"X-Echo": "ann"}, BODY + KEY.encode())
    with (
        serving(script(Reply(429, {"Retry-After": "2"}), reset, echo, 200, 401)) as server,
        pytest.raises(MisconfiguredError) as caught,
    ):
        deliver(server)

    ours = [record.getMessage() for record in caplog.records if record.name.startswith("segment_bridge.segment")]
    assert [re.sub(r"0\.[56] s", "0.5 s", message) for message in ours] == [
        "Segment answered 429 Too Many Requests: try again later (3 events, 62 bytes, repeat 0)",
        "the next request in 2.0 s",
        (
            f"Segment at {place(server.url)} gave no answer (ConnectionError): "
            "try again later (3 events, 62 bytes, repeat 1)"
        ),
        "the next request in 0.5 s",
        "Segment answered 400 (3 events, 62 bytes, repeat 2)",
        "Segment answered 401 Unauthorized: check the credentials (2 events, 45 bytes, repeat 0)",
        "delivered 1 of 3 events, requests: 5",
    ]
    told = caplog.text + repr(caught.value) + repr(caught.value.outcome)
    for secret in (KEY, base64.b64encode(f"{KEY}:".encode()).decode(), "ann", "bob", "joe", "userId"):
        assert secret not in told


def test_an_outcome_survives_as_json() -> None:
    outcome = Outcome(
        delivered=2, rejected=(Refused(1, 400),), undelivered=1, why="because", attempts=attempts(400, "ReadTimeout")
    )
    text = msgspec.json.encode(outcome)

    assert json.loads(text) == {
        "delivered": 2,
        "rejected": [{"position": 1, "status": 400}],
        "undelivered": 1,
        "why": "because",
        "terminal": False,
        "attempts": [{"events": 3, "answer": 400}, {"events": 3, "answer": "ReadTimeout"}],
    }
    assert msgspec.json.decode(text, type=Outcome) == outcome
