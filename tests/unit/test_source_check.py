from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests
from starlette.responses import PlainTextResponse

from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.splunk.records import Record
from segment_bridge import source_check
from segment_bridge.catalog import JOURNEYS, find
from segment_bridge.errors import ConfigurationError, IncompleteAnswer
from segment_bridge.settings import Source, SplunkSettings
from segment_bridge.source_check import Seen
from segment_bridge.splunk import Splunk
from segment_bridge.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW = Window(datetime(2026, 1, 5, 8, tzinfo=UTC), datetime(2026, 1, 5, 12, tzinfo=UTC))
SOURCE = Source("audit")
#: An update of a build's status that the API server has cut, and a record of something else that it logs as well.
CUT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "RequestResponse",
    "auditID": "truncated",
    "stage": "ResponseComplete",
    "requestURI": "/apis/tekton.dev/v1beta1/namespaces/ann-tenant/pipelineruns/shop-on-push/status",
    "verb": "update",
    "user": {"username": "system:serviceaccount:openshift-pipelines:tekton-pipelines-controller"},
    "objectRef": {
        "resource": "pipelineruns",
        "namespace": "ann-tenant",
        "name": "shop-on-push",
        "apiGroup": "tekton.dev",
        "apiVersion": "v1beta1",
        "subresource": "status",
    },
    "responseStatus": {"metadata": {}, "code": 200},
    "requestReceivedTimestamp": "2026-01-05T10:13:00.000000Z",
    "stageTimestamp": "2026-01-05T10:13:00.038599Z",
    "annotations": {"authorization.k8s.io/decision": "allow", "audit.k8s.io/truncated": "true"},
    "log_type": "audit",
}
OTHER = CUT | {
    "auditID": "other",
    "verb": "get",
    "objectRef": {"resource": "pods", "namespace": "default", "name": "p", "apiGroup": "", "apiVersion": "v1"},
    "annotations": {"authorization.k8s.io/decision": "allow"},
}

#: What a collector may make of an audit event: its text within another object.
WRAPPED = {
    "log_type": "audit",
    "requestReceivedTimestamp": CUT["requestReceivedTimestamp"],
    "message": json.dumps(OTHER),
}


