"""The kubeconfig of a served application."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from sandbox.kubernetes.clusters import Clusters

USERNAME = "admin"
PASSWORD = "changeme"
TOKEN = "changeme"


def kubeconfig(url: str, clusters: Clusters) -> str:
    """Write a kubeconfig for the application at the URL: a context for each cluster, the first one current.

    The credentials stand in the addresses as well: from a user's entry kubectl sends none over plain HTTP.
    """
    parts = urlsplit(url)
    base = parts._replace(netloc=f"{USERNAME}:{PASSWORD}@{parts.netloc}").geturl().rstrip("/")
    names = clusters.names
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(names), ""),
        "contexts": [{"name": name, "context": {"cluster": name, "user": USERNAME}} for name in names],
        "clusters": [{"name": name, "cluster": {"server": f"{base}/clusters/{name}"}} for name in names],
        "users": [{"name": USERNAME, "user": {"username": USERNAME, "password": PASSWORD}}],
    }
    return msgspec.yaml.encode(config).decode()
