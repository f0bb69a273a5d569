"""A ConfigMap's fields: what clients may set of it, laid flat, so that writing it is work on dictionaries and sets.

A path is spelled as in managedFields: ("f:data", "f:users.json"), ("f:metadata", "f:labels", "f:app").
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from sandbox.kubernetes.errors import bad_request, invalid
from sandbox.kubernetes.names import is_config_map_key, is_label_key, is_label_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Path = tuple[str, ...]
    Fields = dict[Path, str | bool]
    Record = dict[str, Any]

MAX_DATA = 1_048_576
MAX_ANNOTATIONS = 262_144

_DATA = ("f:data",)
_BINARY = ("f:binaryData",)
_IMMUTABLE = ("f:immutable",)
_LABELS = ("f:metadata", "f:labels")
_ANNOTATIONS = ("f:metadata", "f:annotations")
_MAPS = (_DATA, _BINARY, _LABELS, _ANNOTATIONS)
_TOP = {"apiVersion", "kind", "metadata", "data", "binaryData", "immutable"}
#: These are the server's; what a client says of them counts as a precondition, or not at all.
SERVERS_OWN = {
    *("name", "namespace", "uid", "resourceVersion", "creationTimestamp"),
    *("managedFields", "generation", "selfLink"),
}


def require_known(body: Record) -> None:
    """Raise StatusError (400) for fields that a ConfigMap does not have, or that are not implemented."""
    unknown = sorted(body.keys() - _TOP)
    unknown += sorted(f"metadata.{name}" for name in body["metadata"].keys() - SERVERS_OWN - {"labels", "annotations"})
    if unknown:
        raise bad_request("unknown field, or one not implemented: " + ", ".join(f'"{name}"' for name in unknown))


def flatten(record: Record) -> Fields:
    """Return the fields of a ConfigMap; raises StatusError (400) for values of a wrong type."""
    fields: Fields = {}
    for path in _MAPS:
        values = _value(record, path)
        if values is None:
            continue
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise bad_request(f"ConfigMap in version v1 cannot be handled: {spell(path)} must map text to text")
        fields |= {(*path, f"f:{key}"): value for key, value in values.items()}
    if (immutable := record.get("immutable")) is not None:
        if not isinstance(immutable, bool):
            raise bad_request("ConfigMap in version v1 cannot be handled: .immutable must be true or false")
        fields[_IMMUTABLE] = immutable
    return fields


def unflatten(fields: Mapping[Path, Any]) -> Record:
    """Return the nested form, as it stands in a ConfigMap."""
    return _nest((tuple(part.removeprefix("f:") for part in path), value) for path, value in sorted(fields.items()))


def to_tree(paths: Iterable[Path]) -> Record:
    """Write paths as a FieldsV1."""
    return _nest((path, {}) for path in sorted(paths))


def from_tree(tree: Record, above: Path = ()) -> Iterator[Path]:
    """Read the paths of a FieldsV1."""
    for name, below in tree.items():
        if below:
            yield from from_tree(below, (*above, name))
        else:
            yield (*above, name)


def spell(path: Path) -> str:
    """Write a path as Kubernetes does in its messages."""
    return "".join(f".{part.removeprefix('f:')}" for part in path)


def validate(name: str, before: Fields, fields: Fields) -> None:
    """Raise StatusError (422) that names all that may not be, or may not become so from what was before."""
    flaws = [*_data_flaws(fields), *_metadata_flaws(fields)]
    if before.get(_IMMUTABLE) is True:
        flaws += [
            (path[0][2:], "Forbidden: field is immutable when `immutable` is set")
            for path in (_DATA, _BINARY, _IMMUTABLE)
            if _below(before, path) != _below(fields, path)
        ]
    if flaws:
        raise invalid("ConfigMap", name, flaws)


def _data_flaws(fields: Fields) -> Iterator[tuple[str, str]]:
    size = 0
    for path in (_DATA, _BINARY):
        for key, value in _below(fields, path).items():
            if not is_config_map_key(key):
                told = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                yield f"{path[0][2:]}[{key}]", f'Invalid value: "{key}": {told}'
            size += len(value.encode()) if path == _DATA else _decoded_size(key, value)
    for key in sorted(_below(fields, _DATA).keys() & _below(fields, _BINARY).keys()):
        yield f"data[{key}]", f'Invalid value: "{key}": duplicate of key present in binaryData'
    if size > MAX_DATA:
        yield "[]", f"Too long: may not be more than {MAX_DATA} bytes"


def _metadata_flaws(fields: Fields) -> Iterator[tuple[str, str]]:
    for key, value in _below(fields, _LABELS).items():
        if not is_label_key(key) or not is_label_value(value):
            yield "metadata.labels", f'Invalid value: "{key}={value}": not a label'
    annotations = _below(fields, _ANNOTATIONS)
    for key in annotations:
        if not is_label_key(key):
            yield "metadata.annotations", f'Invalid value: "{key}": not the key of an annotation'
    if sum(len(text.encode()) for entry in annotations.items() for text in entry) > MAX_ANNOTATIONS:
        yield "metadata.annotations", f"Too long: may not be more than {MAX_ANNOTATIONS} bytes"


def _decoded_size(key: str, value: str) -> int:
    try:
        return len(base64.b64decode(value, validate=True))
    except binascii.Error as error:
        raise bad_request(f"ConfigMap in version v1 cannot be handled: .binaryData.{key} is not base64") from error


def _below(fields: Fields, above: Path) -> dict[str, str]:
    """Return the fields of a map by their keys, or the field itself."""
    return {path[-1][2:]: str(value) for path, value in fields.items() if path[: len(above)] == above}


def _value(record: Record, path: Path) -> Any:  # noqa: ANN401 - any JSON
    value: Any = record
    for part in path:
        value = value.get(part.removeprefix("f:"))
    return value


def _nest(entries: Iterable[tuple[Path, Any]]) -> Record:
    tree: Record = {}
    for path, value in entries:
        node = tree
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = value
    return tree
