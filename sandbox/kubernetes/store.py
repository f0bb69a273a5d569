"""One cluster's objects, and what they were a while ago: a list that comes in pages is of one moment."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.kubernetes.errors import ClustersError, StatusError
from sandbox.kubernetes.objects import CONFIG_MAPS, NAMESPACES, USER_SIGNUPS, Object, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TOO_OLD = "The resourceVersion for the provided list is too old."


class Collection:
    """The objects of one resource at one moment; never changes."""

    def __init__(self, objects: dict[str, Object]) -> None:
        self._objects = objects
        self._keys = sorted(objects)

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: str) -> Object | None:
        """Return the object with the key."""
        return self._objects.get(key)

    def position(self, key: str) -> int:
        """Return the number of objects that come before the key."""
        return bisect_left(self._keys, key)

    def between(self, start: int, end: int) -> Iterator[Object]:
        """Give the objects at these positions, in the order of their keys."""
        return (self._objects[self._keys[place]] for place in range(start, end))

    def changed(self, key: str, value: Object | None) -> Collection:
        """Return a collection with another object at the key, or none."""
        objects = {**self._objects, **({key: value} if value else {})}
        if value is None:
            del objects[key]
        return Collection(objects)


@dataclass(frozen=True)
class _Moment:
    revision: int
    made_at: float
    collection: Collection


class Store:
    """The objects of a cluster, writable.

    ``clock`` tells the time in seconds since the epoch. For ``retention`` seconds after a write, what was before
    can still be read.
    """

    def __init__(self, objects: Iterable[Object], clock: Callable[[], float], retention: float) -> None:
        self.clock = clock
        self.retention = retention
        loaded: dict[tuple[str, str], dict[str, Object]] = {}
        for item in objects:
            loaded.setdefault((item.api_version, item.kind), {})[item.key] = item
        self.resources: dict[tuple[str, str], Resource] = {}
        self._history: dict[Resource, list[_Moment]] = {}
        versions = (item.resource_version for kind in loaded.values() for item in kind.values())
        self.revision = max((int(version) for version in versions if version.isdecimal()), default=1)
        for resource in (NAMESPACES, CONFIG_MAPS, USER_SIGNUPS):
            self._add(resource, loaded.pop((resource.api_version, resource.kind), {}))
        for (api_version, kind), items in sorted(loaded.items()):
            namespaced = any(item.namespace for item in items.values())
            self._add(Resource(api_version, kind, namespaced), items)

    def _add(self, resource: Resource, items: dict[str, Object]) -> None:
        if any(bool(item.namespace) != resource.namespaced for item in items.values()):
            wrong = "lacks a namespace" if resource.namespaced else "has a namespace"
            raise ClustersError(f"a {resource.kind} {wrong}, unlike others of its kind")
        self.resources[resource.api_version, resource.plural] = resource
        self._history[resource] = [_Moment(self.revision, self.clock(), Collection(items))]

    def now(self, resource: Resource) -> Collection:
        """Return the objects as they are."""
        return self._history[resource][-1].collection

    def at(self, resource: Resource, revision: int) -> Collection:
        """Return the objects as they were at a revision; raises StatusError (410) where that is forgotten."""
        for moment in reversed(self._history[resource]):
            if moment.revision <= revision:
                return moment.collection
        raise StatusError(410, TOO_OLD)

    def put(self, resource: Resource, record: dict[str, Any]) -> Object:
        """Write an object, which gets the next revision as its resourceVersion."""
        metadata = {**record["metadata"], "resourceVersion": str(self.revision + 1)}
        stored = Object.of({**record, "metadata": metadata})
        self._write(resource, stored.key, stored)
        return stored

    def remove(self, resource: Resource, key: str) -> None:
        """Delete an object."""
        self._write(resource, key, None)

    def _write(self, resource: Resource, key: str, value: Object | None) -> None:
        self.revision += 1
        now = self.clock()
        history = self._history[resource]
        history.append(_Moment(self.revision, now, history[-1].collection.changed(key, value)))
        # A moment is of use until another has followed it for as long as tokens live.
        outlived = sum(follower.made_at <= now - self.retention for _, follower in itertools.pairwise(history))
        del history[:outlived]
