"""The REST endpoints of the KV store and of lookup definitions."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from sandbox.splunk.http import JSON, Credentials, RequestError, bad_request, read_parameters
from sandbox.splunk.kvstore import App, Collection, KvStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

MOST_DOCUMENTS = 1_000
_NAMESPACE = "/servicesNS/nobody/{app}"
_LOOKUP_PARAMETERS = frozenset({"collection", "external_type", "fields_list", "max_matches"})


class _Endpoint(Protocol):
    def __call__(self, request: Request, app: App, parameters: dict[str, str]) -> Awaitable[Response]: ...


def routes(credentials: Credentials, store: KvStore) -> list[Route]:
    """Return the endpoints."""

    def route(path: str, method: str, endpoint: _Endpoint, *, form: bool = True) -> Route:
        @wraps(endpoint)
        async def serve(request: Request) -> Response:
            parameters = await read_parameters(request, form=form)
            credentials.check(request)
            return await endpoint(request, store.app(request.path_params["app"]), parameters)

        return Route(_NAMESPACE + path, serve, methods=[method])

    config, data, lookups = "/storage/collections/config", "/storage/collections/data", "/data/transforms/lookups"
    return [
        route(config, "GET", _list_collections),
        route(config, "POST", _create_collection),
        route(f"{config}/{{name}}", "POST", _change_collection),
        route(f"{config}/{{name}}", "DELETE", _delete_collection),
        route(f"{data}/{{name}}", "GET", _find, form=False),
        route(f"{data}/{{name}}", "POST", _save, form=False),
        route(f"{data}/{{name}}", "DELETE", _delete, form=False),
        route(f"{data}/{{name}}/batch_save", "POST", _batch_save, form=False),
        route(lookups, "POST", _create_lookup),
        route(f"{lookups}/{{name}}", "GET", _show_lookup),
        route(f"{lookups}/{{name}}", "POST", _change_lookup),
    ]


async def _list_collections(request: Request, app: App, parameters: dict[str, str]) -> Response:
    _take(parameters, {"count"})
    return _feed(request, {name: collection.settings for name, collection in app.collections.items()})


async def _create_collection(request: Request, app: App, parameters: dict[str, str]) -> Response:
    _take(parameters, {"name"})
    name = _new_name(parameters, app.collections)
    app.collections[name] = Collection()
    return _feed(request, {name: {}}, status=201)


async def _change_collection(request: Request, app: App, parameters: dict[str, str]) -> Response:
    name, collection = _collection(request, app)
    wrong = {
        key for key in parameters.keys() - {"output_mode"} if not key.startswith(("field.", "accelerated_fields."))
    }
    wrong |= {key for key in parameters if key.startswith("field.") and parameters[key] not in _TYPES}
    if wrong:
        raise bad_request(f"Not supported by this handler: {', '.join(sorted(wrong))}")
    _take(parameters, set(parameters))
    collection.settings |= {key: value for key, value in parameters.items() if key != "output_mode"}
    return _feed(request, {name: collection.settings})


async def _delete_collection(request: Request, app: App, parameters: dict[str, str]) -> Response:
    _take(parameters, set())
    name, _ = _collection(request, app)
    del app.collections[name]
    return _feed(request, {})


async def _find(request: Request, app: App, parameters: dict[str, str]) -> Response:
    _, collection = _collection(request, app)
    _take(parameters, {"query", "limit", "skip"})
    skip, limit = (_number(parameters, name) or 0 for name in ("skip", "limit"))
    found = collection.find(_query(parameters))[skip:]
    return _json(found[: limit or None])


async def _save(request: Request, app: App, parameters: dict[str, str]) -> Response:
    _, collection = _collection(request, app)
    _take(parameters, set())
    (key,) = collection.save([await _body(request, dict[str, Any])])
    return _json({"_key": key}, status=201)


async def _delete(request: Request, app: App, parameters: dict[str, str]) -> Response:
    _, collection = _collection(request, app)
    _take(parameters, {"query"})
    collection.delete(_query(parameters))
    return _json({})


async def _batch_save(request: Request, app: App, parameters: dict[str, str]) -> Response:
    _, collection = _collection(request, app)
    _take(parameters, set())
    documents = await _body(request, list[dict[str, Any]])
    if len(documents) > MOST_DOCUMENTS:
        limit = f"Too many documents for a single batch save, max_documents_per_batch_save={MOST_DOCUMENTS}"
        raise RequestError(400, "ERROR", f"Request exceeds API limits - see limits.conf for details. ({limit})")
    return _json(collection.save(documents))


async def _create_lookup(request: Request, app: App, parameters: dict[str, str]) -> Response:
    _take(parameters, _LOOKUP_PARAMETERS | {"name"})
    changes = _definition(parameters)
    if not {"collection", "fields"} <= changes.keys() or "external_type" not in parameters:
        raise bad_request("Of the lookups, those with external_type=kvstore, collection and fields_list alone are.")
    name = _new_name(parameters, app.lookups)
    app.define(name, changes)
    return _lookup(request, app, name, status=201)


async def _show_lookup(request: Request, app: App, parameters: dict[str, str]) -> Response:
    _take(parameters, set())
    return _lookup(request, app, _known(request, app.lookups))


async def _change_lookup(request: Request, app: App, parameters: dict[str, str]) -> Response:
    name = _known(request, app.lookups)
    _take(parameters, _LOOKUP_PARAMETERS)
    app.define(name, _definition(parameters))
    return _lookup(request, app, name)


_TYPES = frozenset({"array", "bool", "cidr", "number", "string", "time"})


def _definition(parameters: dict[str, str]) -> dict[str, Any]:
    if parameters.get("external_type", "kvstore") != "kvstore":
        raise bad_request("Of the lookups, those of the KV store alone are implemented.")
    changes: dict[str, Any] = {}
    if "collection" in parameters:
        changes["collection"] = parameters["collection"]
    if "fields_list" in parameters:
        changes["fields"] = tuple(name.strip() for name in parameters["fields_list"].split(","))
    if (matches := _number(parameters, "max_matches")) is not None:
        changes["max_matches"] = matches
    return changes


def _lookup(request: Request, app: App, name: str, *, status: int = 200) -> Response:
    definition = app.lookups[name]
    content = {
        "collection": definition.collection,
        "external_type": "kvstore",
        "fields_list": ", ".join(definition.fields),
        "max_matches": definition.max_matches,
    }
    return _feed(request, {name: content}, status=status)


def _known(request: Request, names: dict[str, Any]) -> str:
    name: str = request.path_params["name"]
    if name not in names:
        raise RequestError(404, "ERROR", f"Could not find object id={name}")
    return name


def _collection(request: Request, app: App) -> tuple[str, Collection]:
    name = _known(request, app.collections)
    return name, app.collections[name]


def _new_name(parameters: dict[str, str], names: dict[str, Any]) -> str:
    name = parameters.get("name", "")
    if not name:
        raise bad_request("A name is required.")
    if name in names:
        raise RequestError(409, "ERROR", f"An object with name={name} already exists")
    return name


def _take(parameters: dict[str, str], known: set[str] | frozenset[str]) -> None:
    if parameters.get("output_mode") != "json":
        raise bad_request("Of the output modes, json alone is implemented.")
    if unknown := parameters.keys() - known - {"output_mode"}:
        raise bad_request(f"Not supported by this handler: {', '.join(sorted(unknown))}")


def _number(parameters: dict[str, str], name: str) -> int | None:
    if (value := parameters.get(name)) is None:
        return None
    if not (value.isascii() and value.isdigit()):
        raise bad_request(f"Invalid value for {name}: it is a whole number.")
    return int(value)


def _query(parameters: dict[str, str]) -> dict[str, Any]:
    query: dict[str, Any] = _decode(parameters.get("query", "{}").encode(), dict[str, Any])
    if any(name.startswith("$") or isinstance(value, dict) for name, value in query.items()):
        raise bad_request("Of the queries, those for the values of fields alone are implemented.")
    return query


async def _body(request: Request, kind: Callable[..., Any]) -> Any:  # noqa: ANN401 - what the kind says
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise RequestError(415, "ERROR", "Unsupported Media Type")
    return _decode(await request.body(), kind)


def _decode(text: bytes, kind: Callable[..., Any]) -> Any:  # noqa: ANN401 - what the kind says
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(400, "ERROR", "JSON in the request is invalid.") from error


def _json(value: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)


def _feed(request: Request, entries: dict[str, Any], *, status: int = 200) -> Response:
    acl = {"app": request.path_params["app"], "owner": "nobody", "sharing": "app"}
    listed = [{"name": name, "acl": acl, "content": content} for name, content in entries.items()]
    return _json({"entry": listed, "messages": []}, status=status)
