from __future__ import annotations

import base64
import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
import trustme

from segment_bridge.errors import BridgeError, ConfigurationError, FatalError, IncompleteAnswer, RetryableError
from segment_bridge.settings import SplunkSettings
from segment_bridge.splunk import Clause, Splunk, transport
from segment_bridge.splunk.client import search_in_parts
from segment_bridge.splunk.messages import Tally
from segment_bridge.tolerance import Tolerated
from segment_bridge.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SPL = 'search index="federated:audit" "a.b"="x + y & 50% = \\"ü\\" ; ? # *" | where like(m, "%\n") | fields - _*'
WINDOW = Window.parse("2026-01-31T08:30:00Z", "2026-01-31T12:00:00.250001Z")
ROWS = [
    b'{"preview":false,"offset":0,"result":{"messageId":"1","userId":"alice"}}',
    b'{"preview":false,"offset":1,"lastrow":true,"result":{"messageId":"2","userId":"bob"}}',
]
EMPTY_BODY = (
    "the body is empty: the search needs a lookup that is missing (segment_bridge_users, where Splunk resolves users), "
    "or a function of eval that this Splunk lacks (segment-bridge doctor --conformance shows which)"
)
EMPTY = b'{"preview":false,"lastrow":true}'
BODY = b"".join(line + b"\n" for line in [b"", ROWS[0], b"", ROWS[1]])
EXPORT = "/servicesNS/nobody/search/search/v2/jobs/export"
LOGIN = "/services/auth/login"
CHUNKED = "Transfer-Encoding: chunked"
WRONG_CREDENTIALS = "Splunk answered 401 Unauthorized: check SPLUNK_TOKEN, or SPLUNK_USERNAME and SPLUNK_PASSWORD"


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """Bytes to send, and what to do then: close, reset the connection, or wait for the client to close it."""

    data: bytes
    then: Literal["close", "reset", "hold"] = "close"


@dataclass
class Server:
    url: str
    requests: list[Request] = field(default_factory=list)
    #: Set when a client has closed a connection that was held open.
    left: threading.Event = field(default_factory=threading.Event)

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


@contextmanager
def serving(answer: Callable[[Request], Answer], tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}")

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(10)
            # What a client does to a connection is for the client's side of the test to judge.
            with contextlib.suppress(OSError), connection:
                converse(tls.wrap_socket(connection, server_side=True) if tls else connection)

    def converse(connection: socket.socket) -> None:
        with connection:
            request = receive(connection)
            server.requests.append(request)
            reply = answer(request)
            connection.sendall(reply.data)
            if reply.then == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif reply.then == "hold":
                while connection.recv(1024):
                    pass
                server.left.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(15)
        assert not thread.is_alive()


def receive(connection: socket.socket) -> Request:
    with connection.makefile("rb") as stream:
        method, path, _ = stream.readline().decode().split(" ")
        headers = {}
        while line := stream.readline().strip():
            name, value = line.decode().split(": ", 1)
            headers[name.lower()] = value
        pairs = parse_qsl(
            stream.read(int(headers["content-length"])).decode(), keep_blank_values=True, strict_parsing=True
        )
    assert method == "POST"
    assert len(dict(pairs)) == len(pairs)
    return Request(path, headers, dict(pairs))


