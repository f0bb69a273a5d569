from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.kubernetes import Clusters, create_app
from sandbox.kubernetes.objects import Object
from sandbox.serve import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1767225600.0  # 2026-01-01T00:00:00Z
TIME = "2026-01-01T00:00:00Z"
MAPS = "/clusters/host/api/v1/namespaces/home/configmaps"
USERS = f"{MAPS}/users"
HEADERS = {"Authorization": "Bearer changeme", "User-Agent": "tests/1"}
APPLY = "application/apply-patch+yaml"
SIGNUPS = "/apis/toolchain.dev.openshift.com/v1alpha1/namespaces/home/usersignups"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def record(kind: str, name: str, namespace: str = "", api_version: str = "v1", **labels: str) -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    metadata = {"name": name, **place, "uid": f"uid-{name}", "resourceVersion": "40", "labels": labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def clusters() -> Clusters:
    group = "toolchain.dev.openshift.com/v1alpha1"
    closing = {**record("Namespace", "closing"), "status": {"phase": "Terminating"}}
    host = [
        *(record("Namespace", name, type="tenant") for name in ("home", "garden", "attic")),
        closing,
        *(record("UserSignup", name, "home", group) for name in "edcba"),
        {**record("ConfigMap", "old", "home"), "data": {"a": "1", "b": "2"}},
        record("Policy", "strict", api_version="example.com/v1"),
        record("Policy", "strict", api_version="example.com/v1beta1"),
    ]
    member = [record("Namespace", "home", here="member"), record("Namespace", "shed")]
    return Clusters({"member": map(Object.of, member), "host": map(Object.of, host)}, [Object.of(record("Door", "d"))])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(clock: Clock) -> Iterator[str]:
    with serving(create_app(clusters(), clock=clock)) as address:
        yield address


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    """Serve all tests that change nothing."""
    with serving(create_app(clusters())) as address:
        yield address


def ask(
    url: str, path: str, method: str = "GET", body: object = None, media: str = "application/json", **query: str
) -> tuple[int, Any]:
    content = body if isinstance(body, str | bytes | None) else json.dumps(body)
    headers = HEADERS | ({} if body is None else {"Content-Type": media})
    answer = requests.request(method, url + path, params=query, data=content, headers=headers, timeout=30)
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status_code, answer.json()


def config_map(name: str = "users", labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    metadata = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def apply(url: str, body: object, manager: str = "bridge", path: str = USERS, **query: str) -> tuple[int, Any]:
    return ask(url, path, "PATCH", body, APPLY, fieldManager=manager, **query)


def names(page: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in page["items"]]


def failure(code: int, reason: str, message: str, **more: object) -> tuple[int, dict[str, Any]]:
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return code, {**head, "message": message, "reason": reason, **more, "code": code}


def owner(manager: str, fields: dict[str, Any], operation: str = "Apply", time: str = TIME) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


class TestCredentials:
    @pytest.mark.parametrize(
        "authorization",
        [None, "Bearer wrong", "Basic changeme", "changeme", "Basic " + base64.b64encode(b"admin:wrong").decode()],
    )
    def test_without_good_ones_nothing_is_told(self, shared: str, authorization: str | None) -> None:
        headers = {"Authorization": authorization} if authorization else {}
        for path in ("/api", MAPS, "/nothing"):
            answer = requests.get(shared + path, headers=headers, timeout=10)
            assert (answer.status_code, answer.json()) == failure(401, "Unauthorized", "Unauthorized")

    def test_basic_does_as_well_as_bearer(self, shared: str) -> None:
        answer = requests.get(f"{shared}/version", auth=("admin", "changeme"), timeout=10)
        assert (answer.status_code, answer.json()["gitVersion"]) == (200, "v1.32.4")


class TestDiscovery:
    def test_versions_and_groups(self, shared: str) -> None:
        assert ask(shared, "/clusters/host/api")[1]["versions"] == ["v1"]
        versions = [{"groupVersion": f"example.com/{name}", "version": name} for name in ("v1", "v1beta1")]
        example = {"name": "example.com", "versions": versions, "preferredVersion": versions[-1]}
        assert ask(shared, "/clusters/host/apis/example.com") == (
            200,
            {"kind": "APIGroup", "apiVersion": "v1", **example},
        )
        groups = ask(shared, "/clusters/host/apis")[1]["groups"]
        assert [group["name"] for group in groups] == ["example.com", "toolchain.dev.openshift.com"]
        assert [group["name"] for group in ask(shared, "/clusters/member/apis")[1]["groups"]] == [
            "toolchain.dev.openshift.com"
        ]

    def test_resources(self, shared: str) -> None:
        resources = ask(shared, "/clusters/host/api/v1")[1]["resources"]
        assert resources == [
            {
                "name": "namespaces",
                "singularName": "namespace",
                "namespaced": False,
                "kind": "Namespace",
                "verbs": ["get", "list"],
                "shortNames": ["ns"],
            },
            {
                "name": "configmaps",
                "singularName": "configmap",
                "namespaced": True,
                "kind": "ConfigMap",
                "verbs": ["create", "delete", "get", "list", "patch", "update"],
                "shortNames": ["cm"],
            },
        ]
        (policies,) = ask(shared, "/clusters/host/apis/example.com/v1")[1]["resources"]
        assert (policies["name"], policies["namespaced"]) == ("policies", False)

    @pytest.mark.parametrize(
        "path",
        [
            *(
                "/nothing",
                "/clusters/nobody/api",
                "/clusters/member/apis/example.com",
                "/apis/example.com/v2",
                "/api/v2",
            ),
            *("/api/v1/pods", "/api/v1/namespaces/home/namespaces", "/api/v1/configmaps/old", f"{USERS}/status"),
        ],
    )
    def test_what_is_not_there(self, shared: str, path: str) -> None:
        assert ask(shared, path) == failure(404, "NotFound", "the server could not find the requested resource")


class TestClusters:
    def test_each_has_its_own_objects_and_the_root_those_of_all(self, shared: str) -> None:
        assert names(ask(shared, "/clusters/host/api/v1/namespaces")[1]) == ["attic", "closing", "garden", "home"]
        assert names(ask(shared, "/clusters/member/api/v1/namespaces")[1]) == ["home", "shed"]
        assert names(ask(shared, "/api/v1/namespaces")[1]) == ["attic", "closing", "garden", "home", "shed"]
        assert ask(shared, "/api/v1/namespaces/home")[1]["metadata"]["labels"] == {"here": "member"}
        assert names(ask(shared, "/api/v1/doors")[1]) == ["d"]

    def test_a_write_changes_one_cluster_alone(self, url: str) -> None:
        assert apply(url, config_map(a="1"))[0] == 201
        assert ask(url, USERS)[0] == 200
        for path in ("/api/v1/namespaces/home/configmaps/users", USERS.replace("host", "member")):
            gone = failure(
                404, "NotFound", 'configmaps "users" not found', details={"name": "users", "kind": "configmaps"}
            )
            assert ask(url, path) == gone

    def test_no_clusters_at_all(self) -> None:
        with serving(create_app(Clusters({}))) as address:
            assert ask(address, "/api/v1/namespaces") == (
                200,
                {"apiVersion": "v1", "kind": "NamespaceList", "metadata": {"resourceVersion": "1"}, "items": []},
            )


class TestLists:
    def test_a_whole_list(self, shared: str) -> None:
        assert ask(shared, f"/clusters/host{SIGNUPS}") == (
            200,
            {
                "apiVersion": "toolchain.dev.openshift.com/v1alpha1",
                "kind": "UserSignupList",
                "metadata": {"resourceVersion": "40"},
                "items": [
                    record("UserSignup", name, "home", "toolchain.dev.openshift.com/v1alpha1") for name in "abcde"
                ],
            },
        )

    def test_namespaces_do_not_mix(self, shared: str) -> None:
        for path in ("garden", "hom", "home0"):
            assert names(ask(shared, f"/clusters/host/api/v1/namespaces/{path}/configmaps")[1]) == []
        assert names(ask(shared, "/clusters/host/api/v1/configmaps")[1]) == ["old"]

    def test_pages(self, shared: str) -> None:
        seen, query = [], {"limit": "2"}
        while True:
            page = ask(shared, f"/clusters/host{SIGNUPS}", **query)[1]
            seen.append((names(page), page["metadata"].get("remainingItemCount"), page["metadata"]["resourceVersion"]))
            if "continue" not in page["metadata"]:
                break
            query["continue"] = page["metadata"]["continue"]
        assert seen == [(["a", "b"], 3, "40"), (["c", "d"], 1, "40"), (["e"], None, "40")]
        assert page["metadata"] == {"resourceVersion": "40"}

    def test_pages_of_exactly_the_limit_end_without_a_token(self, shared: str) -> None:
        assert ask(shared, f"/clusters/host{SIGNUPS}", limit="5")[1]["metadata"] == {"resourceVersion": "40"}
        assert ask(shared, f"/clusters/host{SIGNUPS}", limit="0")[1]["metadata"] == {"resourceVersion": "40"}

    def test_with_a_selector_what_is_left_is_not_counted_and_may_be_nothing(self, shared: str) -> None:
        query = {"limit": "3", "labelSelector": "type=tenant"}
        page = ask(shared, "/clusters/host/api/v1/namespaces", **query)[1]
        assert names(page) == ["attic", "garden", "home"]
        assert page["metadata"] == {"resourceVersion": "40"}
        query = {"limit": "1", "fieldSelector": "metadata.name=garden"}
        page = ask(shared, "/clusters/host/api/v1/namespaces", **query)[1]
        assert (names(page), page["metadata"].keys()) == (["garden"], {"resourceVersion", "continue"})
        query["continue"] = page["metadata"]["continue"]
        page = ask(shared, "/clusters/host/api/v1/namespaces", **query)[1]
        assert (names(page), page["metadata"]) == ([], {"resourceVersion": "40"})

    def test_a_list_is_of_one_moment_whatever_is_written_meanwhile(self, url: str) -> None:
        for name in "abc":
            apply(url, config_map(name, a="1"), path=f"{MAPS}/{name}")
        first = ask(url, MAPS, limit="1")[1]
        assert (names(first), first["metadata"]["remainingItemCount"]) == (["a"], 3)
        ask(url, f"{MAPS}/b", "DELETE")
        apply(url, config_map("aa", a="1"), path=f"{MAPS}/aa")
        apply(url, config_map("c", a="2"), path=f"{MAPS}/c")
        rest = ask(url, MAPS, **{"continue": first["metadata"]["continue"]})[1]
        assert names(rest) == ["b", "c", "old"]
        assert rest["items"][1]["data"] == {"a": "1"}
        assert (
            rest["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]} == {"resourceVersion": "43"}
        )
        now = ask(url, MAPS)[1]
        assert (names(now), now["metadata"]) == (["a", "aa", "c", "old"], {"resourceVersion": "46"})
        assert names(ask(url, MAPS, resourceVersion="43", resourceVersionMatch="Exact")[1]) == ["a", "b", "c", "old"]
        assert names(ask(url, MAPS, resourceVersion="43", limit="9")[1]) == ["a", "b", "c", "old"]
        assert names(ask(url, MAPS, resourceVersion="43")[1]) == ["a", "aa", "c", "old"]

    def test_a_token_expires_and_the_one_offered_instead_goes_on_with_what_is_there_now(
        self, url: str, clock: Clock
    ) -> None:
        apply(url, config_map("a", a="1"), path=f"{MAPS}/a")
        token = ask(url, MAPS, limit="1")[1]["metadata"]["continue"]
        clock.now += 299.5
        apply(url, config_map("b", a="1"), path=f"{MAPS}/b")
        assert names(ask(url, MAPS, **{"continue": token})[1]) == ["old"]
        clock.now += 0.5
        code, status = ask(url, MAPS, **{"continue": token})
        offered = status["metadata"].pop("continue")
        assert (code, status["reason"], status["code"], status["metadata"]) == (410, "Expired", 410, {})
        assert "too old to display a consistent list result" in status["message"]
        assert names(ask(url, MAPS, **{"continue": offered})[1]) == ["b", "old"]

    def test_what_was_before_is_forgotten_when_no_token_can_lead_there(self, url: str, clock: Clock) -> None:
        apply(url, config_map("a", a="1"), path=f"{MAPS}/a")
        clock.now += 300
        apply(url, config_map("b", a="1"), path=f"{MAPS}/b")
        assert names(ask(url, MAPS, resourceVersion="41", resourceVersionMatch="Exact")[1]) == ["a", "old"]
        assert ask(url, MAPS, resourceVersion="40", resourceVersionMatch="Exact") == failure(
            410, "Expired", "The resourceVersion for the provided list is too old."
        )

    def test_a_lifetime_of_nothing_makes_every_token_an_expired_one(self) -> None:
        with serving(create_app(clusters(), token_lifetime=0)) as address:
            token = ask(address, f"/clusters/host{SIGNUPS}", limit="1")[1]["metadata"]["continue"]
            assert ask(address, f"/clusters/host{SIGNUPS}", **{"continue": token})[0] == 410

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"continue": "garbage"}, 400),
            ({"continue": "!"}, 400),
            ({"continue": base64.urlsafe_b64encode(b'{"v":"meta.k8s.io/v1"}').decode()}, 400),
            ({"limit": "-1"}, 400),
            ({"limit": "many"}, 400),
            ({"labelSelector": "a b"}, 400),
            ({"fieldSelector": "spec.x=1"}, 400),
            ({"resourceVersion": "x"}, 400),
            ({"resourceVersion": "41"}, 504),
            ({"resourceVersionMatch": "Exact"}, 400),
            ({"resourceVersion": "1", "resourceVersionMatch": "Older"}, 400),
            ({"sendInitialEvents": "true"}, 400),
            ({"watch": "true"}, 405),
            ({"watch": "1"}, 405),
            ({"watch": "perhaps"}, 400),
        ],
        ids=repr,
    )
    def test_what_is_wrong_or_not_implemented(self, shared: str, query: dict[str, str], code: int) -> None:
        answered, status = ask(shared, MAPS, **query)
        assert (answered, status["kind"], status["code"]) == (code, "Status", code)

    def test_a_version_cannot_go_with_a_token(self, shared: str) -> None:
        token = ask(shared, f"/clusters/host{SIGNUPS}", limit="1")[1]["metadata"]["continue"]
        query = {"continue": token, "resourceVersion": "40"}
        assert ask(shared, f"/clusters/host{SIGNUPS}", **query)[0] == 400
        assert ask(shared, f"/clusters/host{SIGNUPS}", **query | {"resourceVersion": "0"})[0] == 200


