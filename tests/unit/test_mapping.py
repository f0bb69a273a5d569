from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import kubernetes as stand_in
from sandbox.kubernetes.objects import Object
from sandbox.serve import serving
from segment_bridge import layout, mapping
from segment_bridge.errors import ConfigurationError, RetryableError
from segment_bridge.kubernetes import Cluster
from segment_bridge.report import MapBooks
from segment_bridge.settings import KubernetesSettings
from segment_bridge.staging import Staging
from segment_bridge.tenants import Tenants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP = "toolchain.dev.openshift.com"
NAMESPACE = "segment-bridge"


def signup(name: str, sso_id: str | None = None) -> Object:
    return Object.of(
        {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "UserSignup",
            "metadata": {
                "name": name,
                "namespace": "toolchain-host-operator",
                "annotations": {f"{GROUP}/sso-user-id": sso_id or f"id-{name}"},
            },
            "status": {"compliantUsername": name},
        }
    )


def namespace(name: str, **labels: str) -> Object:
    metadata = {"name": name, "labels": {key.replace("__", "/"): value for key, value in labels.items()}}
    return Object.of({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


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
    assert books.stands_in.startswith("cluster host, asked for UserSignups: no answer from ")
    assert books.stands_in.endswith("; the last good map, 0.0 h old, stands in")


def test_where_there_is_none_the_error_stays(root: Staging, tmp_path: Path) -> None:
    with pytest.raises(RetryableError, match="no answer"):
        mapping.map_users(root, "one", host("http://127.0.0.1:1", tmp_path))


def test_the_map_of_another_cluster_does_not_stand_in(root: Staging, url: str, tmp_path: Path) -> None:
    mapping.map_users(root, "one", host(url, tmp_path))
    with pytest.raises(RetryableError, match="no answer"):
        mapping.map_users(root, "two", host("http://127.0.0.1:1", tmp_path))


def test_ids_that_are_odd_are_counted_in_the_summary(root: Staging, tmp_path: Path) -> None:
    objects = [signup("ann", "null"), signup("bob", "007"), signup("carl", "12345"), signup("dora", "12345")]
    with serving(stand_in.create_app(stand_in.Clusters({"host": objects}))) as url:
        mapping.map_users(root, "one", host(url, tmp_path))
    summary = layout.run_of(root, "one").read_json(layout.map_summary(layout.USERS), MapBooks)
    assert summary == MapBooks(entries=3, skipped=1, collisions=0, unusable_ids=1, shared_ids=1, short_ids=1)
    assert summary.doubts() == (
        "1 UserSignups left out, whose ID identifies nobody, such as null or unknown",
        "1 IDs with several user names each, whose events count as one user's",
        "1 users with an ID of fewer than 5 characters, which Amplitude removes",
    )


def test_those_of_a_map_that_stands_in_are_its_own(root: Staging, tmp_path: Path) -> None:
    with serving(stand_in.create_app(stand_in.Clusters({"host": [signup("ann", "1"), signup("bob", "1")]}))) as url:
        cluster = host(url, tmp_path)
        mapping.map_users(root, "one", cluster)
    books = mapping.map_users(root, "two", cluster)
    assert (books.shared_ids, books.short_ids, bool(books.stands_in)) == (1, 2, True)


class TestTenants:
    """A platform that marks its tenants otherwise."""

    KONFLUX = Tenants(("konflux-ci.dev/type=tenant",), ("konflux-ci.dev/owner",))

    @pytest.fixture
    def member(self, tmp_path: Path) -> Iterator[Cluster]:
        objects = [
            namespace("shop-tenant", **{"konflux-ci.dev__type": "tenant"}),
            namespace("ann-tenant", **{"konflux-ci.dev__type": "tenant", "konflux-ci.dev__owner": "ann"}),
            namespace("default"),
        ]
        with serving(stand_in.create_app(stand_in.Clusters({"host": objects}))) as url:
            yield host(url, tmp_path)

    def test_they_are_found_by_their_own_labels(self, root: Staging, member: Cluster) -> None:
        books = mapping.map_workspaces(root, "one", [member], tenants=self.KONFLUX)
        assert books == MapBooks(entries=1, skipped=1, collisions=0)
        with layout.run_of(root, "one").read(layout.map_file(layout.WORKSPACES)) as file:
            assert json.load(file) == {"ann-tenant": "ann"}

    def test_an_empty_list_is_an_error_that_names_what_it_asked_with(self, root: Staging, member: Cluster) -> None:
        with pytest.raises(ConfigurationError) as caught:
            mapping.map_workspaces(root, "one", [member])
        assert (
            "is refused: it is empty, as there are no namespaces with the label "
            "toolchain.dev.openshift.com/type=tenant (setting tenant_selectors), and there is no last good map"
        ) in str(caught.value)

    def test_so_is_one_without_space_labels(self, root: Staging, member: Cluster) -> None:
        with pytest.raises(ConfigurationError) as caught:
            mapping.map_workspaces(root, "one", [member], tenants=Tenants(self.KONFLUX.selectors))
        assert (
            "is refused: it is empty, as all 2 namespaces with the label "
            "konflux-ci.dev/type=tenant lack the label toolchain.dev.openshift.com/space (setting space_labels), and"
        ) in str(caught.value)

    def test_a_map_by_other_labels_does_not_stand_in(self, root: Staging, member: Cluster) -> None:
        mapping.map_workspaces(root, "one", [member], tenants=self.KONFLUX)
        with pytest.raises(ConfigurationError, match="there is no last good map to stand in"):
            mapping.map_workspaces(root, "two", [member])