def http(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def whole(body: bytes, *headers: str, status: str = "200 OK") -> Answer:
    return Answer(http(body, f"Content-Length: {len(body)}", "Connection: close", *headers, status=status))


def in_chunks(body: bytes, size: int = 50) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    return http(chunks, CHUNKED)


def logged_in(key: str, *headers: str) -> Answer:
    return whole(f"<response><sessionKey>{key}</sessionKey></response>".encode(), *headers)


UNAUTHORIZED = whole(b'{"messages":[{"type":"WARN","text":"call not properly authenticated"}]}', status="401 No")


def with_token(url: str) -> SplunkSettings:
    return SplunkSettings(url=url, token="a-token", timeout=10)


def with_password(url: str) -> SplunkSettings:
    return SplunkSettings(url=url, username="ü+ser&na%me=", password="pa ss&wörd%2B+", timeout=10)


def search(settings: SplunkSettings) -> list[bytes]:
    with Splunk(settings) as splunk:
        return list(splunk.search(SPL, WINDOW))


def error_of(settings: SplunkSettings) -> BridgeError:
    with pytest.raises(BridgeError) as caught:
        search(settings)
    return caught.value


def error_after(answer: Answer) -> BridgeError:
    with serving(lambda _: answer) as server:
        return error_of(with_token(server.url))


def described(error: BridgeError) -> tuple[type[BridgeError], str]:
    return type(error), str(error)


# What is asked


def test_the_search_arrives_as_it_stands() -> None:
    with serving(lambda _: whole(BODY)) as server:
        settings = replace(with_token(server.url), owner="o/w n&er", app="a?pp/..")
        assert search(settings) == ROWS
    request = server.requests[0]
    assert server.paths == ["/servicesNS/o%2Fw%20n%26er/a%3Fpp%2F../search/v2/jobs/export"]
    assert request.form == {
        "search": SPL,
        "earliest_time": "1769848200",
        "latest_time": "1769860800.250001",
        "output_mode": "json",
        "preview": "false",
        "allow_partial_results": "false",
    }
    assert request.headers == {
        "accept": "*/*",
        "accept-encoding": "identity",
        "authorization": "Bearer a-token",
        "connection": "close",
        "content-length": request.headers["content-length"],
        "content-type": "application/x-www-form-urlencoded",
        "host": server.url.removeprefix("http://"),
        "user-agent": "segment-bridge",
    }


LONG = Window.parse("2026-01-31T03:00:00Z", "2026-01-31T12:00:00Z")


def test_a_long_window_is_asked_for_in_parts_the_latest_first() -> None:
    answers = iter([whole(BODY), whole(EMPTY + b"\n"), whole(ROWS[1].replace(b'"offset":1', b'"offset":0') + b"\n")])
    with serving(lambda _: next(answers)) as server, Splunk(with_token(server.url)) as splunk:
        found = list(search_in_parts(splunk, SPL, LONG))
    assert found == [*ROWS, EMPTY, ROWS[1].replace(b'"offset":1', b'"offset":0')]
    asked = [(request.form["earliest_time"], request.form["latest_time"]) for request in server.requests]
    assert asked == [("1769846400", "1769860800"), ("1769832000", "1769846400"), ("1769828400", "1769832000")]


def test_a_part_that_is_incomplete_makes_the_whole_answer_so() -> None:
    answers = iter([whole(BODY), whole(ROWS[0] + b"\n"), whole(BODY)])
    with serving(lambda _: next(answers)) as server, Splunk(with_token(server.url)) as splunk:
        found = search_in_parts(splunk, SPL, LONG)
        assert [next(found), next(found), next(found)] == [*ROWS, ROWS[0]]
        with pytest.raises(IncompleteAnswer):
            next(found)
    assert len(server.requests) == 2


def test_a_search_that_begins_with_a_pipe_is_one_and_other_text_is_not() -> None:
    with serving(lambda _: whole(BODY)) as server, Splunk(with_token(server.url)) as splunk:
        assert list(splunk.search("| tstats count", WINDOW)) == ROWS
        with pytest.raises(FatalError, match=r"^a search has to begin with 'search ' or '\|'$"):
            list(splunk.search("index=audit", WINDOW))
    assert [request.form["search"] for request in server.requests] == ["| tstats count"]


def test_nothing_is_asked_before_the_first_search() -> None:
    with serving(lambda _: whole(BODY)) as server:
        Splunk(with_password(server.url)).close()
    assert server.requests == []


@pytest.mark.parametrize("path", ["", "/", "/splunk", "/a%20b/splunk/"])
def test_a_path_of_a_proxy_stands_before_every_request(path: str) -> None:
    def answer(request: Request) -> Answer:
        return logged_in("key") if request.path.endswith(LOGIN) else whole(BODY)

    with serving(answer) as server:
        assert search(with_password(server.url + path)) == ROWS
    assert server.paths == [path.rstrip("/") + LOGIN, path.rstrip("/") + EXPORT]


# Who asks


class Sessions:
    """A Splunk whose sessions expire after some searches."""

    def __init__(self, searches: int, settings: SplunkSettings) -> None:
        self.searches, self.settings = searches, settings
        self.keys: list[str] = []
        self.left = 0

    def __call__(self, request: Request) -> Answer:
        if request.path == LOGIN:
            given = request.form["username"], request.form["password"]
            if given != (self.settings.username, self.settings.password):
                return UNAUTHORIZED
            self.keys.append(f"key^{len(self.keys)}")
            self.left = self.searches
            return logged_in(self.keys[-1])
        if not self.keys or request.headers["authorization"] != f"Splunk {self.keys[-1]}" or not self.left:
            return UNAUTHORIZED
        self.left -= 1
        return whole(BODY)


def test_it_logs_in_once_and_again_when_the_session_has_expired() -> None:
    sessions = Sessions(2, with_password(""))
    with serving(sessions) as server, Splunk(with_password(server.url)) as splunk:
        assert [list(splunk.search(SPL, WINDOW)) for _ in range(3)] == [ROWS] * 3
    assert server.paths == [LOGIN, EXPORT, EXPORT, EXPORT, LOGIN, EXPORT]


def test_a_session_that_expires_at_once_is_not_renewed_for_ever() -> None:
    sessions = Sessions(0, with_password(""))
    with serving(sessions) as server:
        assert described(error_of(with_password(server.url))) == (ConfigurationError, WRONG_CREDENTIALS)
    assert server.paths == [LOGIN, EXPORT, LOGIN, EXPORT]


def test_a_wrong_password() -> None:
    sessions = Sessions(1, with_password(""))
    with serving(sessions) as server:
        settings = replace(with_password(server.url), password="wrong")
        assert described(error_of(settings)) == (ConfigurationError, WRONG_CREDENTIALS)
    assert server.paths == [LOGIN]


def test_a_cookie_that_the_login_gives_serves_as_well() -> None:
    def answer(request: Request) -> Answer:
        if request.path == LOGIN:
            return logged_in("key", "Set-Cookie: splunkd_8089=c^1; Secure", "Set-Cookie: @odd/=1")
        return (
            whole(BODY, "Set-Cookie: @odd/=2") if request.headers.get("cookie") == "splunkd_8089=c^1" else UNAUTHORIZED
        )

    with serving(answer) as server:
        assert search(with_password(server.url)) == ROWS


def test_a_session_key_is_used_as_given() -> None:
    with serving(lambda _: whole(BODY)) as server:
        assert search(SplunkSettings(url=server.url, session_key="k^e_y")) == ROWS
    assert [request.headers["authorization"] for request in server.requests] == ["Splunk k^e_y"]


def test_a_session_key_that_has_expired() -> None:
    sessions = Sessions(1, with_password(""))
    with serving(sessions) as server:
        settings = SplunkSettings(url=server.url, session_key="old")
        assert described(error_of(settings)) == (ConfigurationError, WRONG_CREDENTIALS)
        assert server.paths == [EXPORT]
        assert search(replace(with_password(server.url), session_key="old")) == ROWS


def test_a_token_that_is_refused() -> None:
    with serving(lambda _: UNAUTHORIZED) as server:
        settings = replace(with_token(server.url), username="user", password="password")
        assert described(error_of(settings)) == (ConfigurationError, WRONG_CREDENTIALS)
    assert server.paths == [EXPORT]


@pytest.mark.parametrize(
    "answer",
    [
        whole(b"<html><br></html>"),
        whole(b"\x01\xff"),
        whole(b'<?xml version="1.0" encoding="x"?><a/>'),
        whole(b'<?xml version="1.0" encoding="euc-jp"?><a/>'),
    ],
)
def test_a_login_that_something_else_answers(answer: Answer) -> None:
    with serving(lambda _: answer) as server:
        assert described(error_of(with_password(server.url))) == (
            ConfigurationError,
            "what answered the login is not Splunk's REST API: check SPLUNK_API_URL",
        )


def test_a_login_whose_answer_breaks_off() -> None:
    answer = Answer(logged_in("key").data[:-5])
    with serving(lambda _: answer) as server:
        assert isinstance(error_of(with_password(server.url)), RetryableError)


def test_a_login_whose_answer_breaks_off_wherever_that_is_and_does_not_say_how_long_it_is() -> None:
    page = b"<response>\n  <sessionKey>key</sessionKey>\n<![CDATA[x]]></response>"
    told = "the answer to the login breaks off: try again later, or check SPLUNK_API_URL"
    for length in range(len(page)):
        answer = Answer(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + page[:length])
        with serving(lambda _, answer=answer: answer) as server:  # type: ignore[misc] # bound to this one
            assert described(error_of(with_password(server.url))) == (RetryableError, told), length


@pytest.mark.parametrize("secret", ["two words", "li\nne", "ü", "nul\0", "пароль", "\udcff"])
def test_a_secret_that_no_header_can_hold(secret: str) -> None:
    here = SplunkSettings(url="https://localhost")
    for name, settings in (
        ("SPLUNK_TOKEN", replace(here, token=secret)),
        ("SPLUNK_SESSION_KEY", replace(here, session_key=secret)),
    ):
        with pytest.raises(ConfigurationError) as caught:
            Splunk(settings)
        assert str(caught.value) == f"{name} holds a blank, a line end or another character that no token has"


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " \t{}", "\n{} \n"])
def test_blanks_around_a_credential_do_not_count(around: str) -> None:
    sessions = Sessions(1, with_password(""))
    with serving(sessions) as server:
        settings = with_password(server.url)
        written = around.format(settings.username), around.format(settings.password)
        assert search(replace(settings, username=written[0], password=written[1])) == ROWS
    with serving(lambda _: whole(BODY)) as server:
        assert search(SplunkSettings(url=server.url, token=around.format("a-token"))) == ROWS
        assert search(SplunkSettings(url=server.url, session_key=around.format("k^e_y"))) == ROWS
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer a-token", "Splunk k^e_y"]


