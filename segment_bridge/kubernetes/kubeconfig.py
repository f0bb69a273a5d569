"""Read how to reach a cluster, and as whom: from a kubeconfig, or from the pod that we run in.

The official loader does most of it. It is kept from what does not suit us: it takes line ends for parts of a token,
never reads a token file again, logs whatever an exec plugin prints, and goes on without credentials if one fails.
"""

from __future__ import annotations

import base64
import os
import re
import ssl
import tempfile
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubernetes.client import Configuration
from kubernetes.config import incluster_config
from kubernetes.config.dateutil import parse_rfc3339
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.kube_config import ConfigNode, FileOrData, KubeConfigLoader, KubeConfigMerger

from segment_bridge.errors import BridgeError, ConfigurationError, RetryableError
from segment_bridge.network import Proxy, Route, authorities, authority

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Access:
    """What a client needs: its configuration, and the way to the server for messages."""

    configuration: Configuration
    route: Route


def from_files(paths: str, context: str = "") -> Access:
    """Read a context from a file, or from several as ``KUBECONFIG`` joins them; the current one if none is named.

    Raises :class:`ConfigurationError` where there is none that can be used.
    """
    where = f"kubeconfig {paths}"
    try:
        merged = KubeConfigMerger(paths).config
    except Exception as error:  # noqa: BLE001 - as in _unusable
        raise _unusable(where, context, error) from None
    if merged is None:
        raise ConfigurationError(f"there is no kubeconfig at {paths}: set KUBECONFIG to the path of one")
    return _access(merged, where, context)


def from_document(document: object, context: str = "") -> Access:
    """Read a context likewise from a whole kubeconfig: as an object, or as text in JSON or YAML."""
    where = "the kubeconfig"
    try:
        whole = KubeConfigMerger(StringIO(document)).config if isinstance(document, str) else document
    except Exception as error:  # noqa: BLE001 - as in _unusable
        raise _unusable(where, context, error) from None
    return _access(ConfigNode("kubeconfig", whole), where, context)


def in_pod() -> bool:
    """Say whether we run in a pod that has a service account."""
    address = map(os.environ.get, ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"))
    return all(address) and Path(incluster_config.SERVICE_TOKEN_FILENAME).is_file()


def from_service_account() -> Access:
    """Read the service account of the pod that we run in; raises :class:`ConfigurationError` where there is none."""
    if not in_pod():
        raise ConfigurationError("this is no pod with a service account: name a kubeconfig")
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    cluster = {
        "server": f"https://{authority(host, port)}",
        "certificate-authority": incluster_config.SERVICE_CERT_FILENAME,
    }
    document = {
        "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod"}}],
        "clusters": [{"name": "pod", "cluster": cluster}],
        "users": [{"name": "pod", "user": {"tokenFile": incluster_config.SERVICE_TOKEN_FILENAME}}],
    }
    return _access(ConfigNode("kubeconfig", document), "the service account", "pod")


def _access(config: ConfigNode, where: str, context: str) -> Access:
    try:
        known = [entry["name"] for entry in config.value["contexts"]]
        context = context or config.value.get("current-context", "")
    except Exception as error:  # noqa: BLE001 - as in _unusable
        raise _unusable(where, context, error) from None
    if context not in known:
        missing, do = (f"context {context}", "use") if context else ("current context", "name")
        raise ConfigurationError(f"{where} has no {missing}: {do} one of those it has ({', '.join(map(str, known))})")
    configuration = Configuration()
    # The caller decides when to ask again; urllib3 would do so at once, and its warnings quote the address.
    configuration.retries = False
    try:
        loader = _Loader(config, active_context=context, config_base_path=None)
        loader.load_and_set(configuration)
        return Access(configuration, loader.connect(configuration))
    except BridgeError as error:
        raise type(error)(f"{where}, context {context}: {error}") from None
    except Exception as error:  # noqa: BLE001 - as in _unusable
        if isinstance(error, OSError) and not _can_write_temporary_files():
            raise ConfigurationError(
                f"{where} holds keys or certificates, and there is no folder for temporary files, in which the client "
                f"needs them ({type(error).__name__}): set TMPDIR to one that can be written"
            ) from None
        raise _unusable(where, context, error) from None


def _unusable(where: str, context: str, error: Exception) -> ConfigurationError:
    """Return the error about what is odd in a file, which comes as any error of the loader or of YAML.

    It is not to be chained, and is not quoted: its text can hold whole entries, tokens included.
    """
    named = f" for the context {context}" if context else ""
    return ConfigurationError(
        f"{where} cannot be used{named} ({type(error).__name__}): check the entries of its context, cluster and user"
    )


