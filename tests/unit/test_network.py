"""All three clients, through a real proxy and with authorities of one's own."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
import socket
import ssl
import threading
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import requests
import trustme
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException

from segment_bridge.errors import BridgeError, ConfigurationError, RetryableError
from segment_bridge.kubernetes import Cluster, kubeconfig
from segment_bridge.network import Proxy, Route, authorities
from segment_bridge.segment.transport import Transport as SegmentTransport
from segment_bridge.settings import SegmentSettings, SplunkSettings
from segment_bridge.splunk import Splunk
from segment_bridge.window import Window
from tests.forward_proxy import forward_proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.forward_proxy import ForwardProxy

#: Known to the proxy alone.
NAME = "server.example.com"
WINDOW = Window.parse("2026-01-31T08:00:00Z", "2026-01-31T09:00:00Z")
PASSWORD = "p@ss:wörd/%41"
EMPTY = b'{"preview":false,"lastrow":true}\n'
LIST = b'{"kind":"List","items":[],"metadata":{}}'


# --- A server that is a Splunk, a Segment and a cluster ---


@dataclass
class Server:
    scheme: str
    port: int
    heads: list[dict[str, str]]

    def url(self, host: str = NAME) -> str:
        return f"{self.scheme}://{host}:{self.port}"


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    heads: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            heads.append(dict(self.headers))
            body = EMPTY if self.path.endswith("/export") else LIST
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - as the server has it

        def log_message(self, *_: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that does not trust the certificate hangs up."""

    with Listener(("127.0.0.1", 0), Handler) as listener:
        if tls:
            listener.socket = tls.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Server("https" if tls else "http", listener.server_port, heads)
        finally:
            listener.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = str(tmp_path_factory.mktemp("authority") / "ca.pem")
    authority.cert_pem.write_to_path(file)
    return file


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Server]:
    tls = None
    if request.param == "https":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(NAME, "127.0.0.1").configure_cert(tls)
    with serving(tls) as one:
        yield one


@pytest.fixture
def proxy() -> Iterator[ForwardProxy]:
    with forward_proxy() as one:
        yield one


# --- The clients ---


def ask_splunk(url: str, ca_file: str = "") -> None:
    settings = SplunkSettings(url=url, token="a-token", ca_file=ca_file, timeout=10)
    with Splunk(settings) as splunk:
        assert list(splunk.search("search x", WINDOW)) == [EMPTY.strip()]


def ask_segment(url: str, ca_file: str = "") -> None:
    transport = SegmentTransport(SegmentSettings(write_key="a-key", batch_api=url, ca_file=ca_file))
    try:
        _, error = transport.post(b'{"batch":[]}', 0, 10)
    finally:
        transport.close()
    if error:
        raise error


def ask_cluster(url: str, ca_file: str = "", **cluster: str) -> None:
    own = {"certificate-authority": ca_file} if ca_file else {}
    document = {
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": url, **own, **cluster}}],
        "users": [{"name": "x", "user": {"token": "a-token"}}],
    }
    access = kubeconfig.from_document(document, "x")
    assert list(Cluster(access, "host", timeout=10).tenant_namespaces()) == []


CLIENTS = {"splunk": ask_splunk, "segment": ask_segment, "kubernetes": ask_cluster}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ask(client: str) -> Callable[..., None]:
    return CLIENTS[client]


def error_from(ask: Callable[[], None]) -> BridgeError:
    """Return the error, having made sure that no other would be printed with it."""
    with pytest.raises(BridgeError) as caught:
        ask()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