@pytest.mark.parametrize("odd", ["pass\nword", "nul\0byte", "пароль", "%41%zz", "a b+c&d=e"])
def test_a_password_may_hold_any_character(odd: str) -> None:
    settings = replace(with_password(""), password=odd)
    with serving(Sessions(1, settings)) as server:
        assert search(replace(settings, url=server.url)) == ROWS


def test_text_that_is_no_unicode() -> None:
    with serving(lambda _: whole(BODY)) as server:
        error = error_of(replace(with_password(server.url), password="\udcff"))
    assert described(error) == (
        ConfigurationError,
        "the search, SPLUNK_USERNAME or SPLUNK_PASSWORD is not valid Unicode",
    )


def test_credentials_that_are_missing() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^Splunk needs SPLUNK_TOKEN, or SPLUNK_USERNAME and SPLUNK_PASSWORD$"
    ):
        Splunk(SplunkSettings(url="https://localhost", username="user"))


# Where it is


@pytest.mark.parametrize(
    "url",
    [
        "",
        "splunk.example.com:8089",
        "ftp://splunk.example.com",
        "https://",
        "https://:8089",
        "https://user:secret@splunk.example.com",
        "https://splunk.example.com:port",
        "https://splunk.example.com:65536",
        "https://[::1",
        "https://splunk example.com",
        "https://splunk.example.com?x=secret",
        "https://splunk.example.com#secret",
        "https://user:12/secret@splunk.example.com",
        "https://splunk.example.com:80\n89",
    ],
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Splunk(with_token(url))
    assert str(caught.value) == (
        "SPLUNK_API_URL is not the address of a Splunk: write it as https://splunk.example.com:8089, "
        "with a path only where a proxy needs one, and without a user name"
    )


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://Splunk.example.com", "https://splunk.example.com:8089"),
        ("http://splunk.example.com/", "http://splunk.example.com:8089"),
        ("https://splunk.example.com:443/", "https://splunk.example.com:443"),
        ("https://[::1]", "https://[::1]:8089"),
        ("https://splunk.example.com/splunk", "https://splunk.example.com:443"),
        ("http://splunk.example.com/splunk/", "http://splunk.example.com:80"),
        ("https://splunk.example.com:8089/splunk", "https://splunk.example.com:8089"),
    ],
)
def test_a_port_that_is_not_said_is_that_of_the_rest_api_or_with_a_path_that_of_a_proxy(
    url: str, authority: str
) -> None:
    assert Splunk(with_token(url))._context.authority == authority


