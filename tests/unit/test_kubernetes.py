from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import trustme

from segment_bridge.errors import BridgeError, ConfigurationError, FatalError, RetryableError
from segment_bridge.kubernetes import Cluster
from segment_bridge.kubernetes.kubeconfig import from_document
from segment_bridge.settings import KubernetesSettings
from segment_bridge.tenants import Tenants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

GROUP = "toolchain.dev.openshift.com"
SIGNUPS = f"/apis/{GROUP}/v1alpha1/namespaces/toolchain-host-operator/usersignups"
SECRET = "a-token-that-nobody-may-see"


@dataclass(frozen=True)
class Request:
    path: str
    query: dict[str, str]
    authorization: str | None


@dataclass(frozen=True)
class Answer:
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Api:
    """An API server that gives scripted answers and remembers what it was asked."""

    answer: Callable[[Request], Answer]
    url: str = ""
    requests: list[Request] = field(default_factory=list)


@contextmanager
def serving(answer: Callable[[Request], Answer], tls: ssl.SSLContext | None = None) -> Iterator[Api]:
    api = Api(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            request = Request(address.path, dict(parse_qsl(address.query)), self.headers["Authorization"])
            api.requests.append(request)
            made = api.answer(request)
            self.send_response(made.status)
            for name, value in ({"Content-Length": str(len(made.body))} | made.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(made.body)
            self.close_connection = "Content-Length" in made.headers

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        api.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()


def place(api: Api) -> str:
    return urlsplit(api.url).netloc


def listed(items: list[dict[str, Any]] | None, token: str = "") -> Answer:
    metadata = {"resourceVersion": "1"} | ({"continue": token, "remainingItemCount": 1} if token else {})
    return Answer(json.dumps({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}).encode())


def failure(status: int, **headers: str) -> Answer:
    body = {"kind": "Status", "code": status, "message": "something about ann", "metadata": {"continue": "offered"}}
    return Answer(json.dumps(body).encode(), status, {name.replace("_", "-"): value for name, value in headers.items()})


def pages(*contents: list[dict[str, Any]]) -> Callable[[Request], Answer]:
    """Serve pages whose tokens are their numbers."""

    def answer(request: Request) -> Answer:
        number = int(request.query.get("continue", "0"))
        return listed(contents[number], str(number + 1) if number + 1 < len(contents) else "")

    return answer


def cluster_at(url: str, *, page_size: int = 2, timeout: float = 10.0) -> Cluster:
    document = {
        "contexts": [{"name": "host", "context": {"cluster": "host"}}],
        "clusters": [{"name": "host", "cluster": {"server": url}}],
    }
    return Cluster(from_document(document, "host"), "host", page_size=page_size, timeout=timeout)


def namespace(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {f"{GROUP}/space": name.removesuffix("-tenant")}}}


def labelled(name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


def caught_from(read: Callable[[], object], kind: type[BridgeError]) -> BridgeError:
    """Return the error, having made sure that nothing hangs on it that would be printed along."""
    with pytest.raises(BridgeError) as caught:
        read()
    assert type(caught.value) is kind
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


class TestLists:
    def test_signups_page_by_page_reduced_to_what_is_needed(self) -> None:
        full = {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "UserSignup",
            "metadata": {
                "name": "ann-4711",
                "namespace": "toolchain-host-operator",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {f"{GROUP}/state": "approved", f"{GROUP}/email-hash": "5f4dcc3b"},
                "annotations": {f"{GROUP}/sso-user-id": "007", f"{GROUP}/activation-counter": "3"},
                "managedFields": [{"manager": "host-operator"}],
            },
            "spec": {"states": ["approved"], "identityClaims": {"userID": "f:1", "email": "ann@example.com"}},
            "status": {"compliantUsername": "ann", "conditions": [{"type": "Complete", "status": "True"}]},
        }
        bare: dict[str, Any] = {"metadata": {"name": "bob", "labels": None}, "spec": {"identityClaims": {"userID": 7}}}
        with serving(pages([full, {}], [bare], [{"metadata": None, "spec": None, "status": None}])) as api:
            signups = list(cluster_at(api.url).user_signups())
        assert signups == [
            {
                "metadata": {
                    "name": "ann-4711",
                    "creationTimestamp": "2026-01-01T00:00:00Z",
                    "labels": {f"{GROUP}/state": "approved"},
                    "annotations": {f"{GROUP}/sso-user-id": "007"},
                },
                "spec": {"identityClaims": {"userID": "f:1"}},
                "status": {"compliantUsername": "ann"},
            },
            {},
            {"metadata": {"name": "bob"}, "spec": {"identityClaims": {"userID": 7}}},
            {},
        ]
        assert api.requests == [
            Request(SIGNUPS, {"limit": "2"}, None),
            Request(SIGNUPS, {"limit": "2", "continue": "1"}, None),
            Request(SIGNUPS, {"limit": "2", "continue": "2"}, None),
        ]

    def test_tenant_namespaces_are_selected_by_the_server(self) -> None:
        contents = [namespace("ann-tenant"), namespace("bob-tenant")], [namespace("zoë-tenant")]
        with serving(pages(*contents)) as api:
            namespaces = list(cluster_at(api.url).tenant_namespaces())
        assert namespaces == [*contents[0], *contents[1]]
        query = {"limit": "2", "labelSelector": f"{GROUP}/type=tenant"}
        assert api.requests == [
            Request("/api/v1/namespaces", query, None),
            Request("/api/v1/namespaces", {**query, "continue": "1"}, None),
        ]

    def test_several_selectors_are_asked_one_after_the_other_and_their_lists_merged(self) -> None:
        both, other = "both-tenant", "team.example/space"
        lists = {
            f"{GROUP}/type=tenant": [namespace("ann-tenant"), namespace(both), {"metadata": {}}],
            "konflux-ci.dev/type=tenant": [namespace(both), labelled("shop-tenant", {other: "ann", "more": "x"})],
        }
        with serving(lambda request: listed(lists[request.query["labelSelector"]])) as api:
            tenants = Tenants(tuple(lists), (f"{GROUP}/space", other))
            namespaces = list(cluster_at(api.url).tenant_namespaces(tenants))
        assert namespaces == [
            namespace("ann-tenant"),
            namespace(both),
            {"metadata": {}},
            labelled("shop-tenant", {other: "ann"}),
        ]
        assert [request.query["labelSelector"] for request in api.requests] == list(lists)

    @pytest.mark.parametrize("items", [[], None])
    def test_an_empty_list(self, items: list[dict[str, Any]] | None) -> None:
        with serving(lambda _: listed(items)) as api:
            assert list(cluster_at(api.url).user_signups()) == []

    def test_each_reading_asks_anew(self) -> None:
        with serving(pages([namespace("ann-tenant")])) as api:
            cluster = cluster_at(api.url)
            assert list(cluster.tenant_namespaces()) == list(cluster.tenant_namespaces())
        assert len(api.requests) == 2


class TestExpiry:
    def test_the_list_begins_again_and_what_was_read_is_dropped(self) -> None:
        script = [
            listed([namespace("deleted-tenant")], "old"),
            failure(410),
            listed([namespace("ann-tenant")], "new"),
            listed([namespace("bob-tenant")]),
        ]
        with serving(lambda _: script[len(api.requests) - 1]) as api:
            namespaces = list(cluster_at(api.url).tenant_namespaces())
        assert namespaces == [namespace("ann-tenant"), namespace("bob-tenant")]
        assert [request.query.get("continue") for request in api.requests] == [None, "old", None, "new"]

    def test_a_list_that_always_expires_is_given_up(self) -> None:
        def answer(request: Request) -> Answer:
            return failure(410) if "continue" in request.query else listed([namespace("ann-tenant")], "old")

        with serving(answer) as api:
            namespaces = cluster_at(api.url).tenant_namespaces()
            error = caught_from(lambda: next(namespaces), RetryableError)
        assert str(error) == (
            "cluster host, asked for tenant Namespaces: the list expired 4 times before its last page: "
            "try again later, or with larger pages"
        )
        assert [request.query.get("continue") for request in api.requests] == [None, "old"] * 4


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "kind", "said"),
        [
            (400, FatalError, "400 Bad Request: the request itself is not acceptable"),
            (401, ConfigurationError, "401 Unauthorized: check the credentials"),
            (403, ConfigurationError, "403 Forbidden: check the rights of the credentials"),
            (404, ConfigurationError, "404 Not Found: check the address"),
            (429, RetryableError, "429 Too Many Requests: try again later"),
            (500, RetryableError, "500 Internal Server Error: try again later"),
            (503, RetryableError, "503 Service Unavailable: try again later"),
        ],
    )
    def test_statuses(self, status: int, kind: type[BridgeError], said: str) -> None:
        with serving(lambda _: failure(status)) as api:
            error = caught_from(lambda: list(cluster_at(api.url).user_signups()), kind)
        assert str(error) == f"cluster host, asked for UserSignups, answered {said}"
        assert len(api.requests) == 1

    def test_an_error_body_may_be_anything(self) -> None:
        with serving(lambda _: Answer(b"\xff\xfe", 502)) as api:
            error = caught_from(lambda: list(cluster_at(api.url).user_signups()), RetryableError)
        assert str(error) == "cluster host, asked for UserSignups, answered 502 Bad Gateway: try again later"

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ({"Retry_After": "7"}, 7.0),
            ({"Retry_After": "Mon, 01 Jan 2024 00:00:00 GMT"}, 0.0),
            ({"Retry_After": "soon"}, None),
            ({}, None),
        ],
    )
    def test_the_pause_that_the_server_asks_for(self, header: dict[str, str], seconds: float | None) -> None:
        with serving(lambda _: failure(429, **header)) as api:
            error = caught_from(lambda: list(cluster_at(api.url).user_signups()), RetryableError)
        assert isinstance(error, RetryableError)
        assert error.retry_after == seconds
        assert len(api.requests) == 1

    def test_nothing_of_a_list_that_breaks_off_is_yielded(self) -> None:
        script = [listed([namespace("ann-tenant")], "1"), failure(500)]
        with serving(lambda _: script[len(api.requests) - 1]) as api:
            namespaces = cluster_at(api.url).tenant_namespaces()
            caught_from(lambda: next(namespaces), RetryableError)

    def test_a_server_that_falls_silent(self) -> None:
        over = threading.Event()

        def answer(_: Request) -> Answer:
            over.wait(timeout=30)
            return listed([])

        with serving(answer) as api:
            try:
                cluster = cluster_at(api.url, timeout=0.1)
                error = caught_from(lambda: list(cluster.user_signups()), RetryableError)
            finally:
                over.set()
        assert str(error) == (
            f"cluster host, asked for UserSignups: no answer from {place(api)} (ReadTimeoutError): "
            "try again later, or check the server's address"
        )

    def test_a_server_that_is_not_there(self) -> None:
        with serving(pages([])) as api:
            pass
        error = caught_from(lambda: list(cluster_at(api.url).user_signups()), RetryableError)
        assert str(error) == (
            f"cluster host, asked for UserSignups: no answer from {place(api)} (NewConnectionError): "
            "try again later, or check the server's address"
        )

    def test_an_answer_cut_short(self) -> None:
        whole = listed([namespace("ann-tenant")])
        cut = Answer(whole.body, headers={"Content-Length": str(len(whole.body) + 1)})
        with serving(lambda _: cut) as api:
            error = caught_from(lambda: list(cluster_at(api.url).user_signups()), RetryableError)
        assert str(error) == (
            f"cluster host, asked for UserSignups: no answer from {place(api)} (ProtocolError): "
            "try again later, or check the server's address"
        )

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b'{"items":[',
            b"[]",
            b"{}",
            b'{"items":["ann"]}',
            b'{"items":[],"metadata":{"continue":"\xff"}}',
        ],
    )
    def test_an_answer_that_is_no_list(self, body: bytes) -> None:
        with serving(lambda _: Answer(body)) as api:
            error = caught_from(lambda: list(cluster_at(api.url).user_signups()), RetryableError)
        assert str(error) == (
            "cluster host, asked for UserSignups: the answer is not a list: "
            "try again later, or check the server's address"
        )

    @pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"items":null}', b'{"items":[{"data":{"a":1}}]}'])
    def test_an_answer_that_is_no_list_of_config_maps(self, body: bytes) -> None:
        with serving(lambda _: Answer(body)) as api:
            error = caught_from(lambda: cluster_at(api.url).config_map("bridge", "uid-map"), RetryableError)
        assert str(error) == (
            "cluster host, asked for ConfigMap uid-map: the answer is not a list: "
            "try again later, or check the server's address"
        )

    def test_a_list_that_comes_to_no_end(self) -> None:
        with serving(lambda _: Answer(b'{"items":[],"metadata":{"continue":"on"}}')) as api:
            error = caught_from(lambda: list(cluster_at(api.url).user_signups()), RetryableError)
        assert str(error) == "cluster host, asked for UserSignups: the list comes to no end: try again later"

    @pytest.mark.parametrize(
        "server",
        [
            "ftp://127.0.0.1",
            "127.0.0.1:6443",
            "https://",
            f"https://user:1/{SECRET}@host",
            "https://h?x",
            "https://h#x",
        ],
    )
    def test_an_address_that_is_no_url(self, server: str) -> None:
        error = caught_from(lambda: cluster_at(server), ConfigurationError)
        assert str(error) == (
            "the kubeconfig, context host: the cluster's server is not a URL: write it as https://host:port"
        )


