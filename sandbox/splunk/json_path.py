"""Fields by JSON path: as Splunk extracts them from a record, and as ``spath`` reads them out of a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from sandbox.splunk.errors import SplError
from sandbox.splunk.readings import DOCUMENTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.splunk.readings import Readings

Json: TypeAlias = Any

_BREAK = re.compile(r"(?<=.)(?:\.|\{\})", re.DOTALL)
_SEGMENT = re.compile(r"([^{}]*)((?:\{\})*)")

# Numbers with a fraction or an exponent keep their text: every extracted value is text in the end.
decode = msgspec.json.Decoder(float_hook=str).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def extract(members: dict[str, Json], path: str, readings: Readings = DOCUMENTED) -> list[str]:
    """Collect the values at a path of a record; literal keys may hold dots and braces, so every reading counts.

    A member that is still ``msgspec.Raw`` is decoded in place when the path leads into it.
    """
    found: list[Json] = []
    _collect(members, path, found)
    return _texts(found, readings, listed=path.endswith("{}"))


def flatten(members: dict[str, Json], readings: Readings = DOCUMENTED) -> dict[str, list[str]]:
    """Return every field of a record."""
    fields: dict[str, list[Json]] = {}
    stack = [(key, value) for key, value in reversed(members.items())]
    while stack:
        path, value = stack.pop()
        if type(value) is msgspec.Raw:
            value = decode(value)
        if isinstance(value, dict):
            stack += [(f"{path}.{key}", child) for key, child in reversed(value.items())]
        elif isinstance(value, list):
            stack += [(path + "{}", child) for child in reversed(value)]
        else:
            fields.setdefault(path, []).append(value)
    return {path: _texts(values, readings, listed=path.endswith("{}")) for path, values in fields.items()}


def _texts(values: list[Json], readings: Readings, *, listed: bool) -> list[str]:
    """Write scalars as text: how a null counts, and an empty text in an array, is a matter of reading."""
    if not readings.null_as_text:
        values = [value for value in values if value is not None]
    if listed and not readings.keep_empty_texts:
        values = [value for value in values if value != ""]
    return [_scalar(value) for value in values]


@lru_cache(maxsize=4096)
def _readings(path: str) -> tuple[tuple[str, str], ...]:
    """Every way to read a path as a first key and a rest; the rest is empty or begins with ``.`` or ``{}``."""
    breaks = [found.start() for found in _BREAK.finditer(path)]
    return tuple((path[:position], path[position:]) for position in [*breaks, len(path)])


def _collect(members: dict[str, Json], path: str, found: list[Json]) -> None:
    for key, rest in _readings(path):
        if key in members:
            child = members[key]
            if type(child) is msgspec.Raw:
                child = members[key] = decode(child)
            _follow(child, rest, found)


def _follow(value: Json, rest: str, found: list[Json]) -> None:
    if not rest:
        if not isinstance(value, dict | list):
            found.append(value)
    elif rest[0] == ".":
        if isinstance(value, dict):
            _collect(value, rest[1:], found)
    elif rest.startswith("{}") and isinstance(value, list):
        for element in value:
            _follow(element, rest[2:], found)


def _scalar(value: str | bool | int | None) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class JsonPath:
    """A path of ``spath``: keys, and ``None`` for each ``{}``; here a dot always separates keys."""

    steps: tuple[str | None, ...]

    def find(self, text: str) -> list[str]:
        """Return the values at the path; an object or array is its JSON text, and text that is no JSON has none."""
        whole = _whole(text)
        nodes = [] if whole is None else [whole]
        for step in self.steps:
            nodes = [child for node in nodes for child in _step_into(node, step)]
        return [_node_text(node) for node in nodes if bytes(node) != b"null"]

    def node(self, text: str) -> bytes | None:
        """Return the JSON of the value at a path without ``{}``, None where there is none."""
        node = _whole(text)
        for step in self.steps:
            node = next(_step_into(node, step), None) if node is not None else None
        return None if node is None else bytes(node)


@lru_cache(maxsize=256)
def compiled(path: str) -> JsonPath:
    """Compile a path of ``spath``; raise SplError for what is not implemented: positions, attributes."""
    steps: list[str | None] = []
    for segment in path.split("."):
        parts = _SEGMENT.fullmatch(segment)
        if parts is None or not segment:
            raise SplError("A path is empty in some place, or holds braces with something in them: not implemented.")
        steps += [parts[1]] if parts[1] else []
        steps += [None] * (len(parts[2]) // 2)
    return JsonPath(tuple(steps))


def members_alone(path: str) -> None:
    """Refuse a path into an array: which form JSON functions give its values is not implemented."""
    if "{" in path:
        raise SplError("A path of a JSON function that leads into an array is not implemented.")
    compiled(path)


def member(text: str, key: str) -> bytes | None:
    """Return the JSON of an object's member, whatever characters its key holds."""
    whole = _whole(text)
    node = None if whole is None else next(_step_into(whole, key), None)
    return None if node is None else bytes(node)


def elements(text: str) -> list[bytes] | None:
    """Return the JSON of an array's elements, None where the text is no array."""
    whole = _whole(text)
    if whole is None or not text.lstrip().startswith("["):
        return None
    return [bytes(node) for node in _elements(whole)]


def is_json(text: str) -> bool:
    """Whether the text is one JSON value."""
    return _whole(text) is not None


@lru_cache(maxsize=16)
def _whole(text: str) -> msgspec.Raw | None:
    """Return JSON as its bytes, None where the text is none; a search reads several parts of a record in a row."""
    raw = text.encode()
    try:
        decode(raw)
    except (ValueError, RecursionError):
        return None
    return msgspec.Raw(raw)


def _step_into(node: msgspec.Raw, step: str | None) -> Iterator[msgspec.Raw]:
    try:
        if step is None:
            yield from _elements(node)
        elif (child := _members(node).get(step)) is not None:
            yield child
    except msgspec.ValidationError:
        return  # the node is of another kind


def _node_text(node: msgspec.Raw) -> str:
    raw = bytes(node).decode()
    return decode(node) if raw[0] == '"' else raw