def _can_write_temporary_files() -> bool:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(bytes(4096))
    except OSError:
        return False
    return True


class _Loader(KubeConfigLoader):  # type: ignore[misc] # the client has no types
    def connect(self, configuration: Configuration) -> Route:
        """Let the client use the proxy and the authorities that it should; return the way to the server."""
        url = urlsplit(configuration.host)
        # What follows the host may be the end of a password, the beginning of which was taken for the host.
        odd = re.search(r"[\x00-\x20\x7f?#]", configuration.host) or "@" in url.path
        if url.scheme not in {"http", "https"} or not url.hostname or odd:
            raise ConfigurationError("the cluster's server is not a URL: write it as https://host:port")
        # Libraries log addresses, and proxies are sent them.
        self.host = configuration.host = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
        proxy = self._cluster.safe_get("proxy-url")
        # As with kubectl, NO_PROXY says nothing about a proxy that is named here.
        given = Proxy.parse(str(proxy), "the cluster's proxy-url") if proxy else None
        route = Route.to(url.scheme, url.hostname, url.port, given)
        configuration.proxy = route.proxy and route.proxy.url
        configuration.proxy_headers = route.proxy and dict(route.proxy.headers)
        configuration.no_proxy = None
        if url.scheme == "https" and configuration.verify_ssl:
            own = configuration.ssl_ca_cert or ""
            configuration.ssl_ca_cert = authorities(own, "the cluster's certificate-authority") or None
        if configuration.cert_file:
            _require_key_pair(configuration.cert_file, configuration.key_file)
        return route

    def _load_user_token(self) -> bool | None:
        if file := self._user.safe_get("tokenFile"):
            path = Path(self._get_base_path(self._user.path), str(file))
            try:
                token = path.read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                raise ConfigurationError(
                    f"the token file {path} cannot be read ({type(error).__name__}): check the user's tokenFile"
                ) from None
        elif not (token := str(self._user.safe_get("token") or "")):
            return None
        self.token = f"Bearer {token}"
        return True

    def _load_user_pass_token(self) -> bool | None:
        if "username" not in self._user or "password" not in self._user:
            return None
        # As kubectl does, in UTF-8.
        pair = ":".join(str(self._user[part]).strip() for part in ("username", "password"))
        self.token = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return True

    def _load_from_exec_plugin(self) -> bool | None:
        if "exec" not in self._user:
            return None
        status = self._run_exec_plugin()
        if token := status.get("token"):
            self.token = f"Bearer {token}"
        if status.get("clientCertificateData") and status.get("clientKeyData"):
            self.cert_file, self.key_file = (
                FileOrData(status, None, data_key_name=key, base64_file_content=False).as_file()
                for key in ("clientCertificateData", "clientKeyData")
            )
        elif not token:
            raise ConfigurationError("the user's exec plugin gives no token, nor certificate and key: run it by hand")
        if "expirationTimestamp" in status:
            self.expiry = parse_rfc3339(status["expirationTimestamp"])
        return True

    def _run_exec_plugin(self) -> Mapping[str, Any]:
        try:
            provider = ExecProvider(self._user["exec"], self._get_base_path(self._cluster.path), self._cluster)
            status: Mapping[str, Any] = dict(provider.run())
        except OSError as error:
            raise ConfigurationError(
                f"the user's exec plugin cannot be started ({type(error).__name__}): check its command"
            ) from None
        except Exception as error:  # noqa: BLE001 - it may quote what the plugin printed
            raise RetryableError(
                f"the user's exec plugin fails ({type(error).__name__}): try again later, or run it by hand"
            ) from None
        return status

    def _set_config(self, client_configuration: Configuration) -> None:
        """Set what is sent; called again before each request, when a token file may hold another token."""
        if self._user and "tokenFile" in self._user:
            self._load_user_token()
        if "token" in self.__dict__:
            kind, _, credential = self.token.partition(" ")
            self.token = f"{kind} {_require_header(credential.strip())}"
        super()._set_config(client_configuration)


def _require_header(credential: str) -> str:
    if not re.fullmatch("[!-~]+", credential):
        raise ConfigurationError(
            "the user's token is empty, or holds a blank, a line end or another character that no token has: check it"
        )
    return credential


def _require_key_pair(certificate: str, key: str | None) -> None:
    """Fail now if they cannot be used: later, that would look like a server that gives no answer."""
    try:
        # With a password there is no prompt for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the user's client certificate and key cannot be used ({type(error).__name__}): both have to be PEM, "
            "without a password"
        ) from None