def changed(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return CUT | changes


@contextlib.contextmanager
def splunk(*records: dict[str, Any]) -> Iterator[tuple[Splunk, str]]:
    """Serve records; give a client, and the address."""
    log = AuditLog(tuple(Record.parse(json.dumps(record).encode()) for record in records))
    with serving(create_app(log)) as url, Splunk(SplunkSettings(url=url, token="changeme")) as client:
        yield client, url


def searches(url: str) -> list[str]:
    lines = requests.get(f"{url}/sandbox/searches", timeout=10).text.splitlines()
    return [json.loads(line)["search"] for line in lines]


class TestSearches:
    SOURCE = Source("federated:audit", "kube:audit", (("host", "api-*"),))
    FIRST = 'search index="federated:audit" "sourcetype"="kube:audit" "host"="api-*"'
    AUDIT = '| where coalesce(nullif(json_extract(_raw, "log_type"), "null"), mvindex(log_type, 0))=="audit"'

    def test_one_audit_record(self) -> None:
        assert source_check.audit_record(self.SOURCE).splitlines() == [
            f'{self.FIRST} ("log_type"="audit" OR "log_type")',
            self.AUDIT,
            "| head 1",
            "| fields index",
            "| fields - _*",
        ]

    def test_one_record_of_any_type(self) -> None:
        assert source_check.any_record(self.SOURCE).splitlines() == [
            self.FIRST,
            "| head 1",
            "| fields index",
            "| fields - _*",
        ]

    def test_records_that_were_cut(self) -> None:
        journeys = find(["release-done", "build-pipelinerun-ended", "build-pipelinerun-created", "component-events"])
        printed = source_check.truncated_records(self.SOURCE, journeys)
        assert printed == "\n".join(
            (
                f'{self.FIRST} ("log_type"="audit" OR "log_type") "truncated" ("appstudio.redhat.com" OR "tekton.dev")',
                self.AUDIT,
                '| eval annotations=nullif(json_extract(_raw, "annotations"), "null")',
                '| where nullif(json_extract_exact(annotations, "audit.k8s.io/truncated"), "null")=="true"',
                (
                    '| eval objectRef=json_extract(_raw, "objectRef"), '
                    'objectRef_apiGroup=nullif(json_extract(objectRef, "apiGroup"), "null"), '
                    'objectRef_resource=nullif(json_extract(objectRef, "resource"), "null"), '
                    'verb=nullif(json_extract(_raw, "verb"), "null")'
                ),
                (
                    '| where (objectRef_apiGroup=="appstudio.redhat.com" AND objectRef_resource=="components" AND '
                    '(verb=="create" OR verb=="delete" OR verb=="patch" OR verb=="update")) OR '
                    '(objectRef_apiGroup=="appstudio.redhat.com" AND objectRef_resource=="releases" AND '
                    'verb=="patch") OR '
                    '(objectRef_apiGroup=="tekton.dev" AND objectRef_resource=="pipelineruns" AND '
                    '(verb=="create" OR verb=="update"))'
                ),
                '| eval responseStatus_code=nullif(json_extract(_raw, "responseStatus.code"), "null")',
                "| where responseStatus_code==200 OR responseStatus_code==201",
                "| stats count by objectRef_resource",
            )
        )

    def test_one_record_that_can_be_read(self) -> None:
        assert source_check.readable_record(self.SOURCE).splitlines() == [
            f'{self.FIRST} ("log_type"="audit" OR "log_type")',
            self.AUDIT,
            '| eval auditID=nullif(json_extract(_raw, "auditID"), "null")',
            "| where isnotnull(auditID)",
            "| head 1",
            "| eval times=mvcount(apiVersion)",
            "| fields index,times",
            "| fields - _*",
        ]

    def test_what_is_no_index(self) -> None:
        for search in (source_check.audit_record, source_check.any_record):
            with pytest.raises(ConfigurationError):
                search(Source("* OR index=_internal"))

    @pytest.mark.parametrize("name", ["verb", "objectRef.resource", "kind"])
    def test_fixed_terms_on_the_text_of_records(self, name: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            source_check.any_record(Source("audit", "", (("host", "api-*"), (name, "x"))))
        assert str(caught.value) == (
            f"the search field {name} is one of the audit record itself, which Splunk does not extract from large "
            "records: name one that the collector adds, such as host or source"
        )

    @pytest.mark.parametrize(
        ("source", "told"),
        [
            (
                Source("audit", "*"),
                (
                    "the fixed term sourcetype of the source cannot be used: "
                    "a literal * cannot be expressed in a search term: filter with where instead"
                ),
            ),
            (
                Source("audit", "", (("host", "a`b"),)),
                (
                    "the fixed term host of the source cannot be used: "
                    "'a`b' holds a control character or a backtick, which SPL cannot quote"
                ),
            ),
        ],
    )
    def test_fixed_terms_that_cannot_be_searched_for(self, source: Source, told: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            source_check.any_record(source)
        assert str(caught.value) == told


class TestHolds:
    @pytest.mark.parametrize(("records", "holds"), [((), False), ((OTHER,), True), ((OTHER, CUT), True)])
    def test_a_record_is_told_from_silence(self, records: tuple[dict[str, Any], ...], holds: bool) -> None:
        with splunk(*records) as (client, _):
            assert source_check.holds(client, source_check.audit_record(SOURCE), WINDOW) is holds

    def test_an_incomplete_answer_is_no_silence(self) -> None:
        with serving(PlainTextResponse('{"preview":false}\n')) as url:
            client = Splunk(SplunkSettings(url=url, token="changeme"))
            with pytest.raises(IncompleteAnswer):
                source_check.holds(client, source_check.any_record(SOURCE), WINDOW)


class TestLook:
    """What a run stages of its source."""

    def look(self, *records: dict[str, Any], nothing_found: bool = False) -> Seen:
        with splunk(*records) as (client, _):
            return source_check.look(client, SOURCE, WINDOW, JOURNEYS, nothing_found=nothing_found)

    def test_a_record_that_was_cut_is_counted(self) -> None:
        assert self.look(CUT) == Seen(truncated={"pipelineruns": 1})

    def test_by_resource_in_order(self) -> None:
        component = changed(objectRef={"apiGroup": "appstudio.redhat.com", "resource": "components"}, verb="patch")
        release = changed(objectRef={"apiGroup": "appstudio.redhat.com", "resource": "releases"}, verb="patch")
        created = changed(verb="create", responseStatus={"code": 201})
        seen = self.look(release, CUT, component, created, component)
        assert seen == Seen(truncated={"components": 2, "pipelineruns": 2, "releases": 1})
        assert list(seen.truncated) == ["components", "pipelineruns", "releases"]

    @pytest.mark.parametrize(
        "record",
        [
            pytest.param(OTHER, id="another kind"),
            pytest.param(changed(annotations={"audit.k8s.io/truncated": "false"}), id="not cut"),
            pytest.param(changed(annotations={"a": "audit.k8s.io/truncated", "b": "true"}), id="named in a value"),
            pytest.param(changed(annotations=None, userAgent="truncated"), id="no annotation"),
            pytest.param(
                changed(objectRef={"apiGroup": "tekton.dev", "resource": "tasks"}), id="no journey's resource"
            ),
            pytest.param(changed(objectRef={"apiGroup": "apps", "resource": "releases"}), id="another API group"),
            pytest.param(changed(verb="list"), id="a list, which no journey looks at"),
            pytest.param(changed(responseStatus=None), id="an earlier stage of the request"),
            pytest.param(changed(responseStatus={"code": 409}), id="a refused request"),
            pytest.param(changed(log_type="kube-audit"), id="no audit record"),
            pytest.param(changed(requestReceivedTimestamp="2026-01-05T12:00:00Z"), id="behind the window"),
        ],
    )
    def test_what_is_not_counted(self, record: dict[str, Any]) -> None:
        assert self.look(record) == Seen()

    def test_whether_there_is_any_record_is_asked_only_where_nothing_was_found(self) -> None:
        for found, asked in (
            (False, [source_check.truncated_records(SOURCE, JOURNEYS)]),
            (
                True,
                [
                    source_check.truncated_records(SOURCE, JOURNEYS),
                    source_check.audit_record(SOURCE),
                    source_check.readable_record(SOURCE),
                ],
            ),
        ):
            with splunk(CUT) as (client, url):
                seen = source_check.look(client, SOURCE, WINDOW, JOURNEYS, nothing_found=found)
                assert (seen, searches(url)) == (
                    Seen(silent=False if found else None, truncated={"pipelineruns": 1}),
                    asked,
                )

    @pytest.mark.parametrize(
        ("records", "seen"),
        [
            ((), Seen(silent=True)),
            ((OTHER,), Seen(silent=False)),
            ((OTHER | {"log_type": "kube-audit"},), Seen(silent=True, other_records=True)),
            ((OTHER | {"log_type": None},), Seen(silent=True, other_records=True)),
            ((OTHER | {"log_type": "kube-audit"}, OTHER), Seen(silent=False)),
            ((WRAPPED,), Seen(silent=False, unreadable=True)),
            ((WRAPPED, OTHER), Seen(silent=False)),
            # Large, with the collector's field at its end, where automatic extraction does not reach.
            (({**OTHER, "responseObject": {"data": "x" * 6_000}, "log_type": "audit"},), Seen(silent=False)),
        ],
    )
    def test_a_silent_source(self, records: tuple[dict[str, Any], ...], seen: Seen) -> None:
        assert self.look(*records, nothing_found=True) == seen

    def test_a_long_window_is_counted_in_parts_that_add_up(self) -> None:
        times = ["2026-01-04T23:59:59Z", "2026-01-05T00:00:00Z", "2026-01-05T07:59:59Z", "2026-01-05T08:00:00Z"]
        records = [changed(requestReceivedTimestamp=time, auditID=time) for time in times]
        window = Window(WINDOW.end - timedelta(hours=12), WINDOW.end)
        with splunk(*records) as (client, url):
            seen = source_check.look(client, SOURCE, window, JOURNEYS, nothing_found=False)
            assert seen == Seen(truncated={"pipelineruns": 3})
            assert searches(url) == [source_check.truncated_records(SOURCE, JOURNEYS)] * 3
