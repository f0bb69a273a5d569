"""Splunk's REST API on HTTP: login, server info, export, and the KV store with its lookups."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sandbox.splunk import export
from sandbox.splunk.commands import compile_search
from sandbox.splunk.errors import SplError
from sandbox.splunk.http import JSON, XML, XML_HEAD, Credentials, RequestError, answer, bad_request, read_parameters
from sandbox.splunk.kvstore import KvStore
from sandbox.splunk.readings import DOCUMENTED
from sandbox.splunk.records import AuditLog, microseconds
from sandbox.splunk.storage import routes

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sandbox.splunk.readings import Readings

VERSION = "10.0.1"
USERNAME = "admin"
PASSWORD = "changeme"
TOKEN = "changeme"
DEFAULT_APP = "search"

_EPOCH = re.compile(r"\d{1,12}(\.\d+)?", re.ASCII)
_PARAMETERS = frozenset(
    {"search", "earliest_time", "latest_time", "output_mode", "preview", "segmentation", "allow_partial_results"}
)


def create_app(log: AuditLog, readings: Readings = DOCUMENTED) -> Starlette:
    """Serve an audit log under any index and any app, and a KV store for each app, empty at first."""
    credentials, store = Credentials(USERNAME, PASSWORD, TOKEN), KvStore()
    splunk = _Splunk(log, credentials, store, readings)
    return Starlette(
        routes=[
            Route("/services/auth/login", splunk.login, methods=["POST"]),
            Route("/services/server/info", splunk.info, methods=["GET"]),
            Route("/services/search/v2/jobs/export", splunk.export, methods=["POST"]),
            Route("/servicesNS/{owner}/{app}/search/v2/jobs/export", splunk.export, methods=["POST"]),
            Route("/sandbox/searches", splunk.searches, methods=["GET"]),
            Route("/sandbox/searches", splunk.forget, methods=["DELETE"]),
            *routes(credentials, store),
            Route("/{path:path}", splunk.no_such_endpoint, methods=["GET", "POST", "PUT", "DELETE"]),
        ],
        middleware=[Middleware(_CloseConnection)],
        exception_handlers={RequestError: answer},
    )


class _Splunk:
    """The endpoints of a search, over one audit log; a search sees the lookups of the app that it is run in."""

    def __init__(self, log: AuditLog, credentials: Credentials, store: KvStore, readings: Readings) -> None:
        self._log, self._credentials, self._store, self._readings = log, credentials, store, readings
        self._searches: list[tuple[str, Counter[str]]] = []

    async def login(self, request: Request) -> Response:
        parameters = await read_parameters(request)
        key = self._credentials.log_in(parameters)
        if request.state.output_mode == "json":
            return Response(f'{{"sessionKey":"{key}","message":"","code":""}}', media_type=JSON)
        messages = '<messages>\n    <msg code=""></msg>\n  </messages>'
        return Response(f"<response>\n  <sessionKey>{key}</sessionKey>\n  {messages}\n</response>\n", media_type=XML)

    async def info(self, request: Request) -> Response:
        await read_parameters(request)
        self._credentials.check(request)
        if request.state.output_mode == "json":
            return Response(_INFO_JSON, media_type=JSON)
        return Response(_INFO_XML, media_type=XML)

    async def export(self, request: Request) -> Response:
        parameters = await read_parameters(request)
        self._credentials.check(request)
        if unknown := parameters.keys() - _PARAMETERS:
            raise bad_request(f"Not supported by this handler: {', '.join(sorted(unknown))}")
        if parameters.get("output_mode") != "json":
            raise bad_request("Of the output modes, json alone is implemented.")
        if parameters.get("segmentation", "none") != "none":
            raise bad_request("Of the segmentations, none alone is implemented.")
        preview = _flag(parameters.get("preview", "true"))
        earliest, latest = _time(parameters, "earliest_time"), _time(parameters, "latest_time")
        if earliest is not None and latest is not None and latest <= earliest:
            raise bad_request("Invalid latest_time: latest_time must be after earliest_time.")
        try:
            lookups = self._store.app(request.path_params.get("app", DEFAULT_APP)).tables()
            search = compile_search(text := parameters.get("search", ""), lookups, self._readings)
        except SplError as error:
            raise bad_request(str(error)) from error
        cost = Counter(scanned=0, matched=0, results=0)
        self._searches.append((text, cost))
        results = search.run(self._log, earliest, latest, cost)
        return StreamingResponse(export.stream(results, preview=preview), media_type=JSON)

    async def searches(self, _: Request) -> Response:
        """Tell of each search what it has cost so far, in the order in which they came."""
        lines = (msgspec.json.encode({"search": text, **cost}) + b"\n" for text, cost in self._searches)
        return Response(b"".join(lines), media_type="application/x-ndjson")

    async def forget(self, _: Request) -> Response:
        """Forget all searches."""
        self._searches.clear()
        return Response(status_code=204)

    async def no_such_endpoint(self, request: Request) -> Response:
        """Refuse all else; among it the v1 search API, which newer Splunks no longer have."""
        await read_parameters(request)
        raise RequestError(404, "ERROR", "Not Found")


def _flag(value: str) -> bool:
    if value.lower() not in ("0", "1", "false", "true"):
        raise bad_request("Invalid value for preview: it is a boolean.")
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
        raise bad_request(f"Invalid {name}: it must be absolute ({expected}).")
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
_INFO_XML = f"""{XML_HEAD}<feed xmlns="http://www.w3.org/2005/Atom" xmlns:s="http://dev.splunk.com/ns/rest">
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
