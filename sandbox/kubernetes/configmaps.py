"""The writes: creating, replacing, patching, applying and deleting ConfigMaps."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from sandbox.kubernetes.errors import already_exists, bad_request, conflict, forbidden, invalid, not_found
from sandbox.kubernetes.fields import flatten, require_known, unflatten, validate
from sandbox.kubernetes.names import is_object_name, timestamp
from sandbox.kubernetes.objects import CONFIG_MAPS, NAMESPACES, Object
from sandbox.kubernetes.ownership import Owner, apply, read_owners, update, write_owners

if TYPE_CHECKING:
    from sandbox.kubernetes.fields import Fields, Record
    from sandbox.kubernetes.store import Store

_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
_WRITTEN_ANEW = ("labels", "annotations", "managedFields")


class ConfigMaps:
    """The ConfigMaps of one namespace; ``manager`` is who writes. Each method raises StatusError where it cannot."""

    def __init__(self, store: Store, namespace: str, manager: str = "") -> None:
        self._store = store
        self._namespace = namespace
        self._manager = manager

    def create(self, body: Any) -> Object:  # noqa: ANN401 - any JSON
        """Create one, named by its body."""
        name = _metadata(body).get("name")
        if not name or not isinstance(name, str):
            raise invalid("ConfigMap", "", [("metadata.name", "Required value: name is required")])
        self._check(body, name)
        if self._live(name):
            raise already_exists(CONFIG_MAPS, name)
        return self._create(name, flatten(body))

    def replace(self, name: str, body: Any) -> Object:  # noqa: ANN401 - any JSON
        """Put another in the place of one that exists."""
        self._check(body, name)
        live = self._existing(name)
        _require_same(live, body["metadata"])
        return self._replace(live, flatten(body))

    def merge(self, name: str, patch: Any) -> Object:  # noqa: ANN401 - any JSON
        """Change one by a JSON merge patch (RFC 7386)."""
        live = self._existing(name)
        if not isinstance(patch, dict):
            raise bad_request("the patch is not an object")
        _require_same(live, _metadata(patch))
        body = _merge(live, patch)
        known = _metadata(patch).keys() | {"name", "namespace", "labels", "annotations"}
        self._check({**body, "metadata": {key: _metadata(body).get(key) for key in known}}, name)
        return self._replace(live, flatten(body))

    def apply(self, name: str, body: Any, *, force: bool) -> tuple[Object, bool]:  # noqa: ANN401 - any JSON
        """Server-side apply; also tells whether that created it."""
        meta = _metadata(body)
        if not body.get("apiVersion") or not body.get("kind"):
            raise bad_request("an applied object must have apiVersion and kind")
        if meta.get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        self._check({**body, "metadata": {"name": name, **meta}}, name)
        live = self._live(name)
        if live is None:
            if meta.get("resourceVersion") or meta.get("uid"):
                raise conflict(CONFIG_MAPS, name, "it does not exist, though its uid or resourceVersion is given")
            return self._create(name, flatten(body), operation="Apply"), True
        _require_same(live, meta)
        before = flatten(live)
        fields, owners = apply(before, read_owners(live), flatten(body), self._owner("Apply"), force=force)
        return self._write(live, before, fields, owners), False

    def delete(self, name: str, preconditions: dict[str, Any]) -> Record:
        """Delete one, and return the Status that says so."""
        live = self._existing(name)
        _require_same(live, preconditions)
        self._store.remove(CONFIG_MAPS, f"{self._namespace}/{name}")
        details = {"name": name, "kind": CONFIG_MAPS.plural, "uid": live["metadata"]["uid"]}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def _live(self, name: str) -> Record | None:
        stored = self._store.now(CONFIG_MAPS).get(f"{self._namespace}/{name}")
        return stored.to_json() if stored else None

    def _existing(self, name: str) -> Record:
        live = self._live(name)
        if live is None:
            raise not_found(CONFIG_MAPS, name)
        return live

    def _owner(self, operation: str) -> Owner:
        return Owner(self._manager, operation, timestamp(self._store.clock()))

    def _create(self, name: str, fields: Fields, operation: str = "Update") -> Object:
        namespace = self._store.now(NAMESPACES).get(self._namespace)
        if namespace is None:
            raise not_found(NAMESPACES, self._namespace)
        if (namespace.to_json().get("status") or {}).get("phase") == "Terminating":
            why = f"unable to create new content in namespace {self._namespace} because it is being terminated"
            raise forbidden(CONFIG_MAPS, name, why)
        if not is_object_name(name):
            raise invalid("ConfigMap", name, [("metadata.name", f'Invalid value: "{name}": not a DNS name')])
        owner = self._owner(operation)
        metadata = {
            "name": name,
            "namespace": self._namespace,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": owner.time,
        }
        return self._write({"metadata": metadata}, {}, fields, update(None, [], fields, owner))

    def _replace(self, live: Record, fields: Fields) -> Object:
        before = flatten(live)
        return self._write(live, before, fields, update(before, read_owners(live), fields, self._owner("Update")))

    def _write(self, live: Record, before: Fields, fields: Fields, owners: list[Owner]) -> Object:
        """Store the fields, unless nothing changes."""
        kept = {key: value for key, value in live["metadata"].items() if key not in _WRITTEN_ANEW}
        validate(kept["name"], before, fields)
        if "resourceVersion" in kept and fields == before and owners == read_owners(live):
            return Object.of(live)
        body = unflatten(fields)
        metadata = {**kept, **body.pop("metadata", {}), **({"managedFields": write_owners(owners)} if owners else {})}
        return self._store.put(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **body})

    def _check(self, body: Record, name: str) -> None:
        """Raise StatusError (400) for a body that is not this ConfigMap."""
        meta = _metadata(body)
        for key, expected in (("apiVersion", "v1"), ("kind", "ConfigMap")):
            if body.get(key, expected) != expected:
                raise bad_request(f"the {key} in the data ({body[key]}) does not match the expected one ({expected})")
        if meta.get("name") != name:
            told = f"the name of the object ({meta.get('name')}) does not match the name on the URL ({name})"
            raise bad_request(told)
        if meta.get("namespace") not in (None, "", self._namespace):
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        require_known(body)


def _metadata(body: Any) -> Record:  # noqa: ANN401 - any JSON
    if not isinstance(body, dict):
        raise bad_request("the body is not an object")
    meta = body.get("metadata")
    if not isinstance(meta, dict) and meta is not None:
        raise bad_request("the body's metadata is not an object")
    return meta or {}


def _require_same(live: Record, expected: Record) -> None:
    """Raise StatusError (409) where a uid or a resourceVersion is given and is not the live one."""
    meta = live["metadata"]
    if expected.get("resourceVersion") not in (None, "", meta["resourceVersion"]):
        raise conflict(CONFIG_MAPS, meta["name"], _MODIFIED)
    if expected.get("uid") not in (None, "", meta["uid"]):
        told = f"Precondition failed: UID in precondition: {expected['uid']}, UID in object meta: {meta['uid']}"
        raise conflict(CONFIG_MAPS, meta["name"], told)


def _merge(value: Any, patch: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(patch, dict):
        return patch
    merged = dict(value) if isinstance(value, dict) else {}
    for key, part in patch.items():
        if part is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), part)
    return merged
