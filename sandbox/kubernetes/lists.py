"""Lists in pages. A token, opaque to clients, holds the moment that the list is of and where to go on."""

from __future__ import annotations

import base64
import binascii
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sandbox.kubernetes.errors import StatusError, bad_request
from sandbox.kubernetes.request import read_flag
from sandbox.kubernetes.selectors import parse_field_selector, parse_label_selector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.kubernetes.objects import Object, Resource
    from sandbox.kubernetes.store import Collection, Store

PARAMETERS = frozenset(
    {"limit", "continue", "labelSelector", "fieldSelector", "resourceVersion", "resourceVersionMatch", "watch"}
)
_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
    "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
    "modified, or deleted between the time the first chunk was returned and now may show up in the list."
)


class _Token(msgspec.Struct):
    v: Literal["meta.k8s.io/v1"]
    rv: int
    #: The key of the last object given out, and a NUL: what comes next is greater or equal.
    start: str
    #: When the list began.
    at: float


def list_objects(
    store: Store, resource: Resource, namespace: str | None, parameters: Mapping[str, str]
) -> dict[str, Any]:
    """Return a list, or a page of it, as JSON; raises StatusError for parameters that make no sense."""
    if read_flag(parameters, "watch"):
        raise StatusError(405, "watches are not implemented")
    limit = _whole_number(parameters, "limit")
    token = _token(store, parameters)
    collection = _collection(store, resource, parameters, token, limit)
    labels = parse_label_selector(parameters.get("labelSelector", ""))
    fields = parse_field_selector(parameters.get("fieldSelector", ""))

    def selected(item: Object) -> bool:
        names = {"metadata.name": item.name, "metadata.namespace": item.namespace}
        return all(label(item.labels) for label in labels) and all(field(names) for field in fields)

    start, end = _range(collection, namespace)
    start = max(start, collection.position(token.start))
    items = list(islice(filter(selected, collection.between(start, end)), limit or None))
    metadata: dict[str, Any] = {"resourceVersion": str(token.rv)}
    if limit and len(items) == limit:
        token.start = f"{items[-1].key}\0"
        left = end - collection.position(token.start)
        if left > 0:
            metadata["continue"] = _encode(token)
            # As in Kubernetes, what is left is counted only where nothing selects among it.
            if not labels and not fields:
                metadata["remainingItemCount"] = left
    return {
        "apiVersion": resource.api_version,
        "kind": f"{resource.kind}List",
        "metadata": metadata,
        "items": [item.json for item in items],
    }


def _range(collection: Collection, namespace: str | None) -> tuple[int, int]:
    if namespace is None:
        return 0, len(collection)
    # The character after the slash ends the namespace's keys.
    return collection.position(f"{namespace}/"), collection.position(f"{namespace}0")


def _collection(
    store: Store, resource: Resource, parameters: Mapping[str, str], token: _Token, limit: int
) -> Collection:
    """Choose the moment to list; a new list's is noted in its token."""
    match = parameters.get("resourceVersionMatch", "")
    if match not in ("", "Exact", "NotOlderThan"):
        raise bad_request(f"resourceVersionMatch: {match!r} is neither Exact nor NotOlderThan")
    if match and not parameters.get("resourceVersion"):
        raise bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
    version = _whole_number(parameters, "resourceVersion")
    if parameters.get("continue"):
        if version:
            raise bad_request("specifying resource version is not allowed when using continue")
        return store.at(resource, token.rv)
    if version > store.revision:
        raise StatusError(504, f"Too large resource version: {version}, current: {store.revision}")
    # Without a word on how to match, a version means "this one" for a page and "this one or later" for a whole list.
    if version and (match == "Exact" or (not match and limit)):
        token.rv = version
        return store.at(resource, version)
    return store.now(resource)


def _token(store: Store, parameters: Mapping[str, str]) -> _Token:
    now = store.clock()
    fresh = _Token("meta.k8s.io/v1", store.revision, "", now)
    if not (text := parameters.get("continue")):
        return fresh
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Token)
    except (binascii.Error, ValueError) as error:
        raise bad_request("continue key is not valid: it is not a token of this server") from error
    if now - token.at >= store.retention:
        fresh.start = token.start
        raise StatusError(410, _EXPIRED, metadata={"continue": _encode(fresh)})
    return token


def _encode(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _whole_number(parameters: Mapping[str, str], name: str) -> int:
    text = parameters.get(name) or "0"
    if not (text.isascii() and text.isdecimal()):
        raise bad_request(f"{name}: Invalid value: {text!r}: it must be a whole number")
    return int(text)
