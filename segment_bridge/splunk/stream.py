"""Judge the stream that an export answers with: pass its rows on, and prove that none is missing.

The stream is one JSON object a line; blank lines keep the connection alive::

    {"preview":false,"offset":0,"result":{...}}                   a row
    {"preview":false,"offset":1,"lastrow":true,"result":{...}}    the last row
    {"preview":false,"lastrow":true}                              instead of rows: the search found nothing
    {"messages":[{"type":"WARN","text":"..."}]}                   messages, which may also stand in a row
    {"preview":true, ...}                                         a preview, which belongs to no result

It comes under HTTP 200 however the search ends, so that only the stream itself can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import msgspec

from segment_bridge.errors import IncompleteAnswer
from segment_bridge.splunk.clauses import Clause
from segment_bridge.splunk.messages import Message, MessageCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from segment_bridge.splunk.messages import Rules, Tally

#: Bytes: a longer line is no row, and is not waited for.
MAX_LINE = 64 * 2**20
_LINE_ENDS = b"\r\n"
_LINE_END = _LINE_ENDS[-1]

#: What Splunk 10.4 answers, under HTTP 200, to a search that it cannot run.
_EMPTY = (
    "the body is empty: the search needs a lookup that is missing (segment_bridge_users, where Splunk resolves users), "
    "or a function of eval that this Splunk lacks (segment-bridge doctor --conformance shows which)"
)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Result(msgspec.Struct, gc=False):
    """A row's result, which has to be an object; what it holds is not looked at."""


class _Line(msgspec.Struct, gc=False):
    """A line, as far as it tells of the answer."""

    preview: bool = False
    offset: int | None = None
    lastrow: bool = False
    messages: tuple[Message, ...] | None = None
    result: _Result | None = None


_decode: Callable[[bytes], _Line] = msgspec.json.Decoder(_Line).decode


def read_results(chunks: Iterable[bytes], rules: Rules | None = None) -> Generator[bytes, None, Tally]:
    """Yield the final rows as they came, or the line that says that there are none; each without its line end.

    Ends normally, and returns a tally of Splunk's messages, only if the answer is complete: whoever uses a line before
    that has to be able to take it back. Raises :class:`IncompleteAnswer`, with a :class:`Clause`, as soon as the answer
    is known not to be. ``rules`` say which messages may pass, and what of them may not be quoted.
    """
    progress, check, empty = _Progress(), MessageCheck(rules), True
    for number, line in enumerate(_split(chunks), start=1):
        if not line or line.isspace():
            continue
        empty = False
        read = _read(line, number)
        for message in read.messages or ():
            check.take(message)
        if not read.preview and (read.lastrow or read.result is not None):
            progress.take(read, number)
            yield line
    check.require_recovery()
    if empty:
        raise IncompleteAnswer(Clause.NO_LAST_ROW, _EMPTY)
    if not progress.ended:
        told = f"the stream ended after {progress.rows} rows, none of them the last"
        raise IncompleteAnswer(Clause.NO_LAST_ROW, told)
    return check.finish()


@dataclass(slots=True)
class _Progress:
    """How far the final result has come."""

    rows: int = 0
    ended: bool = False

    def take(self, line: _Line, number: int) -> None:
        """Take the next row, or the line that says that there are none."""
        if self.ended:
            raise IncompleteAnswer(Clause.ROWS_AFTER_LAST, f"line {number} goes on after the last of {self.rows} rows")
        if line.result is not None:
            if line.offset != self.rows:
                came = f"row {line.offset}" if line.offset is not None else "one without an offset"
                told = f"row {self.rows} was due, {came} came in line {number}"
                if line.offset is None:
                    told += ": set add_offset=true in [export] of Splunk's limits.conf"
                raise IncompleteAnswer(Clause.OFFSET_GAP, told)
            self.rows += 1
        elif self.rows:
            told = f"none of {self.rows} rows was the last, and then line {number} says that there are none"
            raise IncompleteAnswer(Clause.NO_LAST_ROW, told)
        self.ended = line.lastrow


def _split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Split into lines, the last of which need not have an end."""
    unfinished = bytearray()
    for chunk in chunks:
        for line in BytesIO(chunk):  # several times as fast as to split it
            if line[-1] != _LINE_END:
                unfinished += line
            elif unfinished:
                yield bytes(unfinished + line).rstrip(_LINE_ENDS)
                unfinished.clear()
            else:
                yield line.rstrip(_LINE_ENDS)
        if len(unfinished) > MAX_LINE:
            raise IncompleteAnswer(Clause.NOT_JSON, f"a line is longer than {MAX_LINE} bytes")
    yield bytes(unfinished).rstrip(_LINE_ENDS)


def _read(line: bytes, number: int) -> _Line:
    """Read a line of one of the shapes that there are."""
    try:
        if not line.isascii():
            line.decode()  # what msgspec passes over, it passes over whatever its encoding
        read = _decode(line)
    except _UNREADABLE:
        read = None
    # Raised only here, the error does not hang on one that holds the line.
    if read is None:
        raise IncompleteAnswer(Clause.NOT_JSON, f"line {number} ({len(line)} bytes) is garbled, or cut short")
    if read.result is None and not (read.preview or _is_without_row(read)):
        raise IncompleteAnswer(Clause.NOT_JSON, f"line {number} ({len(line)} bytes) is of no known shape")
    return read


def _is_without_row(line: _Line) -> bool:
    return line.offset is None and (line.lastrow or line.messages is not None)
