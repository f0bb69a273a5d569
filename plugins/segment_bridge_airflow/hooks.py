"""Connections turned into the library's settings and clients, and tried out by the Test button.

A Splunk connection has host (or a whole URL), port, schema, login and password, and in its extra ``app``, ``index``,
``sourcetype``, ``search_fields``, ``ca_file``, ``verify``; without a login the password is a bearer token. A Segment
connection has the write key as its password, in its extra the ``region``, ``ca_file``, ``connections``,
``requests_per_second``, ``events_per_second``, and as its host the batch endpoint where it is none of Segment's own.
A Kubernetes connection is one of Airflow's provider.
"""

from __future__ import annotations

import base64
import math
import os
import re
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from segment_bridge import doctor
from segment_bridge.errors import BridgeError, ConfigurationError
from segment_bridge.kubernetes import DEFAULT_KUBECONFIG, Cluster
from segment_bridge.segment import Segment
from segment_bridge.settings import DEFAULT_BATCH_API, SegmentSettings, SplunkSettings, search_fields
from segment_bridge.splunk import Splunk
from segment_bridge.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Connection

    from segment_bridge.doctor import Check
    from segment_bridge.tolerance import Tolerated

#: The batch endpoints of Segment's regions.
REGIONS = {"us": DEFAULT_BATCH_API, "eu": "https://events.eu1.segmentapis.com/v1/batch"}
#: What a Segment connection can have in its extra, beside the region: for each task, and for all of them together.
SENDING: dict[str, Any] = {"connections": 4, "requests_per_second": 100.0, "events_per_second": None}
#: How far back the Test button looks for an audit record.
LOOKED_AT = timedelta(days=1)
#: What of a good connection is worth telling; the last check is slow, and about Splunk's limits.
_, _LOGIN, _, _INDEX, _SLOW = doctor.SPLUNK_CHECKS
#: What a form calls the settings that the library's messages name; the longest come first.
_FIELDS = {
    "SPLUNK_TOKEN, or SPLUNK_USERNAME and SPLUNK_PASSWORD": "the login and the password, or the token",
    "SPLUNK_API_URL, SPLUNK_APP_NAME and SPLUNK_OWNER": "the host and the app",
    "SPLUNK_API_URL": "the host",
    "SPLUNK_APP_NAME": "the app",
    "SPLUNK_INDEX": "the index",
    "SPLUNK_CA_FILE": "the CA file",
    "SPLUNK_USERNAME": "the login",
    "SPLUNK_PASSWORD": "the password",
    "SPLUNK_TOKEN": "the token",
    "SEGMENT_CA_FILE": "the CA file",
}


class SplunkHook(BaseHook):
    """Searches in Splunk through a connection; ``tolerated_messages`` are those of the Variable."""

    conn_type = "splunk"
    hook_name = "Splunk"
    conn_name_attr = "conn_id"
    default_conn_name = "splunk_default"

    def __init__(self, conn_id: str = default_conn_name, tolerated_messages: tuple[Tolerated, ...] = ()) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.tolerated_messages = tolerated_messages

    def settings(self) -> SplunkSettings:
        """Read the connection; raises :class:`ConfigurationError` naming what it lacks."""
        connection = self.get_connection(self.conn_id)
        _require(connection, "host", "password")
        extra = _extra(connection)
        login, password = (connection.login or "").strip(), _secret(connection)
        return SplunkSettings(
            url=_url(connection),
            username=login,
            password=password if login else "",
            token="" if login else password,
            app=extra.get("app") or "search",
            index=extra.get("index") or "",
            sourcetype=extra.get("sourcetype") or "",
            search_fields=search_fields(
                extra.get("search_fields") or "", f"search_fields in the extra of connection {self.conn_id}"
            ),
            ca_file=extra.get("ca_file") or "",
            verify=_yes(self.conn_id, "verify", extra.get("verify")),
            tolerated_messages=self.tolerated_messages,
        )

    def get_conn(self) -> Splunk:
        """Return a client; it connects when it is first used."""
        return Splunk(self.settings())

    def test_connection(self) -> tuple[bool, str]:
        """Log in and look for one audit record; say whether that went well, and what was seen or is to be done."""
        now = datetime.now(UTC).replace(microsecond=0)
        try:
            checks = doctor.check_splunk(self.settings(), Window(now - LOOKED_AT, now))
            seen = [*takewhile(lambda check: check.name != _SLOW, checks)]
        except ConfigurationError as error:
            return False, in_fields(_nameless(error, self.conn_id))
        for check in seen:
            if not check.ok:
                return False, in_fields(_failure(check))
        return True, "; ".join(check.told for check in seen if check.name in (_LOGIN, _INDEX))


