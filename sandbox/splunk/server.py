"""Splunk's REST API on HTTP, as much of it as a search needs: login, server info and export."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sandbox.splunk import export
from sandbox.splunk.commands import compile_search
from sandbox.splunk.errors import SplError
from sandbox.splunk.records import AuditLog, microseconds

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

VERSION = "10.0.1"
USERNAME = "admin"
PASSWORD = "changeme"
TOKEN = "changeme"

_JSON = "application/json; charset=UTF-8"
_XML = "text/xml; charset=UTF-8"
_XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_EPOCH = re.compile(r"\d{1,12}(\.\d+)?", re.ASCII)
_PARAMETERS = frozenset({"search", "earliest_time", "latest_time", "output_mode", "preview", "segmentation"})


def create_app(log: AuditLog) -> Starlette:
    """Serve an audit log under any index and any app."""
    splunk = _Splunk(log)
    return Starlette(
        routes=[
            Route("/services/auth/login", splunk.login, methods=["POST"]),
            Route("/services/server/info", splunk.info, methods=["GET"]),
            Route("/services/search/v2/jobs/export", splunk.export, methods=["POST"]),
            Route("/servicesNS/{owner}/{app}/search/v2/jobs/export", splunk.export, methods=["POST"]),
            Route("/{path:path}", splunk.no_such_endpoint, methods=["GET", "POST", "PUT", "DELETE"]),
        ],
        middleware=[Middleware(_CloseConnection)],
        exception_handlers={_RequestError: _answer},
    )


class _RequestError(Exception):
    """An answer with a message: its status, the message's type and text, and its code if it has one."""

    def __init__(self, status: int, kind: str, text: str, code: str = "") -> None:
        super().__init__(text)
        self.status, self.kind, self.text, self.code = status, kind, text, code


def _bad_request(text: str) -> _RequestError:
    return _RequestError(400, "FATAL", text)


def _answer(request: Request, error: Exception) -> Response:
    """Say what is wrong, in JSON if that is the output mode, else in XML."""
    if not isinstance(error, _RequestError):
        raise error
    if request.state.output_mode == "json":
        more = {"code": error.code} if error.code else {}
        return Response(export.messages(error.kind, error.text, **more), error.status, media_type=_JSON)
    code = f' code="{error.code}"' if error.code else ""
    message = f'<msg type="{error.kind}"{code}>{escape(error.text)}</msg>'
    body = f"{_XML_HEAD}<response>\n  <messages>\n    {message}\n  </messages>\n</response>\n"
    return Response(body, error.status, media_type=_XML)


