"""Ask a cluster for the objects that identities are made of, and publish what was made of them.

Lists come in pages, and a list is handed on only when it is whole. Of each object no more is kept than names,
IDs and what decides between them: some hundred bytes, whatever the object holds otherwise.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from segment_bridge.errors import BridgeError, ConfigurationError, RetryableError, error_for_status, seconds_to_wait
from segment_bridge.kubernetes.pages import decode_page
from segment_bridge.network import keep_heads_out_of_the_log
from segment_bridge.tenants import TOOLCHAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kubernetes.client.exceptions import ApiException

    from segment_bridge.kubernetes.kubeconfig import Access
    from segment_bridge.kubernetes.pages import Object
    from segment_bridge.settings import KubernetesSettings
    from segment_bridge.tenants import Tenants

T = TypeVar("T")

DEFAULT_KUBECONFIG = "~/.kube/config"
#: How often a list begins again after its token has expired.
MAX_RESTARTS = 3
#: Bytes of a ConfigMap's data, its keys included.
MAX_CONFIG_MAP = 2**20
#: Under which name the bridge owns the fields that it applies.
FIELD_MANAGER = "segment-bridge"

_GROUP = "toolchain.dev.openshift.com"
_SIGNUPS = f"/apis/{_GROUP}/v1alpha1/namespaces/toolchain-host-operator/usersignups"
_NAMESPACES = "/api/v1/namespaces"
_STATE = f"{_GROUP}/state"


class Cluster:
    """One cluster, through an API client of its own; ``name`` is what messages call it.

    ``page_size`` is in objects, ``timeout`` in seconds: for connecting, and between two bytes of the answer.
    Its lists are read when iterated. Where one cannot be read whole they yield nothing of it and raise the
    :class:`BridgeError` that says what to do.
    """

    def __init__(self, access: Access, name: str, *, page_size: int = 500, timeout: float = 60.0) -> None:
        # The official client takes most of a second to import, which only those who ask a cluster should wait for.
        from kubernetes.client import ApiClient  # noqa: PLC0415 - as above

        keep_heads_out_of_the_log()
        self.name = name
        self._api_client = ApiClient(access.configuration)
        self._route = access.route
        self._page_size = page_size
        self._timeout = timeout

    @classmethod
    def from_context(cls, settings: KubernetesSettings, context: str) -> Cluster:
        """Return the cluster of a kubeconfig's context.

        Raises :class:`ConfigurationError` where there is no kubeconfig, or it has no such context or no usable one,
        and :class:`RetryableError` where an exec plugin gives no credential.
        """
        from segment_bridge.kubernetes import kubeconfig  # noqa: PLC0415 - as above

        access = kubeconfig.from_files(settings.kubeconfig or DEFAULT_KUBECONFIG, context)
        return cls(access, context, page_size=settings.page_size, timeout=settings.timeout)

    @property
    def address(self) -> str:
        """Where the cluster's API server is."""
        return str(self._api_client.configuration.host)

    def user_signups(self) -> Iterator[dict[str, Any]]:
        """Yield the host operator's UserSignups as JSON objects, reduced to what makes up the user map."""
        return self._list("UserSignups", _SIGNUPS, [_STATE])

    def tenant_namespaces(self, tenants: Tenants = TOOLCHAIN) -> Iterator[dict[str, Any]]:
        """Yield the tenants' Namespaces as JSON objects, reduced to what makes up the workspace map; each once."""
        seen: set[str] = set()
        for selector in tenants.selectors:  # which Kubernetes can only join by AND
            listed = self._list("tenant Namespaces", _NAMESPACES, tenants.space_labels, labelSelector=selector)
            for namespace in listed:
                name = namespace.get("metadata", {}).get("name")
                if isinstance(name, str):
                    if name in seen:
                        continue
                    seen.add(name)
                yield namespace

    def config_map(self, namespace: str, name: str) -> dict[str, str] | None:
        """Return the data of a ConfigMap; None where it does not exist."""
        query = {"fieldSelector": f"metadata.name={name}", "limit": "1"}
        what = f"ConfigMap {name}"
        found = self._decode(what, self._get(what, _config_maps(namespace), query), _decode_config_maps)
        return next((one.data or {} for one in found.items), None)

    def publish(self, namespace: str, name: str, data: Mapping[str, str]) -> bool:
        """Let a ConfigMap hold exactly this data, by server-side apply; say whether it did not before."""
        if self.config_map(namespace, name) == data:
            return False
        applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        self._request(
            "PATCH",
            f"ConfigMap {name}",
            f"{_config_maps(namespace)}/{name}",
            {"fieldManager": FIELD_MANAGER, "force": "true"},
            body=applied,
        )
        return True

    def _list(self, what: str, path: str, labels: Sequence[str], **query: str) -> Iterator[dict[str, Any]]:
        """Yield the objects of a list, with no labels but those named."""
        for _ in range(1 + MAX_RESTARTS):
            try:
                objects = self._read_pages(what, path, labels, query)
            except _ExpiredError:
                # The token that comes with a 410 would go on with a list that is not of one moment.
                continue
            yield from map(msgspec.to_builtins, objects)
            return
        raise RetryableError(
            f"{self._asked_for(what)}: the list expired {1 + MAX_RESTARTS} times before its last page: "
            "try again later, or with larger pages"
        )

    def _read_pages(self, what: str, path: str, labels: Sequence[str], query: Mapping[str, str]) -> list[Object]:
        objects: list[Object] = []
        asking = {**query, "limit": str(self._page_size)}
        while True:
            page = self._decode(what, self._get(what, path, asking), decode_page)
            for one in page.items or ():
                one.keep_labels(labels)
                objects.append(one)
            if not page.metadata.token:
                return objects
            if page.metadata.token == asking.get("continue"):
                raise RetryableError(f"{self._asked_for(what)}: the list comes to no end: try again later")
            asking["continue"] = page.metadata.token

    def _decode(self, what: str, body: bytes, decode: Callable[[bytes], T]) -> T:
        try:
            return decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise RetryableError(
                f"{self._asked_for(what)}: the answer is not a list: try again later, or check the server's address"
            ) from None

    def _get(self, what: str, path: str, query: Mapping[str, str]) -> bytes:
        return self._request("GET", what, path, query)

    def _request(
        self, method: str, what: str, path: str, query: Mapping[str, str], body: object | None = None
    ) -> bytes:
        """Return the body of a success; what is sent is applied.

        No error is chained: the client's texts quote headers, bodies and tokens, in which names stand.
        """
        from kubernetes.client.exceptions import ApiException  # noqa: PLC0415 - imported long since, with the client

        headers = {**self._api_client.default_headers, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/apply-patch+yaml"
        try:
            self._api_client.update_params_for_auth(headers, [], ["BearerToken"])
            response = self._api_client.request(
                method,
                self._api_client.configuration.host + path,
                query_params=query,
                headers=headers,
                body=body,
                _preload_content=False,
                _request_timeout=(self._timeout, self._timeout),
            )
            answer: bytes = response.data
        except BridgeError as error:
            raise type(error)(f"{self._asked_for(what)}: {error}") from None
        except ApiException as error:
            if error.status == HTTPStatus.GONE:
                raise _ExpiredError from None
            if error.status:
                raise self._refused(what, error) from None
            cause = error.__context__
            raise self._unreachable(what, cause if isinstance(cause, Exception) else error) from None
        except Exception as error:  # noqa: BLE001 - of whatever type, its text is not for us to tell
            raise self._unreachable(what, error) from None
        return answer

    def _refused(self, what: str, error: ApiException) -> BridgeError:
        if failure := self._route.answered(error.status):
            return failure
        pause = seconds_to_wait(error.headers.get("Retry-After"), error.headers.get("Date"))
        return error_for_status(f"{self._asked_for(what)},", error.status, retry_after=pause)

    def _unreachable(self, what: str, error: Exception) -> BridgeError:
        from urllib3.exceptions import HTTPError, LocationValueError, ProxyError  # noqa: PLC0415 - as above

        asked_for = self._asked_for(what)
        if isinstance(error, LocationValueError):
            return ConfigurationError(f"{asked_for}: the server's address is not a URL: check the cluster's entry")
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return ConfigurationError(
                f"{asked_for}: the server's certificate is not trusted: check the cluster's certificate authority"
            )
        kind = type(error.original_error if isinstance(error, ProxyError) else error).__name__
        if failure := self._route.failed(error, kind, reached=not isinstance(error, ProxyError)):
            return failure
        if not isinstance(error, (HTTPError, OSError)):
            return ConfigurationError(
                f"{asked_for}: {self._route} cannot be asked ({kind}): check the entries of the cluster and the user"
            )
        told = f"{asked_for}: no answer from {self._route} ({kind})"
        return RetryableError(f"{told}: try again later, or check the server's address")

    def _asked_for(self, what: str) -> str:
        return f"cluster {self.name}, asked for {what}"


class _ConfigMap(msgspec.Struct):
    data: dict[str, str] | None = None


class _ConfigMaps(msgspec.Struct):
    items: list[_ConfigMap]


_decode_config_maps = msgspec.json.Decoder(_ConfigMaps).decode


def _config_maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


class _ExpiredError(Exception):
    """The token of a list is too old to go on."""
