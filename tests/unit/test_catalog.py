from __future__ import annotations

from dataclasses import replace
from difflib import unified_diff
from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from segment_bridge import spl
from segment_bridge.catalog import JOURNEYS, Journey, check, find, record
from segment_bridge.catalog import properties as p
from segment_bridge.catalog.clauses import Clause, OneOf, PullRequestCreated, StatusCondition, UserRequest
from segment_bridge.errors import ConfigurationError
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
            check((*JOURNEYS, copy))
        assert str(caught.value) == (
            f"journeys {original.name} and copy could select one record: let their clauses exclude each other"
        )

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            pytest.param((OneOf("verb", ("create", "patch")),), (OneOf("verb", ("patch", "delete")),), id="a verb"),
            pytest.param((OneOf("verb", ("create",)),), (), id="any verb"),
            pytest.param((OneOf("verb", ("create",)),), (OneOf("level", ("Request",)),), id="different facets"),
            pytest.param(
                (StatusCondition("Ready", reasons=("Done", "Failed")),),
                (StatusCondition("Ready", reasons=("Failed", "Lost")),),
                id="a reason",
            ),
            pytest.param(
                (StatusCondition("Ready", reasons=("Done",)),),
                (StatusCondition("Stored", reasons=("Failed",)),),
                id="conditions of two types",
            ),
            pytest.param(
                (StatusCondition("Ready", reasons=("Done",), message_like="a%"),),
                (StatusCondition("Ready", reasons=("Done",), message_like="b%"),),
                id="messages, which are not compared",
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
                journey(StatusCondition("Ready", reasons=("Done",))),
                journey(StatusCondition("Ready", reasons=("Failed",)), name="other"),
                id="reasons of one condition",
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

    def test_any_two_of_the_catalog_contradict_each_other_in_some_facet(self) -> None:
        for one, other in combinations(JOURNEYS, 2):
            claims, others = one.claims(), other.claims()
            assert [facet for facet in claims if facet in others and not claims[facet] & others[facet]]

    def test_claims_of_a_journey(self) -> None:
        (release,) = find(["release-done"])
        assert release.claims() == {
            "objectRef.apiGroup": {"appstudio.redhat.com"},
            "objectRef.resource": {"releases"},
            "verb": {"patch"},
            "responseStatus.code": {"200"},
            "objectRef.subresource": {"status"},
            "condition Released": {"Succeeded", "Failed"},
        }


class TestJourney:
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
        ("source", "unknown"),
        [
            (spl.field("responseobject.spec.application"), "responseobject.spec.application"),
            (spl.field("merge_url"), "merge_url"),
            (spl.field("condition"), "condition"),
            (spl.coalesce(spl.field("verb"), spl.item(spl.field("z{}"), spl.field("a.b"))), "a.b, z{}"),
            (spl.case((spl.field("x").equals("1") | ~spl.field("y").like("2"), spl.field("verb"))), "x, y"),
        ],
    )
    def test_a_property_of_unknown_fields(self, source: spl.Expression, unknown: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            journey(UserRequest(), properties=(p.NAME, p.Property("odd", source)))
        assert str(caught.value) == f"journey one: property odd reads unknown fields: {unknown}"

    def test_a_property_of_a_field_that_a_clause_makes(self) -> None:
        made = journey(PullRequestCreated(), properties=(p.MERGE_URL,))
        with pytest.raises(ConfigurationError, match=r"^journey one: property merge_url reads unknown fields: "):
            replace(made, clauses=())

    def test_any_member_of_an_audit_record_can_be_a_property(self) -> None:
        properties = tuple(p.Property(f"p_{root}", spl.field(f"{root}.any.path")) for root in record.ROOTS)
        assert journey(properties=properties).properties == properties

    def test_a_small_journey(self) -> None:
        made = journey(OneOf("verb", ("get", "list")), event="Thing seen", carries_user=True)
        assert made.compile("main") == (
            'search index="main" "log_type"="audit" "objectRef.apiGroup"="group.example.com" '
            '"objectRef.resource"="things" ("verb"="get" OR "verb"="list")\n'
            '| eval messageId=auditID, timestamp=requestReceivedTimestamp, type="track", '
            "namespace='objectRef.namespace', event_subject='objectRef.resource', event_verb=verb, "
            "event=\"Thing seen\", userId=coalesce('impersonatedUser.username', 'user.username'), "
            "properties=json_object(\"apiGroup\", 'objectRef.apiGroup', \"apiVersion\", 'objectRef.apiVersion', "
            "\"kind\", 'objectRef.resource', \"name\", 'objectRef.name'), "
            'context=json_object("userAgent", userAgent)\n'
            "| fields messageId,timestamp,type,namespace,event_subject,event_verb,event,userId,properties,context\n"
            "| fields - _*"
        )

    @pytest.mark.parametrize("index", ["", "main | delete", 'main" OR index="other', "*", "Main", "federated:"])
    def test_what_is_no_index(self, index: str) -> None:
        with pytest.raises(ConfigurationError, match="is no index name"):
            JOURNEYS[0].compile(index)
