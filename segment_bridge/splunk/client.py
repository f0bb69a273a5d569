"""Ask Splunk for one search over one window."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from segment_bridge.errors import FatalError
from segment_bridge.splunk import session
from segment_bridge.splunk.messages import Rules, Tally
from segment_bridge.splunk.stream import read_results
from segment_bridge.window import LOOK_BACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from segment_bridge.settings import SplunkSettings
    from segment_bridge.splunk.body import Body
    from segment_bridge.window import Window

_INFO = "/services/server/info"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Content(msgspec.Struct):
    version: str = ""


class _Entry(msgspec.Struct):
    content: _Content


class _Info(msgspec.Struct):
    entry: list[_Entry]


class Splunk:
    """Splunk's REST API; it connects when first asked, and logs in again when its session has expired.

    Raises :class:`ConfigurationError` for settings with which it cannot be asked.
    """

    def __init__(self, settings: SplunkSettings) -> None:
        self._path = session.path(settings.owner, settings.app, "search", "v2", "jobs", "export")
        self._context = session.connect(settings)
        self._settings = settings
        self._tally = Tally()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the session; each connection closes with its search."""
        self._context.logout()

    def log_in(self) -> str:
        """Log in, unless there is a session, and return Splunk's version; "" where it does not say.

        Raises what :meth:`search` raises.
        """
        with session.understood(), contextlib.closing(self._context.get(_INFO, output_mode="json").body) as body:
            read = body.read()
        try:
            return msgspec.json.decode(read, type=_Info).entry[0].content.version
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IndexError):
            return ""

    @contextlib.contextmanager
    def tallying(self) -> Iterator[Tally]:
        """Count the messages of the searches that the block makes."""
        outside, self._tally = self._tally, Tally()
        try:
            yield self._tally
        finally:
            self._tally = outside

    def search(self, spl: str, window: Window) -> Iterator[bytes]:
        """Run a search, which begins with ``search `` or ``|``, and yield the lines of its final result as they come.

        A line is that of a row, or the only one of an empty result, without its line end. What was yielded
        counts only once the iterator has ended normally. Raises :class:`IncompleteAnswer` where the answer is not
        provably complete, :class:`RetryableError` where there is none, :class:`FatalError` for a search that Splunk
        refuses, and :class:`ConfigurationError` for addresses, credentials, rights and certificates.
        """
        if not spl.startswith(("search ", "|")):
            raise FatalError("a search has to begin with 'search ' or '|'")
        with contextlib.closing(self._export(spl, window)) as body:
            self._tally.add((yield from read_results(body, self._rules())))

    def _rules(self) -> Rules:
        settings = self._settings
        secrets = session.secrets(settings, self._context)
        return Rules(settings.tolerated_messages, secrets, names=frozenset({settings.username}))

    def _export(self, spl: str, window: Window) -> Body:
        with session.understood():
            body: Body = self._context.post(
                self._path,
                search=spl,
                earliest_time=_epoch(window.start),
                latest_time=_epoch(window.end),
                output_mode="json",
                preview="false",
                # Documented for jobs alone; the answer is judged all the same.
                allow_partial_results="false",
            ).body
        return body


def search_in_parts(splunk: Splunk, spl: str, window: Window, longest: timedelta = LOOK_BACK) -> Iterator[bytes]:
    """Run a search over a window of any length, for no longer a part of it than ordinary runs search, the latest first.

    A role's limits let pass what it does every hour, and would end a search over days early whenever it is made. The
    lines are those of one answer after the other, and count only once all have come, as with :meth:`Splunk.search`.
    """
    for part in window.parts(longest):
        yield from splunk.search(spl, part)


def _epoch(moment: datetime) -> str:
    """Write a moment as exact seconds since the epoch."""
    return f"{(Decimal((moment - _EPOCH) // timedelta(microseconds=1)) / 1_000_000).normalize():f}"