class TestApply:
    def test_a_new_one(self, url: str) -> None:
        code, made = apply(url, config_map(labels={"app": "x"}, **{"a.json": "{}"}))
        uid = made["metadata"].pop("uid")
        assert (code, made) == (
            201,
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": "users",
                    "namespace": "home",
                    "creationTimestamp": TIME,
                    "labels": {"app": "x"},
                    "managedFields": [
                        owner("bridge", {"f:data": {"f:a.json": {}}, "f:metadata": {"f:labels": {"f:app": {}}}})
                    ],
                    "resourceVersion": "41",
                },
                "data": {"a.json": "{}"},
            },
        )
        made["metadata"]["uid"] = uid
        assert ask(url, USERS) == (200, made)

    def test_an_unchanged_one_changes_nothing(self, url: str, clock: Clock) -> None:
        made = apply(url, config_map(a="1"))[1]
        clock.now += 60
        assert apply(url, config_map(a="1")) == (200, made)
        assert ask(url, MAPS)[1]["metadata"] == {"resourceVersion": "41"}

    def test_yaml(self, url: str) -> None:
        text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: users\ndata:\n  a: |\n    two\n    lines\n"
        assert apply(url, text)[1]["data"] == {"a": "two\nlines\n"}
        assert apply(url, text.replace("|\n    two\n    lines", "2"))[0] == 400
        assert apply(url, "a: [")[0] == 400

    def test_fields_that_are_applied_no_more_go(self, url: str, clock: Clock) -> None:
        apply(url, config_map(a="1", b="2"))
        clock.now += 60
        code, made = apply(url, config_map(b="2", c="3"))
        assert (code, made["data"], made["metadata"]["resourceVersion"]) == (200, {"b": "2", "c": "3"}, "42")
        assert made["metadata"]["managedFields"] == [
            owner("bridge", {"f:data": {"f:b": {}, "f:c": {}}}, time="2026-01-01T00:01:00Z")
        ]
        assert made["metadata"]["creationTimestamp"] == TIME

    def test_another_managers_fields_are_defended_unless_the_value_is_the_same(self, url: str) -> None:
        apply(url, config_map(a="1", b="2"), "first")
        causes = [
            {"reason": "FieldManagerConflict", "message": 'conflict with "first"', "field": field}
            for field in (".data.a", ".data.b")
        ]
        assert apply(url, config_map(a="1", b="3", c="4"), "second") == failure(
            409,
            "Conflict",
            'Apply failed with 1 conflict: conflict with "first": .data.b',
            details={"causes": causes[1:]},
        )
        assert apply(url, config_map(a="2", b="3", c="4"), "second") == failure(
            409,
            "Conflict",
            'Apply failed with 2 conflicts: conflicts with "first":\n- .data.a\n- .data.b',
            details={"causes": causes},
        )
        assert ask(url, USERS)[1]["data"] == {"a": "1", "b": "2"}
        shared = apply(url, config_map(a="1", c="4"), "second")[1]
        assert shared["data"] == {"a": "1", "b": "2", "c": "4"}
        assert shared["metadata"]["managedFields"] == [
            owner("first", {"f:data": {"f:a": {}, "f:b": {}}}),
            owner("second", {"f:data": {"f:a": {}, "f:c": {}}}),
        ]
        kept = apply(url, config_map(c="4"), "second")[1]
        assert kept["data"] == {"a": "1", "b": "2", "c": "4"}

    def test_force_takes_them(self, url: str) -> None:
        apply(url, config_map(a="1", b="2"), "first")
        assert apply(url, config_map(b="3"), "second", force="False")[0] == 409
        code, taken = apply(url, config_map(b="3"), "second", force="true")
        assert (code, taken["data"]) == (200, {"a": "1", "b": "3"})
        assert taken["metadata"]["managedFields"] == [
            owner("first", {"f:data": {"f:a": {}}}),
            owner("second", {"f:data": {"f:b": {}}}),
        ]
        assert apply(url, config_map(a="1"), "first")[1]["data"] == {"a": "1", "b": "3"}

    def test_what_nobody_is_known_to_own_is_defended_too(self, url: str) -> None:
        old = f"{MAPS}/old"
        code, status = apply(url, config_map("old", a="2"), path=old)
        told = 'conflict with "before-first-apply" using v1: .data.a'
        assert (code, status["message"]) == (409, f"Apply failed with 1 conflict: {told}")
        forced = apply(url, config_map("old", a="2"), path=old, force="true")[1]
        assert (forced["data"], forced["metadata"]["managedFields"]) == (
            {"a": "2", "b": "2"},
            [owner("bridge", {"f:data": {"f:a": {}}}), owner("before-first-apply", {"f:data": {"f:b": {}}}, "Update")],
        )

    def test_what_is_replaced_before_anybody_applies_it_stays_nobodys(self, url: str) -> None:
        put = ask(url, f"{MAPS}/old", "PUT", config_map("old", a="2"))[1]
        assert put == {
            **record("ConfigMap", "old", "home"),
            "metadata": {"name": "old", "namespace": "home", "uid": "uid-old", "resourceVersion": "41"},
            "data": {"a": "2"},
        }

    def test_what_a_program_wrote_by_other_ways_is_its_own(self, url: str) -> None:
        apply(url, config_map(a="1", b="2"))
        patched = ask(url, USERS, "PATCH", {"data": {"a": "9"}}, "application/merge-patch+json")[1]
        assert patched["metadata"]["managedFields"] == [
            owner("bridge", {"f:data": {"f:b": {}}}),
            owner("tests", {"f:data": {"f:a": {}}}, "Update"),
        ]
        assert apply(url, config_map(a="1"))[1]["message"] == (
            'Apply failed with 1 conflict: conflict with "tests" using v1: .data.a'
        )

    @pytest.mark.parametrize(
        ("body", "query", "code"),
        [
            (config_map("other"), {}, 400),
            (config_map() | {"kind": "Secret"}, {}, 400),
            (config_map() | {"apiVersion": "v2"}, {}, 400),
            ({"metadata": {"name": "users"}}, {}, 400),
            (config_map() | {"dta": {}}, {}, 400),
            (config_map() | {"data": {"a": 1}}, {}, 400),
            (config_map() | {"data": []}, {}, 400),
            (config_map() | {"immutable": "yes"}, {}, 400),
            (config_map() | {"binaryData": {"a": "?"}}, {}, 400),
            (config_map() | {"metadata": {"name": "users", "namespace": "garden"}}, {}, 400),
            (config_map() | {"metadata": {"name": "users", "managedFields": [{}]}}, {}, 400),
            (config_map() | {"metadata": {"name": "users", "finalizers": ["x"]}}, {}, 400),
            (config_map() | {"metadata": {"name": "users", "resourceVersion": "3"}}, {}, 409),
            (config_map() | {"metadata": []}, {}, 400),
            ([], {}, 400),
            (config_map(), {"dryRun": "All"}, 400),
            (config_map(), {"force": "perhaps"}, 400),
            (config_map(a="x" * 3_200_000), {}, 413),
            (config_map() | {"data": {"a b": "1"}}, {}, 422),
            (config_map(labels={"app": "a b"}), {}, 422),
            (config_map() | {"metadata": {"name": "users", "annotations": {"a": "x" * 262_144}}}, {}, 422),
        ],
        ids=lambda value: repr(value)[:80],
    )
    def test_what_cannot_be_applied(self, shared: str, body: object, query: dict[str, str], code: int) -> None:
        answered, status = apply(shared, body, **query)
        assert (answered, status["kind"], status["code"]) == (code, "Status", code)
        assert ask(shared, USERS)[0] == 404

    def test_the_manager_has_to_be_named(self, shared: str) -> None:
        cause = {"reason": "FieldValueRequired", "message": "Required value: is required for apply patch"}
        assert ask(shared, USERS, "PATCH", config_map(a="1"), APPLY) == failure(
            422,
            "Invalid",
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
            details={
                "name": "",
                "group": "meta.k8s.io",
                "kind": "PatchOptions",
                "causes": [cause | {"field": "fieldManager"}],
            },
        )

    def test_a_mebibyte_of_data_and_a_byte_more(self, url: str) -> None:
        # What counts are the bytes of the values.
        half = {"a": "é" * 262_144, "b": "x" * 524_288}
        assert apply(url, config_map() | {"data": half})[0] == 201
        message = "Too long: may not be more than 1048576 bytes"
        cause = {"reason": "FieldValueTooLong", "message": message, "field": "[]"}
        assert apply(url, config_map() | {"data": {**half, "c": "x"}}) == failure(
            422,
            "Invalid",
            f'ConfigMap "users" is invalid: []: {message}',
            details={"name": "users", "kind": "ConfigMap", "causes": [cause]},
        )
        assert ask(url, USERS)[1]["data"] == half

    def test_binary_data_counts_as_what_it_stands_for(self, url: str) -> None:
        body = config_map("bin", a="1") | {"binaryData": {"b": base64.b64encode(b"\0" * 1_048_575).decode()}}
        assert apply(url, body, path=f"{MAPS}/bin")[0] == 201
        body["data"]["a"] = "12"
        assert apply(url, body, path=f"{MAPS}/bin")[0] == 422
        body["data"] = {"b": "1"}
        assert "duplicate of key present in binaryData" in apply(url, body, path=f"{MAPS}/bin")[1]["message"]

    def test_a_namespace_that_is_not_there_or_about_to_go(self, shared: str) -> None:
        assert apply(shared, config_map(a="1"), path=USERS.replace("home", "nowhere")) == failure(
            404, "NotFound", 'namespaces "nowhere" not found', details={"name": "nowhere", "kind": "namespaces"}
        )
        told = "unable to create new content in namespace closing because it is being terminated"
        assert apply(shared, config_map(a="1"), path=USERS.replace("home", "closing")) == failure(
            403,
            "Forbidden",
            f'configmaps "users" is forbidden: {told}',
            details={"name": "users", "kind": "configmaps"},
        )

    def test_an_immutable_one(self, url: str) -> None:
        body = config_map(a="1") | {"immutable": True}
        assert apply(url, body)[1]["immutable"] is True
        assert apply(url, body | {"data": {"a": "2"}})[0] == 422
        assert apply(url, config_map(a="1"))[0] == 422
        assert apply(url, body | {"metadata": {"name": "users", "labels": {"x": "y"}}})[0] == 200

    def test_it_can_be_tied_to_a_version(self, url: str) -> None:
        made = apply(url, config_map(a="1"))[1]["metadata"]
        body = config_map(a="2")
        for key in ("resourceVersion", "uid"):
            assert apply(url, body | {"metadata": {"name": "users", key: "other"}})[0] == 409
        body["metadata"] |= {key: made[key] for key in ("resourceVersion", "uid")}
        assert apply(url, body)[0] == 200
        assert apply(url, body | {"data": {"a": "3"}})[0] == 409


