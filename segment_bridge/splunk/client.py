"""Ask Splunk for one search over one window."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree.ElementTree import ParseError

from splunklib import binding

from segment_bridge.errors import ConfigurationError, FatalError
from segment_bridge.splunk.stream import read_results
from segment_bridge.splunk.transport import Body, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from segment_bridge.settings import SplunkSettings
    from segment_bridge.window import Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Splunk:
    """Splunk's REST API; it connects when first asked, and logs in again when its session has expired.

    Raises :class:`ConfigurationError` for settings with which it cannot be asked.
    """

    def __init__(self, settings: SplunkSettings) -> None:
        _check_credentials(settings)
        transport = Transport(settings)
        self._path = binding.UrlEncoded(
            f"/servicesNS/{quote(settings.owner, safe='')}/{quote(settings.app, safe='')}/search/v2/jobs/export",
            skip_encode=True,
        )
        self._context = binding.Context(
            handler=transport,
            scheme=transport.scheme,
            host=transport.host,
            port=transport.port,
            splunkToken=settings.token,
            token=settings.session_key or None,
            username=settings.username,
            password=settings.password,
            autologin=bool(settings.username and not settings.token),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the session; each connection closes with its search."""
        self._context.logout()

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
            yield from read_results(body)

    def _export(self, spl: str, window: Window) -> Body:
        try:
            body: Body = self._context.post(
                self._path,
                search=spl,
                earliest_time=_epoch(window.start),
                latest_time=_epoch(window.end),
                output_mode="json",
                preview="false",
            ).body
        except binding.HTTPError:
            # The only status that the transport leaves to the SDK.
            raise ConfigurationError(
                "Splunk answered 401 Unauthorized: check SPLUNK_TOKEN, or SPLUNK_USERNAME and SPLUNK_PASSWORD"
            ) from None
        except UnicodeEncodeError:
            raise ConfigurationError("the search, SPLUNK_USERNAME or SPLUNK_PASSWORD is not valid Unicode") from None
        except (ParseError, LookupError, ValueError):
            raise ConfigurationError("what answered the login is not Splunk's REST API: check SPLUNK_API_URL") from None
        return body


def _check_credentials(settings: SplunkSettings) -> None:
    if not (settings.token or settings.session_key or (settings.username and settings.password)):
        raise ConfigurationError("Splunk needs SPLUNK_TOKEN, or SPLUNK_USERNAME and SPLUNK_PASSWORD")
    for name, secret in (("SPLUNK_TOKEN", settings.token), ("SPLUNK_SESSION_KEY", settings.session_key)):
        if not re.fullmatch(r"[!-~]*", secret):
            raise ConfigurationError(f"{name} holds a blank, a line end or another character that no token has")


def _epoch(moment: datetime) -> str:
    """Write a moment as exact seconds since the epoch."""
    return f"{(Decimal((moment - _EPOCH) // timedelta(microseconds=1)) / 1_000_000).normalize():f}"
