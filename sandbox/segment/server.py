"""Segment's HTTP Tracking API, as much of it as a batch needs, and what arrived there.

========  ====================  ==============================================================================
POST      /v1/batch             take a batch: 200, whatever becomes of its events; 400, 401 or 429 for a request
GET       /sandbox/events       the accepted events as NDJSON, byte for byte, each once, in the order of arrival
GET       /sandbox/rejected     the dropped events as NDJSON: ``{"reason": ..., "event": ...}``
GET       /sandbox/duplicates   a JSON object: by messageId, how often it came again
GET       /sandbox/summary      counts; "events" is the sum of accepted, duplicates and rejected
DELETE    /sandbox/events       forget everything, the messageIds too
========  ====================  ==============================================================================
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox.segment import rules
from sandbox.segment.inbox import Inbox
from sandbox.segment.rules import MAX_BODY, Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from starlette.datastructures import Headers
    from starlette.requests import Request

_GZIP = 31  # zlib's word for: with a gzip header, and the largest window


def create_app(
    *,
    latency: float = 0.0,
    rate: int | None = None,
    refuse_large_events: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Starlette:
    """Take batches with any write key; whatever fails is said in plain text.

    ``latency`` is in seconds, and passes between taking a request and answering it. Of the requests of one second of
    ``clock``, those beyond ``rate`` are answered with 429. An event that is too large is dropped under a 200, or with
    ``refuse_large_events`` turns the whole request into a 400: Segment's documentation says both.
    """
    segment = _Segment(latency, rate, refuse_large_events, clock)
    app = Starlette(
        routes=[
            Route("/v1/batch", segment.batch, methods=["POST"]),
            Route("/sandbox/events", segment.events, methods=["GET"]),
            Route("/sandbox/events", segment.reset, methods=["DELETE"]),
            Route("/sandbox/rejected", segment.rejected, methods=["GET"]),
            Route("/sandbox/duplicates", segment.duplicates, methods=["GET"]),
            Route("/sandbox/summary", segment.summary, methods=["GET"]),
        ]
    )
    app.router.redirect_slashes = False
    return app


class _Segment:
    """The endpoints, over one inbox."""

    def __init__(self, latency: float, rate: int | None, refuse_large_events: bool, clock: Callable[[], float]) -> None:
        self._latency = latency
        self._rate = rate
        self._refuse_large_events = refuse_large_events
        self._clock = clock
        self._second, self._in_second = clock(), 0
        self._inbox = Inbox()

    async def batch(self, request: Request) -> Response:
        body = await request.body()
        inbox = self._inbox
        if repeats := request.headers.get("x-retry-count"):
            inbox.retry_counts[repeats] += 1
        status = HTTPStatus.OK
        try:
            self._take(request.headers, body)
        except HTTPException as refusal:
            status = HTTPStatus(refusal.status_code)
            raise
        finally:
            inbox.answers[status] += 1
            await asyncio.sleep(self._latency)
        return JSONResponse({"success": True})

    def _take(self, headers: Headers, body: bytes) -> None:
        """Take a batch, or raise what to answer instead; then none of its events is kept."""
        if not self._is_within_rate():
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": "1"})
        write_key = _write_key(headers.get("authorization"))
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise _bad_request("the Content-Type must be application/json")
        text = _decoded(headers.get("content-encoding", "identity").lower(), body)
        if len(text) > MAX_BODY:
            raise _bad_request(f"the body is larger than {MAX_BODY} bytes")
        try:
            batch = rules.read(text)
        except ValueError as error:
            raise _bad_request(str(error)) from error
        write_key = write_key or batch.writeKey or ""
        if not write_key:
            raise _unauthorized("there is no write key, in the header or in the body")
        verdicts = list(rules.judge(batch))
        if self._refuse_large_events and any(verdict.reason == Reason.TOO_LARGE for verdict in verdicts):
            raise _bad_request(f"an event is larger than {rules.MAX_EVENT} bytes")
        self._inbox.take(write_key, len(text), verdicts)

    def _is_within_rate(self) -> bool:
        now = self._clock()
        if now - self._second >= 1:
            self._second, self._in_second = now, 0
        self._in_second += 1
        return self._rate is None or self._in_second <= self._rate

    async def events(self, _: Request) -> Response:
        return _ndjson(self._inbox.accepted)

    async def rejected(self, _: Request) -> Response:
        return _ndjson(self._inbox.rejected)

    async def duplicates(self, _: Request) -> Response:
        return JSONResponse(self._inbox.duplicates())

    async def summary(self, _: Request) -> Response:
        return JSONResponse(self._inbox.summary())

    async def reset(self, _: Request) -> Response:
        self._inbox = Inbox()
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _write_key(authorization: str | None) -> str:
    """Return the user name of Basic credentials without a password; "" where there is no header."""
    if authorization is None:
        return ""
    scheme, _, credentials = authorization.partition(" ")
    try:
        name, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        name = colon = password = ""
    if scheme.lower() != "basic" or not name or not colon or password:
        raise _unauthorized("the write key must be the user name of Basic credentials, and the password empty")
    return name


def _decoded(encoding: str, body: bytes) -> bytes:
    """Undo the encoding; what is too large comes cut off after one byte more than is allowed."""
    if encoding == "identity":
        return body
    if encoding != "gzip":
        raise _bad_request("of the encodings, gzip alone is understood")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        text = unpacker.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise _bad_request("malformed gzip") from error
    if len(text) <= MAX_BODY and (not unpacker.eof or unpacker.unused_data):
        raise _bad_request("malformed gzip")
    return text


def _bad_request(text: str) -> HTTPException:
    return HTTPException(HTTPStatus.BAD_REQUEST, text)


def _unauthorized(text: str) -> HTTPException:
    return HTTPException(HTTPStatus.UNAUTHORIZED, text)


def _ndjson(blocks: Sequence[bytes]) -> Response:
    """Send what is there now, and nothing that arrives meanwhile."""
    count = len(blocks)

    async def stream() -> AsyncIterator[bytes]:
        for position in range(count):
            yield blocks[position]

    return StreamingResponse(stream(), media_type="application/x-ndjson")
