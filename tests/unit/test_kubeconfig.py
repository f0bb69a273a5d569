"""As whom a cluster is asked: every credential of a kubeconfig, right, odd and broken."""

from __future__ import annotations

import base64
import json
import ssl
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import yaml

from segment_bridge.errors import BridgeError, ConfigurationError, RetryableError
from segment_bridge.kubernetes import Cluster
from segment_bridge.kubernetes.kubeconfig import from_document
from segment_bridge.settings import KubernetesSettings
from tests.unit.test_kubernetes import caught_from, listed, pages, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.test_kubernetes import Api

SECRET = "a-token-that-nobody-may-see"
#: What no header can hold, wherever it stands in a token.
ODD = ["{}\n{}", "{} {}", "{}\0{}", "{}пароль{}", "{}ü{}", "{}\x7f{}", "{}\U0001f600{}"]


@pytest.fixture
def api() -> Iterator[Api]:
    with serving(pages([])) as one:
        yield one


def document(url: str, user: dict[str, Any], **cluster: str) -> dict[str, Any]:
    return {
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": url, **cluster}}],
        "users": [{"name": "x", "user": user}],
    }


def connect(url: str, user: dict[str, Any], **cluster: str) -> Cluster:
    return Cluster(from_document(document(url, user, **cluster), "x"), "host", timeout=10)


def sent(api: Api, user: dict[str, Any]) -> str | None:
    """Ask once, and return how the request was authorized."""
    assert list(connect(api.url, user).tenant_namespaces()) == []
    return api.requests[-1].authorization


def plugin(tmp_path: Path, script: str) -> dict[str, Any]:
    """Return a user with an exec plugin, which is a script in Python."""
    file = tmp_path / "plugin.py"
    file.write_text(f"import json, sys, pathlib\nhere = pathlib.Path({str(tmp_path)!r})\n{script}")
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": sys.executable, "args": [str(file)]}}


def credential(status: object) -> dict[str, Any]:
    return {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}


def giving(status: object) -> str:
    return f"print(json.dumps({credential(status)!r}))"


def ways(tmp_path: Path, token: str) -> dict[str, dict[str, Any]]:
    """Return a user for each way to give a token."""
    (tmp_path / "token").write_bytes(token.encode())
    return {
        "token": {"token": token},
        "tokenFile": {"tokenFile": str(tmp_path / "token")},
        "exec": plugin(tmp_path, giving({"token": token})),
    }


# --- What is sent ---

WITH_LINE_END = """\
apiVersion: v1
kind: Config
contexts: [{name: x, context: {cluster: x, user: x}}]
clusters:
- name: x
  cluster: {server: "SERVER/clusters/host"}
users:
- name: x
  user:
    token: |
      changeme
"""