class SegmentHook(BaseHook):
    """Delivers to Segment through a connection."""

    conn_type = "segment"
    hook_name = "Segment"
    conn_name_attr = "conn_id"
    default_conn_name = "segment_default"

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.conn_id = conn_id

    def settings(self) -> SegmentSettings:
        """Read the connection; raises :class:`ConfigurationError` naming what it lacks."""
        connection = self.get_connection(self.conn_id)
        _require(connection, "password")
        write_key = _secret(connection)
        # Airflow masks the key itself, but not the form in which it travels.
        mask_secret(base64.b64encode(f"{write_key}:".encode()).decode())
        extra = _extra(connection)
        region = extra.get("region") or "us"
        if region not in REGIONS:
            raise ConfigurationError(
                f"connection {connection.conn_id} has a region that Segment has not: write {' or '.join(REGIONS)}"
            )
        batch_api = _url(connection) if connection.host else REGIONS[region]
        sending = {name: _rate(self.conn_id, name, given) for name in SENDING if (given := extra.get(name))}
        ca_file = extra.get("ca_file") or ""
        return SegmentSettings(write_key=write_key, batch_api=batch_api, ca_file=ca_file, **(SENDING | sending))

    def get_conn(self, tasks: int = 1) -> Segment:
        """Return a client for one of so many tasks that share the rate; it connects when it is first used."""
        return Segment(self.settings().shared_by(tasks))

    def test_connection(self) -> tuple[bool, str]:
        """Send a batch without events; say whether it was answered, or what is to be done."""
        try:
            check = doctor.check_segment(self.settings())
        except ConfigurationError as error:
            return False, in_fields(_nameless(error, self.conn_id))
        if check.ok:
            return True, f"Segment {check.told}"
        more = ", or check the batch endpoint" if check.advice == "try again later" else ""
        return False, in_fields(_failure(check)) + more


def cluster(conn_id: str) -> Cluster:
    """Return the cluster of a Kubernetes connection; each has a configuration of its own, so that none mix.

    Raises :class:`ConfigurationError` for a connection of which the client can make none, and
    :class:`RetryableError` where an exec plugin gives no credential.
    """
    # Among the slowest imports there are, which the DAG processor does without.
    from segment_bridge.kubernetes import kubeconfig  # noqa: PLC0415 - as above

    extra = _extra(BaseHook.get_connection(conn_id))
    named = {name: given for name in ("kube_config_path", "kube_config") if (given := extra.get(name))}
    context = extra.get("cluster_context") or ""
    in_cluster = _yes(conn_id, "in_cluster", extra.get("in_cluster"), otherwise=False)
    if len(named) + in_cluster > 1:
        raise ConfigurationError(
            f"connection {conn_id} leads to several clusters: give one of kube_config_path, kube_config and in_cluster"
        )
    try:
        match named:
            case {"kube_config_path": path}:
                access = kubeconfig.from_files(path, context)
            case {"kube_config": document}:
                access = kubeconfig.from_document(document, context)
            case _ if in_cluster or kubeconfig.in_pod():
                access = kubeconfig.from_service_account()
            case _:
                access = kubeconfig.from_files(os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG, context)
        if _yes(conn_id, "disable_verify_ssl", extra.get("disable_verify_ssl"), otherwise=False):
            access.configuration.verify_ssl = False
        return Cluster(access, conn_id)
    except BridgeError as error:
        raise type(error)(f"connection {conn_id} leads to no cluster: {error}") from None


def in_fields(message: str) -> str:
    """Say in the words of the connection's form what a message of the library says of settings."""
    return re.sub("|".join(map(re.escape, _FIELDS)), lambda found: _FIELDS[found[0]], message)


def _nameless(error: ConfigurationError, conn_id: str) -> str:
    """Leave out the ID: that of a connection under test is one of Airflow's making."""
    return str(error).replace(f"connection {conn_id}", "the connection")


def _failure(check: Check) -> str:
    return ": ".join(filter(None, (check.told, check.advice)))


def _require(connection: Connection, *fields: str) -> None:
    missing = [field for field in fields if not (getattr(connection, field) or "").strip()]
    if missing:
        raise ConfigurationError(f"connection {connection.conn_id} lacks: {', '.join(missing)}")


def _secret(connection: Connection) -> str:
    """Return the password as it is sent, for Airflow to mask: it knows only the one that is stored."""
    password = (connection.password or "").strip()
    mask_secret(password)
    return password


def _extra(connection: Connection) -> Mapping[str, Any]:
    extra: object = connection.extra_dejson
    # Of a text that is no JSON, Airflow makes an empty extra.
    if not isinstance(extra, dict) or (not extra and (connection.extra or "{}").strip() not in {"{}", "null"}):
        raise ConfigurationError(
            f'the extra of connection {connection.conn_id} is no JSON object: write {{"name": ...}}'
        )
    return extra


def _rate(conn_id: str, name: str, value: object) -> float:
    """Read a number above 0, whole where it counts connections."""
    kind = int if name == "connections" else float
    try:
        number = kind(str(value))
    except ValueError:
        number = 0
    if not 0 < number < math.inf:
        raise ConfigurationError(f"connection {conn_id} has a {name} that is no number above 0")
    return number


def _yes(conn_id: str, name: str, value: object, *, otherwise: bool = True) -> bool:
    """Read a yes or no, which is a text where the connection came as a URI."""
    said = {"": otherwise, "none": otherwise, "true": True, "1": True, "false": False, "0": False}
    try:
        return said["" if value is None else str(value).strip().lower()]
    except KeyError:
        raise ConfigurationError(f"{name} in the extra of connection {conn_id} is neither true nor false") from None


def _url(connection: Connection) -> str:
    """Put together host, port and schema; a host that is a URL already needs neither of them."""
    host = (connection.host or "").strip()
    address = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    try:
        url = urlsplit(address)
    except ValueError:
        return address  # for the library to refuse
    if not connection.port or _port(url.netloc) == str(connection.port):
        return url.geturl()
    if _port(url.netloc):
        raise ConfigurationError(f"connection {connection.conn_id} names two ports, one of them in its host: drop one")
    return url._replace(netloc=f"{url.netloc}:{connection.port}").geturl()


def _port(netloc: str) -> str:
    found = re.search(r":(\d+)\Z", netloc)
    return found[1] if found else ""
