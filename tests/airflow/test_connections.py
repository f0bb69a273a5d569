"""Connections as they come from the environment, which is also how secrets backends give them: as JSON or a URI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trustme
from airflow.providers_manager import ProvidersManager
from airflow.sdk.exceptions import AirflowNotFoundException
from kubernetes import config as kubernetes_config
from kubernetes.client import Configuration

from sandbox import segment
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.splunk.server import TOKEN
from segment_bridge.errors import ConfigurationError
from segment_bridge.settings import DEFAULT_BATCH_API, SplunkSettings
from segment_bridge_airflow.hooks import SENDING, SegmentHook, SplunkHook, cluster, in_fields
from segment_bridge_airflow.provider import get_provider_info

if TYPE_CHECKING:
    from pathlib import Path

    from tests.airflow.conftest import World

SECRET = "a-secret-that-nobody-may-see"
NOWHERE = "http://127.0.0.1:1"
#: What the client asks if nobody has told it anything.
NO_HOST = Configuration().host


class Set:
    """Sets the connection ``tried``."""

    def __init__(self, environment: pytest.MonkeyPatch) -> None:
        self._environment = environment

    def __call__(self, value: str | dict[str, Any]) -> None:
        self._environment.setenv("AIRFLOW_CONN_TRIED", value if isinstance(value, str) else json.dumps(value))


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Set:
    return Set(monkeypatch)


# --- Splunk ---

ALL = {
    "app": "bridge",
    "index": "audit",
    "sourcetype": "kube:audit",
    "search_fields": "host=api-*,source=audit",
    "ca_file": "/etc/ca.pem",
    "verify": False,
}
QUERY = (
    "app=bridge&index=audit&sourcetype=kube%3Aaudit&search_fields=host%3Dapi-%2A%2Csource%3Daudit"
    "&ca_file=%2Fetc%2Fca.pem"
)
WHOLE = SplunkSettings(
    url="https://splunk.example.com:8090",
    username="bridge",
    password=SECRET,
    app="bridge",
    index="audit",
    sourcetype="kube:audit",
    search_fields=(("host", "api-*"), ("source", "audit")),
    ca_file="/etc/ca.pem",
    verify=False,
)


@pytest.mark.parametrize(
    "value",
    [
        {"host": "splunk.example.com", "port": 8090, "login": "bridge", "password": SECRET, "extra": ALL},
        {"host": "https://splunk.example.com", "port": 8090, "login": "bridge", "password": SECRET, "extra": ALL},
        {"host": "https://splunk.example.com:8090", "login": "bridge", "password": SECRET, "extra": json.dumps(ALL)},
        {"host": "https://splunk.example.com:8090", "port": 8090, "login": "bridge", "password": SECRET, "extra": ALL},
        f"splunk://bridge:{SECRET}@splunk.example.com:8090?{QUERY}&verify=false",
        f"splunk://bridge:{SECRET}@splunk.example.com:8090/https?{QUERY}&verify=False",
        f"splunk://https://bridge:{SECRET}@splunk.example.com:8090?{QUERY}&verify=0",
    ],
)
def test_a_splunk_connection_has_all_its_fields_in_every_form(connection: Set, value: str | dict[str, Any]) -> None:
    connection(value if isinstance(value, str) else {"conn_type": "splunk", **value})
    assert SplunkHook("tried").settings() == WHOLE


@pytest.mark.parametrize(
    "value",
    [
        {"conn_type": "splunk", "host": "splunk.example.com", "password": SECRET},
        {"conn_type": "splunk", "host": "splunk.example.com", "port": 0, "login": "", "password": SECRET, "extra": {}},
        {
            "conn_type": "splunk",
            "host": "splunk.example.com",
            "password": SECRET,
            # What the form saves of fields that were left empty.
            "extra": {
                "app": None,
                "index": "",
                "sourcetype": None,
                "search_fields": "",
                "ca_file": None,
                "verify": True,
            },
        },
        f"splunk://:{SECRET}@splunk.example.com",
        f"splunk://:{SECRET}@splunk.example.com/https",
        # As secrets are that were made from files.
        {"conn_type": "splunk", "host": "splunk.example.com\n", "login": "\n", "password": f" {SECRET}\r\n"},
        f"splunk://:{SECRET}%0A@splunk.example.com",
    ],
)
def test_without_a_login_the_password_is_a_token_and_the_rest_has_defaults(
    connection: Set, value: str | dict[str, Any]
) -> None:
    connection(value)
    expected = SplunkSettings(url="https://splunk.example.com", token=SECRET)
    assert SplunkHook("tried").settings() == expected


def test_without_an_index_nothing_can_be_searched(connection: Set) -> None:
    told = "Splunk's index is not set: set {}, or the connection's index, to that of the audit records"
    with serving(create_app(AuditLog(()))) as url:
        connection({"conn_type": "splunk", "host": url, "password": TOKEN})
        with pytest.raises(ConfigurationError) as raised:
            _ = SplunkHook("tried").settings().source
        assert str(raised.value) == told.format("SPLUNK_INDEX")
        assert SplunkHook("tried").test_connection() == (False, told.format("the index"))


@pytest.mark.parametrize(
    ("value", "url"),
    [
        # Without a port, the library knows which is meant.
        ({"host": "h", "schema": "http"}, "http://h"),
        ({"host": "h/splunk"}, "https://h/splunk"),
        ({"host": "h/splunk", "port": 444}, "https://h:444/splunk"),
        ({"host": "[::1]", "port": 444}, "https://[::1]:444"),
        ({"host": " h\n"}, "https://h"),
        ({"host": "https://["}, "https://["),
        ({"host": "https://h/splunk", "port": 444}, "https://h:444/splunk"),
        ({"host": "https://h/splunk", "port": 0}, "https://h/splunk"),
        ({"host": "https://h:444/splunk"}, "https://h:444/splunk"),
    ],
)
def test_host_port_and_schema_make_an_address(connection: Set, value: dict[str, Any], url: str) -> None:
    connection({"conn_type": "splunk", "password": SECRET, **value})
    assert SplunkHook("tried").settings().url == url


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, "connection tried lacks: host, password"),
        ({"host": "h"}, "connection tried lacks: password"),
        ({"host": " ", "password": "\n"}, "connection tried lacks: host, password"),
        (
            {"host": "https://h:1", "port": 2, "password": SECRET},
            "connection tried names two ports, one of them in its host: drop one",
        ),
        (
            {"host": "h", "password": SECRET, "extra": "app=x"},
            'the extra of connection tried is no JSON object: write {"name": ...}',
        ),
        (
            {"host": "h", "password": SECRET, "extra": "[1]"},
            'the extra of connection tried is no JSON object: write {"name": ...}',
        ),
        (
            {"host": "h", "password": SECRET, "extra": {"verify": "perhaps"}},
            "verify in the extra of connection tried is neither true nor false",
        ),
        (
            {"host": "h", "password": SECRET, "extra": {"search_fields": "host"}},
            "search_fields in the extra of connection tried is no list of fields: write it as host=api-*,source=audit",
        ),
    ],
)
def test_what_is_wrong_with_a_splunk_connection_is_said(connection: Set, value: dict[str, Any], told: str) -> None:
    connection({"conn_type": "splunk", **value})
    with pytest.raises(ConfigurationError) as raised:
        SplunkHook("tried").settings()
    assert str(raised.value) == told
    assert SplunkHook("tried").test_connection() == (False, told.replace("connection tried", "the connection"))


# --- Segment ---

EU = "https://events.eu1.segmentapis.com/v1/batch"


@pytest.mark.parametrize(
    ("value", "batch_api"),
    [
        ({"conn_type": "segment", "password": SECRET}, DEFAULT_BATCH_API),
        ({"conn_type": "segment", "password": SECRET, "port": 443, "extra": {"region": None}}, DEFAULT_BATCH_API),
        ({"conn_type": "segment", "password": SECRET, "extra": {"region": "us"}}, DEFAULT_BATCH_API),
        ({"conn_type": "segment", "password": SECRET, "extra": '{"region": "eu"}'}, EU),
        ({"conn_type": "segment", "password": SECRET, "host": "https://p/x", "extra": {"region": "eu"}}, "https://p/x"),
        ({"conn_type": "segment", "password": SECRET, "host": "p", "port": 81, "schema": "http"}, "http://p:81"),
        ({"conn_type": "segment", "password": SECRET, "host": "https://p/x", "port": 443}, "https://p:443/x"),
        (f"segment://:{SECRET}@", DEFAULT_BATCH_API),
        (f"segment://:{SECRET}@?region=eu", EU),
        (f"segment://:{SECRET}@p:81/http", "http://p:81"),
        (f"segment://http://:{SECRET}@p:81", "http://p:81"),
    ],
)
def test_a_segment_connection_has_all_its_fields_in_every_form(
    connection: Set, value: str | dict[str, Any], batch_api: str
) -> None:
    connection(value)
    settings = SegmentHook("tried").settings()
    assert (settings.write_key, settings.batch_api) == (SECRET, batch_api)


@pytest.mark.parametrize(
    "value",
    [
        {"conn_type": "segment", "password": f"{SECRET}\n", "extra": {"ca_file": "/etc/ca.pem"}},
        f"segment://:%20{SECRET}%0D%0A@?ca_file=%2Fetc%2Fca.pem",
    ],
)
def test_an_authority_and_a_key_with_a_line_end(connection: Set, value: str | dict[str, Any]) -> None:
    connection(value)
    settings = SegmentHook("tried").settings()
    assert (settings.write_key, settings.ca_file) == (SECRET, "/etc/ca.pem")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"host": "h"}, "connection tried lacks: password"),
        (
            {"password": SECRET, "extra": {"region": "moon"}},
            "connection tried has a region that Segment has not: write us or eu",
        ),
    ],
)
def test_what_is_wrong_with_a_segment_connection_is_said(connection: Set, value: dict[str, Any], told: str) -> None:
    connection({"conn_type": "segment", **value})
    with pytest.raises(ConfigurationError) as raised:
        SegmentHook("tried").settings()
    assert str(raised.value) == told
    assert SegmentHook("tried").test_connection() == (False, told.replace("connection tried", "the connection"))


@pytest.mark.parametrize("hook", [SplunkHook, SegmentHook])
def test_a_connection_that_does_not_exist_is_named(hook: type[SplunkHook | SegmentHook]) -> None:
    with pytest.raises(AirflowNotFoundException, match="no_such_connection"):
        hook("no_such_connection").settings()
    with pytest.raises(AirflowNotFoundException, match="no_such_connection"):
        cluster("no_such_connection")


# --- The Test button, as far as it is ours; tests/scheduler presses it ---


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"password": SECRET}, "Splunk answered 401 Unauthorized: check the login and the password, or the token"),
        ({"login": ""}, "no audit record in audit within "),
        (
            {"host": NOWHERE},
            "Splunk at 127.0.0.1:1 gave no answer (ConnectionRefusedError): try again later, or check the host",
        ),
        ({"host": "not a host"}, "the host is not the address of a Splunk: write it as https://"),
        (
            {"extra": {"ca_file": "/nowhere.pem"}, "host": "https://127.0.0.1:1"},
            "the CA file cannot be used (FileNotFoundError): it has to be a PEM file of certificates",
        ),
    ],
)
def test_a_splunk_that_does_not_do_says_what_to_do(
    connection: Set, world: World, changed: dict[str, Any], told: str
) -> None:
    good = {"conn_type": "splunk", "host": world.addresses["splunk"], "login": "admin", "password": "changeme"}
    connection({**good, "extra": {"index": "audit"}, **changed})
    well, message = SplunkHook("tried").test_connection()
    assert not well
    assert told in message
    assert "SPLUNK_" not in message
    assert SECRET not in message


def test_a_message_names_fields_and_no_settings() -> None:
    said = "Splunk answered 404 Not Found: check SPLUNK_API_URL, SPLUNK_APP_NAME and SPLUNK_OWNER"
    assert in_fields(said) == "Splunk answered 404 Not Found: check the host and the app"


def test_a_segment_that_answers_is_no_proof_of_the_key(connection: Set) -> None:
    with serving(segment.create_app()) as url:
        connection({"conn_type": "segment", "host": url, "password": SECRET})
        told = "Segment answered 200 to an empty batch, which does not prove that the write key is right"
        assert SegmentHook("tried").test_connection() == (True, told)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (
            {"host": NOWHERE},
            "Segment at 127.0.0.1:1 gave no answer (NewConnectionError): try again later, or check the batch endpoint",
        ),
        ({"password": f'"{SECRET}"'}, "the write key is empty or has blanks, quotes, colons or other signs that no "),
        (
            {"extra": {"ca_file": "/nowhere.pem"}},
            "the CA file cannot be used (FileNotFoundError): it has to be a PEM file of certificates",
        ),
    ],
)
def test_a_segment_that_does_not_do_says_what_to_do(connection: Set, value: dict[str, Any], told: str) -> None:
    connection({"conn_type": "segment", "host": NOWHERE, "password": SECRET, **value})
    well, message = SegmentHook("tried").test_connection()
    assert not well
    assert message.startswith(told)
    assert SECRET not in message


# --- Clusters ---


def names(conn_id: str) -> set[str]:
    return {one["metadata"]["name"] for one in cluster(conn_id).tenant_namespaces()}


@pytest.mark.parametrize("form", ["path", "text", "dict"])
def test_two_clusters_do_not_mix(world: World, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    path = world.addresses["kubeconfig"]
    with open(path) as file:  # noqa: PTH123 - a path as Airflow has it
        text = file.read()
    given: dict[str, object] = {
        "path": {"kube_config_path": path},
        "text": {"kube_config": text},
        "dict": {"kube_config": msgspec.yaml.decode(text)},
    }[form]
    for context in ("host", "member-1", "member-2"):
        extra = {**given, "cluster_context": context}
        name = f"AIRFLOW_CONN_{context.replace('-', '_').upper()}"
        monkeypatch.setenv(name, json.dumps({"conn_type": "kubernetes", "extra": extra}))
    both = [cluster("member_1"), cluster("member_2"), cluster("host")]
    asked = [{one["metadata"]["name"] for one in one.tenant_namespaces()} for one in both[:2]]

    assert [one.address.rpartition("/")[2] for one in both] == ["member-1", "member-2", "host"]
    assert all(asked)
    assert asked[0] != asked[1]
    assert asked == [names("member_1"), names("member_2")]
    assert list(both[2].user_signups())
    assert Configuration.get_default_copy().host == NO_HOST


def test_a_cluster_by_uri(world: World, connection: Set) -> None:
    path = world.addresses["kubeconfig"].replace("/", "%2F")
    connection(f"kubernetes://?kube_config_path={path}&cluster_context=member-2&in_cluster=false")
    assert names("tried")


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the token's file of the pod in which the test seems to run."""
    (tmp_path / "token").write_text("a-token\n")
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(kubernetes_config.incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(kubernetes_config.incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    return tmp_path / "token"


@pytest.mark.parametrize("extra", [{"in_cluster": True}, {}])
def test_in_cluster_leaves_other_clusters_alone(connection: Set, pod: Path, extra: dict[str, Any]) -> None:
    connection({"conn_type": "kubernetes", "extra": extra})

    own = cluster("tried")
    assert own.address == "https://10.0.0.1:443"
    configuration = own._api_client.configuration
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer a-token"
    pod.write_text("a-new-token\n")
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer a-new-token"
    assert Configuration.get_default_copy().host == NO_HOST


def test_outside_of_a_pod_the_default_kubeconfig_is_read(
    world: World, connection: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", world.addresses["kubeconfig"])
    connection({"conn_type": "kubernetes", "extra": {"cluster_context": "member-1"}})
    assert names("tried")


@pytest.mark.parametrize("given", ["true", True, "1"])
def test_certificates_are_verified_unless_that_is_switched_off(
    connection: Set, world: World, given: str | bool
) -> None:
    extra = {"kube_config_path": world.addresses["kubeconfig"], "cluster_context": "host"}
    connection({"conn_type": "kubernetes", "extra": extra})
    assert cluster("tried")._api_client.configuration.verify_ssl
    connection({"conn_type": "kubernetes", "extra": {**extra, "disable_verify_ssl": given}})
    assert not cluster("tried")._api_client.configuration.verify_ssl


@pytest.mark.parametrize(
    "extra",
    [
        {"kube_config_path": "/nowhere/kubeconfig"},
        {"kube_config": f"{{{SECRET}"},
        {"kube_config": {"apiVersion": "v1", "users": [{"name": SECRET}]}, "cluster_context": "host"},
        {"in_cluster": True},
        {"in_cluster": True, "kube_config_path": "/nowhere/kubeconfig"},
    ],
)
def test_a_connection_that_leads_to_no_cluster_is_said(connection: Set, extra: dict[str, Any]) -> None:
    connection({"conn_type": "kubernetes", "extra": extra})
    with pytest.raises(ConfigurationError, match=r"^connection tried leads to (no|several) cluster") as raised:
        cluster("tried")
    assert SECRET not in str(raised.value)


# --- The provider ---


def test_airflow_knows_the_provider_and_both_hooks() -> None:
    manager = ProvidersManager()  # type: ignore[no-untyped-call] # Airflow's
    assert manager.providers["segment-bridge"].data["name"] == "segment-bridge"
    for kind, hook in (("splunk", SplunkHook), ("segment", SegmentHook)):
        info = manager.hooks[kind]
        assert info is not None
        assert info.hook_class_name == f"{hook.__module__}.{hook.__name__}"
        assert info.connection_testable
        assert (info.hook_name, info.connection_id_attribute_name) == (hook.hook_name, "conn_id")


def test_each_field_of_the_forms_is_one_that_the_hooks_read() -> None:
    fields = {kind["connection-type"]: [*kind["conn-fields"]] for kind in get_provider_info()["connection-types"]}
    assert fields == {"splunk": [*ALL], "segment": ["region", "ca_file", *SENDING]}
