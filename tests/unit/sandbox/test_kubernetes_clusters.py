from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.kubernetes import Clusters, ClustersError, create_app
from sandbox.kubernetes.errors import StatusError
from sandbox.kubernetes.selectors import parse_field_selector, parse_label_selector

if TYPE_CHECKING:
    from pathlib import Path


def named(name: str, **more: object) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **more}}


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


class TestFolders:
    def test_each_subfolder_is_a_cluster_and_other_files_stay_unread(self, tmp_path: Path) -> None:
        write(tmp_path / "b" / "one.json", named("ann", uid="u-1", resourceVersion="7"))
        write(tmp_path / "a" / "list.json", {"apiVersion": "v1", "kind": "List", "items": [named("bob"), named("cy")]})
        write(tmp_path / "a" / "notes.txt", "no object")
        write(
            tmp_path / "loose.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: dan, labels: {since: 2026-01-01}}",
        )
        clusters = Clusters.from_folder(tmp_path)
        assert clusters.names == ("a", "b")
        assert [item.name for item in clusters.objects("a")] == ["bob", "cy"]
        assert [item.to_json() for item in clusters.objects("b")] == [named("ann", uid="u-1", resourceVersion="7")]
        everything = list(clusters.all_objects())
        assert [item.name for item in everything] == ["dan", "bob", "cy", "ann"]
        assert everything[0].labels == {"since": "2026-01-01"}

    def test_an_object_gets_the_uid_and_the_version_that_it_lacks_and_the_same_ones_each_time(
        self, tmp_path: Path
    ) -> None:
        write(tmp_path / "a" / "one.json", named("ann"))
        first, second = (Clusters.from_folder(tmp_path).objects("a")[0].to_json() for _ in range(2))
        assert first == second == named("ann", uid=first["metadata"]["uid"], resourceVersion="1")

    def test_items_need_not_repeat_what_the_list_says(self, tmp_path: Path) -> None:
        listed = {"apiVersion": "example.com/v1", "kind": "DoorList", "items": [{"metadata": {"name": "front"}}]}
        write(tmp_path / "a" / "doors.json", listed)
        (door,) = Clusters.from_folder(tmp_path).objects("a")
        assert (door.api_version, door.kind, door.key) == ("example.com/v1", "Door", "front")

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.json", "{"),
            ("a.json", "[]"),
            ("a.json", {"kind": "Namespace", "metadata": {"name": "ann"}}),
            ("a.json", {"apiVersion": "v1", "kind": "List", "items": [{"metadata": {"name": "ann"}}]}),
            ("a.yaml", "a: [\n"),
            ("a.yml", "just text"),
        ],
    )
    def test_a_file_that_holds_no_objects_is_named(self, tmp_path: Path, name: str, content: object) -> None:
        write(tmp_path / "host" / name, content)
        with pytest.raises(ClustersError) as caught:
            Clusters.from_folder(tmp_path)
        assert str(caught.value).startswith(f"{tmp_path / 'host' / name}: ")

    def test_a_name_that_cannot_stand_in_a_url(self) -> None:
        with pytest.raises(ClustersError, match="a/b cannot be the name of a cluster"):
            Clusters({"a/b": []})

    def test_one_kind_is_either_in_namespaces_or_not(self, tmp_path: Path) -> None:
        write(tmp_path / "a" / "one.json", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}})
        with pytest.raises(ClustersError, match="a ConfigMap lacks a namespace"):
            create_app(Clusters.from_folder(tmp_path))


OBJECTS: dict[str, dict[str, str]] = {
    "bare": {},
    "tenant": {"type": "tenant", "example.com/space": "ann"},
    "system": {"type": "system", "empty": ""},
}


class TestSelectors:
    @pytest.mark.parametrize(
        ("selector", "selected"),
        [
            ("", {"bare", "tenant", "system"}),
            ("type=tenant", {"tenant"}),
            ("type==tenant", {"tenant"}),
            ("type = tenant , example.com/space=ann", {"tenant"}),
            ("type=tenant,example.com/space=bob", set()),
            ("type!=tenant", {"bare", "system"}),
            ("type in (tenant)", {"tenant"}),
            ("type in (tenant, system),empty", {"system"}),
            ("type in(system)", {"system"}),
            ("type notin (tenant,other)", {"bare", "system"}),
            ("empty=", {"system"}),
            ("empty in (,x)", {"system"}),
            ("example.com/space", {"tenant"}),
            ("!example.com/space", {"bare", "system"}),
            ("! type", {"bare"}),
            ("type,!empty", {"tenant"}),
            ("in in (x),notin", set()),
        ],
    )
    def test_labels(self, selector: str, selected: set[str]) -> None:
        requirements = parse_label_selector(selector)
        assert {name for name, labels in OBJECTS.items() if all(r(labels) for r in requirements)} == selected

    @pytest.mark.parametrize(
        "selector",
        [
            *(
                "=x",
                "type=a,",
                ",type=a",
                "type in",
                "type in a",
                "type in (a",
                "type=(a)",
                "a b",
                "type=a=b",
                "type>1",
            ),
            *(
                "type=a b",
                "!type=a",
                "type=-a",
                "type in (a b)",
                "Ex ample/x",
                "UPPER.com/x=1",
                "a/b/c",
                "x=" + "y" * 64,
            ),
        ],
    )
    def test_what_is_no_label_selector(self, selector: str) -> None:
        with pytest.raises(StatusError) as caught:
            parse_label_selector(selector)
        assert (caught.value.code, caught.value.body["reason"]) == (400, "BadRequest")

    def test_fields(self) -> None:
        requirements = parse_field_selector("metadata.name=a,metadata.namespace!=b")
        pairs = [("a", "a"), ("a", "b"), ("b", "a")]
        found = [
            all(r({"metadata.name": name, "metadata.namespace": namespace}) for r in requirements)
            for name, namespace in pairs
        ]
        assert found == [True, False, False]

    @pytest.mark.parametrize("selector", ["spec.x=1", "metadata.name", "metadata.name=a,", "metadata.name=a=b"])
    def test_what_is_no_field_selector(self, selector: str) -> None:
        with pytest.raises(StatusError) as caught:
            parse_field_selector(selector)
        assert caught.value.code == 400
