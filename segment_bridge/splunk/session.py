"""A session of Splunk's REST API: who asks, where things lie, and what the SDK's errors mean."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import errors as expat

from segment_bridge.errors import BridgeError, ConfigurationError, FatalError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splunklib.binding import Context

    from segment_bridge.settings import SplunkSettings

#: What the parser says of XML that ends too early: where there is neither a length nor chunks, nothing else does.
_BROKEN_OFF = frozenset(
    expat.codes[text]
    for text in (
        expat.XML_ERROR_NO_ELEMENTS,
        expat.XML_ERROR_UNCLOSED_TOKEN,
        expat.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)


def connect(settings: SplunkSettings) -> Context:
    """Return the SDK's context; it connects when first asked, and logs in again when its session has expired.

    Raises :class:`ConfigurationError` for settings with which Splunk cannot be asked.
    """
    from splunklib.binding import Context  # noqa: PLC0415 - start-up: only those who ask Splunk should wait for it

    from segment_bridge.splunk.transport import Transport  # noqa: PLC0415 - as above

    _check_credentials(settings)
    transport = Transport(settings)
    return Context(
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


def secrets(settings: SplunkSettings, context: Context) -> frozenset[str]:
    """Return what requests are authorized with, the session's key and cookies included."""
    key = context.token if isinstance(context.token, str) else ""
    cookies = context.get_cookies().values()
    return frozenset({settings.password, settings.token, settings.session_key, key.removeprefix("Splunk "), *cookies})


def path(owner: str, app: str, *parts: str) -> str:
    """Return the path of an endpoint, as one user sees one app."""
    from splunklib.binding import UrlEncoded  # noqa: PLC0415 - as above

    quoted = "/".join(quote(part, safe="") for part in (owner, app, *parts))
    encoded: str = UrlEncoded(f"/servicesNS/{quoted}", skip_encode=True)
    return encoded


@contextmanager
def understood() -> Iterator[None]:
    """Turn whatever the SDK raises of its own accord into the error that says what to do."""
    from splunklib.binding import HTTPError  # noqa: PLC0415 - as above

    try:
        yield
    except BridgeError as error:
        raise error from None  # the SDK may have been handling a 401 of its own
    except HTTPError:
        # The only status that the transport leaves to the SDK.
        raise ConfigurationError(
            "Splunk answered 401 Unauthorized: check SPLUNK_TOKEN, or SPLUNK_USERNAME and SPLUNK_PASSWORD"
        ) from None
    except UnicodeEncodeError:
        raise ConfigurationError("the search, SPLUNK_USERNAME or SPLUNK_PASSWORD is not valid Unicode") from None
    except (ParseError, LookupError, ValueError) as error:
        if getattr(error, "code", None) in _BROKEN_OFF:
            raise RetryableError(
                "the answer to the login breaks off: try again later, or check SPLUNK_API_URL"
            ) from None
        raise ConfigurationError("what answered the login is not Splunk's REST API: check SPLUNK_API_URL") from None
    except Exception as error:  # noqa: BLE001 - its text can hold what was sent
        raise FatalError(f"Splunk's SDK failed ({type(error).__name__})") from None


def _check_credentials(settings: SplunkSettings) -> None:
    if not (settings.token or settings.session_key or (settings.username and settings.password)):
        raise ConfigurationError("Splunk needs SPLUNK_TOKEN, or SPLUNK_USERNAME and SPLUNK_PASSWORD")
    for name, secret in (("SPLUNK_TOKEN", settings.token), ("SPLUNK_SESSION_KEY", settings.session_key)):
        if not re.fullmatch(r"[!-~]*", secret):
            raise ConfigurationError(f"{name} holds a blank, a line end or another character that no token has")