def test_a_token_with_a_line_end_is_used_without_it(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(WITH_LINE_END.replace("SERVER", api.url))
    settings = KubernetesSettings(host_context="x", member_contexts=(), kubeconfig=str(path))
    assert list(Cluster.from_context(settings, "x").tenant_namespaces()) == []
    assert [request.authorization for request in api.requests] == ["Bearer changeme"]
    assert from_document(path.read_text(), "x").configuration.api_key["BearerToken"] == "Bearer changeme"


@pytest.mark.parametrize("way", ["token", "tokenFile", "exec"])
@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {}\t", "\n\n{}\n\n"])
def test_blanks_around_a_token_do_not_count(way: str, around: str, api: Api, tmp_path: Path) -> None:
    assert sent(api, ways(tmp_path, around.format("tok%41en/+=:"))[way]) == "Bearer tok%41en/+=:"


@pytest.mark.parametrize(
    ("user", "password", "pair"),
    [
        ("ann", "pass", "ann:pass"),
        (" ann\n", "pass\r\n", "ann:pass"),
        ("äñn", "пароль", "äñn:пароль"),
        ("ann", "a:b%00 c\nd\0", "ann:a:b%00 c\nd\0"),
        (1, 2, "1:2"),
    ],
)
def test_a_user_and_a_password_travel_as_with_kubectl(user: object, password: object, pair: str, api: Api) -> None:
    basic = base64.b64encode(pair.encode()).decode()
    assert sent(api, {"username": user, "password": password}) == f"Basic {basic}"


def test_without_a_user_nothing_is_sent(api: Api) -> None:
    assert sent(api, {}) is None


def test_a_token_file_that_was_rotated_is_read_again(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    # As with kubectl, the file goes before a token beside it.
    cluster = connect(api.url, {"token": "stale", "tokenFile": str(file)})
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        list(cluster.tenant_namespaces())
    assert [request.authorization for request in api.requests] == ["Bearer first", "Bearer second"]

    file.write_text("\n")
    error = caught_from(lambda: list(cluster.tenant_namespaces()), ConfigurationError)
    assert str(error) == f"cluster host, asked for tenant Namespaces: {UNUSABLE}"
    file.unlink()
    error = caught_from(lambda: list(cluster.tenant_namespaces()), ConfigurationError)
    assert str(error) == (
        f"cluster host, asked for tenant Namespaces: the token file {file} cannot be read (FileNotFoundError): "
        "check the user's tokenFile"
    )


def test_a_token_file_lies_beside_its_kubeconfig(api: Api, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("here\n")
    path = tmp_path / "config"
    path.write_text(json.dumps(document(api.url, {"tokenFile": "token"})))
    settings = KubernetesSettings(host_context="x", member_contexts=(), kubeconfig=str(path))
    list(Cluster.from_context(settings, "x").tenant_namespaces())
    assert api.requests[0].authorization == "Bearer here"


def test_a_plugin_is_run_again_when_its_token_has_expired(api: Api, tmp_path: Path) -> None:
    past, future = (f"{datetime.now(UTC) + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-1, 1))
    for number, expiry in enumerate((past, future), start=1):
        (tmp_path / f"answer-{number}").write_text(
            json.dumps(credential({"token": f"token-{number}\n", "expirationTimestamp": expiry}))
        )
    script = "first = here / 'answer-1'\nprint((first if first.exists() else here / 'answer-2').read_text())\n"
    cluster = connect(api.url, plugin(tmp_path, script + "first.unlink(missing_ok=True)"))
    for _ in range(3):
        list(cluster.tenant_namespaces())
    assert [request.authorization for request in api.requests] == ["Bearer token-2"] * 3


# --- What cannot be used ---

UNUSABLE = "the user's token is empty, or holds a blank, a line end or another character that no token has: check it"


@pytest.mark.parametrize("way", ["token", "tokenFile", "exec"])
@pytest.mark.parametrize("odd", ODD)
def test_a_token_that_no_header_can_hold_is_not_shown(
    way: str, odd: str, api: Api, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    user = ways(tmp_path, odd.format(SECRET, SECRET))[way]
    with caplog.at_level("DEBUG"):
        error = caught_from(lambda: connect(api.url, user), ConfigurationError)
    assert str(error) == f"the kubeconfig, context x: {UNUSABLE}"
    assert SECRET not in caplog.text
    assert api.requests == []


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_token_file_that_cannot_be_read(content: bytes | None, api: Api, tmp_path: Path) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    error = caught_from(lambda: connect(api.url, {"tokenFile": str(file)}), ConfigurationError)
    kind = "FileNotFoundError" if content is None else "UnicodeDecodeError"
    told = f"the token file {file} cannot be read ({kind}): check the user's tokenFile"
    assert str(error) == f"the kubeconfig, context x: {told}"


@pytest.mark.parametrize(
    "script",
    [
        f"print({SECRET!r}, file=sys.stderr); sys.exit(1)",
        f"print({SECRET!r})",
        f"print(json.dumps({{'kind': {SECRET!r}}}))",
        f"print(json.dumps({{'apiVersion': {SECRET!r}, 'kind': 'x', 'status': 1}}))",
        f"sys.stdout.buffer.write(b'\\xff{SECRET}')",
        giving(SECRET),
    ],
)
def test_what_a_plugin_prints_is_not_shown_when_it_fails(
    script: str, api: Api, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level("DEBUG"):
        error = caught_from(lambda: connect(api.url, plugin(tmp_path, script)), RetryableError)
    assert str(error).startswith("the kubeconfig, context x: the user's exec plugin fails (")
    assert str(error).endswith("): try again later, or run it by hand")
    printed = capfd.readouterr()
    assert SECRET not in f"{error}{caplog.text}{printed.out}{printed.err}"


@pytest.mark.parametrize(
    ("user", "told"),
    [
        (
            {"exec": {"apiVersion": "v1", "command": f"/nowhere/{SECRET}"}},
            "the user's exec plugin cannot be started (FileNotFoundError): check its command",
        ),
        (
            {"exec": {"apiVersion": "v1"}},
            "the user's exec plugin fails (ConfigException): try again later, or run it by hand",
        ),
    ],
)
def test_a_plugin_that_cannot_be_run(user: dict[str, Any], told: str, api: Api) -> None:
    with pytest.raises(BridgeError) as caught:
        connect(api.url, user)
    assert str(caught.value) == f"the kubeconfig, context x: {told}"


@pytest.mark.parametrize("status", [{}, {"token": ""}, {"clientCertificateData": SECRET}, {"clientKeyData": SECRET}])
def test_a_plugin_that_gives_nothing_to_use(status: dict[str, str], api: Api, tmp_path: Path) -> None:
    error = caught_from(lambda: connect(api.url, plugin(tmp_path, giving(status))), ConfigurationError)
    assert str(error) == (
        "the kubeconfig, context x: the user's exec plugin gives no token, nor certificate and key: run it by hand"
    )


@pytest.mark.parametrize(
    "user",
    [
        {"auth-provider": {"name": "gcp", "config": {"cmd-path": f"sh -c {SECRET}"}}},
        {"auth-provider": {"name": "gcp", "config": {"cmd-path": "/nowhere", "cmd-args": SECRET}}},
        {"auth-provider": {"name": "oidc", "config": {"id-token": f"a.{SECRET}.c"}}},
        {"username": [SECRET], "password": None},
        {"exec": SECRET},
    ],
)
def test_no_odd_entry_is_shown(user: dict[str, Any], api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"), pytest.raises(BridgeError) as caught:
        connect(api.url, user)
    assert caught.value.__suppress_context__
    assert "\n" not in str(caught.value)
    assert SECRET not in f"{caught.value}{caplog.text}"


# --- Certificates ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def strict(authority: trustme.CA) -> Iterator[Api]:
    """Serve whoever has a certificate."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    with serving(lambda _: listed([]), tls) as one:
        yield one


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


def pair(authority: trustme.CA) -> tuple[bytes, bytes]:
    made = authority.issue_cert("bridge@example.com")
    return b"".join(blob.bytes() for blob in made.cert_chain_pems), made.private_key_pem.bytes()


@pytest.mark.parametrize("way", ["data", "files", "exec"])
def test_a_client_certificate(way: str, strict: Api, authority: trustme.CA, tmp_path: Path) -> None:
    certificate, key = pair(authority)
    (tmp_path / "cert.pem").write_bytes(certificate)
    (tmp_path / "key.pem").write_bytes(key)
    user: dict[str, Any] = {
        "data": {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key) + "\n"},
        "files": {"client-certificate": str(tmp_path / "cert.pem"), "client-key": str(tmp_path / "key.pem")},
        "exec": plugin(
            tmp_path,
            giving({"clientCertificateData": certificate.decode(), "clientKeyData": key.decode(), "token": "t\n"}),
        ),
    }[way]
    own = {"certificate-authority-data": encoded(authority.cert_pem.bytes())}
    assert list(connect(strict.url, user, **own).tenant_namespaces()) == []
    assert [request.authorization for request in strict.requests] == ["Bearer t" if way == "exec" else None]


@pytest.mark.parametrize("key", [b"", SECRET.encode(), b"-----BEGIN PRIVATE KEY-----\n\0\xff", "ключ".encode()])
def test_a_key_that_is_none_is_not_shown(key: bytes, strict: Api, authority: trustme.CA, tmp_path: Path) -> None:
    certificate, _ = pair(authority)
    (tmp_path / "cert.pem").write_bytes(certificate)
    (tmp_path / "key.pem").write_bytes(key)
    user = {"client-certificate": str(tmp_path / "cert.pem"), "client-key": str(tmp_path / "key.pem")}
    error = caught_from(lambda: connect(strict.url, user), ConfigurationError)
    assert str(error) == (
        "the kubeconfig, context x: the user's client certificate and key cannot be used (SSLError): "
        "both have to be PEM, without a password"
    )


def test_a_key_with_a_password_asks_nobody_for_it(strict: Api, authority: trustme.CA) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - comes with trustme

    certificate, key = pair(authority)
    locked = serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(locked)}
    error = caught_from(lambda: connect(strict.url, user), ConfigurationError)
    assert "client certificate and key cannot be used (" in str(error)


@pytest.mark.parametrize("inline", ["user", "cluster"])
def test_inline_keys_need_a_temporary_folder(
    inline: str, strict: Api, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = pair(authority)
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    cluster = {"certificate-authority-data": encoded(certificate)}
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    error = caught_from(
        lambda: connect(strict.url, user if inline == "user" else {}, **(cluster if inline == "cluster" else {})),
        ConfigurationError,
    )
    assert str(error) == (
        "the kubeconfig holds keys or certificates, and there is no folder for temporary files, in which the client "
        "needs them (FileNotFoundError): set TMPDIR to one that can be written"
    )


# --- Whole kubeconfigs ---


def test_a_document_may_be_text(api: Api) -> None:
    for dump in (yaml.safe_dump, json.dumps):
        access = from_document(dump(document(api.url, {"token": "t"})), "x")
        assert access.configuration.host == api.url


def test_the_current_context_is_used_if_none_is_named(api: Api) -> None:
    whole = document(api.url, {"token": "t"})
    assert from_document(whole | {"current-context": "x"}).configuration.host == api.url
    error = caught_from(lambda: from_document(whole), ConfigurationError)
    assert str(error) == "the kubeconfig has no current context: name one of those it has (x)"


def test_a_user_in_the_servers_address_goes_no_further(api: Api) -> None:
    address = api.url.replace("//", "//ann:pass@")
    access = from_document(document(address, {"token": "t"}), "x")
    assert (access.configuration.host, str(access.route)) == (api.url, api.url.removeprefix("http://"))


@pytest.mark.parametrize("text", ["", "[]", "{", SECRET, f"{{{SECRET}", "contexts: 1", f"contexts: [{{{SECRET}: 1}}]"])
def test_a_document_that_makes_no_sense_is_not_shown(text: str) -> None:
    error = caught_from(lambda: from_document(text, "x"), ConfigurationError)
    assert str(error).startswith("the kubeconfig cannot be used for the context x (")
    assert SECRET not in str(error)
