from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pytest
from kubernetes.client import ApiClient, ApiException, CoreV1Api, CustomObjectsApi, VersionApi
from kubernetes.config import new_client_from_config

from sandbox.kubernetes import Clusters, create_app, kubeconfig
from sandbox.serve import serving
from sandbox.traffic import Plan, Traffic, generate
from segment_bridge.errors import RetryableError
from segment_bridge.identity import user_map, workspace_map
from segment_bridge.kubernetes import Cluster
from segment_bridge.settings import KubernetesSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP = "toolchain.dev.openshift.com"
HOME = "toolchain-host-operator"
TENANTS = f"{GROUP}/type=tenant"
MEMBERS = ("member-1", "member-2")


class Kubectl(Protocol):
    def __call__(self, *arguments: str, stdin: object = None) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return generate(Plan(users=40))


@pytest.fixture(scope="module")
def clusters(traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Clusters:
    folder = tmp_path_factory.mktemp("clusters")
    traffic.clusters.write(folder)
    return Clusters.from_folder(folder)


@pytest.fixture
def config(clusters: Clusters, tmp_path: Path) -> Iterator[Path]:
    with serving(create_app(clusters)) as url:
        path = tmp_path / "kubeconfig"
        path.write_text(kubeconfig(url, clusters))
        yield path


@pytest.fixture
def host(config: Path) -> Iterator[ApiClient]:
    with new_client_from_config(str(config), "host") as client:
        yield client


def names(traffic: Traffic, cluster: str, file: str, label: str = "") -> list[str]:
    """Return the sorted names of the generated objects, of those alone that have the label."""
    key, _, value = label.partition("=")
    metadata = [item["metadata"] for item in traffic.clusters.lists()[cluster][file]["items"]]
    return sorted(meta["name"] for meta in metadata if not label or meta["labels"].get(key) == value)


def settings(config: Path, page_size: int) -> KubernetesSettings:
    return KubernetesSettings(
        host_context="host", member_contexts=MEMBERS, kubeconfig=str(config), page_size=page_size, timeout=10.0
    )


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "users", "namespace": HOME}, "data": data}


def test_the_kubeconfig_whole() -> None:
    expected = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "contexts": [{"name": name, "context": {"cluster": name, "user": "admin"}} for name in ("a", "b-1")],
        "clusters": [
            {"name": name, "cluster": {"server": f"http://admin:changeme@127.0.0.1:1/clusters/{name}"}}
            for name in ("a", "b-1")
        ],
        "users": [{"name": "admin", "user": {"username": "admin", "password": "changeme"}}],
    }
    text = kubeconfig("http://127.0.0.1:1", Clusters({"b-1": [], "a": []}))
    assert msgspec.yaml.decode(text) == expected
    assert text.startswith("apiVersion: v1\nkind: Config\ncurrent-context: a\n")


class TestTheBridge:
    @pytest.mark.parametrize("page_size", [3, 500])
    def test_it_reads_the_maps_of_the_manifest(self, config: Path, traffic: Traffic, page_size: int) -> None:
        asked = settings(config, page_size)
        users = user_map(Cluster.from_context(asked, "host").user_signups())
        members = [Cluster.from_context(asked, name) for name in MEMBERS]
        workspaces = workspace_map(cluster.tenant_namespaces() for cluster in members)
        assert dict(users.entries) == traffic.manifest["users"]
        assert dict(workspaces.entries) == traffic.manifest["workspaces"]

    def test_it_gives_up_a_list_that_always_expires(self, clusters: Clusters, tmp_path: Path) -> None:
        with serving(create_app(clusters, token_lifetime=0)) as url:
            (tmp_path / "kubeconfig").write_text(kubeconfig(url, clusters))
            signups = Cluster.from_context(settings(tmp_path / "kubeconfig", 5), "host").user_signups()
            with pytest.raises(RetryableError, match="the list expired 4 times"):
                next(signups)


