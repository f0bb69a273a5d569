"""Publish the user ID map in Splunk's KV store, where SPL's ``lookup`` reads it.

Each version of the map lies in a collection of its own, which nothing changes once it is whole. The lookup definition
names one collection, and one POST moves it to the next. Splunk reads the definition when a search begins, so that each
search sees one whole version. A collection's name says when the version was made, and the hash of what it holds::

    segment_bridge_users_20260131t080000z_1f40fc92da241694

An old version stays for some hours after another has taken its place: searches that began before still read it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import msgspec

from segment_bridge.errors import ConfigurationError
from segment_bridge.settings import DEFAULT_USER_LOOKUP
from segment_bridge.splunk.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from segment_bridge.settings import SplunkSettings

#: Splunk refuses more documents in one call.
MOST_DOCUMENTS = 1_000
#: How long a version stays after another has taken its place: longer than any search runs.
KEEP = timedelta(hours=6)
_STAMP = "%Y%m%dt%H%M%Sz"


@dataclass(frozen=True, slots=True)
class Publication:
    """What became of a map: the version that the lookup now reads, and how many old ones were removed."""

    version: str
    entries: int
    changed: bool
    removed: int


class KvStore:
    """The user ID map in the KV store of one app; ``lookup`` names the definition that searches use.

    ``clock`` gives the time, with its offset. Raises :class:`ConfigurationError` for settings that cannot be used.
    """

    def __init__(
        self,
        settings: SplunkSettings,
        *,
        lookup: str = DEFAULT_USER_LOOKUP,
        keep: timedelta = KEEP,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not re.fullmatch(r"[A-Za-z]\w{0,63}", lookup, re.ASCII):
            raise ConfigurationError(f"{lookup!r} is no name for a lookup: use up to 64 letters, digits and _")
        self._storage = Storage(settings)
        self._lookup, self._keep, self._clock = lookup, keep, clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the session."""
        self._storage.close()

    def publish_users(self, entries: Mapping[str, str]) -> Publication:
        """Let the lookup lead from these user names to their IDs, unless it does so already.

        It can be called again after any failure, and by several at once: the last one's map stays. Raises
        :class:`ConfigurationError` for a map without entries, and otherwise what :meth:`Splunk.search` raises.
        """
        if not entries:
            raise ConfigurationError("the map of users is empty, and is not published: look at what made it")
        hashed = sha256(msgspec.json.encode(dict(entries), order="sorted")).hexdigest()[:16]
        current, versions = self._storage.lookup_reads(self._lookup), self._versions()
        # Someone may have removed the collection, or have emptied the KV store.
        intact = current in versions and self._storage.holds_documents(current)
        if changed := not (intact and current.endswith(f"_{hashed}")):
            version = f"{self._name_at(self._clock())}_{hashed}"
            self._storage.create(version)
            for some in _in_calls(entries):
                self._storage.save(version, some)
            self._storage.let_lookup_read(self._lookup, version)
        else:
            version = current
        superseded = self._superseded(versions, {version, current})
        for old in superseded:
            self._storage.remove(old)
        return Publication(version, len(entries), changed, len(superseded))

    def _versions(self) -> set[str]:
        """Return the collections of all versions, of which some may be half written."""
        ours = re.compile(rf"{self._lookup}_\d{{8}}t\d{{6}}z_[0-9a-f]{{16}}", re.ASCII).fullmatch
        return set(filter(ours, self._storage.collections()))

    def _name_at(self, moment: datetime) -> str:
        return f"{self._lookup}_{moment.astimezone(UTC):{_STAMP}}"

    def _superseded(self, versions: set[str], needed: set[str]) -> list[str]:
        """Return the versions that another one has replaced long enough ago."""
        long_ago = self._name_at(self._clock() - self._keep)
        return [
            old
            for old, next_one in pairwise(sorted(versions | needed))
            if old in versions - needed and next_one[: len(long_ago)] <= long_ago
        ]


def _in_calls(entries: Mapping[str, str]) -> Iterator[dict[str, str]]:
    left = iter(entries.items())
    while some := dict(islice(left, MOST_DOCUMENTS)):
        yield some
