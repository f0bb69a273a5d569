"""Stand-ins with secrets of their own, which fail on demand and echo what they are asked; and what may not get out."""

from __future__ import annotations

import base64
import json
import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from sandbox import kubernetes, segment
from sandbox.kubernetes import server as kubernetes_server
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.splunk import server as splunk_server
from sandbox.traffic import Plan, Traffic, generate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SESSION_KEY = re.compile(rb"sessionKey\W+([\w-]{20,})")
#: Shorter names are words that stand anywhere.
_TELLING = 6


class Echoing:
    """An application; while ``status`` is set, its answer to a path is that, and says whatever the request said."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app, self._path = app, path
        self.status = 0
        self.session_keys: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            found = _SESSION_KEY.findall(message.get("body", b""))
            self.session_keys.update(key.decode() for key in found)
            await send(message)

        if not (self.status and scope["path"].endswith(self._path)):
            await self._app(scope, receive, noting)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        said = b" ".join((dict(scope["headers"]).get(b"authorization", b""), body)).decode(errors="replace")
        answer = json.dumps({"messages": [{"type": "FATAL", "text": said}]}).encode()
        headers = [(b"content-length", b"%d" % len(answer)), (b"connection", b"close"), (b"x-echo", said.encode()[:99])]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


@dataclass(frozen=True)
class World:
    """The stand-ins, their secrets, and the people in their data."""

    traffic: Traffic
    splunk: Echoing
    segment: Echoing
    addresses: dict[str, str]
    write_key: str
    password: str
    token: str
    cluster_token: str
    emails: frozenset[str]
    #: Other secrets, which no server takes.
    odd: set[str] = field(default_factory=set)

    def leaks(self, text: str) -> list[str]:
        """Name the kinds of what a text may not hold, and where it holds it."""
        found = []
        for kind, values in self._private().items():
            forms = sorted({form for value in values for form in _forms(value)}, key=len, reverse=True)
            pattern = re.compile("|".join(rf"(?<![0-9A-Za-z]){re.escape(form)}(?![0-9A-Za-z])" for form in forms))
            found += [f"{kind}: {text[max(0, hit.start() - 80) : hit.end() + 40]!r}" for hit in pattern.finditer(text)]
        return found

    def _private(self) -> dict[str, set[str]]:
        users, workspaces = self.traffic.manifest["users"], self.traffic.manifest["workspaces"]
        secret = {self.write_key, self.password, self.token, self.cluster_token, *self.splunk.session_keys, *self.odd}
        people = {*users, *workspaces, *workspaces.values(), *self.emails}
        return {
            "a secret": secret,
            "a person": {name for name in people if len(name) >= _TELLING},
            "an SSO ID": set(users.values()),
        }


def _forms(value: str) -> set[str]:
    """Return a value as it travels: escaped in JSON once and twice, in a URL, in Base64 with a colon and without."""
    once = json.dumps(value)[1:-1]
    encoded = {base64.b64encode(text.encode()).decode() for text in (value, f"{value}:", f"admin:{value}")}
    return {value, once, json.dumps(once)[1:-1], quote(value, safe=""), quote_plus(value)} | encoded


@contextmanager
def world(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[World]:
    """Serve a world while the block runs."""
    write_key, password, token, cluster_token = (
        f"{name}-{secrets.token_hex(8)}" for name in ("write-key", "password", "token", "cluster-token")
    )
    patch.setattr(splunk_server, "PASSWORD", password)
    patch.setattr(splunk_server, "TOKEN", token)
    patch.setattr(kubernetes_server, "_CREDENTIALS", {("bearer", cluster_token)})
    traffic = generate(Plan(users=30, hours=4))
    traffic.clusters.write(folder / "clusters")
    emails = re.findall(r"[^\"\s]+@[^\"\s]+", (folder / "clusters" / "host" / "usersignups.json").read_text())
    (folder / "audit.log").write_bytes(b"".join(traffic.records()))
    clusters = kubernetes.Clusters.from_folder(folder / "clusters")
    splunk = Echoing(create_app(AuditLog.from_files([folder / "audit.log"])), "/jobs/export")
    inbox = Echoing(segment.create_app(), "/v1/batch")
    with (
        serving(splunk) as splunk_url,
        serving(kubernetes.create_app(clusters)) as kubernetes_url,
        serving(inbox) as segment_url,
    ):
        file = folder / "kubeconfig"
        file.write_text(json.dumps(_kubeconfig(kubernetes_url, cluster_token, list(clusters.names))))
        yield World(
            traffic,
            splunk,
            inbox,
            {"splunk": splunk_url, "segment": segment_url, "kubeconfig": str(file)},
            write_key,
            password,
            token,
            cluster_token,
            frozenset(emails),
        )


def _kubeconfig(url: str, token: str, names: list[str]) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": names[0],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "bridge"}} for name in names],
        "clusters": [{"name": name, "cluster": {"server": f"{url}/clusters/{name}"}} for name in names],
        "users": [{"name": "bridge", "user": {"token": token}}],
    }