# --- Through a proxy ---


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_all_clients_use_the_proxy_of_the_environment(  # noqa: PLR0917 - fixtures
    ask: Callable[..., None],
    case: Callable[[str], str],
    server: Server,
    proxy: ForwardProxy,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy.hosts, proxy.credentials = {NAME: server.port}, f"user:{PASSWORD}"
    monkeypatch.setenv(case(f"{server.scheme}_PROXY"), f" {proxy.address('user:' + quote(PASSWORD, safe=''))}\n")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
    ask(server.url())
    (method, target), *others = proxy.asked
    if server.scheme == "https":
        assert (method, target, others) == ("CONNECT", f"{NAME}:{server.port}", [])
    else:
        assert target.startswith(f"{server.url()}/")
    # The server sees neither the proxy's credentials nor its name.
    (head,) = server.heads
    assert "Proxy-Authorization" not in head
    assert head["Host"] == f"{NAME}:{server.port}"


def test_a_proxy_for_all_and_the_one_for_the_scheme_before_it(
    ask: Callable[..., None], server: Server, proxy: ForwardProxy, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.hosts = {NAME: server.port}
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    monkeypatch.setenv("ALL_PROXY", proxy.place)
    ask(server.url())
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv(f"{server.scheme}_proxy", proxy.url)
    ask(server.url())
    assert len(proxy.asked) == 2


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "*", "127.0.0.0/8", "example.com, 127.0.0.1", ".org,127.0.0.1"])
def test_no_proxy_is_used_for_what_is_excepted(  # noqa: PLR0917 - fixtures
    ask: Callable[..., None],
    no_proxy: str,
    server: Server,
    proxy: ForwardProxy,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"{server.scheme}_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    ask(server.url("127.0.0.1"))
    assert proxy.asked == []


def test_the_other_schemes_proxy_is_not_used(
    ask: Callable[..., None], server: Server, proxy: ForwardProxy, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv({"http": "HTTPS_PROXY", "https": "HTTP_PROXY"}[server.scheme], proxy.url)
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    ask(server.url("127.0.0.1"))
    assert proxy.asked == []


def test_the_proxy_of_a_kubeconfig_goes_before_the_environment(
    server: Server, proxy: ForwardProxy, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.hosts, proxy.credentials = {NAME: server.port}, "user:pass"
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    ask_cluster(server.url(), ca_file, **{"proxy-url": proxy.address("user:pass")})
    assert len(proxy.asked) == 1


# --- Through a proxy that fails ---


def scheme_proxy(server: Server) -> str:
    return f"{server.scheme.upper()}_PROXY"


@pytest.mark.parametrize("user_info", ["", "user:wrong%0Apass", "пользователь:пароль", "user:100%"])
def test_a_proxy_that_wants_other_credentials(
    ask: Callable[..., None], user_info: str, server: Server, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.credentials = "user:pass"
    monkeypatch.setenv(scheme_proxy(server), proxy.address(user_info) if user_info else proxy.url)
    error = error_from(lambda: ask(server.url()))
    assert type(error) is ConfigurationError
    assert str(error) == (
        f"the proxy {proxy.place}, asked for {NAME}:{server.port}, answered 407 Proxy Authentication Required: "
        f"check the user name and the password in {scheme_proxy(server)}"
    )


@pytest.mark.parametrize("status", [502, 504])
def test_a_proxy_that_cannot_reach_the_server(
    ask: Callable[..., None], status: int, server: Server, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.status = status
    monkeypatch.setenv(scheme_proxy(server), proxy.address("user:pass"))
    error = error_from(lambda: ask(server.url()))
    assert type(error) is RetryableError
    phrase = {502: "Bad Gateway", 504: "Gateway Timeout"}[status]
    assert str(error) == (
        f"the proxy {proxy.place}, asked for {NAME}:{server.port}, answered {status} {phrase}: "
        "try again later, or check the address"
    )


@pytest.mark.parametrize(("status", "phrase"), [(403, " Forbidden"), (599, ""), (477, "")])
def test_a_proxy_that_opens_no_tunnel(
    ask: Callable[..., None], status: int, phrase: str, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.status = status
    monkeypatch.setenv("HTTPS_PROXY", proxy.address("user:pass"))
    error = error_from(lambda: ask(f"https://{NAME}:444"))
    told = f"the proxy {proxy.place}, asked for {NAME}:444, answered {status}{phrase}: "
    assert str(error) == told + (
        "try again later, or check the address"
        if status >= 500
        else "let the proxy pass it on, or check HTTPS_PROXY and NO_PROXY"
    )
    assert type(error) is (RetryableError if status >= 500 else ConfigurationError)


def test_a_proxy_that_is_not_there(
    client: str, ask: Callable[..., None], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv(scheme_proxy(server), f"http://user:pass@127.0.0.1:{port}")
    error = error_from(lambda: ask(server.url()))
    kind = "ConnectionRefusedError" if client == "splunk" else "NewConnectionError"
    assert type(error) is RetryableError
    assert str(error) == (
        f"the proxy 127.0.0.1:{port}, asked for {NAME}:{server.port}, gave no answer ({kind}): "
        f"try again later, or check {scheme_proxy(server)}"
    )


def test_what_breaks_behind_the_proxy_names_both(
    client: str, ask: Callable[..., None], proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        proxy.hosts = {NAME: port}

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", proxy.address("user:pass"))
        error = error_from(lambda: ask(f"https://{NAME}:{port}"))
        thread.join()
    assert type(error) is RetryableError
    assert f"{NAME}:{port} (through the proxy {proxy.place})" in str(error)
    assert "gave no answer" in str(error) or (client == "kubernetes" and "no answer from" in str(error))


# --- Addresses of proxies ---


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://proxy.example.com:3128", "http://proxy.example.com:3128"),
        ("proxy.example.com:3128", "http://proxy.example.com:3128"),
        ("http://proxy.example.com/", "http://proxy.example.com:80"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        (" HTTP://user:p@ss@Proxy:1\r\n", "http://proxy:1"),
    ],
)
def test_the_address_of_a_proxy(address: str, url: str) -> None:
    assert Proxy.parse(address, "HTTPS_PROXY").url == url


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://proxy:3128",
        "socks5://user:secret@proxy:1080",
        "http://",
        "http://user:secret@",
        "http://user:12/secret@proxy:3128",
        "http://user:12?secret@proxy:3128",
        "http://user:12#secret@proxy:3128",
        "http://user:12\\/secret@proxy:3128",
        "http://user:sec\nret@proxy:3128",
        "http://user:sec\0ret@proxy:3128",
        "http://user:secret@proxy:port",
        "http://user:secret@[::1",
        "http://user:\udcff@proxy:3128",
        "http://user:secret@pro\u2100xy:3128",
    ],
)
def test_what_is_no_address_of_a_proxy_is_not_shown(
    ask: Callable[..., None], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = (
        "HTTPS_PROXY is not the address of an HTTP proxy: write it as http://host:port or "
        "http://user:password@host:port, with special characters in user and password percent-encoded"
    )
    error = error_from(lambda: Proxy.parse(address, "HTTPS_PROXY"))  # type: ignore[arg-type] # raises
    assert (type(error), str(error)) == (ConfigurationError, told)
    if address and "\0" not in address:
        monkeypatch.setenv("HTTPS_PROXY", address)
        assert str(error_from(lambda: ask("https://server.example.com"))).endswith(told)


@given(user=st.text(min_size=1), password=st.text())
def test_user_and_password_may_hold_any_character(user: str, password: str) -> None:
    proxy = Proxy.parse(f"http://{quote(user, safe='')}:{quote(password, safe='')}@proxy:3128", "HTTPS_PROXY")
    expected = base64.b64encode(f"{user}:{password}".encode()).decode()
    assert dict(proxy.headers) == {"Proxy-Authorization": f"Basic {expected}"}
    assert (str(proxy), proxy.url) == ("proxy:3128", "http://proxy:3128")
    assert repr(proxy) == "Proxy(host='proxy', port=3128, source='HTTPS_PROXY')"


@given(user_info=st.text(st.characters(exclude_characters="@")))
def test_no_password_is_ever_taken_for_the_host(user_info: str) -> None:
    with contextlib.suppress(ConfigurationError):
        assert str(Proxy.parse(f"http://user:{user_info}@proxy:3128", "HTTPS_PROXY")) == "proxy:3128"


def test_the_way_to_a_server_as_text() -> None:
    proxy = Proxy("proxy", 3128, "HTTPS_PROXY")
    assert str(Route("https", "server", 8089, proxy)) == "server:8089 (through the proxy proxy:3128)"
    assert str(Route.to("https", "::1")) == "[::1]:443"


# --- Authorities ---


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_all_clients_trust_the_authority_of_the_environment(  # noqa: PLR0917 - fixtures
    client: str,
    ask: Callable[..., None],
    variable: str,
    authority: trustme.CA,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with serving(tls) as server:
        error = error_from(lambda: ask(server.url("127.0.0.1")))
        assert type(error) is ConfigurationError
        assert "certificate is not trusted" in str(error)
        monkeypatch.setenv(variable, ca_file)
        ask(server.url("127.0.0.1"))
        monkeypatch.setenv(variable, "/nowhere.pem")
        ask(server.url("127.0.0.1"), ca_file)
        told = f"{variable} cannot be used (FileNotFoundError): it has to be a PEM file of certificates"
        assert str(error_from(lambda: ask(server.url("127.0.0.1")))).endswith(told)
        name = {
            "splunk": "SPLUNK_CA_FILE",
            "segment": "SEGMENT_CA_FILE",
            "kubernetes": "the cluster's certificate-authority",
        }
        monkeypatch.setenv(variable, ca_file)
        told = f"{name[client]} cannot be used (SSLError): it has to be a PEM file of certificates"
        assert str(error_from(lambda: ask(server.url("127.0.0.1"), __file__))).endswith(told)


def test_the_first_authority_that_is_named_counts(
    tmp_path: Path, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert authorities("", "OWN") == ""
    for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        path = tmp_path / name
        shutil.copy(ca_file, path)
        monkeypatch.setenv(name, str(path))
        assert authorities("", "OWN") == str(path)
    assert authorities(ca_file, "OWN") == ca_file


def test_a_folder_of_authorities_is_refused(tmp_path: Path) -> None:
    error = error_from(lambda: authorities(str(tmp_path), "OWN"))  # type: ignore[arg-type] # raises
    assert str(error) == "OWN cannot be used (IsADirectoryError): it has to be a PEM file of certificates"


def test_a_proxys_credentials_are_in_no_address_that_libraries_log(
    server: Server, proxy: ForwardProxy, ca_file: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.hosts = {NAME: server.port}
    monkeypatch.setenv(scheme_proxy(server), proxy.address("user:sesame%0Aopen"))
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    with caplog.at_level("DEBUG"):
        for ask in CLIENTS.values():
            ask(server.url())
    assert json.dumps(caplog.text).count("sesame") == 0
    assert base64.b64encode(b"user:sesame\nopen").decode() not in caplog.text


# --- Whatever is raised beneath the clients ---

SESAME = "sesame-that-nobody-may-see"


class OddError(Exception):
    """What no client expects."""


RAISED = [
    *(OddError, ValueError, KeyError, TypeError, RuntimeError, MemoryError, AssertionError, RecursionError),
    *(OSError, TimeoutError, ConnectionResetError, ssl.SSLError, socket.gaierror, ssl.SSLCertVerificationError),
    *(http.client.HTTPException, http.client.BadStatusLine, urllib3.exceptions.HTTPError, requests.RequestException),
    *(urllib3.exceptions.LocationValueError, requests.exceptions.InvalidHeader, ConfigException),
    lambda text: UnicodeEncodeError("latin-1", text, 0, 1, text),
    lambda text: ApiException(0, text),
    lambda text: ExceptionGroup(text, [ValueError(text)]),
]


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: raised.__name__)
@pytest.mark.parametrize("where", ["getaddrinfo", "socket"])
def test_whatever_is_raised_beneath_a_client_becomes_an_error_of_ours(
    where: str,
    ask: Callable[..., None],
    raised: Callable[[str], Exception],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised(SESAME) from ValueError(SESAME)

    monkeypatch.setattr(socket, where, fail)
    with caplog.at_level("DEBUG"):
        error = error_from(lambda: ask("http://127.0.0.1:1"))
    told = "".join(traceback.format_exception(error))
    assert SESAME not in f"{error}{told}{caplog.text}"
    assert "\n" not in str(error)


def test_a_head_that_makes_no_sense_is_not_logged(ask: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as stream:
                head = [line.strip() for line in iter(stream.readline, b"\r\n")]
                # Whoever reads headers ends at the first line that is none.
                echoed = b" ".join(line for line in head if line.lower().startswith(b"authorization"))
                connection.sendall(b"HTTP/1.1 400 No\r\nX: y\r\nno header %s\r\n\r\n" % echoed.replace(b":", b""))

        thread = threading.Thread(target=answer)
        thread.start()
        with caplog.at_level("DEBUG"):
            error = error_from(lambda: ask(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        thread.join()
    told = f"{error}{caplog.text}"
    assert [secret for secret in ("a-token", "YS1rZXk6") if secret in told] == []
