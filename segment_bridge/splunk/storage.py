"""The endpoints of one app's KV store and of its lookup definitions."""

from __future__ import annotations

from contextlib import contextmanager
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from segment_bridge.errors import BridgeError, ConfigurationError, RetryableError
from segment_bridge.splunk import session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from segment_bridge.settings import SplunkSettings

_CONFIG = ("storage", "collections", "config")
_DATA = ("storage", "collections", "data")
_LOOKUPS = ("data", "transforms", "lookups")

Answer = TypeVar("Answer")


class Storage:
    """Collections that lead from user names to IDs, and the lookups that read them.

    Raises what a search raises, and :class:`ConfigurationError` for settings with which Splunk cannot be asked.
    """

    def __init__(self, settings: SplunkSettings) -> None:
        self._context = session.connect(settings)
        self._app = settings.app

    def close(self) -> None:
        """Forget the session."""
        self._context.logout()

    def lookup_reads(self, lookup: str) -> str:
        """Return the collection that a lookup reads, "" where there is no such lookup."""
        feed = _Feed([])
        with _accepting(HTTPStatus.NOT_FOUND):
            feed = _read(self._get(*_LOOKUPS, lookup), _Feed)
        return feed.entry[0].content.collection if feed.entry else ""

    def let_lookup_read(self, lookup: str, collection: str) -> None:
        """Point a lookup to a collection by one request; create it where it is missing."""
        definition = {"collection": collection, "external_type": "kvstore", "fields_list": "username, user_id"}
        try:
            self._post(*_LOOKUPS, lookup, **definition, max_matches="1")
        except BridgeError as error:
            if error.http_status != HTTPStatus.NOT_FOUND:
                raise
        else:
            return
        try:
            self._post(*_LOOKUPS, name=lookup, **definition, max_matches="1")
        except BridgeError as error:
            if error.http_status != HTTPStatus.CONFLICT:
                raise
            raise RetryableError("the lookup was created by someone else just now: publish the map again") from None

    def collections(self) -> set[str]:
        """Return the names of the app's collections."""
        entries = _read(self._get(*_CONFIG, count="0"), _Feed).entry
        return {entry.name for entry in entries if entry.acl.app in ("", self._app)}

    def create(self, collection: str) -> None:
        """Create a collection, unless there is one."""
        with _accepting(HTTPStatus.CONFLICT):
            self._post(*_CONFIG, name=collection)
        types = {"field.username": "string", "field.user_id": "string"}
        self._post(*_CONFIG, collection, **types, **{"accelerated_fields.username": '{"username": 1}'})

    def holds_documents(self, collection: str) -> bool:
        """Say whether a collection holds anything."""
        return bool(_read(self._get(*_DATA, collection, limit="1"), list[Any]))

    def save(self, collection: str, entries: Mapping[str, str]) -> None:
        """Save documents in one call, which takes up to 1,000."""
        path = self._path(*_DATA, collection, "batch_save")
        headers, documents = [("Content-Type", "application/json")], _Documents(entries)
        try:
            with session.understood():
                answer = self._context.post(path, headers=headers, body=documents, output_mode="json").body.read()
        except BridgeError as error:
            if error.http_status == HTTPStatus.NOT_FOUND:
                raise RetryableError(
                    "Splunk does not know a collection that it has just created: its cluster may need a moment"
                ) from None
            raise
        kept = len(_read(answer, list[str]))
        if kept != len(entries):
            raise RetryableError(f"Splunk kept {kept} of {len(entries)} documents: publish the map again")

    def remove(self, collection: str) -> None:
        """Remove a collection, its documents first; someone else may be doing so at the same time."""
        for parts in (_DATA, _CONFIG):
            with _accepting(HTTPStatus.NOT_FOUND), session.understood():
                self._context.delete(self._path(*parts, collection), output_mode="json").body.read()

    def _path(self, *parts: str) -> str:
        return session.path("nobody", self._app, *parts)

    def _get(self, *parts: str, **query: str) -> bytes:
        with session.understood():
            read: bytes = self._context.get(self._path(*parts), output_mode="json", **query).body.read()
        return read

    def _post(self, *parts: str, **form: str) -> None:
        with session.understood():
            self._context.post(self._path(*parts), output_mode="json", **form).body.read()


class _Documents:
    """The body of a call; the SDK, which logs what it sends, sees no more than their number."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self.count = len(entries)
        # A user name may hold what a key may not.
        self._body = msgspec.json.encode(
            [
                {"_key": sha256(name.encode()).hexdigest(), "username": name, "user_id": user_id}
                for name, user_id in entries.items()
            ]
        )

    def __bytes__(self) -> bytes:
        return self._body

    def __repr__(self) -> str:
        return f"{self.count} documents"


@contextmanager
def _accepting(status: HTTPStatus) -> Iterator[None]:
    """Go on where Splunk answers so."""
    try:
        yield
    except BridgeError as error:
        if error.http_status != status:
            raise


class _Content(msgspec.Struct):
    collection: str = ""


class _Acl(msgspec.Struct):
    app: str = ""


class _Entry(msgspec.Struct):
    name: str
    content: _Content = msgspec.field(default_factory=_Content)
    acl: _Acl = msgspec.field(default_factory=_Acl)


class _Feed(msgspec.Struct):
    """Splunk's answer about configuration."""

    entry: list[_Entry]


def _read(answer: bytes, kind: type[Answer]) -> Answer:
    try:
        return msgspec.json.decode(answer, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ConfigurationError(
            "what answered about the KV store is not Splunk's REST API: check SPLUNK_API_URL"
        ) from None
