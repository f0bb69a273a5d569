"""Share the answer to one search out among the journeys that it is about."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from segment_bridge.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Result = dict[str, msgspec.Raw]

_EMPTY = b'{"preview":false,"lastrow":true}'


class _Line(msgspec.Struct, gc=False):
    """A row, whose values stay the bytes that they are, or the line that says that there are none."""

    result: dict[str, msgspec.Raw] | None = None


_decode: Callable[[bytes], _Line] = msgspec.json.Decoder(_Line).decode


def share_out(lines: Iterable[bytes], names: Sequence[str], mark: str) -> Iterator[tuple[str, bytes]]:
    """Yield each line of an answer with the journey that it belongs to.

    Where the search is about several journeys, each gets the results that its own search would have had, as the lines
    of one answer; the field ``mark`` says whose a row is, and is left out. Raises :class:`FatalError` for a row that is
    nobody's: nothing of the answer counts then, as with an answer that is incomplete.
    """
    if len(names) == 1:
        yield from ((names[0], line) for line in lines)
        return
    known = {msgspec.json.encode(name): name for name in names}
    rows: Counter[str] = Counter()
    held: dict[str, Result] = {}
    for number, line in enumerate(lines, start=1):
        result = _decode(line).result
        if result is None:
            continue
        name = known.get(bytes(result.pop(mark, b"")))
        if name is None:
            raise FatalError(f"line {number} of the answer is of no journey of its search: use search_mode per_journey")
        if name in held:
            yield name, _row(rows[name], held[name])
            rows[name] += 1
        held[name] = result
    for name in names:
        yield name, _row(rows[name], held[name], lastrow=True) if name in held else _EMPTY


def _row(offset: int, result: Result, **last: bool) -> bytes:
    return msgspec.json.encode({"preview": False, "offset": offset, **last, "result": result})
