"""Connections turned into the library's settings and clients.

A Splunk connection has host (or a whole URL), port, schema, login and password, and in its extra ``app``,
``index``, ``ca_file``; without a login the password is a bearer token. A Segment connection has the write key
as its password, and as its host the batch endpoint where it is not Segment's own.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from segment_bridge.errors import ConfigurationError
from segment_bridge.kubernetes import Cluster
from segment_bridge.segment import Segment
from segment_bridge.settings import DEFAULT_BATCH_API, DEFAULT_INDEX, SegmentSettings, SplunkSettings
from segment_bridge.splunk import Splunk

if TYPE_CHECKING:
    from airflow.sdk import Connection


class SplunkHook(BaseHook):
    """Searches in Splunk through a connection."""

    def __init__(self, conn_id: str = "splunk_default") -> None:
        super().__init__()
        self.conn_id = conn_id

    def settings(self) -> SplunkSettings:
        """Read the connection; raises :class:`ConfigurationError` naming what it lacks."""
        connection = self.get_connection(self.conn_id)
        _require(connection, "host", "password")
        extra = connection.extra_dejson
        login, password = connection.login or "", connection.password or ""
        return SplunkSettings(
            url=_url(connection, port=8089),
            username=login,
            password=password if login else "",
            token="" if login else password,
            app=extra.get("app") or "search",
            index=extra.get("index") or DEFAULT_INDEX,
            ca_file=extra.get("ca_file") or "",
        )

    def get_conn(self) -> Splunk:
        """Return a client; it connects when it is first used."""
        return Splunk(self.settings())


class SegmentHook(BaseHook):
    """Delivers to Segment through a connection."""

    def __init__(self, conn_id: str = "segment_default") -> None:
        super().__init__()
        self.conn_id = conn_id

    def settings(self) -> SegmentSettings:
        """Read the connection; raises :class:`ConfigurationError` naming what it lacks."""
        connection = self.get_connection(self.conn_id)
        _require(connection, "password")
        write_key = connection.password or ""
        # Airflow masks the key itself, but not the form in which it travels.
        mask_secret(base64.b64encode(f"{write_key}:".encode()).decode())
        batch_api = _url(connection) if connection.host else DEFAULT_BATCH_API
        return SegmentSettings(write_key=write_key, batch_api=batch_api)

    def get_conn(self) -> Segment:
        """Return a client; it connects when it is first used."""
        return Segment(self.settings())


def cluster(conn_id: str) -> Cluster:
    """Return the cluster of a Kubernetes connection; each has a configuration of its own, so that none mix."""
    # Two of the slowest imports there are, which the DAG processor does without.
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook  # noqa: PLC0415
    from kubernetes.client import Configuration  # noqa: PLC0415

    configuration = Configuration()
    configuration.retries = False  # the task's own retries ask again, and say so
    return Cluster(KubernetesHook(conn_id=conn_id, client_configuration=configuration).get_conn(), conn_id)


def _require(connection: Connection, *fields: str) -> None:
    missing = [field for field in fields if not getattr(connection, field)]
    if missing:
        raise ConfigurationError(f"connection {connection.conn_id} lacks: {', '.join(missing)}")


def _url(connection: Connection, port: int | None = None) -> str:
    host = connection.host or ""
    if "://" in host:
        return host if connection.port is None else f"{host}:{connection.port}"
    port = connection.port or port
    return f"{connection.schema or 'https'}://{host}" + (f":{port}" if port else "")
