"""The API of several clusters on HTTP: each below ``/clusters/NAME``, and all of their objects at the root."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Mount, Route

from sandbox.kubernetes import discovery, lists
from sandbox.kubernetes.configmaps import ConfigMaps
from sandbox.kubernetes.errors import StatusError, invalid, not_found
from sandbox.kubernetes.kubeconfig import PASSWORD, TOKEN, USERNAME
from sandbox.kubernetes.objects import CONFIG_MAPS, Object, Resource
from sandbox.kubernetes.request import (
    DELETE_OPTIONS,
    JSON,
    manager_of,
    media_type,
    read_body,
    read_flag,
    read_parameters,
    read_preconditions,
)
from sandbox.kubernetes.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from sandbox.kubernetes.clusters import Clusters

#: Seconds that a list can be gone on with, as long as Kubernetes's own.
TOKEN_LIFETIME = 300.0

_BASIC = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
_CREDENTIALS = {("basic", _BASIC), ("bearer", TOKEN)}
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_APPLY = "application/apply-patch+yaml"
#: To a ConfigMap, both do the same.
_MERGE = ("application/merge-patch+json", "application/strategic-merge-patch+json")


def create_app(
    clusters: Clusters, *, token_lifetime: float = TOKEN_LIFETIME, clock: Callable[[], float] = time.time
) -> Starlette:
    """Serve the clusters.

    A list can be gone on with for ``token_lifetime`` seconds; 0 makes every token an expired one. ``clock`` tells
    the seconds since the epoch.
    """

    def mount(path: str, objects: Iterable[Object]) -> Mount:
        return Mount(path, routes=_Api(Store(objects, clock, token_lifetime)).routes())

    return Starlette(
        routes=[
            *(mount(f"/clusters/{name}", clusters.objects(name)) for name in clusters.names),
            mount("/", clusters.all_objects()),
        ],
        middleware=[Middleware(_Authenticate)],
        exception_handlers={StatusError: _answer_status, HTTPException: _answer_http},
    )


class _Api:
    """The endpoints of one cluster."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        documents: dict[str, Callable[[Request], Any]] = {
            "/version": lambda _: discovery.VERSION,
            "/version/": lambda _: discovery.VERSION,
            "/api": lambda _: discovery.CORE_VERSIONS,
            "/apis": lambda _: discovery.group_list(self._resources),
            "/apis/{group}": lambda request: discovery.group(self._resources, request.path_params["group"]),
            "/openapi/v3": lambda _: discovery.OPENAPI_PATHS,
            "/openapi/v3/api/v1": lambda _: discovery.OPENAPI_CORE,
            **dict.fromkeys(("/api/{version}", "/apis/{group}/{version}"), self._resource_list),
        }
        routes = [Route(path, _document(find), methods=["GET"]) for path, find in documents.items()]
        for prefix in ("/api/{version}", "/apis/{group}/{version}"):
            for place in (prefix, f"{prefix}/namespaces/{{namespace}}"):
                routes.append(Route(f"{place}/{{plural}}", self._collection, methods=_METHODS))
                routes.append(Route(f"{place}/{{plural}}/{{name}}", self._object, methods=_METHODS))
        return routes

    @property
    def _resources(self) -> Iterable[Resource]:
        return self._store.resources.values()

    def _resource_list(self, request: Request) -> dict[str, Any] | None:
        return discovery.resource_list(self._resources, _api_version(request), CONFIG_MAPS)

    async def _collection(self, request: Request) -> Response:
        namespace = request.path_params.get("namespace")
        resource = self._resource(request)
        match request.method:
            case "GET" | "HEAD":
                parameters = read_parameters(request, lists.PARAMETERS)
                return _json(lists.list_objects(self._store, resource, namespace, parameters))
            case "POST" if resource == CONFIG_MAPS and namespace is not None:
                parameters = read_parameters(request, {"fieldManager"})
                maps = ConfigMaps(self._store, namespace, manager_of(request, parameters))
                return _json(maps.create(await read_body(request, JSON)).json, 201)
        raise _not_written(request.method, resource)

    async def _object(self, request: Request) -> Response:
        namespace, name = request.path_params.get("namespace"), request.path_params["name"]
        resource = self._resource(request)
        if resource.namespaced and namespace is None:
            raise _no_such_resource()
        if request.method in ("GET", "HEAD"):
            read_parameters(request, set())
            key = f"{namespace}/{name}" if namespace else name
            found = self._store.now(resource).get(key)
            if found is None:
                raise not_found(resource, name)
            return _json(found.json)
        if resource != CONFIG_MAPS or namespace is None:
            raise _not_written(request.method, resource)
        match request.method:
            case "PUT":
                parameters = read_parameters(request, {"fieldManager"})
                maps = ConfigMaps(self._store, namespace, manager_of(request, parameters))
                return _json(maps.replace(name, await read_body(request, JSON)).json)
            case "PATCH":
                return await self._patch(request, namespace, name)
            case "DELETE":
                read_parameters(request, DELETE_OPTIONS)
                return _json(ConfigMaps(self._store, namespace).delete(name, await read_preconditions(request)))
        raise _not_written(request.method, resource)

    async def _patch(self, request: Request, namespace: str, name: str) -> Response:
        parameters = read_parameters(request, {"fieldManager", "force"})
        manager = manager_of(request, parameters)
        body = await read_body(request, (_APPLY, *_MERGE))
        maps = ConfigMaps(self._store, namespace, manager)
        if media_type(request) != _APPLY:
            if "force" in parameters:
                raise _invalid_options("force", "Forbidden: may not be specified for non-apply patch")
            return _json(maps.merge(name, body).json)
        if not parameters.get("fieldManager"):
            raise _invalid_options("fieldManager", "Required value: is required for apply patch")
        applied, created = maps.apply(name, body, force=read_flag(parameters, "force"))
        return _json(applied.json, 201 if created else 200)

    def _resource(self, request: Request) -> Resource:
        resource = self._store.resources.get((_api_version(request), request.path_params["plural"]))
        if resource is None or (not resource.namespaced and "namespace" in request.path_params):
            raise _no_such_resource()
        return resource


