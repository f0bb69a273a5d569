from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from difflib import unified_diff
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.splunk import AuditLog
from sandbox.splunk.commands import compile_search
from sandbox.splunk.records import Record
from segment_bridge import spl
from segment_bridge.catalog import JOURNEYS, Journey, check, find, record
from segment_bridge.catalog import properties as p
from segment_bridge.catalog.clauses import Clause, OneOf, Present, StatusCondition, UserRequest
from segment_bridge.errors import ConfigurationError
from segment_bridge.settings import Source
from tests.unit.golden import update

if TYPE_CHECKING:
    from pathlib import Path

NAMES = (
    "application-events",
    "component-events",
    "build-pipelinerun-created",
    "build-pipelinerun-started",
    "clair-scan-completed",
    "build-pipelinerun-ended",
    "release-done",
    "pull-request-created",
)


def journey(*clauses: Clause, name: str = "one", **changes: object) -> Journey:
    parts: dict[str, object] = {
        "title": f"Title of {name}",
        "api_group": "group.example.com",
        "resource": "things",
        "properties": (p.NAME,),
    }
    return Journey(name=name, clauses=clauses, **(parts | changes))  # type: ignore[arg-type] # a test's shorthand


class TestGolden:
    @pytest.mark.parametrize("name", update.texts())
    def test_a_search_is_the_one_that_was_reviewed(self, name: str) -> None:
        path = update.FOLDER / name
        reviewed = path.read_text(encoding="utf-8") if path.exists() else ""
        compiled = update.texts()[name]
        if compiled != reviewed:
            lines = reviewed.splitlines(keepends=True), compiled.splitlines(keepends=True)
            difference = "".join(unified_diff(*lines, f"golden/{name}", "compiled now"))
            pytest.fail(
                f"the search of {name} is not the reviewed one; "
                f"if it is meant to be, run `make golden` and read the difference:\n{difference}",
                pytrace=False,
            )

    def test_every_file_belongs_to_a_search(self) -> None:
        files = {str(path.relative_to(update.FOLDER)) for path in update.FOLDER.glob("*/*.spl")}
        assert files == {
            *(f"spl/{name}.spl" for name in NAMES),
            *(f"spl_lookup/{name}.spl" for name in ("application-events", "component-events")),
        }

    def test_an_update_writes_all_files_and_removes_stale_ones(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(update, "FOLDER", tmp_path)
        update.main()
        (tmp_path / "spl" / "gone.spl").write_text("search *\n")
        (tmp_path / "spl" / "release-done.spl").write_text("search *\n")
        update.main()
        files = (path for path in tmp_path.rglob("*") if path.is_file())
        written = {str(path.relative_to(tmp_path)): path.read_text(encoding="utf-8") for path in files}
        assert written == update.texts()


class TestFind:
    def test_no_name_means_all(self) -> None:
        assert find() == JOURNEYS
        assert tuple(one.name for one in JOURNEYS) == NAMES

    def test_names_in_the_order_of_the_catalog(self) -> None:
        found = find(["release-done", "application-events", "release-done"])
        assert [one.name for one in found] == ["application-events", "release-done"]

    def test_all_unknown_names_at_once(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            find(["zebra", "release-done", "Release-Done"])
        assert str(caught.value) == f"no journey named Release-Done, zebra: there are {', '.join(NAMES)}"


class TestCheck:
    def test_takes_the_catalog(self) -> None:
        check(JOURNEYS)
        check(JOURNEYS[::-1])
        check(())

    @pytest.mark.parametrize("changes", [{"name": "release-done"}, {"title": "Release Succeeded or Failed events"}])
    def test_a_double_name_or_title(self, changes: dict[str, str]) -> None:
        # The resource is another one, so that no record could belong to both.
        other = journey(**{"name": "other"} | changes)
        with pytest.raises(ConfigurationError) as caught:
            check((*JOURNEYS, other))
        assert str(caught.value) == (
            "two journeys are named release-done (Release Succeeded or Failed events): rename one"
        )

    @pytest.mark.parametrize("original", JOURNEYS, ids=lambda one: one.name)
    def test_a_copy_of_a_journey(self, original: Journey) -> None:
        copy = replace(original, name="copy", title="Copy")
        with pytest.raises(ConfigurationError) as caught:
            check((original, copy))
        assert str(caught.value) == (
            f"journeys {original.name} and copy could select one record: "
            "let their clauses exclude each other, or name one in the other's `unless`"
        )

    def test_a_journey_that_gives_way_to_another(self) -> None:
        first = journey(OneOf("verb", ("create", "patch")))
        second = journey(OneOf("verb", ("patch", "delete")), name="other", unless=(first,))
        third = journey(OneOf("verb", ("patch",)), name="third", unless=(first,))
        check((first, second))
        check((second, first))
        with pytest.raises(ConfigurationError, match=r"^journeys other and third could select one record: "):
            check((first, second, third))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            pytest.param((OneOf("verb", ("create", "patch")),), (OneOf("verb", ("patch", "delete")),), id="a verb"),
            pytest.param((OneOf("verb", ("create",)),), (), id="any verb"),
            pytest.param((OneOf("verb", ("create",)),), (OneOf("level", ("Request",)),), id="different facets"),
            pytest.param(
                (StatusCondition("Ready", ("True", "False")),), (StatusCondition("Ready", ("False",)),), id="a status"
            ),
            pytest.param(
                (StatusCondition("Ready", ("True",)),),
                (StatusCondition("Stored", ("False",)),),
                id="conditions of two types",
            ),
            pytest.param(
                (StatusCondition("Ready", ("True",), reason="Done", message_like="a%"),),
                (StatusCondition("Ready", ("True",), reason="Lost", message_like="b%"),),
                id="reasons and messages, which are not compared",
            ),
            pytest.param((UserRequest(),), (), id="any requester"),
        ],
    )
    def test_two_journeys_that_could_select_one_record(
        self, one: tuple[Clause, ...], other: tuple[Clause, ...]
    ) -> None:
        with pytest.raises(ConfigurationError, match=r"^journeys one and other could select one record: "):
            check((journey(*one), journey(*other, name="other")))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            pytest.param(journey(), journey(name="other", resource="others"), id="resources"),
            pytest.param(journey(), journey(name="other", api_group="other.example.com"), id="API groups"),
            pytest.param(
                journey(OneOf("verb", ("create", "update"))),
                journey(OneOf("verb", ("patch",)), name="other"),
                id="verbs",
            ),
            pytest.param(
                journey(StatusCondition("Ready", ("True",))),
                journey(StatusCondition("Ready", ("False", "Unknown")), name="other"),
                id="statuses of one condition",
            ),
            pytest.param(
                journey(OneOf("verb", ("create", "update")), OneOf("verb", ("update", "patch"))),
                journey(OneOf("verb", ("create", "patch")), name="other"),
                id="verbs that two clauses leave over",
            ),
        ],
    )
    def test_journeys_that_exclude_each_other(self, one: Journey, other: Journey) -> None:
        check((one, other))
        check((other, one))

    def test_any_two_of_the_catalog_contradict_each_other_in_some_facet_but_those_of_which_one_gives_way(self) -> None:
        giving_way = []
        for one, other in combinations(JOURNEYS, 2):
            claims, others = one.claims(), other.claims()
            if not [facet for facet in claims if facet in others and not claims[facet] & others[facet]]:
                assert other in one.unless
                giving_way.append((one.name, other.name))
        assert giving_way == [("component-events", "pull-request-created")]

    def test_claims_of_a_journey(self) -> None:
        (release,) = find(["release-done"])
        assert release.claims() == {
            "objectRef.apiGroup": {"appstudio.redhat.com"},
            "objectRef.resource": {"releases"},
            "verb": {"patch"},
            "responseStatus.code": {"200"},
            "objectRef.subresource": {"status"},
            "status of condition Released": {"True", "False"},
        }


