"""What all endpoints share: parameters, refusals, and who may ask."""

from __future__ import annotations

import base64
import binascii
import secrets
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.responses import Response

from sandbox.splunk import export

if TYPE_CHECKING:
    from starlette.requests import Request

JSON = "application/json; charset=UTF-8"
XML = "text/xml; charset=UTF-8"
XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


class RequestError(Exception):
    """An answer with a message: its status, the message's type and text, and its code if it has one."""

    def __init__(self, status: int, kind: str, text: str, code: str = "") -> None:
        super().__init__(text)
        self.status, self.kind, self.text, self.code = status, kind, text, code


def bad_request(text: str) -> RequestError:
    """Refuse a request as Splunk refuses a search."""
    return RequestError(400, "FATAL", text)


def answer(request: Request, error: Exception) -> Response:
    """Say what is wrong, in JSON if that is the output mode, else in XML."""
    if not isinstance(error, RequestError):
        raise error
    if request.state.output_mode == "json":
        more = {"code": error.code} if error.code else {}
        return Response(export.messages(error.kind, error.text, **more), error.status, media_type=JSON)
    code = f' code="{error.code}"' if error.code else ""
    message = f'<msg type="{error.kind}"{code}>{escape(error.text)}</msg>'
    body = f"{XML_HEAD}<response>\n  <messages>\n    {message}\n  </messages>\n</response>\n"
    return Response(body, error.status, media_type=XML)


class Credentials:
    """The user, the token, and the session keys given out."""

    def __init__(self, username: str, password: str, token: str) -> None:
        self._username, self._password, self._token = username, password, token
        self._sessions: set[str] = set()

    def log_in(self, parameters: dict[str, str]) -> str:
        """Give out a session key."""
        if (parameters.get("username"), parameters.get("password")) != (self._username, self._password):
            raise RequestError(401, "WARN", "Login failed", "incorrect_username_or_password")
        key = secrets.token_urlsafe(48)
        self._sessions.add(key)
        return key

    def check(self, request: Request) -> None:
        """Refuse a request without good credentials."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        match scheme.lower():
            case "splunk" if credentials in self._sessions:
                return
            case "bearer" if credentials == self._token:
                return
            case "basic" if _basic(credentials) == f"{self._username}:{self._password}":
                return
        raise RequestError(401, "WARN", "call not properly authenticated")


async def read_parameters(request: Request, *, form: bool = True) -> dict[str, str]:
    """Merge query and form, which is read without regard to its Content-Type, as the SDK sends none.

    Where the body is no ``form`` it is left alone. Leaves the output mode in the request's state, for the answer.
    """
    request.state.output_mode = None
    try:
        body = (await request.body()).decode() if form else ""
        pairs = [
            pair
            for source in (request.url.query, body)
            for pair in parse_qsl(source, keep_blank_values=True, strict_parsing=bool(source), errors="strict")
        ]
    except ValueError as error:
        raise bad_request("The request is not form-encoded UTF-8.") from error
    parameters = dict(pairs)
    request.state.output_mode = parameters.get("output_mode")
    if len(parameters) < len(pairs):
        raise bad_request("A parameter stands more than once.")
    return parameters


def _basic(credentials: str) -> str | None:
    try:
        return base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