def _document(find: Callable[[Request], Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        document = find(request)
        if document is None:
            raise _no_such_resource()
        return _json(document)

    return endpoint


def _api_version(request: Request) -> str:
    group, version = request.path_params.get("group"), request.path_params["version"]
    return f"{group}/{version}" if group else version


def _json(body: Any, code: int = 200) -> Response:  # noqa: ANN401 - any JSON
    return Response(msgspec.json.encode(body), code, media_type="application/json")


def _no_such_resource() -> StatusError:
    return StatusError(404, "the server could not find the requested resource")


def _not_written(method: str, resource: Resource) -> StatusError:
    return StatusError(405, f"{method} is not implemented here for {resource.qualified}; ConfigMaps alone are written")


def _invalid_options(field: str, flaw: str) -> StatusError:
    return invalid("PatchOptions", "", [(field, flaw)], group="meta.k8s.io")


async def _answer_status(_: Request, error: Exception) -> Response:
    if not isinstance(error, StatusError):
        raise error
    return _json(error.body, error.code)


async def _answer_http(request: Request, error: Exception) -> Response:
    """Answer for a path or a method that no route has."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == _no_such_resource().code:
        return await _answer_status(request, _no_such_resource())
    return await _answer_status(request, StatusError(error.status_code, error.detail))


class _Authenticate:
    """Lets through who says that they are the administrator."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        scheme, _, credentials = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if (scheme.lower(), credentials) in _CREDENTIALS:
            await self._app(scope, receive, send)
        else:
            await _json(StatusError(401, "Unauthorized").body, 401)(scope, receive, send)