class _Splunk:
    """The endpoints, over one audit log and the session keys given out."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._sessions: set[str] = set()

    async def login(self, request: Request) -> Response:
        parameters = await _read_parameters(request)
        if (parameters.get("username"), parameters.get("password")) != (USERNAME, PASSWORD):
            raise _RequestError(401, "WARN", "Login failed", "incorrect_username_or_password")
        key = secrets.token_urlsafe(48)
        self._sessions.add(key)
        if request.state.output_mode == "json":
            return Response(f'{{"sessionKey":"{key}","message":"","code":""}}', media_type=_JSON)
        messages = '<messages>\n    <msg code=""></msg>\n  </messages>'
        return Response(f"<response>\n  <sessionKey>{key}</sessionKey>\n  {messages}\n</response>\n", media_type=_XML)

    async def info(self, request: Request) -> Response:
        await _read_parameters(request)
        self._authenticate(request)
        if request.state.output_mode == "json":
            return Response(_INFO_JSON, media_type=_JSON)
        return Response(_INFO_XML, media_type=_XML)

    async def export(self, request: Request) -> Response:
        parameters = await _read_parameters(request)
        self._authenticate(request)
        if unknown := parameters.keys() - _PARAMETERS:
            raise _bad_request(f"Not supported by this handler: {', '.join(sorted(unknown))}")
        if parameters.get("output_mode") != "json":
            raise _bad_request("Of the output modes, json alone is implemented.")
        if parameters.get("segmentation", "none") != "none":
            raise _bad_request("Of the segmentations, none alone is implemented.")
        preview = _flag(parameters.get("preview", "true"))
        earliest, latest = _time(parameters, "earliest_time"), _time(parameters, "latest_time")
        if earliest is not None and latest is not None and latest <= earliest:
            raise _bad_request("Invalid latest_time: latest_time must be after earliest_time.")
        try:
            search = compile_search(parameters.get("search", ""))
        except SplError as error:
            raise _bad_request(str(error)) from error
        results = search.run(self._log, earliest, latest)
        return StreamingResponse(export.stream(results, preview=preview), media_type=_JSON)

    async def no_such_endpoint(self, request: Request) -> Response:
        """Refuse all else; among it the v1 search API, which newer Splunks no longer have."""
        await _read_parameters(request)
        raise _RequestError(404, "ERROR", "Not Found")

    def _authenticate(self, request: Request) -> None:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        match scheme.lower():
            case "splunk" if credentials in self._sessions:
                return
            case "bearer" if credentials == TOKEN:
                return
            case "basic" if _basic(credentials) == f"{USERNAME}:{PASSWORD}":
                return
        raise _RequestError(401, "WARN", "call not properly authenticated")


async def _read_parameters(request: Request) -> dict[str, str]:
    """Merge query and form, which is read without regard to its Content-Type, as the SDK sends none.

    Leaves the output mode in the request's state, for the answer.
    """
    request.state.output_mode = None
    try:
        form = (await request.body()).decode()
        pairs = [
            pair
            for source in (request.url.query, form)
            for pair in parse_qsl(source, keep_blank_values=True, strict_parsing=bool(source), errors="strict")
        ]
    except ValueError as error:
        raise _bad_request("The request is not form-encoded UTF-8.") from error
    parameters = dict(pairs)
    request.state.output_mode = parameters.get("output_mode")
    if len(parameters) < len(pairs):
        raise _bad_request("A parameter stands more than once.")
    return parameters


def _basic(credentials: str) -> str | None:
    try:
        return base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _flag(value: str) -> bool:
    if value.lower() not in ("0", "1", "false", "true"):
        raise _bad_request("Invalid value for preview: it is a boolean.")
    return value.lower() in ("1", "true")


def _time(parameters: dict[str, str], name: str) -> Decimal | None:
    """Return a time in microseconds since the epoch; relative ones are refused."""
    if (value := parameters.get(name)) is None:
        return None
    if _EPOCH.fullmatch(value):
        return Decimal(value) * 1_000_000
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        expected = "seconds since the epoch, or ISO-8601 with an offset; relative times are not implemented"
        raise _bad_request(f"Invalid {name}: it must be absolute ({expected}).")
    return Decimal(microseconds(time))


class _CloseConnection:
    """Every answer says ``Connection: close``, without which the SDK reads an empty body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_closing)


_INFO = {"build": "sandbox", "isFree": False, "product_type": "enterprise", "serverName": "sandbox", "version": VERSION}
_INFO_JSON = msgspec.json.encode({"entry": [{"name": "server-info", "content": _INFO}], "messages": []})
_INFO_KEYS = "".join(f'<s:key name="{key}">{value or 0}</s:key>' for key, value in _INFO.items())
_INFO_XML = f"""{_XML_HEAD}<feed xmlns="http://www.w3.org/2005/Atom" xmlns:s="http://dev.splunk.com/ns/rest">
  <title>server-info</title>
  <id>/services/server/info</id>
  <generator build="sandbox" version="{VERSION}"/>
  <author><name>Splunk</name></author>
  <entry>
    <title>server-info</title>
    <id>/services/server/info/server-info</id>
    <link href="/services/server/info/server-info" rel="alternate"/>
    <content type="text/xml">
      <s:dict>{_INFO_KEYS}</s:dict>
    </content>
  </entry>
</feed>
"""
