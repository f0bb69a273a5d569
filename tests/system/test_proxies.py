"""The command line behind a proxy, before servers whose certificates are of an authority of one's own."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import trustme

from sandbox import kubernetes, segment
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.traffic import Plan, Traffic, generate
from tests.forward_proxy import forward_proxy
from tests.system.stand_ins import FROM, TO, Done, bridge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forward_proxy import ForwardProxy

HOSTS = ("splunk.example.com", "cluster.example.com", "segment.example.com")


@dataclass(frozen=True)
class World:
    """Stand-ins over HTTPS, whose names the proxy alone knows; the ports are in the hosts' order."""

    traffic: Traffic
    clusters: kubernetes.Clusters
    ports: dict[str, int]
    ca_file: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    traffic = generate(Plan(users=5, hours=4))
    traffic.clusters.write(folder / "clusters")
    (folder / "audit.log").write_bytes(b"".join(traffic.records()))
    clusters = kubernetes.Clusters.from_folder(folder / "clusters")
    authority = trustme.CA()
    authority.issue_cert(*HOSTS, "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    apps = (
        create_app(AuditLog.from_files([folder / "audit.log"])),
        kubernetes.create_app(clusters),
        segment.create_app(),
    )
    with ExitStack() as stack:
        urls = [stack.enter_context(serving(app, certificate=str(folder / "server.pem"))) for app in apps]
        ports = {host: urlsplit(url).port or 0 for host, url in zip(HOSTS, urls, strict=True)}
        yield World(traffic, clusters, ports, str(folder / "ca.pem"))


@pytest.fixture
def proxy(world: World) -> Iterator[ForwardProxy]:
    with forward_proxy() as one:
        one.hosts, one.credentials = dict(world.ports), "user:p@ss"
        yield one


def run(world: World, folder: Path, **environment: str) -> Done:
    splunk, cluster, segment_url = (f"https://{host}:{port}" for host, port in world.ports.items())
    (folder / "kubeconfig").write_text(kubernetes.kubeconfig(cluster, world.clusters))
    settings = {
        "SPLUNK_API_URL": splunk,
        "SPLUNK_INDEX": "audit",
        "SPLUNK_USERNAME": "admin",
        "SPLUNK_PASSWORD": "changeme\n",
        "KUBECONFIG": str(folder / "kubeconfig"),
        "HOST_CONTEXT": "host",
        "MEMBER_CONTEXTS": "member-1,member-2",
        "SEGMENT_BATCH_API": segment_url,
        "SEGMENT_WRITE_KEY": "a-write-key\n",
        "SEGMENT_BRIDGE_STAGING": str(folder / "staging"),
        "SEGMENT_BRIDGE_RETRY_PAUSE": "0.01",
    }
    return bridge("run", "--from", FROM, "--to", TO, settings={**settings, **environment})


def test_the_whole_line_goes_through_the_proxy_of_the_environment(
    world: World, proxy: ForwardProxy, tmp_path: Path
) -> None:
    done = run(world, tmp_path, HTTPS_PROXY=proxy.address("user:p%40ss"), SSL_CERT_FILE=world.ca_file)
    assert (done.code, done.err.strip()) == (0, "")
    assert {method for method, _ in proxy.asked} == {"CONNECT"}
    assert {target for _, target in proxy.asked} == {f"{host}:{port}" for host, port in world.ports.items()}


def test_where_the_proxy_lets_nobody_pass_the_line_stops_and_says_so(
    world: World, proxy: ForwardProxy, tmp_path: Path
) -> None:
    done = run(world, tmp_path, HTTPS_PROXY=proxy.address("user:wrong%0Apassword"), SSL_CERT_FILE=world.ca_file)
    cluster = f"cluster.example.com:{world.ports['cluster.example.com']}"
    assert done.code == 2
    assert done.err.splitlines()[-1] == (
        f"segment-bridge: the proxy {proxy.place}, asked for {cluster}, answered 407 Proxy Authentication Required: "
        "check the user name and the password in HTTPS_PROXY"
    )
    assert "wrong" not in done.out + done.err


WITH_LINE_END = """\
apiVersion: v1
kind: Config
contexts: [{name: x, context: {cluster: x, user: x}}]
clusters:
- name: x
  cluster: {server: "https://127.0.0.1:PORT/clusters/host", certificate-authority: ca.pem}
users:
- name: x
  user:
    token: |
      changeme
"""
WITH_PROXY = """\
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: proxyurl, context: {cluster: proxyurl, user: proxyurl}}]
clusters:
- name: proxyurl
  cluster: {server: "https://127.0.0.1:PORT/clusters/host", certificate-authority: ca.pem, proxy-url: "PROXY"}
users:
- name: proxyurl
  user: {token: changeme}
"""


@pytest.mark.parametrize(("context", "text"), [("x", WITH_LINE_END), ("proxyurl", WITH_PROXY)])
def test_maps_from_odd_kubeconfigs(context: str, text: str, world: World, proxy: ForwardProxy, tmp_path: Path) -> None:
    proxy.credentials = ""
    port = world.ports["cluster.example.com"]
    shutil.copy(world.ca_file, tmp_path / "ca.pem")
    (tmp_path / "kubeconfig").write_text(text.replace("PORT", str(port)).replace("PROXY", proxy.url))
    settings = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "NO_PROXY": "*"}
    done = bridge("-v", "maps", "users", "--context", context, settings=settings)
    assert (done.code, json.loads(done.out)) == (0, world.traffic.manifest["users"])
    assert "changeme" not in done.err
    assert proxy.asked == ([("CONNECT", f"127.0.0.1:{port}")] if context == "proxyurl" else [])
