from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import kubernetes as stand_in
from sandbox.kubernetes.objects import Object
from sandbox.serve import serving
from segment_bridge import layout, mapping
from segment_bridge.errors import RetryableError
from segment_bridge.kubernetes import Cluster
from segment_bridge.settings import KubernetesSettings
from segment_bridge.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP = "toolchain.dev.openshift.com"
NAMESPACE = "segment-bridge"


def signup(name: str) -> Object:
    return Object.of(
        {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "UserSignup",
            "metadata": {
                "name": name,
                "namespace": "toolchain-host-operator",
                "annotations": {f"{GROUP}/sso-user-id": f"id-{name}"},
            },
            "status": {"compliantUsername": name},
        }
    )


def namespace(name: str) -> Object:
    return Object.of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


@pytest.fixture
def root(tmp_path: Path) -> Staging:
    return Staging.at(str(tmp_path / "staging"))


@pytest.fixture
def url() -> Iterator[str]:
    objects = [*(signup(f"user-{n}") for n in range(5)), namespace(NAMESPACE), namespace("toolchain-host-operator")]
    with serving(stand_in.create_app(stand_in.Clusters({"host": objects}))) as address:
        yield address


def host(url: str, tmp_path: Path) -> Cluster:
    config = tmp_path / "kubeconfig"
    config.write_text(stand_in.kubeconfig(url, stand_in.Clusters({"host": []})))
    settings = KubernetesSettings(host_context="host", member_contexts=(), kubeconfig=str(config))
    return Cluster.from_context(settings, "host")


def config_maps(url: str) -> dict[str, Any]:
    answer = requests.get(
        f"{url}/clusters/host/api/v1/namespaces/{NAMESPACE}/configmaps", auth=("admin", "changeme"), timeout=10
    )
    return {item["metadata"]["name"]: item["data"] for item in answer.json()["items"]}


def test_both_maps_are_published_and_only_when_they_have_changed(root: Staging, url: str, tmp_path: Path) -> None:
    run = layout.run_of(root, "one")
    run.write_json(layout.map_file(layout.USERS), {"zoe": "1", "ann": "007"})
    run.write_json(layout.map_file(layout.WORKSPACES), {"ann-tenant": "ann"})
    cluster = host(url, tmp_path)

    assert mapping.publish(run, cluster, NAMESPACE) == ["uid-map", "ws-map"]
    assert config_maps(url) == {
        "uid-map": {"uid-map.json": '{"ann":"007","zoe":"1"}'},
        "ws-map": {"ws-map.json": '{"ann-tenant":"ann"}'},
    }
    assert mapping.publish(run, cluster, NAMESPACE) == []
    run.write_json(layout.map_file(layout.WORKSPACES), {"bob-tenant": "bob"})
    assert mapping.publish(run, cluster, NAMESPACE) == ["ws-map"]
    assert config_maps(url)["ws-map"] == {"ws-map.json": '{"bob-tenant":"bob"}'}


def test_a_map_is_staged_with_its_figures(root: Staging, url: str, tmp_path: Path) -> None:
    books = mapping.map_users(root, "one", host(url, tmp_path))
    run = layout.run_of(root, "one")
    assert (books.entries, books.skipped, books.collisions, books.stands_in) == (5, 0, 0, "")
    with run.read(layout.map_file(layout.USERS)) as file:
        assert json.load(file) == {f"user-{n}": f"id-user-{n}" for n in range(5)}


def test_a_cluster_that_cannot_be_read_leaves_the_last_good_map_at_the_last_try(root: Staging, tmp_path: Path) -> None:
    objects = [signup(f"user-{n}") for n in range(5)]
    with serving(stand_in.create_app(stand_in.Clusters({"host": objects}))) as url:
        cluster = host(url, tmp_path)
        mapping.map_users(root, "one", cluster)
    with pytest.raises(RetryableError):
        mapping.map_users(root, "two", cluster, last_try=False)

    books = mapping.map_users(root, "two", cluster, last_try=True)
    assert books.entries == 5
    assert books.stands_in.startswith("cluster host, asked for UserSignups: no answer (")
    assert books.stands_in.endswith("; the last good map, 0.0 h old, stands in")


def test_where_there_is_none_the_error_stays(root: Staging, tmp_path: Path) -> None:
    with pytest.raises(RetryableError, match="no answer"):
        mapping.map_users(root, "one", host("http://127.0.0.1:1", tmp_path))


def test_the_map_of_another_cluster_does_not_stand_in(root: Staging, url: str, tmp_path: Path) -> None:
    mapping.map_users(root, "one", host(url, tmp_path))
    with pytest.raises(RetryableError, match="no answer"):
        mapping.map_users(root, "two", host("http://127.0.0.1:1", tmp_path))