def by_position(name: str, position: str) -> spl.Expression:
    """Read one key of a list of objects where another one has a value, as journeys once did."""
    return spl.case((spl.field(position).equals("Ready"), spl.field(name)))


@dataclass(frozen=True)
class Reading(Clause):
    """A clause that reads this, to decide or to count once."""

    read: spl.Expression
    once_per: spl.Expression | None = None  # type: ignore[misc] # one of each instance

    def condition(self) -> spl.Expression:
        return spl.is_not_null(self.read)


class TestJourney:
    LISTS = by_position("responseObject.status.conditions{}.reason", "responseObject.status.conditions{}.type")

    @pytest.mark.parametrize(
        ("properties", "message"),
        [
            ((p.NAME, p.APPLICATION, p.NAME), "apiGroup, apiVersion, kind, name, application, name"),
            ((p.APPLICATION, p.OWN_APPLICATION), "apiGroup, apiVersion, kind, application, application"),
            ((p.Property("kind", spl.text("Thing")),), "apiGroup, apiVersion, kind, kind"),
        ],
    )
    def test_a_double_property(self, properties: tuple[p.Property, ...], message: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            journey(properties=properties)
        assert str(caught.value) == f"journey one gives a property twice: {message}"

    @pytest.mark.parametrize(
        ("what", "changes"),
        [
            ("property odd", {"properties": (p.NAME, p.Property("odd", LISTS))}),
            ("property odd", {"properties": (p.Property("odd", spl.named("made", LISTS), is_chosen=False),)}),
            ("a clause", {"clauses": (Reading(LISTS),)}),
            ("a clause", {"clauses": (Reading(spl.text("x"), spl.named("once", LISTS)),)}),
            ("the verb", {"verb": LISTS}),
        ],
    )
    def test_a_list_is_never_read_by_position(self, what: str, changes: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError) as caught:
            replace(journey(UserRequest()), **changes)
        assert str(caught.value) == (
            f"journey one: {what} reads a list by position "
            "(responseObject.status.conditions{}.reason, responseObject.status.conditions{}.type), "
            "where an element that lacks a key shifts all others: take elements whole, by record.element"
        )

    @pytest.mark.parametrize(
        ("source", "unknown"),
        [
            (spl.field("verb"), "verb"),
            (spl.field("responseObject.spec.application"), "responseObject.spec.application"),
            (spl.coalesce(record.part("verb"), spl.item(spl.field("z"), 0), spl.field("a.b")), "a.b, z"),
            (spl.case((spl.field("x").equals("1") | ~spl.field("y").like("2"), spl.field("_raw"))), "x, y"),
            (spl.named("made", spl.field("merge_url")), "merge_url"),
        ],
    )
    def test_what_splunk_may_not_have_extracted_is_never_read(self, source: spl.Expression, unknown: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            journey(UserRequest(), properties=(p.NAME, p.Property("odd", source)))
        assert str(caught.value) == (
            f"journey one: property odd reads fields that Splunk may not have extracted: {unknown}; "
            "read parts of a record by record.part"
        )

    def test_what_splunk_has_without_looking_into_a_record_can_be_read(self) -> None:
        properties = tuple(p.Property(f"p{name}", spl.field(name)) for name in record.METADATA)
        assert journey(properties=properties).properties == properties

    def test_any_member_of_an_audit_record_can_be_a_property(self) -> None:
        properties = tuple(p.Property(f"p_{root}", record.part(f"{root}.any.path")) for root in record.ROOTS)
        assert journey(properties=properties).properties == properties

    @pytest.mark.parametrize("path", ["responseobject.spec.application", "merge_url", "", "items.spec", " verb"])
    def test_a_path_that_no_audit_record_has(self, path: str) -> None:
        for read in (record.part, record.elements, record.label, record.annotation):
            odd = f"{path}.metadata.{read.__name__}s" if read in (record.label, record.annotation) else path
            with pytest.raises(ConfigurationError) as caught:
                read("key", of=path) if read in (record.label, record.annotation) else read(path)
            assert str(caught.value) == f"{odd} is no field of an audit record: it begins with none of its members"

    @pytest.mark.parametrize("path", ["responseObject.items{}", "responseObject.metadata.labels.a/b", "verb."])
    def test_a_path_into_a_list_or_of_odd_keys(self, path: str) -> None:
        with pytest.raises(ConfigurationError, match=r"is no path of keys joined by dots: "):
            record.part(path)

    def test_a_small_journey(self) -> None:
        made = journey(OneOf("verb", ("get", "list")), event="Thing seen", carries_user=True)
        source = Source("main", "kube:audit", (("host", "api-*"), ("source", "audit")))
        mark = r'''"^([\\t-\\r ]*(['\\[{\"]|[-+]?[.]?[0-9][0-9.,eExX+-]*[\\t-\\r ]*$))", "'\\1"'''
        printed = r"""search index="main" "sourcetype"="kube:audit" "host"="api-*" "source"="audit"
                ("log_type"="audit" OR "log_type") "group.example.com" "things" ("get" OR "list")
            | where coalesce(nullif(json_extract(_raw, "log_type"), "null"), mvindex(log_type, 0))=="audit"
            | eval objectRef=json_extract(_raw, "objectRef"),
                objectRef_apiGroup=nullif(json_extract(objectRef, "apiGroup"), "null"),
                objectRef_resource=nullif(json_extract(objectRef, "resource"), "null")
            | where objectRef_apiGroup=="group.example.com" AND objectRef_resource=="things"
            | eval requestURI=nullif(json_extract(_raw, "requestURI"), "null"),
                requestObject_kind=nullif(json_extract(_raw, "requestObject.kind"), "null"),
                requestObject_dryRun=nullif(json_extract(_raw, "requestObject.dryRun"), "null")
            | where NOT (match(coalesce(requestURI, ""), "[?&]dryRun=All(&|$)") OR
                (coalesce(requestObject_kind, "")=="DeleteOptions" AND
                like(coalesce(requestObject_dryRun, ""), "%\"All\"%")))
            | eval verb=nullif(json_extract(_raw, "verb"), "null")
            | where verb=="get" OR verb=="list"
            | eval auditID=nullif(json_extract(_raw, "auditID"), "null"),
                requestReceivedTimestamp=nullif(json_extract(_raw, "requestReceivedTimestamp"), "null"),
                objectRef_namespace=nullif(json_extract(objectRef, "namespace"), "null"),
                impersonatedUser_username=nullif(json_extract(_raw, "impersonatedUser.username"), "null"),
                user_username=nullif(json_extract(_raw, "user.username"), "null"),
                objectRef_apiVersion=nullif(json_extract(objectRef, "apiVersion"), "null"),
                objectRef_name=nullif(json_extract(objectRef, "name"), "null"),
                userAgent=nullif(json_extract(_raw, "userAgent"), "null")
            | eval messageId=auditID, timestamp=requestReceivedTimestamp, type="track",
                namespace=objectRef_namespace, event_subject=objectRef_resource, event_verb=verb,
                event="Thing seen", userId=coalesce(impersonatedUser_username, user_username),
                properties=json_object("apiGroup", objectRef_apiGroup, "apiVersion", objectRef_apiVersion,
                "kind", objectRef_resource, "name", replace(objectRef_name, MARK)),
                context=json_object("userAgent", replace(userAgent, MARK))
            | fields messageId,timestamp,type,namespace,event_subject,event_verb,event,userId,properties,context
            | fields - _*""".replace("MARK", mark)
        joined = re.sub(r"\n {12}", "\n", printed.replace("\n" + " " * 16, " "))
        assert made.compile(source) == joined

    @pytest.mark.parametrize("index", ["", "main | delete", 'main" OR index="other', "*", "Main", "federated:"])
    def test_what_is_no_index(self, index: str) -> None:
        with pytest.raises(ConfigurationError, match="is no index name"):
            JOURNEYS[0].compile(Source(index))


class TestUnless:
    """A record that two journeys could select belongs to the one to which the other gives way."""

    FIRST = journey(OneOf("verb", ("create", "patch")), Present("responseObject.metadata.uid"), name="first")
    SECOND = journey(OneOf("verb", ("patch", "delete")), name="second", unless=(FIRST,))

    def found(self, one: Journey, *records: dict[str, object]) -> list[str]:
        every = {"objectRef": {"apiGroup": one.api_group, "resource": one.resource}, "log_type": "audit"}
        lines = [
            json.dumps({"auditID": str(number), "requestReceivedTimestamp": "2024-05-01T12:00:00Z"} | every | given)
            for number, given in enumerate(records)
        ]
        log = AuditLog(tuple(Record.parse(line.encode()) for line in lines))
        return [str(row["messageId"]) for row in compile_search(one.compile(Source("main"))).run(log)]

    def test_precedence(self) -> None:
        uid = {"responseObject": {"metadata": {"uid": "u"}}}
        records: tuple[dict[str, object], ...] = (
            {"verb": "create", **uid},
            {"verb": "patch", **uid},
            {"verb": "patch"},
            {"verb": "patch", "responseObject": None},
            {"verb": "delete", **uid},
        )
        assert self.found(self.FIRST, *records) == ["0", "1"]
        assert self.found(self.SECOND, *records) == ["2", "3", "4"]

    def test_an_update_that_creates_a_pull_request_is_no_update_of_a_component(self) -> None:
        status = json.dumps({"pac": {"state": "enabled", "merge-url": "https://example.com/1"}})
        record: dict[str, object] = {
            "verb": "update",
            "responseStatus": {"code": 200},
            "user": {"username": "system:serviceaccount:build-service:build-service-controller-manager"},
            "impersonatedUser": {"username": "ann"},
            "responseObject": {"metadata": {"annotations": {"build.appstudio.openshift.io/status": status}}},
        }
        other = record | {"responseObject": {"metadata": {"annotations": {}}}}
        component, request = find(["component-events", "pull-request-created"])
        assert self.found(component, record, other) == ["1"]
        assert self.found(request, record, other) == ["0"]
