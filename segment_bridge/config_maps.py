"""A map as ConfigMaps, where others find it: one where it fits, else as many parts as it takes.

::

    uid-map      uid-map.json    {"ann":"007",...}    and, only if there are parts,
                 uid-map.part    {"digest":"...","part":1,"parts":2}
    uid-map-2    uid-map-2.json  {...,"zoe":"1"}
                 uid-map-2.part  {"digest":"...","part":2,"parts":2}

Each part is a JSON object of its own; the digest, in each of them, is that of the whole map. So whoever takes only
parts of one digest never takes a mixture of two maps.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from segment_bridge import identity
from segment_bridge.errors import ConfigurationError, RetryableError
from segment_bridge.kubernetes import MAX_CONFIG_MAP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from segment_bridge.kubernetes import Cluster

#: Bytes of a part that its map does not get: they are for both keys, and for what says to what it belongs.
_BESIDE = 1024


class _Part(msgspec.Struct, frozen=True):
    digest: str
    part: int
    parts: int


def publish(cluster: Cluster, namespace: str, name: str, entries: Mapping[str, str]) -> list[str]:
    """Let ConfigMaps hold a map; return the names of those that have changed.

    Raises :class:`ConfigurationError` for an entry that no ConfigMap can hold.
    """
    held = _split(name, entries)
    # The first part comes last: until it does, readers find that the others belong to something else.
    changed = [one for one in (*list(held)[1:], name) if cluster.publish(namespace, one, held[one])]
    return changed + [
        one for one in _behind(cluster, namespace, name, len(held)) if cluster.publish(namespace, one, {})
    ]


def read(cluster: Cluster, namespace: str, name: str) -> dict[str, str]:
    """Read a map back.

    Raises :class:`RetryableError` where its parts do not belong together, as while they are being written, and
    :class:`ConfigurationError` where there is no map.
    """
    data = cluster.config_map(namespace, name) or {}
    entries = _entries(data, name)
    if (first := _part(data, name)) is None:
        return entries
    for number in range(2, first.parts + 1):
        further = _name(name, number)
        data = cluster.config_map(namespace, further) or {}
        if _part(data, further) != msgspec.structs.replace(first, part=number):
            raise RetryableError(f"ConfigMap {further} does not belong to {name}, which may just be written: try again")
        entries |= _entries(data, further)
    return entries


def _behind(cluster: Cluster, namespace: str, name: str, parts: int) -> Iterator[str]:
    """Yield what an earlier, larger map has left behind the last part.

    It is to be emptied and not removed, which would need another right; so there is no gap before the last.
    """
    for number in count(parts + 1):
        further = _name(name, number)
        data = cluster.config_map(namespace, further)
        if data is None:
            return
        if _file(further) in data:
            yield further


def _split(name: str, entries: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what each ConfigMap is to hold, the first one first."""
    whole = identity.to_json(entries)
    if len(_file(name)) + len(whole) <= MAX_CONFIG_MAP:
        return {name: {_file(name): whole.decode()}}
    digest = sha256(whole).hexdigest()
    pieces = list(_pieces(name, entries))
    held = {}
    for number, piece in enumerate(pieces, start=1):
        part = msgspec.json.encode(_Part(digest, number, len(pieces)))
        own = _name(name, number)
        held[own] = {_file(own): piece.decode(), _label(own): part.decode()}
    return held


def _pieces(name: str, entries: Mapping[str, str]) -> Iterator[bytes]:
    """Yield JSON objects as large as the limit allows, which hold the entries in the order of the whole map."""
    room = MAX_CONFIG_MAP - _BESIDE - len(b"{}")
    held: list[bytes] = []
    size = 0
    for key in sorted(entries):
        entry = identity.to_json({key: entries[key]})[1:-1]
        if len(entry) > room:
            raise ConfigurationError(
                f"an entry of {name} has {len(entry)} bytes, and a ConfigMap can hold {room} of them: "
                "remove the object of this name from the cluster"
            )
        grown = size + len(entry) + (1 if held else 0)
        if grown > room:
            yield b"{" + b",".join(held) + b"}"
            held, grown = [], len(entry)
        held.append(entry)
        size = grown
    yield b"{" + b",".join(held) + b"}"


def _entries(data: Mapping[str, str], name: str) -> dict[str, str]:
    if _file(name) not in data:
        raise ConfigurationError(f"ConfigMap {name} holds no map: check its namespace, and that a run has published it")
    return identity.read_map(data[_file(name)].encode(), f"ConfigMap {name}")


def _part(data: Mapping[str, str], name: str) -> _Part | None:
    if _label(name) not in data:
        return None
    try:
        return msgspec.json.decode(data[_label(name)], type=_Part)
    except msgspec.MsgspecError:
        raise ConfigurationError(
            f"ConfigMap {name} holds a {_label(name)} that is none: publish the map anew"
        ) from None


def _name(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _file(name: str) -> str:
    return f"{name}.json"


def _label(name: str) -> str:
    return f"{name}.part"
