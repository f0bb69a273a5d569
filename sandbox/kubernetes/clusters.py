"""The objects of several clusters, read from a folder with a subfolder for each."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from sandbox.kubernetes.errors import ClustersError
from sandbox.kubernetes.objects import Object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")
_SUFFIXES = (".json", ".yaml", ".yml")


class Clusters:
    """Objects by cluster, and ``loose`` ones that belong to none; a cluster's name is part of its URL.

    Raises ClustersError for a name that cannot be.
    """

    def __init__(self, objects: Mapping[str, Iterable[Object]], loose: Iterable[Object] = ()) -> None:
        for name in objects:
            if not _NAME.fullmatch(name):
                raise ClustersError(f"{name} cannot be the name of a cluster: use letters, digits, '-', '_' and '.'")
        self._loose = tuple(loose)
        self._objects = {name: tuple(objects[name]) for name in sorted(objects)}

    @classmethod
    def from_folder(cls, folder: Path) -> Clusters:
        """Read a folder; raises ClustersError for a file in it that holds no objects.

        Each subfolder is a cluster, and each .json, .yaml and .yml file in it an object or a list of objects.
        """
        names = [path.name for path in folder.iterdir() if path.is_dir()]
        return cls({name: _read_folder(folder / name) for name in names}, _read_folder(folder))

    @property
    def names(self) -> tuple[str, ...]:
        """The clusters in the order of their names."""
        return tuple(self._objects)

    def objects(self, name: str) -> tuple[Object, ...]:
        """Return the objects of one cluster."""
        return self._objects[name]

    def all_objects(self) -> Iterator[Object]:
        """Give the loose objects and then each cluster's; of two with the same name the later one counts."""
        return chain(self._loose, *self._objects.values())


class _Document(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    items: list[msgspec.Raw] | None = None


def _read_folder(folder: Path) -> Iterator[Object]:
    for path in sorted(folder.iterdir()):
        if path.suffix in _SUFFIXES and path.is_file():
            try:
                yield from _read(path)
            except (ClustersError, msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ClustersError(f"{path}: {error}") from error


def _read(path: Path) -> Iterator[Object]:
    content = path.read_bytes()
    if path.suffix != ".json":
        content = msgspec.json.encode(msgspec.yaml.decode(content))
    document = msgspec.json.decode(content, type=_Document)
    if document.items is None:
        yield Object.of(msgspec.json.decode(content))
        return
    # The items of a list need not repeat what the list's own kind says.
    told = {}
    if document.kind not in ("", "List"):
        told = {"apiVersion": document.api_version, "kind": document.kind.removesuffix("List")}
    for item in document.items:
        yield Object.of({**told, **msgspec.json.decode(item, type=dict)})
