"""The functions of ``eval`` that work on values alone; the ones with rules of their own are in ``eval``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from sandbox.splunk import json_path, patterns
from sandbox.splunk.cutoff import seen as cutoff_members
from sandbox.splunk.errors import SplError
from sandbox.splunk.values import Value, finite, number, several, single, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.splunk.readings import Readings


@dataclass(frozen=True)
class Function:
    """A function, how many arguments it takes, and whether it is a condition.

    ``check`` refuses a bad second argument before the search starts, where that argument is a constant.
    Unless ``takes_null``, a null argument makes the result null.
    """

    call: Callable[..., Value]
    least: int
    most: int | None = None
    condition: bool = False
    check: Callable[[str], object] | None = None
    takes_null: bool = False
    #: Whether the call takes the readings first.
    reads: bool = False

    def takes(self, count: int) -> bool:
        """Whether this number of arguments will do."""
        return count >= self.least and (self.most is None or count <= self.most)


def _like(value: Value, pattern: Value) -> Value:
    return patterns.sql_like(text(pattern)).fullmatch(text(value)) is not None


def _match(value: Value, pattern: Value) -> Value:
    return patterns.regex(text(pattern)).search(text(value)) is not None


def _replace(value: Value, pattern: Value, replacement: Value) -> Value:
    r"""``\1`` to ``\9`` in the replacement stand for groups."""
    compiled = patterns.regex(text(pattern))
    template = patterns.BACKREFERENCE.split(text(replacement))
    if any(int(group) > compiled.groups for group in template[1::2]):
        raise SplError("The replacement refers to a group that the regular expression lacks.")
    return compiled.sub(
        lambda found: "".join(
            part if index % 2 == 0 else found[int(part)] or "" for index, part in enumerate(template)
        ),
        text(value),
    )


def _mvfind(values: Value, pattern: Value) -> Value:
    compiled = patterns.regex(text(pattern))
    return next((index for index, value in enumerate(several(values)) if compiled.search(value)), None)


def _mvindex(values: Value, start: Value, end: Value = None) -> Value:
    items = several(values)
    first = _position(start, len(items))
    last = first if end is None else _position(end, len(items))
    if first is None or last is None or not 0 <= first < len(items):
        return None
    return single(items[first : last + 1] if last >= 0 else [])


def _position(index: Value, count: int) -> int | None:
    position = number(index)
    if not isinstance(position, int):
        return None
    return position + count if position < 0 else position


def _mvcount(values: Value) -> Value:
    return len(several(values))


def _mvappend(*values: Value) -> Value:
    return single([item for value in values for item in several(value)])


def _split(value: Value, delimiter: Value) -> Value:
    return single(text(value).split(text(delimiter)) if text(delimiter) else list(text(value)))


def _substr(value: Value, start: Value, length: Value = None) -> Value:
    """Positions count from 1, or from the end if negative."""
    string, first = text(value), number(start)
    count = len(string) if length is None else number(length)
    if not isinstance(first, int) or not isinstance(count, int) or first == 0:
        raise SplError("substr takes whole numbers, and positions from 1.")
    begin = first - 1 if first > 0 else max(len(string) + first, 0)
    return string[begin : begin + max(count, 0)]


def _tonumber(value: Value, base: Value = 10) -> Value:
    radix = number(base)
    if radix == 10:  # noqa: PLR2004 - the base of decimal numbers
        return number(value)
    try:
        return finite(float(int(text(value), int(radix or 0))))
    except (ValueError, OverflowError):
        return None


class JsonText(str):
    """JSON that a JSON function has made."""

    __slots__ = ()


def _json_extract(readings: Readings, value: Value, path: Value) -> Value:
    source = text(value)
    if readings.cut_explicit_paths and readings.extraction_cutoff:
        source = _seen(source, readings.extraction_cutoff)
    return _native(readings, json_path.compiled(text(path)).node(source))


def _seen(source: str, cutoff: int) -> str:
    raw = source.encode()
    if len(raw) <= cutoff or not source.lstrip().startswith("{"):
        return source
    return msgspec.json.encode(cutoff_members(raw, cutoff)).decode()


def _json_extract_exact(readings: Readings, value: Value, key: Value) -> Value:
    return _native(readings, json_path.member(text(value), text(key)))


def _native(readings: Readings, node: bytes | None) -> Value:
    """Give a JSON value as Splunk's own: texts and numbers as such, objects and arrays as their JSON."""
    if node is None:
        return None
    first = node[:1]
    if node == b"null":
        return "null" if readings.functions_give_null_as_text else None
    if first == b'"':
        decoded: str = json_path.decode(node)
        return decoded
    if first in (b"{", b"["):
        return JsonText(node.decode())
    if first in (b"t", b"f"):
        return node.decode()
    return number(node.decode())


def _json_array_to_mv(readings: Readings, value: Value) -> Value:
    elements = json_path.elements(text(value))
    if elements is None:
        return None
    values = [_native(readings, element) for element in elements]
    texts = [JsonText(one) if isinstance(one, JsonText) else text(one) for one in values if one is not None]
    return single([one for one in texts if one or readings.keep_empty_texts])


def _nullif(value: Value, other: Value) -> Value:
    return None if value == other else value


def _json_valid(value: Value) -> Value:
    return json_path.is_json(text(value))


def _json_object(readings: Readings, *pairs: Value) -> Value:
    members = dict(zip(map(text, pairs[::2]), pairs[1::2], strict=True))
    return JsonText(msgspec.json.encode({key: _member(readings, one) for key, one in members.items()}).decode())


def _member(readings: Readings, value: Value) -> Value | msgspec.Raw:
    if isinstance(value, JsonText) and readings.nest_json:
        return msgspec.Raw(value.encode())
    if isinstance(value, str) and readings.numbers_from_texts and (as_number := number(value)) is not None:
        return as_number
    return str(value) if isinstance(value, str) else value


FUNCTIONS = {
    "json_array_to_mv": Function(_json_array_to_mv, 1, 1, reads=True),
    "json_extract": Function(_json_extract, 2, 2, check=json_path.members_alone, reads=True),
    "json_extract_exact": Function(_json_extract_exact, 2, 2, reads=True),
    "json_object": Function(_json_object, 0, takes_null=True, reads=True),
    "json_valid": Function(_json_valid, 1, 1, condition=True),
    "len": Function(lambda value: len(text(value)), 1, 1),
    "like": Function(_like, 2, 2, condition=True),
    "lower": Function(lambda value: text(value).lower(), 1, 1),
    "match": Function(_match, 2, 2, condition=True, check=patterns.regex),
    "mvappend": Function(_mvappend, 1, takes_null=True),
    "mvcount": Function(_mvcount, 1, 1),
    "mvfind": Function(_mvfind, 2, 2, check=patterns.regex),
    "mvindex": Function(_mvindex, 2, 3),
    "replace": Function(_replace, 3, 3, check=patterns.regex),
    "nullif": Function(_nullif, 2, 2, takes_null=True),
    "split": Function(_split, 2, 2),
    "substr": Function(_substr, 2, 3),
    "tonumber": Function(_tonumber, 1, 2),
    "tostring": Function(text, 1, 1),
    "upper": Function(lambda value: text(value).upper(), 1, 1),
}
