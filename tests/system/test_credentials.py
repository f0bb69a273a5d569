"""No credential gets out, whatever is odd about it, whatever servers and proxies send back, at DEBUG too."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEBUGGED = "import logging; logging.basicConfig(level=10)\nfrom segment_bridge.cli import main\nmain()"
WINDOW = ("--from", "2026-01-05T08:00:00Z", "--to", "2026-01-05T12:00:00Z")
ODD = {
    "a line end after it": "{}\n",
    "a line end within": "{}\nx",
    "not Latin": "{}пароль",
    "percent signs": "{}%41%zz%",
    "quotes": '"{}"',
    "a blank": "{} x",
}
#: The parts that are looked for, by whose they are.
SECRETS = {name: f"sesame-of-{name}-7f3a" for name in ("splunk", "segment", "cluster", "proxy")}


class Echo(BaseHTTPRequestHandler):
    """Says whatever it was asked: in its status line, in its headers, and in Splunk's and Kubernetes' forms."""

    protocol_version = "HTTP/1.1"
    status = 400

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(errors="replace")
        said = f"{self.requestline} {dict(self.headers)} {body}"
        answer = json.dumps({"messages": [{"type": "FATAL", "text": said}], "message": said}).encode()
        one_line = said.encode("ascii", "backslashreplace").decode().replace("\r", " ").replace("\n", " ")
        self.send_response(self.status, one_line[:500])
        self.send_header("X-Echo", one_line[:500])
        self.send_header("Set-Cookie", f"splunkd_8089={quote(one_line[:200])}")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_CONNECT = do_POST  # noqa: N815 - as the server has it

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def echoing(status: int) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Echo", (Echo,), {"status": status})) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def splunk(way: str, secret: str) -> dict[str, str]:
    return {
        "token": {"SPLUNK_TOKEN": secret},
        "password": {"SPLUNK_USERNAME": f"user-{secret}", "SPLUNK_PASSWORD": secret},
        "session key": {"SPLUNK_SESSION_KEY": secret},
    }[way]


def cluster_user(way: str, secret: str, folder: Path) -> dict[str, Any]:
    (folder / "token").write_text(secret)
    (folder / "plugin.py").write_text(f"print({secret!r})\nraise SystemExit({secret!r})")
    users: dict[str, dict[str, Any]] = {
        "token": {"token": secret},
        "tokenFile": {"tokenFile": str(folder / "token")},
        "password": {"username": secret, "password": secret},
        "exec": {"exec": {"apiVersion": "v1", "command": sys.executable, "args": [str(folder / "plugin.py")]}},
        "certificate": {
            "client-certificate-data": base64.b64encode(secret.encode()).decode(),
            "client-key-data": base64.b64encode(secret.encode()).decode(),
        },
    }
    return users[way]


def environment(
    folder: Path, ways: tuple[str, str], secrets: dict[str, str], addresses: dict[str, str]
) -> dict[str, str]:
    kubeconfig = {
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": addresses["cluster"]}}],
        "users": [{"name": "x", "user": cluster_user(ways[1], secrets["cluster"], folder)}],
    }
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "SPLUNK_API_URL": addresses["splunk"],
        "SPLUNK_INDEX": "audit",
        **splunk(ways[0], secrets["splunk"]),
        "SEGMENT_BATCH_API": addresses["segment"],
        "SEGMENT_WRITE_KEY": secrets["segment"],
        "KUBECONFIG": str(folder / "kubeconfig"),
        "HOST_CONTEXT": "x",
        "MEMBER_CONTEXTS": "x",
        "SEGMENT_BRIDGE_STAGING": str(folder / "staging"),
        "SEGMENT_BRIDGE_RETRY_PAUSE": "0.01",
    }


def leaks(text: str) -> list[str]:
    """Name the secrets that stand in a text as they are, or in Base64."""
    decoded = [text]
    for piece in re.findall(r"[A-Za-z0-9+/_-]{8,}", text):
        for start in range(4):
            cut = piece[start:].translate(str.maketrans("-_", "+/"))
            with contextlib.suppress(binascii.Error):
                decoded.append(base64.b64decode(cut + "=" * (-len(cut) % 4)).decode("latin-1"))
    return [name for name, secret in SECRETS.items() if any(secret in one for one in decoded)]


def told(folder: Path, *arguments: str, env: dict[str, str]) -> dict[str, str]:
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", DEBUGGED, *arguments], env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode in {1, 2}, done.stderr
    assert "Traceback" not in done.stderr
    assert ("DEBUG" in done.stderr) or "doctor" not in arguments
    given = {"token", "plugin.py", "kubeconfig"}
    kept = {str(path): path.read_text() for path in folder.rglob("*") if path.is_file() and path.name not in given}
    return {"stdout": done.stdout, "stderr": done.stderr, **kept}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    ("ways", "status"),
    [
        (("token", "token"), 400),
        (("password", "password"), 400),
        (("session key", "tokenFile"), 500),
        (("password", "exec"), 401),
        (("token", "certificate"), 407),
    ],
    ids=lambda value: value if isinstance(value, int) else " and ".join(value),
)
def test_no_command_tells_a_credential(odd: str, ways: tuple[str, str], status: int, tmp_path: Path) -> None:
    secrets = {name: ODD[odd].format(secret) for name, secret in SECRETS.items()}
    with echoing(status) as server:
        scheme = "https" if ways[1] == "certificate" else "http"
        addresses = dict.fromkeys(SECRETS, f"http://{server}") | {"cluster": f"{scheme}://{server}"}
        env = environment(tmp_path, ways, secrets, addresses)
        texts = told(tmp_path, "doctor", env=env)
        command = ("run", *WINDOW) if status == 400 else ("search", *WINDOW, "application-events")
        more = told(tmp_path, *command, env=env)
    assert "FAILED" in texts["stdout"]
    found = {f"{name} {number}": leaks(text) for number, one in enumerate((texts, more)) for name, text in one.items()}
    assert {name: leaked for name, leaked in found.items() if leaked} == {}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("status", [407, 502])
@pytest.mark.parametrize("odd", [*ODD, "percent-encoded"])
def test_no_command_tells_the_credentials_of_a_proxy(odd: str, status: int, scheme: str, tmp_path: Path) -> None:
    password = ODD.get(odd, "{} \n%").format(SECRETS["proxy"])
    user_info = f"user:{password if odd in ODD else quote(password, safe='')}"
    with echoing(status) as proxy:
        addresses = dict.fromkeys(SECRETS, f"{scheme}://server.invalid")
        env = environment(tmp_path, ("token", "token"), SECRETS, addresses)
        texts = told(tmp_path, "doctor", env={**env, f"{scheme.upper()}_PROXY": f"http://{user_info}@{proxy}"})
    assert {name: leaked for name, text in texts.items() if (leaked := leaks(text))} == {}
    named = re.findall(r"the proxy (127\.0\.0\.1:\d+), asked for server\.invalid:\d+, answered (\d+)", texts["stdout"])
    refused = texts["stdout"].count(f"{scheme.upper()}_PROXY is not the address of an HTTP proxy")
    assert (named, refused) in [([(proxy, str(status))] * 4, 0), ([], 4)]


def test_what_is_looked_for_would_be_found() -> None:
    for text in ("x{}x", "%22{}%22", json.dumps('"{}')):
        assert leaks(text.format(SECRETS["splunk"])) == ["splunk"]
    for before in ("", "a", "ab", "user:"):
        encoded = base64.b64encode(f"{before}{SECRETS['proxy']}x".encode()).decode()
        assert leaks(f"Basic {encoded}") == ["proxy"]