class TestTheOfficialClient:
    def test_version(self, host: ApiClient) -> None:
        assert VersionApi(host).get_code().git_version == "v1.32.4"

    def test_pages_of_custom_objects(self, host: ApiClient, traffic: Traffic) -> None:
        api, found, token = CustomObjectsApi(host), [], ""
        while True:
            page = api.list_namespaced_custom_object(
                GROUP, "v1alpha1", HOME, "usersignups", limit=7, **({"_continue": token} if token else {})
            )
            assert (page["kind"], len(page["items"]) <= 7) == ("UserSignupList", True)
            found += page["items"]
            token = page["metadata"].get("continue", "")
            if not token:
                break
        listed = traffic.clusters.lists()["host"]["usersignups.json"]["items"]
        assert found == sorted(listed, key=lambda signup: signup["metadata"]["name"])
        name = found[0]["metadata"]["name"]
        assert api.get_namespaced_custom_object(GROUP, "v1alpha1", HOME, "usersignups", name) == found[0]

    def test_namespaces_by_label(self, config: Path, traffic: Traffic) -> None:
        with new_client_from_config(str(config), "member-1") as client:
            page = CoreV1Api(client).list_namespace(label_selector=TENANTS, limit=2)
            assert len(page.items) == 2
            rest = CoreV1Api(client).list_namespace(label_selector=TENANTS, _continue=page.metadata._continue)
        expected = names(traffic, "member-1", "namespaces.json", TENANTS)
        assert [item.metadata.name for item in (*page.items, *rest.items)] == expected

    def test_a_config_map_from_its_making_to_its_end(self, host: ApiClient) -> None:
        api = CoreV1Api(host)
        made = api.create_namespaced_config_map(HOME, config_map(a="1"))
        made.data["b"] = "2"
        put = api.replace_namespaced_config_map("users", HOME, made)
        assert put.data == {"a": "1", "b": "2"}
        with pytest.raises(ApiException) as caught:
            api.replace_namespaced_config_map("users", HOME, made)
        assert (caught.value.status, json.loads(caught.value.body)["reason"]) == (409, "Conflict")
        patched = api.patch_namespaced_config_map("users", HOME, {"data": {"a": None}})
        assert patched.data == {"b": "2"}
        assert api.read_namespaced_config_map("users", HOME) == patched
        assert api.delete_namespaced_config_map("users", HOME).status == "Success"
        assert api.list_config_map_for_all_namespaces().items == []

    def test_server_side_apply(self, host: ApiClient) -> None:
        api = CoreV1Api(host)

        def apply(manager: str, body: object, **more: object) -> Any:  # noqa: ANN401 - the client has no types
            return api.patch_namespaced_config_map(
                "users", HOME, body, field_manager=manager, _content_type="application/apply-patch+yaml", **more
            )

        first = apply("one", config_map(a="1", b="2"))
        again = apply("one", config_map(a="1", b="2"))
        assert again.metadata.resource_version == first.metadata.resource_version
        with pytest.raises(ApiException) as caught:
            apply("two", config_map(a="9"))
        told = 'Apply failed with 1 conflict: conflict with "one": .data.a'
        assert (caught.value.status, json.loads(caught.value.body)["message"]) == (409, told)
        forced = apply("two", config_map(a="9"), force=True)
        assert forced.data == {"a": "9", "b": "2"}
        assert [(entry.manager, entry.operation, entry.fields_v1) for entry in forced.metadata.managed_fields] == [
            ("one", "Apply", {"f:data": {"f:b": {}}}),
            ("two", "Apply", {"f:data": {"f:a": {}}}),
        ]

    def test_wrong_credentials(self, config: Path) -> None:
        with new_client_from_config(str(config), "host") as client:
            client.configuration.api_key["BearerToken"] = "Bearer wrong"
            client.configuration.refresh_api_key_hook = None
            with pytest.raises(ApiException) as caught:
                CoreV1Api(client).list_namespace()
        assert (caught.value.status, json.loads(caught.value.body)["reason"]) == (401, "Unauthorized")


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
class TestKubectl:
    @pytest.fixture
    def kubectl(self, config: Path, tmp_path: Path) -> Kubectl:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(config)}

        def run(*arguments: str, stdin: object = None) -> subprocess.CompletedProcess[str]:
            text = None if stdin is None else json.dumps(stdin)
            command = ["kubectl", *arguments]
            return subprocess.run(  # noqa: S603 - the arguments are the tests' own
                command, env=environment, input=text, capture_output=True, text=True, timeout=60, check=False
            )

        return run

    def test_lists(self, kubectl: Kubectl, traffic: Traffic) -> None:
        printed = kubectl("get", "namespaces", "--context", "member-1", "--no-headers").stdout
        assert [line.split()[0] for line in printed.splitlines()] == names(traffic, "member-1", "namespaces.json")
        arguments = ("-l", f"{GROUP}/type in (tenant),{GROUP}/space", "--chunk-size=2", "-o=name")
        printed = kubectl("get", "ns", "--context=member-2", *arguments).stdout
        expected = names(traffic, "member-2", "namespaces.json", TENANTS)
        assert printed.split() == [f"namespace/{name}" for name in expected]
        whole = json.loads(kubectl("get", "usersignups", "-n", HOME, "-o=json", "--chunk-size=7").stdout)
        listed = traffic.clusters.lists()["host"]["usersignups.json"]["items"]
        assert whole["items"] == sorted(listed, key=lambda signup: signup["metadata"]["name"])
        assert kubectl("get", "usersignups", "-A", "-o=wide").stdout.split()[:3] == ["NAMESPACE", "NAME", "AGE"]

    def test_apply_get_and_delete(self, kubectl: Kubectl) -> None:
        apply = ("apply", "--server-side", "-f=-")
        for data in ({"a": "1", "b": "2"}, {"a": "1"}):
            assert kubectl(*apply, stdin=config_map(**data)).stdout == "configmap/users serverside-applied\n"
            shown = msgspec.yaml.decode(kubectl("get", "configmap", "users", "-n", HOME, "-o=yaml").stdout)
            assert shown["data"] == data
        refused = kubectl(*apply, "--field-manager=other", stdin=config_map(a="2"))
        assert refused.returncode == 1
        assert 'Apply failed with 1 conflict: conflict with "kubectl": .data.a' in refused.stderr
        forced = kubectl(*apply, "--field-manager=other", "--force-conflicts", stdin=config_map(a="2"))
        assert forced.returncode == 0
        misspelled = kubectl(*apply, stdin={**config_map(), "dta": {}})
        assert "BadRequest" in misspelled.stderr
        deleted = kubectl("delete", "configmap", "users", "-n", HOME)
        assert (deleted.returncode, deleted.stderr) == (0, "")
        gone = kubectl("get", "configmap", "users", "-n", HOME)
        assert gone.stderr == 'Error from server (NotFound): configmaps "users" not found\n'

    def test_apply_on_the_clients_side(self, kubectl: Kubectl) -> None:
        for data, told in (({"a": "1"}, "created"), ({"a": "1"}, "unchanged"), ({"b": "1"}, "configured")):
            assert kubectl("apply", "-f=-", stdin=config_map(**data)).stdout == f"configmap/users {told}\n"
        assert json.loads(kubectl("get", "cm", "users", "-n", HOME, "-o=json").stdout)["data"] == {"b": "1"}
