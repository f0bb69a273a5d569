"""What a request says: its query, who it comes from, and its body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.kubernetes.errors import StatusError, bad_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

JSON = ("application/json", "application/yaml", "")
DELETE_OPTIONS = frozenset({"propagationPolicy", "gracePeriodSeconds", "orphanDependents"})

_MAX_BODY = 3 * 1024 * 1024
#: Each either changes no answer or, like fieldValidation, asks for no more than is always done.
_IGNORED = {"pretty", "timeout", "timeoutSeconds", "fieldValidation", "allowWatchBookmarks"}


def read_parameters(request: Request, known: Iterable[str]) -> dict[str, str]:
    """Return the query; raises StatusError (400) for what is neither known nor safe to pass over."""
    pairs = request.query_params.multi_items()
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise bad_request("a query parameter stands more than once")
    if unknown := parameters.keys() - known - _IGNORED:
        raise bad_request(f"query parameters not implemented for this: {', '.join(sorted(unknown))}")
    return parameters


def read_flag(parameters: Mapping[str, str], name: str) -> bool:
    """Return a parameter that is true or false, in any spelling that clients use; by default it is false."""
    value = parameters.get(name, "false")
    if value.lower() not in ("true", "1", "false", "0"):
        raise bad_request(f"{name}: {value!r} is neither true nor false")
    return value.lower() in ("true", "1")


def manager_of(request: Request, parameters: Mapping[str, str]) -> str:
    """Name who writes, if need be after the program that sends the request."""
    return parameters.get("fieldManager") or request.headers.get("user-agent", "").partition("/")[0] or "unknown"


def media_type(request: Request) -> str:
    """Return the kind of body, without its parameters; empty where none is named."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(request: Request, accepted: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON
    """Return the body's JSON or YAML; raises StatusError where it is of another media type, too large, or neither."""
    if media_type(request) not in accepted:
        media = ", ".join(filter(None, accepted))
        raise StatusError(415, f"the body of the request was in an unknown format - accepted media types: {media}")
    content = await request.body()
    if len(content) > _MAX_BODY:
        raise StatusError(413, f"Request entity too large: limit is {_MAX_BODY}")
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if "yaml" not in media_type(request):
            raise bad_request("the body is not JSON") from error
    try:
        # By way of JSON, which has no dates, and only text for keys.
        return msgspec.json.decode(msgspec.json.encode(msgspec.yaml.decode(content)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError) as error:
        raise bad_request("the body is not YAML, or not of the kind that has a form in JSON") from error


async def read_preconditions(request: Request) -> dict[str, Any]:
    """Read what a DELETE's body, if there is one, demands of the object."""
    if not await request.body():
        return {}
    options = await read_body(request, JSON)
    if not isinstance(options, dict):
        raise bad_request("the body is not a DeleteOptions object")
    if unknown := options.keys() - DELETE_OPTIONS - {"apiVersion", "kind", "preconditions"}:
        raise bad_request(f"DeleteOptions not implemented: {', '.join(sorted(unknown))}")
    preconditions = options.get("preconditions") or {}
    if not isinstance(preconditions, dict):
        raise bad_request("the preconditions are not an object")
    return preconditions