def kubeconfig(path: Path, contexts: dict[str, str], **cluster: object) -> str:
    """Write a kubeconfig, without a current context, whose contexts have tokens of their own."""
    entries = {
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in contexts],
        "clusters": [{"name": name, "cluster": {"server": url, **cluster}} for name, url in contexts.items()],
        "users": [{"name": name, "user": {"token": f"{SECRET}-{name}"}} for name in contexts],
    }
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **entries}))
    return str(path)


def settings_for(kubeconfig: str) -> KubernetesSettings:
    return KubernetesSettings(
        host_context="host", member_contexts=("m1", "m2"), kubeconfig=kubeconfig, page_size=3, timeout=10.0
    )


class TestFromContext:
    @pytest.mark.parametrize("files", [1, 2])
    def test_contexts_do_not_mix(self, files: int, tmp_path: Path) -> None:
        with serving(pages([namespace("ann-tenant")])) as first, serving(pages([namespace("bob-tenant")])) as second:
            if files == 1:
                path = kubeconfig(tmp_path / "config", {"m1": first.url, "m2": second.url})
            else:
                parts = (
                    kubeconfig(tmp_path / "first", {"m1": first.url}),
                    kubeconfig(tmp_path / "second", {"m2": second.url}),
                )
                path = os.pathsep.join([*parts, str(tmp_path / "missing")])
            clusters = [Cluster.from_context(settings_for(path), context) for context in ("m1", "m2")]
            read = [list(cluster.tenant_namespaces()) for cluster in clusters]
        assert read == [[namespace("ann-tenant")], [namespace("bob-tenant")]]
        assert [cluster.name for cluster in clusters] == ["m1", "m2"]
        query = {"limit": "3", "labelSelector": f"{GROUP}/type=tenant"}
        assert first.requests == [Request("/api/v1/namespaces", query, f"Bearer {SECRET}-m1")]
        assert second.requests == [Request("/api/v1/namespaces", query, f"Bearer {SECRET}-m2")]

    def test_the_kubeconfig_of_the_home_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".kube").mkdir()
        kubeconfig(tmp_path / ".kube" / "config", {"host": "http://127.0.0.1:1"})
        assert Cluster.from_context(settings_for(""), "host").name == "host"

    def test_the_caller_alone_decides_when_to_ask_again(self, tmp_path: Path) -> None:
        with serving(lambda _: failure(503, Retry_After="1")) as api:
            cluster = Cluster.from_context(settings_for(kubeconfig(tmp_path / "config", {"host": api.url})), "host")
            error = caught_from(lambda: list(cluster.user_signups()), RetryableError)
        assert isinstance(error, RetryableError)
        assert error.retry_after == 1.0
        assert len(api.requests) == 1

    def test_an_unknown_context(self, tmp_path: Path) -> None:
        path = kubeconfig(tmp_path / "config", {"m1": "http://127.0.0.1:1", "m2": "http://127.0.0.1:1"})
        error = caught_from(lambda: Cluster.from_context(settings_for(path), "host"), ConfigurationError)
        assert str(error) == f"kubeconfig {path} has no context host: use one of those it has (m1, m2)"

    def test_no_kubeconfig(self, tmp_path: Path) -> None:
        path = str(tmp_path / "missing")
        error = caught_from(lambda: Cluster.from_context(settings_for(path), "host"), ConfigurationError)
        assert str(error) == f"there is no kubeconfig at {path}: set KUBECONFIG to the path of one"

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("", "ConfigException"),
            ("[]", "TypeError"),
            ("{", "ParserError"),
            (f"contexts: [{{name: host, context: {{user: u}}}}]\nusers: [{{token: {SECRET}}}]", "ConfigException"),
            (
                (
                    "contexts: [{name: host, context: {cluster: c, user: u}}]\n"
                    "clusters: [{name: c, cluster: {server: 'https://127.0.0.1'}}]\n"
                    f"users: [{{name: u, user: {{token: {SECRET}, client-certificate: missing.pem}}}}]"
                ),
                "ConfigException",
            ),
        ],
    )
    def test_a_kubeconfig_that_makes_no_sense(self, text: str, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "config"
        path.write_text(text)
        error = caught_from(lambda: Cluster.from_context(settings_for(str(path)), "host"), ConfigurationError)
        assert str(error) == (
            f"kubeconfig {path} cannot be used for the context host ({kind}): "
            "check the entries of its context, cluster and user"
        )


class TestTls:
    AUTHORITY = trustme.CA()

    def serving_tls(self) -> AbstractContextManager[Api]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.AUTHORITY.issue_cert("127.0.0.1").configure_cert(tls)
        return serving(pages([namespace("ann-tenant")]), tls)

    def read(self, path: str) -> list[dict[str, Any]]:
        return list(Cluster.from_context(settings_for(path), "host").tenant_namespaces())

    def test_the_clusters_own_authority(self, tmp_path: Path) -> None:
        self.AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        with self.serving_tls() as api:
            path = kubeconfig(tmp_path / "config", {"host": api.url}, **{"certificate-authority": "ca.pem"})
            assert self.read(path) == [namespace("ann-tenant")]

    def test_a_certificate_of_somebody_else(self, tmp_path: Path) -> None:
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        with self.serving_tls() as api:
            path = kubeconfig(tmp_path / "config", {"host": api.url}, **{"certificate-authority": "ca.pem"})
            error = caught_from(lambda: self.read(path), ConfigurationError)
        assert str(error) == (
            "cluster host, asked for tenant Namespaces: the server's certificate is not trusted: "
            "check the cluster's certificate authority"
        )

    def test_an_authority_that_nobody_named(self, tmp_path: Path) -> None:
        with self.serving_tls() as api:
            path = kubeconfig(tmp_path / "config", {"host": api.url})
            error = caught_from(lambda: self.read(path), ConfigurationError)
        assert "the server's certificate is not trusted" in str(error)


def test_importing_the_module_does_not_import_the_client() -> None:
    code = "import sys, segment_bridge.kubernetes; print('kubernetes' in sys.modules, 'urllib3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - fixed
    assert done.stdout == "False False\n"