def test_a_splunk_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert described(error_of(with_token(f"http://127.0.0.1:{port}"))) == (
        RetryableError,
        f"Splunk at 127.0.0.1:{port} gave no answer (ConnectionRefusedError): try again later, or check SPLUNK_API_URL",
    )


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_a_splunk_that_is_not_there_at_the_default_port(
    scheme: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        default = listener.getsockname()[1]
    monkeypatch.setattr(transport, "DEFAULT_PORT", default)
    assert described(error_of(with_token(f"{scheme}://127.0.0.1"))) == (
        RetryableError,
        (
            f"Splunk at 127.0.0.1:{default} gave no answer (ConnectionRefusedError), and {default} is only Splunk's "
            f"default port: try again later, or write the port into SPLUNK_API_URL, as {scheme}://127.0.0.1:{port}"
        ),
    )


def test_a_host_that_nobody_knows() -> None:
    assert str(error_of(with_token("https://splunk.invalid:8089"))) == (
        "Splunk at splunk.invalid:8089 gave no answer (gaierror): try again later, or check SPLUNK_API_URL"
    )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(b""), "RemoteDisconnected"),
        (Answer(b"", "reset"), "ConnectionResetError"),
        (Answer(b"", "hold"), "TimeoutError"),
        (Answer(b"SSH-2.0\r\n"), "BadStatusLine"),
        (Answer(b"HTTP/1.1 200 OK\r\nContent-", "hold"), "TimeoutError"),
    ],
)
def test_no_answer(answer: Answer, kind: str) -> None:
    with serving(lambda _: answer) as server:
        error = error_of(replace(with_token(server.url), timeout=0.3))
    place = server.url.removeprefix("http://")
    assert described(error) == (
        RetryableError,
        f"Splunk at {place} gave no answer ({kind}): try again later, or check SPLUNK_API_URL",
    )


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


