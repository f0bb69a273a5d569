"""The body of one of Splunk's answers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from segment_bridge.errors import IncompleteAnswer
from segment_bridge.splunk.clauses import Clause

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPConnection, HTTPResponse

_CHUNK = 256 * 2**10


class Body:
    """The body of an answer, in chunks as they arrive.

    Iterating raises :class:`IncompleteAnswer` where the body breaks off, as far as that shows: a body that has
    neither a length nor chunks ends wherever its connection does.
    """

    def __init__(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        self._connection = connection
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        left: int | None = self._response.length
        taken = 0
        while left is None or left > 0:
            try:
                chunk = self._response.read1(_CHUNK if left is None else min(_CHUNK, left))
            except Exception as error:  # noqa: BLE001 - whatever breaks the body; its text may quote it
                kind = type(error).__name__
                raise IncompleteAnswer(Clause.CUT_SHORT, f"{kind} after {taken} bytes of the body") from None
            if not chunk:
                break
            taken += len(chunk)
            left = None if left is None else left - len(chunk)
            yield chunk
        if left:
            raise IncompleteAnswer(Clause.CUT_SHORT, f"{taken} bytes of the body came, and {left} more were due")

    def read(self) -> bytes:
        """Return the whole body, and close; the SDK reads the answer to a login so."""
        with contextlib.closing(self):
            return b"".join(self)

    def close(self) -> None:
        """Close the connection, whether the body was read or not."""
        self._response.close()
        self._connection.close()
