"""The body of an export: one JSON object a line, as Splunk streams it."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.splunk.errors import SplError
from sandbox.splunk.values import Value, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Result = dict[str, Value]

_CHUNK = 64 * 1024
_PREVIEW_ROWS = 3


def messages(kind: str, message: str, **more: str) -> bytes:
    """Return Splunk's messages object; ``kind`` is FATAL, ERROR, WARN, INFO or DEBUG."""
    return msgspec.json.encode({"messages": [{"type": kind, **more, "text": message}]})


def stream(results: Iterator[Result], *, preview: bool) -> Iterator[bytes]:
    """Give the body in chunks; what fails on the way is a FATAL message, after which no ``lastrow`` comes."""
    chunk = bytearray()
    for line in _lines(results, preview=preview):
        chunk += line + b"\n"
        if len(chunk) >= _CHUNK:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk)


def _lines(results: Iterator[Result], *, preview: bool) -> Iterator[bytes]:
    try:
        if preview:
            first = list(islice(results, _PREVIEW_ROWS))
            yield from _result_set(first, preview=True)
            results = chain(first, results)
        yield from _result_set(results, preview=False)
    except SplError as error:
        yield messages("FATAL", str(error))


def _result_set(results: Iterable[Result], *, preview: bool) -> Iterator[bytes]:
    """Hold each row back until it is known whether it is the last."""
    offset, held = -1, None
    for result in results:
        if held is not None:
            yield _row({"preview": preview, "offset": offset}, held)
        offset, held = offset + 1, result
    if held is None:
        yield msgspec.json.encode({"preview": preview, "lastrow": True})
    else:
        yield _row({"preview": preview, "offset": offset, "lastrow": True}, held)


def _row(head: dict[str, Any], result: Result) -> bytes:
    fields = {
        name: [*map(str, value)] if isinstance(value, list) else str(text(value))
        for name, value in sorted(result.items())
    }
    return msgspec.json.encode({**head, "result": fields})