def certified(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_certificate_of_an_authority_of_ones_own(authority: trustme.CA, ca_file: str) -> None:
    with serving(lambda _: whole(BODY), certified(authority, "127.0.0.1")) as server:
        assert search(replace(with_token(server.url), ca_file=ca_file)) == ROWS
        assert search(replace(with_token(server.url), verify=False)) == ROWS


@pytest.mark.parametrize(
    ("name", "known", "reason"),
    [
        ("127.0.0.1", False, "unable to get local issuer certificate"),
        ("elsewhere.example.com", True, "IP address mismatch, certificate is not valid for '127.0.0.1'."),
    ],
)
def test_a_certificate_that_is_not_trusted(
    authority: trustme.CA, ca_file: str, name: str, *, known: bool, reason: str
) -> None:
    with serving(lambda _: whole(BODY), certified(authority, name)) as server:
        error = error_of(replace(with_token(server.url), ca_file=ca_file if known else ""))
    told = f"Splunk's certificate is not trusted ({reason})"
    advice = "set SPLUNK_CA_FILE to a PEM file of the authority that signed it"
    assert described(error) == (ConfigurationError, f"{told}: {advice}")
    assert server.requests == []


def test_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name, kind in (("ca.pem", "SSLError"), ("none.pem", "FileNotFoundError")):
        with pytest.raises(ConfigurationError) as caught:
            Splunk(replace(with_token("https://localhost"), ca_file=str(tmp_path / name)))
        assert str(caught.value) == (f"SPLUNK_CA_FILE cannot be used ({kind}): it has to be a PEM file of certificates")


# What is answered


@pytest.mark.parametrize(
    "answer",
    [
        whole(BODY),
        Answer(http(BODY, f"Content-Length: {len(BODY)}"), "hold"),
        Answer(http(BODY, f"Content-Length: {len(BODY)}", "Connection: keep-alive"), "hold"),
        Answer(in_chunks(BODY)),
        Answer(in_chunks(BODY), "hold"),
        Answer(in_chunks(BODY, size=1)),
        Answer(http(BODY)),
        Answer(http(BODY, "Connection: close")),
        Answer(http(BODY, "Content-Length: many")),
    ],
    ids=["length", "kept", "kept alive", "chunked", "chunked and kept", "bytes", "neither", "closed", "no length"],
)
def test_a_complete_answer(answer: Answer) -> None:
    with serving(lambda _: answer) as server:
        assert search(with_token(server.url)) == ROWS


LENGTH = f"Content-Length: {len(BODY)}"
IN_CHUNKS = in_chunks(BODY)
HALF = len(BODY) // 2
AFTER_THE_ROWS = len(BODY) - 1


@pytest.mark.parametrize(
    ("answer", "clause", "message"),
    [
        (
            Answer(http(BODY[:HALF], LENGTH)),
            Clause.CUT_SHORT,
            f"{HALF} bytes of the body came, and {len(BODY) - HALF} more were due",
        ),
        (
            Answer(http(BODY[:AFTER_THE_ROWS], LENGTH)),
            Clause.CUT_SHORT,
            f"{AFTER_THE_ROWS} bytes of the body came, and 1 more were due",
        ),
        (Answer(http(b"", LENGTH)), Clause.CUT_SHORT, f"0 bytes of the body came, and {len(BODY)} more were due"),
        (Answer(IN_CHUNKS[:-5]), Clause.CUT_SHORT, f"IncompleteRead after {len(BODY)} bytes of the body"),
        (Answer(IN_CHUNKS[:-50]), Clause.CUT_SHORT, None),
        (Answer(http(b"0x!\r\n", CHUNKED)), Clause.CUT_SHORT, "IncompleteRead after 0 bytes of the body"),
        (Answer(http(b"-5\r\n" + BODY, CHUNKED)), Clause.CUT_SHORT, None),
        (Answer(http(BODY[:HALF])), Clause.NOT_JSON, None),
        (Answer(http(BODY.removesuffix(ROWS[1] + b"\n"))), Clause.NO_LAST_ROW, None),
        (Answer(http(BODY[:HALF], LENGTH), "hold"), Clause.CUT_SHORT, f"TimeoutError after {HALF} bytes of the body"),
        (Answer(http(BODY, CHUNKED), "hold"), Clause.CUT_SHORT, None),
        (
            whole(b""),
            Clause.NO_LAST_ROW,
            EMPTY_BODY,
        ),
        (whole(b"<html>\n</html>"), Clause.NOT_JSON, "line 1 (6 bytes) is garbled, or cut short"),
        (whole(gzip.compress(BODY), "Content-Encoding: gzip"), Clause.NOT_JSON, None),
        (whole(zlib.compress(BODY)), Clause.NOT_JSON, None),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_complete(answer: Answer, clause: Clause, message: str | None) -> None:
    with serving(lambda _: answer) as server:
        error = error_of(replace(with_token(server.url), timeout=0.5))
    assert isinstance(error, IncompleteAnswer)
    assert error.clause == clause
    if message:
        assert str(error) == f"incomplete answer ({clause}): {message}"


def test_an_answer_that_is_reset_within_a_row() -> None:
    # A reset may overtake what was sent before it, the head of the answer included.
    error = error_after(Answer(http(BODY[:HALF], LENGTH), "reset"))
    assert isinstance(error, RetryableError)
    assert "ConnectionResetError" in str(error)


def test_rows_and_errors_come_while_the_search_still_runs() -> None:
    failed = b'{"messages":[{"type":"ERROR","text":"of alice"}]}\n'
    answer = Answer(http(ROWS[0] + b"\n" + failed, "Content-Length: 1000000"), "hold")
    with serving(lambda _: answer) as server, Splunk(with_token(server.url)) as splunk:
        lines = splunk.search(SPL, WINDOW)
        assert next(lines) == ROWS[0]
        with pytest.raises(IncompleteAnswer) as caught:
            next(lines)
        assert str(caught.value) == (
            'incomplete answer (error_message): ERROR, the search failed: "of alice" '
            "(see the search's job in Splunk, or tolerated_messages)"
        )
        # The connection is closed with the search: Splunk goes on with none that nobody reads.
        assert server.left.wait(10)


def test_a_search_that_is_abandoned_closes_its_connection() -> None:
    answer = Answer(http(ROWS[0] + b"\n", LENGTH), "hold")
    with serving(lambda _: answer) as server, Splunk(with_token(server.url)) as splunk:
        lines = splunk.search(SPL, WINDOW)
        assert next(lines) == ROWS[0]
        del lines
        assert server.left.wait(10)


# Refusals


def refusal(*texts: str) -> bytes:
    return json.dumps({"messages": [{"type": "FATAL", "text": text} for text in texts]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, refusal("Unknown command 'x'."), FatalError, "Splunk refuses the request: Unknown command 'x'."),
        (400, refusal("One.", "a\tb\x1b[0m"), FatalError, "Splunk refuses the request: One.; a b [0m"),
        (400, refusal("x" * 301), FatalError, "Splunk refuses the request: " + "x" * 297 + "..."),
        (400, b"<html>", FatalError, "Splunk refuses the request: it does not say why"),
        (400, b'{"messages":[{"text":"no type"}]}', FatalError, "Splunk refuses the request: it does not say why"),
        (402, b"", FatalError, "Splunk answered 402 Payment Required: the request itself is not acceptable"),
        (403, b"", ConfigurationError, "Splunk answered 403 Forbidden: check the rights of the credentials"),
        (
            404,
            refusal("Application does not exist: search"),
            ConfigurationError,
            "Splunk answered 404 Not Found: check SPLUNK_API_URL, SPLUNK_APP_NAME and SPLUNK_OWNER",
        ),
        (429, b"", RetryableError, "Splunk answered 429 Too Many Requests: try again later"),
        (500, b"", RetryableError, "Splunk answered 500 Internal Server Error: try again later"),
        (503, b"", RetryableError, "Splunk answered 503 Service Unavailable: try again later"),
        (
            303,
            b"",
            ConfigurationError,
            ("Splunk answered 303, which is no answer to a search: check that SPLUNK_API_URL is the address of its "
            "REST API (port 8089, if not configured otherwise)"),
        ),
    ],
)  # fmt: skip
def test_a_refusal(status: int, body: bytes, kind: type[BridgeError], message: str) -> None:
    assert described(error_after(whole(body, "Location: /en-US", status=f"{status} X"))) == (kind, message)


def test_a_refusal_that_breaks_off() -> None:
    error = error_after(Answer(http(refusal("One.")[:9], "Content-Length: 999", status="400 Bad Request")))
    assert described(error) == (FatalError, "Splunk refuses the request: it does not say why")


@pytest.mark.parametrize(
    ("header", "pause"),
    [("7", 7.0), ("soon", None), ("", None), ("-1", None), (format_datetime(datetime(2020, 1, 1, tzinfo=UTC)), 0.0)],
)
def test_a_pause_that_splunk_asks_for(header: str, pause: float | None) -> None:
    error = error_after(whole(b"", f"Retry-After: {header}", status="503 Service Unavailable"))
    assert isinstance(error, RetryableError)
    assert error.retry_after == pause


def test_a_pause_until_some_time() -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    error = error_after(whole(b"", f"Retry-After: {moment}", status="503 Service Unavailable"))
    assert isinstance(error, RetryableError)
    assert error.retry_after is not None
    assert 90 < error.retry_after <= 100


def test_a_refusal_is_told_without_anything_that_was_sent_in_confidence() -> None:
    asked: list[Request] = []
    secret = 'pa ss&wörd%2B+"/\\x'
    settings = replace(with_password(""), password=secret)

    def answer(request: Request) -> Answer:
        asked.append(request)
        if request.path == LOGIN:
            return logged_in("session^key", 'Set-Cookie: splunkd_8089="c^1/+=%41"; Secure')
        said = [
            f"cookie {request.headers['cookie']}",
            f"form {urlencode(asked[0].form)}",
            f"JSON {json.dumps(json.dumps(asked[0].form, ensure_ascii=False))}",
            f"Base64 {base64.b64encode(f'x:{secret}'.encode()).decode()}",
            f"as it is: {secret}, {secret}",
        ]
        return whole(refusal(*said, "Unknown command 'x'."), status="400 Bad Request")

    with serving(answer) as server:
        error = error_of(replace(settings, url=server.url))
    told = [
        "cookie splunkd_8089=...",
        "form username=...&password=...&cookie=1",
        r'JSON "{\"username\": \"...\", \"password\": \"...\", \"cookie\": \"1\"}"',
        "Base64 eD...",
        "as it is: ..., ...",
        "Unknown command 'x'.",
    ]
    assert described(error) == (
        FatalError,
        "Splunk refuses the request: " + "; ".join(told),
    )


def test_the_key_of_a_session_is_taken_out_of_a_refusal() -> None:
    def answer(request: Request) -> Answer:
        if request.path == LOGIN:
            return logged_in("session^key")
        return whole(refusal(f"<{request.headers['authorization']}>"), status="400 Bad Request")

    with serving(answer) as server:
        error = error_of(with_password(server.url))
    assert str(error) == "Splunk refuses the request: <Splunk ...>"


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 500, 503])
def test_no_error_tells_a_secret_or_a_name(status: int, caplog: pytest.LogCaptureFixture) -> None:
    user = SplunkSettings(url="", username="the-user", password="pass(word", timeout=10)

    def answer(request: Request) -> Answer:
        return whole(refusal(*private, request.headers.get("authorization", "")), status=f"{status} {private}")

    for given in (user, replace(user, token="the-token"), replace(user, session_key="the-key")):
        private = [secret for secret in (given.token, given.session_key, given.password, given.username) if secret]
        with caplog.at_level("DEBUG"), serving(answer) as server:
            error = error_of(replace(given, url=server.url))
        assert [secret for secret in private if secret in f"{error}{caplog.text}"] == []
        assert [secret for secret in private[:-1] if secret in repr(given)] == []
        # What it hangs on is shown with it unless suppressed.
        assert error.__suppress_context__ or not error.__context__


