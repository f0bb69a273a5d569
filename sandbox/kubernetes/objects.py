"""Resources and objects, as far as the API server has to know them; the rest of an object is bytes to it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from sandbox.kubernetes.errors import ClustersError


@dataclass(frozen=True)
class Resource:
    """A kind of object and its place in the API."""

    api_version: str
    kind: str
    namespaced: bool
    short_names: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The API group; that of the core is empty."""
        return self.api_version.rpartition("/")[0]

    @cached_property
    def plural(self) -> str:
        """The name in URLs, guessed from the kind as kubectl does."""
        name = self.kind.lower()
        if name.endswith("s"):
            return f"{name}es"
        return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"

    @property
    def qualified(self) -> str:
        """The name in messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


NAMESPACES = Resource("v1", "Namespace", namespaced=False, short_names=("ns",))
CONFIG_MAPS = Resource("v1", "ConfigMap", namespaced=True, short_names=("cm",))
USER_SIGNUPS = Resource("toolchain.dev.openshift.com/v1alpha1", "UserSignup", namespaced=True)


class Object(msgspec.Struct, frozen=True, gc=False):
    """An object: what lists and selectors ask for, and the whole as JSON."""

    api_version: str
    kind: str
    namespace: str
    name: str
    resource_version: str
    labels: dict[str, Any]
    json: msgspec.Raw

    @classmethod
    def of(cls, record: Any) -> Object:  # noqa: ANN401 - any JSON
        """Read an object, and give it a uid and a resourceVersion where it lacks them.

        Raises ClustersError for what is no object.
        """
        try:
            head = msgspec.convert(record, _Head)
        except msgspec.ValidationError as error:
            raise ClustersError(f"not an object: {error}") from error
        meta = head.metadata
        path = f"{head.kind} {meta.namespace}/{meta.name}"
        given = {"uid": meta.uid or str(uuid.uuid5(uuid.NAMESPACE_OID, path)), "resourceVersion": meta.version or "1"}
        whole = {**record, "metadata": {**record["metadata"], **given}}
        return cls(
            head.api_version,
            head.kind,
            meta.namespace,
            meta.name,
            given["resourceVersion"],
            meta.labels or {},
            msgspec.Raw(msgspec.json.encode(whole)),
        )

    @property
    def key(self) -> str:
        """The place among the objects of one resource, which lists are sorted by."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def to_json(self) -> dict[str, Any]:
        """Return the whole, for the caller to change at will."""
        whole: dict[str, Any] = msgspec.json.decode(self.json)
        return whole


class _Metadata(msgspec.Struct):
    name: str
    namespace: str = ""
    uid: str = ""
    version: str = msgspec.field(default="", name="resourceVersion")
    labels: dict[str, Any] | None = None


class _Head(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    metadata: _Metadata
