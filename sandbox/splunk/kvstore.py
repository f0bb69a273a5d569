"""The KV store: for each app, collections of documents, and the definitions of the lookups that read them."""

from __future__ import annotations

import secrets
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from sandbox.splunk.values import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Document: TypeAlias = "dict[str, Any]"
_Index: TypeAlias = "dict[tuple[str, ...], list[Document]]"


@dataclass
class Collection:
    """Documents by their ``_key``, in the order in which they were first saved."""

    settings: dict[str, str] = field(default_factory=dict)
    _documents: dict[str, Document] = field(default_factory=dict)
    #: For the fields of a lookup, documents by their values; made anew after every change.
    _indexes: dict[tuple[str, ...], _Index] = field(default_factory=dict)

    def save(self, documents: Iterable[Document]) -> list[str]:
        """Insert or replace documents; return their keys, made up for those that have none."""
        keyed = {str(document.get("_key") or secrets.token_hex(12)): document for document in documents}
        # What a search reads meanwhile is never half changed.
        self._documents = self._documents | {key: {**document, "_key": key} for key, document in keyed.items()}
        self._indexes = {}
        return list(keyed)

    def find(self, query: Mapping[str, Any]) -> list[Document]:
        """Return the documents whose fields have these values."""
        return [
            document
            for document in self._documents.values()
            if all(name in document and document[name] == value for name, value in query.items())
        ]

    def delete(self, query: Mapping[str, Any]) -> None:
        """Delete the documents whose fields have these values."""
        gone = {document["_key"] for document in self.find(query)}
        self._documents = {key: document for key, document in self._documents.items() if key not in gone}
        self._indexes = {}

    def matching(self, values: Mapping[str, str]) -> list[Document]:
        """Return the documents whose fields have these values as text, letter by letter."""
        names, indexes = tuple(values), self._indexes
        if names not in indexes:
            index: _Index = defaultdict(list)
            for document in self._documents.values():
                key = [value for name in names if (value := _as_text(document.get(name))) is not None]
                index[tuple(key)].append(document)
            indexes[names] = index
        return indexes[names].get(tuple(values.values()), [])


def _as_text(value: object) -> str | None:
    return text(value) if isinstance(value, str | bool | int | float) else None


@dataclass(frozen=True)
class Lookup:
    """A lookup's definition."""

    collection: str
    fields: tuple[str, ...]
    max_matches: int = 100


@dataclass(frozen=True)
class Table:
    """A lookup as a search sees it: its definition when the search began, and the documents as they are."""

    definition: Lookup
    _collection: Collection

    def find(self, values: Mapping[str, str], outputs: Iterable[str]) -> dict[str, list[str]]:
        """Return, for each field to put out, its values in the documents that match."""
        found = list(islice(self._collection.matching(values), self.definition.max_matches))
        return {
            name: [value for document in found if (value := _as_text(document.get(name))) is not None]
            for name in outputs
        }


@dataclass
class App:
    """What belongs to one app."""

    collections: dict[str, Collection] = field(default_factory=dict)
    lookups: dict[str, Lookup] = field(default_factory=dict)

    def define(self, name: str, changes: Mapping[str, Any]) -> None:
        """Create a lookup or change its definition, all at once."""
        known = self.lookups.get(name)
        self.lookups[name] = replace(known, **changes) if known else Lookup(**changes)

    def tables(self) -> dict[str, Table]:
        """Return the lookups that can be used: those whose collection there is."""
        return {
            name: Table(definition, self.collections[definition.collection])
            for name, definition in self.lookups.items()
            if definition.collection in self.collections
        }


class KvStore:
    """The apps; each is there as soon as it is named."""

    def __init__(self) -> None:
        self._apps: defaultdict[str, App] = defaultdict(App)

    def app(self, name: str) -> App:
        """Return an app."""
        return self._apps[name]