def test_what_stops_an_answer_is_quoted_without_what_was_sent() -> None:
    secrets = ("pass(word", "a+key=", "co^okie")

    def answer(request: Request) -> Answer:
        if request.path.endswith(LOGIN):
            return logged_in(secrets[1], f"Set-Cookie: splunkd_8089={secrets[2]}; Secure")
        said = f"failed for the-user: {' '.join(map(quote_plus, secrets))} {request.headers.get('cookie')}; Annthe-user"
        return whole(json.dumps({"messages": [{"type": "ERROR", "text": said}]}).encode())

    with serving(answer) as server:
        settings = SplunkSettings(url=server.url, username="the-user", password=secrets[0], timeout=10)
        error = error_of(settings)
    assert str(error) == (
        "incomplete answer (error_message): ERROR, the search failed: "
        '"failed for ...: ... ... ... splunkd_8089=...; Annthe-user" '
        "(see the search's job in Splunk, or tolerated_messages)"
    )


def test_messages_are_counted_for_the_searches_of_a_block() -> None:
    lookup = b'{"messages":[{"type":"ERROR","text":"Could not load lookup=LOOKUP-x"}]}\n'
    lost = b'{"messages":[{"type":"WARN","text":"Timed out waiting for peer idx-9"}]}\n'
    tolerated = Tolerated("*waiting for peer idx-9", "it is a test")
    with serving(lambda _: whole(lookup + lost + BODY)) as server:
        settings = replace(with_token(server.url), tolerated_messages=(tolerated,))
        with Splunk(settings) as splunk:
            with splunk.tallying() as tally:
                for _ in range(2):
                    assert list(splunk.search(SPL, WINDOW)) == ROWS
            list(splunk.search(SPL, WINDOW))
    assert tally == Tally(passed=2, tolerated=Counter({tolerated: 2}))
