"""What clients ask before they ask for objects: versions, groups, resources, and a corner of OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.kubernetes.objects import Resource

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.4",
    "gitCommit": "0" * 40,
    "gitTreeState": "clean",
    "buildDate": "2025-04-22T16:03:58Z",
    "goVersion": "go1.23.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
CORE_VERSIONS = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
#: kubectl looks here whether the server validates what it applies; without a schema it would refuse to apply.
OPENAPI_PATHS = {"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=0"}}}
OPENAPI_CORE = {
    "openapi": "3.0.0",
    "info": {"title": "Kubernetes", "version": "v1.32.4"},
    "paths": {
        "/api/v1/namespaces/{namespace}/configmaps/{name}": {
            "patch": {
                "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-group-version-kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
            }
        }
    },
}


def group_list(resources: Iterable[Resource]) -> dict[str, Any]:
    """Describe all groups but the core."""
    versions: dict[str, set[str]] = {}
    for resource in resources:
        if resource.group:
            versions.setdefault(resource.group, set()).add(resource.api_version)
    groups = [_group(name, sorted(versions[name])) for name in sorted(versions)]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(resources: Iterable[Resource], name: str) -> dict[str, Any] | None:
    """Describe one group, if there is one."""
    for found in group_list(resources)["groups"]:
        if found["name"] == name:
            return {"kind": "APIGroup", "apiVersion": "v1", **found}
    return None


def _group(name: str, api_versions: list[str]) -> dict[str, Any]:
    versions = [{"groupVersion": version, "version": version.rpartition("/")[2]} for version in api_versions]
    return {"name": name, "versions": versions, "preferredVersion": versions[-1]}


def resource_list(resources: Iterable[Resource], api_version: str, writable: Resource) -> dict[str, Any] | None:
    """Describe the resources of one version of a group, if there are any."""
    described = [
        {
            "name": resource.plural,
            "singularName": resource.kind.lower(),
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": ["create", "delete", "get", "list", "patch", "update"]
            if resource == writable
            else ["get", "list"],
            **({"shortNames": list(resource.short_names)} if resource.short_names else {}),
        }
        for resource in resources
        if resource.api_version == api_version
    ]
    if not described:
        return None
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": described}