class TestOtherWrites:
    def test_post(self, url: str) -> None:
        code, made = ask(url, MAPS, "POST", {"metadata": {"name": "users"}, "data": {"a": "1"}}, fieldManager="me")
        assert (code, made["kind"], made["data"]) == (201, "ConfigMap", {"a": "1"})
        assert made["metadata"]["managedFields"] == [owner("me", {"f:data": {"f:a": {}}}, "Update")]
        details = {"name": "users", "kind": "configmaps"}
        assert ask(url, MAPS, "POST", config_map()) == failure(
            409, "AlreadyExists", 'configmaps "users" already exists', details=details
        )
        assert ask(url, MAPS, "POST", {"data": {}})[0] == 422
        assert ask(url, MAPS, "POST", config_map("Ann"))[0] == 422
        assert ask(url, MAPS, "POST", "{")[0] == 400
        assert ask(url, MAPS.replace("home", "nowhere"), "POST", config_map())[0] == 404

    def test_put(self, url: str) -> None:
        made = ask(url, MAPS, "POST", config_map(a="1", b="2"))[1]
        code, put = ask(url, USERS, "PUT", {**made, "data": {"b": "2", "c": "3"}}, fieldManager="other")
        assert (code, put["data"]) == (200, {"b": "2", "c": "3"})
        assert put["metadata"] == {
            **made["metadata"],
            "resourceVersion": "42",
            "managedFields": [
                owner("other", {"f:data": {"f:c": {}}}, "Update"),
                owner("tests", {"f:data": {"f:b": {}}}, "Update"),
            ],
        }
        assert ask(url, USERS, "PUT", put) == (200, put)
        message = "the object has been modified; please apply your changes to the latest version and try again"
        assert ask(url, USERS, "PUT", made) == failure(
            409,
            "Conflict",
            f'Operation cannot be fulfilled on configmaps "users": {message}',
            details={"name": "users", "kind": "configmaps"},
        )
        assert ask(url, USERS, "PUT", config_map(a="1"))[1]["data"] == {"a": "1"}
        assert ask(url, f"{MAPS}/other", "PUT", config_map("other"))[0] == 404
        assert ask(url, f"{MAPS}/other", "PUT", config_map())[0] == 400

    @pytest.mark.parametrize("media", ["application/merge-patch+json", "application/strategic-merge-patch+json"])
    def test_merge_patches(self, url: str, media: str) -> None:
        ask(url, MAPS, "POST", config_map(labels={"x": "1"}, a="1", b="2"))
        patch = {"metadata": {"labels": None, "annotations": {"n": "v"}}, "data": {"a": None, "c": "3"}}
        code, patched = ask(url, USERS, "PATCH", patch, media)
        assert (code, patched["data"], patched["metadata"]["annotations"]) == (200, {"b": "2", "c": "3"}, {"n": "v"})
        assert "labels" not in patched["metadata"]
        assert ask(url, USERS, "PATCH", {"data": {"c": "3"}}, media) == (200, patched)
        for wrong, status in (
            ([], 400),
            ({"metadata": None}, 400),
            ({"metadata": {"name": "x"}}, 400),
            ({"x": 1}, 400),
        ):
            assert ask(url, USERS, "PATCH", wrong, media)[0] == status
        assert ask(url, USERS, "PATCH", {"metadata": {"resourceVersion": "1"}}, media)[0] == 409
        assert ask(url, USERS, "PATCH", {}, media, force="true")[0] == 422
        assert ask(url, f"{MAPS}/none", "PATCH", {}, media)[0] == 404

    def test_delete(self, url: str) -> None:
        uid = apply(url, config_map(a="1"))[1]["metadata"]["uid"]
        assert ask(url, USERS, "DELETE", {"preconditions": {"uid": "other"}})[0] == 409
        assert ask(url, USERS, "DELETE", {"dryRun": ["All"]})[0] == 400
        assert ask(url, USERS, "DELETE", [])[0] == 400
        assert ask(url, USERS, "DELETE", {"preconditions": {"uid": uid}}, propagationPolicy="Background") == (
            200,
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {"name": "users", "kind": "configmaps", "uid": uid},
            },
        )
        assert ask(url, USERS, "DELETE")[0] == 404

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/api/v1/namespaces"),
            ("DELETE", "/api/v1/namespaces/home"),
            ("PATCH", f"{SIGNUPS}/a"),
            ("POST", "/api/v1/configmaps"),
            ("DELETE", "/api/v1/namespaces/home/configmaps"),
            ("POST", "/api/v1/namespaces/home/configmaps/old"),
            ("POST", "/api"),
        ],
    )
    def test_what_is_not_written(self, shared: str, method: str, path: str) -> None:
        code, status = ask(shared, f"/clusters/host{path}", method, {})
        assert (code, status["reason"], status["code"]) == (405, "MethodNotAllowed", 405)

    @pytest.mark.parametrize(
        ("method", "path", "media"),
        [
            ("PATCH", USERS, "application/json-patch+json"),
            ("PATCH", USERS, "application/json"),
            ("POST", MAPS, "application/vnd.kubernetes.protobuf"),
        ],
    )
    def test_a_body_of_another_kind(self, shared: str, method: str, path: str, media: str) -> None:
        code, status = ask(shared, path, method, config_map(), media, fieldManager="x")
        assert (code, status["reason"]) == (415, "UnsupportedMediaType")

    def test_a_parameter_given_twice(self, shared: str) -> None:
        answer = requests.get(f"{shared}{MAPS}?limit=1&limit=2", headers=HEADERS, timeout=10)
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
