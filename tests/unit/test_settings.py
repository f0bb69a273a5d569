from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from segment_bridge.errors import ConfigurationError
from segment_bridge.settings import Environment, KubernetesSettings, SegmentSettings, Source, SplunkSettings
from segment_bridge.tenants import Tenants

SECRET = "hidden-from-everyone"
LOGIN = "SPLUNK_TOKEN (or SPLUNK_USERNAME and SPLUNK_PASSWORD)"
SPLUNK = {"SPLUNK_API_URL": "https://splunk.example.com:8089", "SPLUNK_INDEX": "audit", "SPLUNK_TOKEN": SECRET}


def splunk(**variables: str) -> SplunkSettings:
    with Environment(variables) as env:
        return SplunkSettings.from_environment(env)


def read_all(variables: dict[str, str]) -> None:
    with Environment(variables) as env:
        SplunkSettings.from_environment(env)
        SegmentSettings.from_environment(env)
        KubernetesSettings.from_environment(env)


def missing(variables: dict[str, str]) -> str:
    """Read all three systems' settings and return the complaint."""
    with pytest.raises(ConfigurationError) as caught:
        read_all(variables)
    return str(caught.value)


class TestEnvironment:
    def test_all_that_is_missing_is_named_at_once(self) -> None:
        assert missing({}) == (
            f"missing settings: {LOGIN}, SPLUNK_API_URL, SPLUNK_INDEX, SEGMENT_WRITE_KEY, HOST_CONTEXT, MEMBER_CONTEXTS"
        )

    def test_empty_is_missing(self) -> None:
        names = (*SPLUNK, "SEGMENT_WRITE_KEY", "HOST_CONTEXT", "MEMBER_CONTEXTS")
        assert missing(dict.fromkeys(names, "")) == missing({})

    def test_so_is_what_is_blank(self) -> None:
        names = (*SPLUNK, "SEGMENT_WRITE_KEY", "HOST_CONTEXT", "MEMBER_CONTEXTS")
        assert missing(dict.fromkeys(names, " \r\n")) == missing({})

    def test_line_ends_and_blanks_around_a_value_do_not_count(self) -> None:
        with Environment({"A": "a\n", "B": " b c\r\n", "C": "\n"}) as env:
            assert (env.require("A"), env.get("B"), env.get("C", "default")) == ("a", "b c", "default")

    def test_only_what_is_missing_is_named(self) -> None:
        assert missing(SPLUNK | {"HOST_CONTEXT": "host", "MEMBER_CONTEXTS": "one"}) == (
            "missing settings: SEGMENT_WRITE_KEY"
        )

    def test_another_error_is_not_covered_up(self) -> None:
        env = Environment({})
        env.require("A")
        with pytest.raises(KeyError), env:
            raise KeyError

    def test_values_and_defaults(self) -> None:
        with Environment({"A": "a", "B": ""}) as env:
            assert (env.require("A"), env.get("A", "x")) == ("a", "a")
            assert (env.get("B"), env.get("B", "x"), env.get("C"), env.get("C", "x")) == ("", "x", "", "x")

    @pytest.mark.parametrize("text", ["nothing", "0", "-1", "nan", "inf", "1 s"])
    def test_what_is_no_time(self, text: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            Environment({"SPLUNK_TIMEOUT": text}).seconds("SPLUNK_TIMEOUT")
        assert str(caught.value) == "SPLUNK_TIMEOUT is no time in seconds: write it as 30 or 0.5"

    def test_times(self) -> None:
        variables = {
            "SPLUNK_TIMEOUT": "1",
            "SEGMENT_TIMEOUT": "2.5",
            "SEGMENT_BUDGET": "3",
            "SEGMENT_BRIDGE_RETRY_PAUSE": "0.25",
            "KUBERNETES_TIMEOUT": "4",
        }
        others = {"SEGMENT_WRITE_KEY": "key", "HOST_CONTEXT": "host", "MEMBER_CONTEXTS": "one"}
        with Environment(SPLUNK | others | variables) as env:
            segment = SegmentSettings.from_environment(env)
            assert SplunkSettings.from_environment(env).timeout == 1.0
            assert (segment.timeout, segment.budget, segment.pause) == (2.5, 3.0, 0.25)
            assert KubernetesSettings.from_environment(env).timeout == 4.0

    def test_shows_no_values(self) -> None:
        assert SECRET not in repr(Environment(SPLUNK))
        assert SECRET not in missing(SPLUNK | {"SPLUNK_PASSWORD": SECRET})


class TestSplunkSettings:
    def test_defaults(self) -> None:
        assert splunk(**SPLUNK) == SplunkSettings(
            url="https://splunk.example.com:8089",
            app="search",
            owner="nobody",
            index="audit",
            sourcetype="",
            search_fields=(),
            username="",
            password="",
            token=SECRET,
            session_key="",
            ca_file="",
            verify=True,
            timeout=300.0,
            tolerated_messages=(),
        )

    def test_every_variable(self) -> None:
        assert splunk(
            SPLUNK_API_URL="https://splunk",
            SPLUNK_APP_NAME="audit",
            SPLUNK_OWNER="bridge",
            SPLUNK_INDEX="main",
            SPLUNK_SOURCETYPE="kube:audit",
            SPLUNK_SEARCH_FIELDS="host=api-*, source = /var/log/a=b ,",
            SPLUNK_USERNAME="ann",
            SPLUNK_PASSWORD="pass",
            SPLUNK_TOKEN="token",
            SPLUNK_SESSION_KEY="session",
            SPLUNK_CA_FILE="/etc/ca.pem",
        ) == SplunkSettings(
            url="https://splunk",
            app="audit",
            owner="bridge",
            index="main",
            sourcetype="kube:audit",
            search_fields=(("host", "api-*"), ("source", "/var/log/a=b")),
            username="ann",
            password="pass",
            token="token",
            session_key="session",
            ca_file="/etc/ca.pem",
        )

    @pytest.mark.parametrize(
        ("variables", "complaint"),
        [
            ({}, LOGIN),
            ({"SPLUNK_USERNAME": "ann"}, "SPLUNK_PASSWORD"),
            ({"SPLUNK_PASSWORD": SECRET}, "SPLUNK_USERNAME"),
            ({"SPLUNK_USERNAME": "ann", "SPLUNK_PASSWORD": SECRET}, None),
            ({"SPLUNK_TOKEN": SECRET}, None),
            ({"SPLUNK_SESSION_KEY": SECRET}, None),
            ({"SPLUNK_TOKEN": SECRET, "SPLUNK_USERNAME": "ann"}, None),
        ],
    )
    def test_one_way_to_log_in(self, variables: dict[str, str], complaint: str | None) -> None:
        given = {"SPLUNK_API_URL": "https://splunk", "SPLUNK_INDEX": "audit"} | variables
        if complaint is None:
            assert splunk(**given).url == "https://splunk"
            return
        with pytest.raises(ConfigurationError) as caught:
            splunk(**given)
        assert str(caught.value) == f"missing settings: {complaint}"

    @pytest.mark.parametrize("text", ["host", "host=", "=api", "host=a,source", "host=a, =b", " = "])
    def test_what_is_no_list_of_fields(self, text: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            splunk(**SPLUNK, SPLUNK_SEARCH_FIELDS=text)
        assert str(caught.value) == ("SPLUNK_SEARCH_FIELDS is no list of fields: write it as host=api-*,source=audit")

    def test_the_source_of_the_records(self) -> None:
        settings = SplunkSettings(url="u", index="audit", sourcetype="kube:audit", search_fields=(("host", "api-*"),))
        assert settings.source == Source("audit", "kube:audit", (("host", "api-*"),))
        assert SplunkSettings(url="u", index="audit").source == Source("audit")

    def test_there_is_no_default_index(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            _ = SplunkSettings(url="u").source
        assert str(caught.value) == (
            "Splunk's index is not set: set SPLUNK_INDEX, or the connection's index, to that of the audit records"
        )

    def test_shows_no_secrets(self) -> None:
        settings = SplunkSettings(url="u", username="ann", password=SECRET, token=SECRET, session_key=SECRET)
        assert repr(settings) == (
            "SplunkSettings(url='u', app='search', owner='nobody', index='', sourcetype='', search_fields=(), "
            "username='ann', ca_file='', verify=True, timeout=300.0, tolerated_messages=())"
        )
        assert str(settings) == repr(settings)


class TestSegmentSettings:
    def test_defaults(self) -> None:
        with Environment({"SEGMENT_WRITE_KEY": SECRET}) as env:
            settings = SegmentSettings.from_environment(env)
        assert settings == SegmentSettings(
            write_key=SECRET,
            batch_api="https://api.segment.io/v1/batch",
            ca_file="",
            attempts=3,
            pause=0.5,
            timeout=30.0,
            budget=1800.0,
            connections=8,
            requests_per_second=100.0,
            events_per_second=None,
        )

    def test_every_variable(self) -> None:
        variables = {
            "SEGMENT_WRITE_KEY": "key",
            "SEGMENT_BATCH_API": "https://eu.example.com",
            "SEGMENT_CA_FILE": "/etc/ca.pem",
            "SEGMENT_CONNECTIONS": "3",
            "SEGMENT_REQUESTS_PER_SECOND": "7.5",
            "SEGMENT_EVENTS_PER_SECOND": "900",
        }
        with Environment(variables) as env:
            settings = SegmentSettings.from_environment(env)
        assert settings == SegmentSettings(
            write_key="key",
            batch_api="https://eu.example.com",
            ca_file="/etc/ca.pem",
            connections=3,
            requests_per_second=7.5,
            events_per_second=900,
        )
        assert (settings.shared_by(3).requests_per_second, settings.shared_by(3).events_per_second) == (2.5, 300)

    def test_shows_no_secrets(self) -> None:
        assert repr(SegmentSettings(write_key=SECRET)) == (
            "SegmentSettings(batch_api='https://api.segment.io/v1/batch', ca_file='', attempts=3, pause=0.5, "
            "timeout=30.0, budget=1800.0, connections=8, requests_per_second=100.0, events_per_second=None)"
        )


class TestKubernetesSettings:
    def test_defaults(self) -> None:
        with Environment({"HOST_CONTEXT": "host", "MEMBER_CONTEXTS": "one"}) as env:
            settings = KubernetesSettings.from_environment(env)
        assert settings == KubernetesSettings(
            host_context="host", member_contexts=("one",), kubeconfig="", page_size=500, timeout=60.0
        )

    @pytest.mark.parametrize("text", ["one two", "one,two", " one, two ", "one\n\ttwo,"])
    def test_member_contexts(self, text: str) -> None:
        with Environment({"HOST_CONTEXT": "host", "MEMBER_CONTEXTS": text, "KUBECONFIG": "/a:/b"}) as env:
            settings = KubernetesSettings.from_environment(env)
        assert settings == KubernetesSettings(host_context="host", member_contexts=("one", "two"), kubeconfig="/a:/b")

    def test_tenants(self) -> None:
        variables = {
            "HOST_CONTEXT": "host",
            "MEMBER_CONTEXTS": "one",
            "TENANT_SELECTORS": "toolchain.dev.openshift.com/type=tenant, konflux-ci.dev/type=tenant",
            "SPACE_LABELS": "a.example/space",
        }
        with Environment(variables) as env:
            settings = KubernetesSettings.from_environment(env)
        assert settings.tenants == Tenants(
            ("toolchain.dev.openshift.com/type=tenant", "konflux-ci.dev/type=tenant"), ("a.example/space",)
        )
        with pytest.raises(ConfigurationError, match=r"^tenant_selectors: value 1 is not KEY=VALUE or KEY"):
            Environment({"TENANT_SELECTORS": "a==b"}).tenants()


def test_credentials_are_trimmed_wherever_they_come_from() -> None:
    assert SplunkSettings(
        url="u", username=" ann\n", password="pass word\r\n", token="\ttoken", session_key="key\n"
    ) == SplunkSettings(url="u", username="ann", password="pass word", token="token", session_key="key")
    assert SegmentSettings(write_key=" key\n").write_key == "key"


@pytest.mark.parametrize(
    "settings",
    [
        SplunkSettings(url="u"),
        SegmentSettings(write_key="k"),
        KubernetesSettings(host_context="h", member_contexts=()),
    ],
)
def test_settings_are_values(settings: SplunkSettings | SegmentSettings | KubernetesSettings) -> None:
    assert replace(settings) == settings
    assert hash(replace(settings)) == hash(settings)
    assert replace(settings, timeout=1.0) != settings
    with pytest.raises(FrozenInstanceError):
        settings.timeout = 1.0  # type: ignore[misc] # what is tested


@pytest.mark.parametrize(
    ("name", "text"),
    [("SEGMENT_CONNECTIONS", "0"), ("SEGMENT_CONNECTIONS", "2.5"), ("SEGMENT_REQUESTS_PER_SECOND", "many")],
)
def test_what_is_no_number_or_rate(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} is no "):
        SegmentSettings.from_environment(Environment({"SEGMENT_WRITE_KEY": "key", name: text}))
