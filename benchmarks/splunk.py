"""Answers searches at once, from files: a stand-in for a Splunk that costs nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sandbox.splunk.http import JSON, XML

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from starlette.requests import Request

_CHUNK = 1 << 20
_LOGIN = "<response>\n  <sessionKey>key</sessionKey>\n</response>\n"
_INFO = b'{"entry":[{"content":{"version":"10.0.1"}}]}'
_NOTHING = b'{"preview":false,"lastrow":true}\n'
_SOMETHING = b'{"preview":false,"offset":0,"lastrow":true,"result":{"index":"main"}}\n'


def create_app(answers: Mapping[str, Path], latest: str) -> Starlette:
    """Answer these searches with these streams if they reach up to ``latest``; in another window there is nothing.

    Of the other searches, one counts records that were cut, of which there are none, and one asks whether there is any
    record, and there is one.
    """

    async def login(_: Request) -> Response:
        return Response(_LOGIN, media_type=XML)

    async def info(_: Request) -> Response:
        return Response(_INFO, media_type=JSON, headers={"Connection": "close"})

    async def export(request: Request) -> Response:
        asked = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        path = answers.get(asked["search"])
        close = {"Connection": "close"}
        if path is None and "| stats count by " not in asked["search"]:
            return Response(_SOMETHING, media_type=JSON, headers=close)
        if path is None or asked["latest_time"] != latest:
            return Response(_NOTHING, media_type=JSON, headers=close)
        return StreamingResponse(_chunks(path), media_type=JSON, headers=close)

    return Starlette(
        routes=[
            Route("/services/auth/login", login, methods=["POST"]),
            Route("/services/server/info", info),
            Route("/servicesNS/{owner}/{app}/search/v2/jobs/export", export, methods=["POST"]),
        ]
    )


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
