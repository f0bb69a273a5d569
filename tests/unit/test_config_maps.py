"""Maps of every size, published in a stand-in for a cluster and read back from it, over HTTP."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
import requests
import yaml

from sandbox import kubernetes as stand_in
from sandbox.kubernetes.objects import Object
from sandbox.serve import serving
from segment_bridge import config_maps, identity
from segment_bridge.errors import ConfigurationError, RetryableError
from segment_bridge.kubernetes import MAX_CONFIG_MAP, Cluster
from segment_bridge.settings import KubernetesSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

NAMESPACE = "segment-bridge"
#: With an odd name or two, whose bytes are not its characters.
FEW = {**{f"user-{number}": f"{number:08}" for number in range(8)}, "名無しの権兵衛": "9", 'say "cheese"': "10"}
MANY = FEW | {f"user-{number:020}": f"f:528d76ff:{number:012}" for number in range(50_000)}


@dataclass(frozen=True)
class Published:
    """What is published under the name ``uid-map``."""

    cluster: Cluster
    url: str
    #: The verbs and names of all requests for ConfigMaps, as Kubernetes authorizes them.
    asked: set[tuple[str, str]]

    def publish(self, entries: dict[str, str]) -> list[str]:
        return config_maps.publish(self.cluster, NAMESPACE, "uid-map", entries)

    def read(self) -> dict[str, str]:
        return config_maps.read(self.cluster, NAMESPACE, "uid-map")

    def data(self) -> dict[str, dict[str, str]]:
        """Return what the ConfigMaps hold, as any other reader finds it."""
        path = f"{self.url}/clusters/host/api/v1/namespaces/{NAMESPACE}/configmaps"
        items: list[dict[str, Any]] = requests.get(path, auth=("admin", "changeme"), timeout=10).json()["items"]
        return {item["metadata"]["name"]: item.get("data", {}) for item in items}


@pytest.fixture
def published(tmp_path: Path) -> Iterator[Published]:
    namespace = Object.of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    clusters = stand_in.Clusters({"host": [namespace]})
    app = stand_in.create_app(clusters)
    asked: set[tuple[str, str]] = set()

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "/configmaps" in scope["path"] and b"fieldManager" in scope["query_string"]:
            asked.add(("patch", scope["path"].rpartition("/")[2]))
        elif scope["type"] == "http" and b"fieldSelector" in scope["query_string"]:
            (selector,) = parse_qs(scope["query_string"].decode())["fieldSelector"]
            asked.add(("list", selector.removeprefix("metadata.name=")))
        elif scope["type"] == "http" and "/configmaps" in scope["path"]:
            asked.add((scope["method"], scope["path"]))
        await app(scope, receive, send)

    with serving(noting) as url:
        config = tmp_path / "kubeconfig"
        config.write_text(stand_in.kubeconfig(url, clusters))
        settings = KubernetesSettings(host_context="host", member_contexts=(), kubeconfig=str(config))
        yield Published(Cluster.from_context(settings, "host"), url, asked)


def test_a_map_that_fits_is_one_config_map(published: Published) -> None:
    assert published.publish(FEW) == ["uid-map"]
    assert published.data() == {"uid-map": {"uid-map.json": identity.to_json(FEW).decode()}}
    assert published.read() == FEW
    assert published.publish(FEW) == []


@pytest.mark.parametrize("entries", [FEW, MANY], ids=["one", "three"])
def test_the_rights_in_the_manual_on_security_suffice(published: Published, entries: dict[str, str]) -> None:
    published.publish(entries)
    published.publish(entries)
    text = (Path(__file__).parents[2] / "SECURITY.md").read_text()
    roles = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL))
    (rules,) = (role["rules"] for role in roles if role["metadata"]["name"] == "segment-bridge-maps")
    for verb, name in published.asked | {("create", "")}:
        fitting = [rule for rule in rules if verb in rule["verbs"] and name in rule.get("resourceNames", [name])]
        assert [(rule["apiGroups"], rule["resources"]) for rule in fitting] == [([""], ["configmaps"])], (verb, name)
    assert ("list", f"uid-map-{2 if entries is FEW else 4}") in published.asked  # it looks behind the last part


def test_a_map_that_does_not_fit_is_split_in_its_order(published: Published) -> None:
    assert published.publish(MANY) == ["uid-map-2", "uid-map-3", "uid-map"]

    data, whole = published.data(), identity.to_json(MANY)
    names = ["uid-map", "uid-map-2", "uid-map-3"]
    assert sorted(data) == names
    assert [sorted(data[name]) for name in names] == [[f"{name}.json", f"{name}.part"] for name in names]
    assert [json.loads(data[name][f"{name}.part"]) for name in names] == [
        {"digest": sha256(whole).hexdigest(), "part": number, "parts": 3} for number in (1, 2, 3)
    ]
    assert "{" + ",".join(data[name][f"{name}.json"][1:-1] for name in names) + "}" == whole.decode()
    sizes = [sum(len(text.encode()) for entry in data[name].items() for text in entry) for name in names]
    assert MAX_CONFIG_MAP - 2000 < sizes[0] <= MAX_CONFIG_MAP
    assert MAX_CONFIG_MAP - 2000 < sizes[1] <= MAX_CONFIG_MAP

    assert published.read() == MANY
    assert published.publish(MANY) == []


@pytest.mark.parametrize(("more", "names"), [(0, ["uid-map"]), (1, ["uid-map-2", "uid-map"])])
def test_the_limit_is_kept_to_the_byte(published: Published, more: int, names: list[str]) -> None:
    room = MAX_CONFIG_MAP - len("uid-map.json")
    entries = {"a": "x" * 1000_000, "b": ""}
    entries["b"] = "x" * (room - len(identity.to_json(entries)) + more)
    assert published.publish(entries) == names
    assert published.read() == entries


def test_a_map_that_has_shrunk_leaves_no_entries_behind(published: Published) -> None:
    published.publish(MANY)
    fewer = dict(list(MANY.items())[:30_000])
    assert published.publish(fewer) == ["uid-map-2", "uid-map", "uid-map-3"]
    assert published.data()["uid-map-3"] == {}
    assert published.read() == fewer

    assert published.publish(FEW) == ["uid-map", "uid-map-2"]
    assert published.data() == {
        "uid-map": {"uid-map.json": identity.to_json(FEW).decode()},
        "uid-map-2": {},
        "uid-map-3": {},
    }
    assert published.read() == FEW
    assert published.publish(FEW) == []

    assert published.publish(MANY) == ["uid-map-2", "uid-map-3", "uid-map"]
    assert published.read() == MANY


def test_a_reader_takes_no_mixture_of_two_maps(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    published.publish(MANY)
    write = Cluster.publish

    def dying(cluster: Cluster, namespace: str, name: str, data: dict[str, str]) -> bool:
        if name == "uid-map":
            raise RetryableError("no answer")
        return write(cluster, namespace, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(Cluster, "publish", dying)
        with pytest.raises(RetryableError, match="no answer"):
            published.publish(MANY | {"zoe": "1"})
    with pytest.raises(RetryableError) as caught:
        published.read()
    assert str(caught.value) == ("ConfigMap uid-map-2 does not belong to uid-map, which may just be written: try again")

    assert published.publish(MANY | {"zoe": "1"}) == ["uid-map"]
    assert published.read() == MANY | {"zoe": "1"}


def test_an_entry_that_no_config_map_can_hold_is_refused(published: Published) -> None:
    with pytest.raises(ConfigurationError) as caught:
        published.publish({"ann": "7", "zoe": "x" * MAX_CONFIG_MAP})
    size, room = MAX_CONFIG_MAP + len('"zoe":""'), MAX_CONFIG_MAP - 1024 - len("{}")
    assert str(caught.value) == (
        f"an entry of uid-map has {size} bytes, and a ConfigMap can hold {room} of them: "
        "remove the object of this name from the cluster"
    )
    assert published.data() == {}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({}, "ConfigMap uid-map holds no map: check its namespace, and that a run has published it"),
        (
            {"uid-map.json": '{"a":"b"}', "uid-map.part": "1 of 2"},
            "ConfigMap uid-map holds a uid-map.part that is none: publish the map anew",
        ),
    ],
)
def test_what_is_no_map_is_said(published: Published, data: dict[str, str], told: str) -> None:
    published.cluster.publish(NAMESPACE, "uid-map", data)
    with pytest.raises(ConfigurationError) as caught:
        published.read()
    assert str(caught.value) == told
