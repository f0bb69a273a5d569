"""What automatic extraction sees of a large record: the part of its JSON that lies before the cutoff."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s"{}\[\]:,]+', re.DOTALL)
_CLOSING = {b"{": b"}", b"[": b"]"}


@lru_cache(maxsize=4_096)
def seen(line: bytes, cutoff: int) -> dict[str, Any]:
    """Return the members of a record, without the values that do not end before the cutoff."""
    kept, closers = 0, b""
    for end, closing in _values(line):
        if end > cutoff:
            break
        kept, closers = end, closing
    members: dict[str, Any] = msgspec.json.Decoder(dict[str, Any], float_hook=str).decode(line[:kept] + closers)
    return members


def _values(line: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield where each value ends, or an object or array begins, and what closes all that is open there."""
    opened: list[bytes] = []
    key = False  # whether the next text is a key
    for found in _TOKEN.finditer(line):
        token = found[0]
        if token in (b"{", b"["):
            opened.append(_CLOSING[token])
        elif token in (b"}", b"]"):
            opened.pop()
        elif token in (b":", b","):
            key = token == b"," and opened[-1] == b"}"
            continue
        elif key:
            continue
        key = token == b"{"
        yield found.end(), b"".join(reversed(opened))
