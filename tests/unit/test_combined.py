"""Several journeys as one search: it has to find for each of them what its own search finds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.splunk import AuditLog, export
from sandbox.splunk.commands import compile_search
from sandbox.splunk.records import Record
from segment_bridge.catalog import JOURNEYS, MARK, Combined, Journey, clauses, combine, find, record, search_named
from segment_bridge.catalog import properties as p
from segment_bridge.errors import ConfigurationError
from segment_bridge.splunk.shares import share_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segment_bridge.catalog import Search

BUILD_SERVICE = "system:serviceaccount:build-service:build-service-controller-manager"
PULL_REQUEST = '{"pac":{"state":"enabled","merge-url":"https://git.example.com/%s"}}'


def journey(name: str, *conditions: clauses.Clause, **changes: object) -> Journey:
    parts: dict[str, object] = {
        "title": f"Title of {name}",
        "api_group": "group",
        "resource": "things",
        "properties": (),
    }
    return Journey(name=name, clauses=conditions, **(parts | changes))  # type: ignore[arg-type] # a test's shorthand


def audit_log(records: Sequence[dict[str, Any]]) -> AuditLog:
    """Return records of one kind of object, numbered in ``auditID``."""
    shared = {"objectRef": {"apiGroup": "group", "resource": "things"}}
    lines = (json.dumps({**shared, **one, "auditID": str(number)}).encode() for number, one in enumerate(records))
    return AuditLog(tuple(map(Record.parse, lines)))


def answer(search: Search, log: AuditLog) -> list[bytes]:
    return b"".join(export.stream(compile_search(search.compile("main")).run(log), preview=False)).splitlines()


def shares(search: Search, log: AuditLog) -> dict[str, list[bytes]]:
    """Return the lines that each journey of a search gets."""
    shared: dict[str, list[bytes]] = {name: [] for name in search.names}
    for name, line in share_out(answer(search, log), search.names, MARK):
        shared[name].append(line)
    return shared


class TestCombine:
    def test_one_search_for_each_kind_of_object(self) -> None:
        assert [search.names for search in combine(JOURNEYS)] == [
            ("application-events",),
            ("component-events", "pull-request-created"),
            ("build-pipelinerun-created", "build-pipelinerun-started", "build-pipelinerun-ended"),
            ("clair-scan-completed",),
            ("release-done",),
        ]

    def test_a_journey_that_is_alone_keeps_its_own_search(self) -> None:
        chosen = find(["release-done", "component-events"])
        assert combine(chosen) == chosen
        assert combine(()) == ()

    def test_a_search_is_found_again_by_its_name(self) -> None:
        for search in (*JOURNEYS, *combine(JOURNEYS)):
            assert search_named(search.name) == search
        assert search_named("component-events+pull-request-created").title == (
            "Component events, Pull Request created events"
        )

    def test_a_name_of_no_search(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^no journey named zebra: there are "):
            search_named("component-events+zebra")


class TestPrinted:
    def test_what_journeys_share_is_asked_once_and_the_rest_of_each_alone(self) -> None:
        stored = clauses.Present(record.RESOURCE_VERSION)
        one = journey("one", clauses.OneOf("verb", ("create",)), stored, properties=(p.NAME,), event="Made")
        other = journey("other", stored, clauses.Exactly("level", ("Full",)), carries_user=True)
        assert Combined((one, other)).compile("main") == (
            'search index="main" "log_type"="audit" "objectRef.apiGroup"="group" "objectRef.resource"="things" '
            '"responseObject.metadata.resourceVersion"="*" ("verb"="create" OR "level"="Full")\n'
            '| eval journey=coalesce(mvappend(case(isnotnull(mvfind(verb, "(?is)^create$")), "one"), '
            'case(isnotnull(mvfind(level, "(?is)^Full$")), "other")), "none")\n'
            "| fields - _raw\n"
            "| mvexpand journey\n"
            '| where NOT (journey=="other") OR level=="Full"\n'
            '| eval messageId=auditID, timestamp=requestReceivedTimestamp, type="track", '
            "namespace='objectRef.namespace', event_subject='objectRef.resource', event_verb=verb, "
            'event=case(journey=="one", "Made"), '
            "properties=case("
            'journey=="one", json_object("apiGroup", \'objectRef.apiGroup\', "apiVersion", \'objectRef.apiVersion\', '
            "\"kind\", 'objectRef.resource', \"name\", 'objectRef.name'), "
            'journey=="other", json_object("apiGroup", \'objectRef.apiGroup\', "apiVersion", '
            "'objectRef.apiVersion', \"kind\", 'objectRef.resource')), "
            'context=json_object("userAgent", userAgent), '
            "userId=case(journey==\"other\", coalesce('impersonatedUser.username', 'user.username'))\n"
            "| fields journey,messageId,timestamp,type,namespace,event_subject,event_verb,event,properties,context,"
            "userId\n"
            "| fields - _*"
        )

    def test_a_journey_without_terms_of_its_own_has_every_record(self) -> None:
        one, other = journey("one"), journey("other", clauses.OneOf("verb", ("get",)))
        assert Combined((one, other)).compile("main").splitlines()[:2] == [
            'search index="main" "log_type"="audit" "objectRef.apiGroup"="group" "objectRef.resource"="things"',
            '| eval journey=coalesce(mvappend("one", case(isnotnull(mvfind(verb, "(?is)^get$")), "other")), "none")',
        ]


def conditions(*several: tuple[str, str]) -> list[dict[str, str]]:
    return [{"type": kind, "reason": reason, "message": f"{kind} {reason}"} for kind, reason in several]


#: Clauses that make fields of the same names, drop duplicates, or overlap.
CLAUSES: list[clauses.Clause] = [
    clauses.OneOf("verb", ("create", "update")),
    clauses.OneOf("verb", ("update",)),
    clauses.Exactly("user.username", (BUILD_SERVICE,)),
    clauses.StoredIfCreated(),
    clauses.UserRequest(),
    clauses.StatusCondition("Ready", reasons=("Done", "Failed")),
    clauses.StatusCondition("Stored", reasons=("Done",), message_like="Stored D%"),
    clauses.PullRequestCreated(),
]
RECORDS = st.fixed_dictionaries(
    {
        "requestReceivedTimestamp": st.integers(0, 3).map("2024-05-01T12:00:0{}Z".format),
        "verb": st.sampled_from(["create", "update", "UPDATE", "get"]),
    },
    optional={
        "user": st.sampled_from(["ann", "system:node", BUILD_SERVICE, BUILD_SERVICE.upper()]).map(
            lambda name: {"username": name}
        ),
        "impersonatedUser": st.just({"username": "bob"}),
        "responseObject": st.fixed_dictionaries(
            {},
            optional={
                "metadata": st.fixed_dictionaries(
                    {},
                    optional={
                        "resourceVersion": st.just("1"),
                        "annotations": st.sampled_from(
                            [
                                {clauses.STATUS_ANNOTATION: PULL_REQUEST % "1"},
                                {clauses.STATUS_ANNOTATION: PULL_REQUEST % "2"},
                                {clauses.STATUS_ANNOTATION: '{"pac":{"state":"enabled"}}'},
                                {clauses.STATUS_ANNOTATION: PULL_REQUEST % "1", clauses.REQUEST_ANNOTATION: "x"},
                            ]
                        ),
                    },
                ),
                "status": st.sampled_from(
                    [
                        {"conditions": conditions(("Ready", "Done"), ("Stored", "Done"))},
                        {"conditions": conditions(("Stored", "Failed"), ("Ready", "Done"))},
                        {"conditions": conditions(("ready", "done"))},
                    ]
                ),
            },
        ),
    },
)


@st.composite
def several(draw: st.DrawFn) -> Combined:
    """Make two or three journeys of some clauses, with all the properties that these allow."""
    made = []
    for name in ("one", "other", "third")[: draw(st.integers(2, 3))]:
        chosen = draw(st.lists(st.sampled_from(CLAUSES), unique=True, max_size=4))
        fields = frozenset[str]().union(*(clause.makes for clause in chosen))
        properties = [one for one in (p.STATUS_REASON, p.STATUS_MESSAGE, p.MERGE_URL) if one.name in fields]
        carries_user = draw(st.booleans())
        made.append(journey(name, *chosen, properties=(p.NAME, *properties), carries_user=carries_user))
    return Combined(tuple(made))


class TestFound:
    @given(several(), st.lists(RECORDS, max_size=12))
    @settings(deadline=None, max_examples=300)
    def test_each_journey_gets_the_answer_of_its_own_search(
        self, search: Combined, records: list[dict[str, Any]]
    ) -> None:
        log = audit_log(records)
        assert shares(search, log) == {own.name: answer(own, log) for own in search.journeys}

    def test_journeys_that_both_drop_duplicates_keep_their_order(self) -> None:
        """What one of them drops and sorts leaves the rows of the other where they were."""
        made = [
            journey(name, clauses.PullRequestCreated(), *more, properties=(p.MERGE_URL,))
            for name, more in (("one", ()), ("other", (clauses.OneOf("verb", ("create",)),)))
        ]
        records = [
            {
                "requestReceivedTimestamp": f"2024-05-01T12:00:0{second}Z",
                "verb": "create",
                "responseObject": {"metadata": {"annotations": {clauses.STATUS_ANNOTATION: PULL_REQUEST % second}}},
            }
            for second in (1, 2)
        ]
        log = audit_log(records)
        assert shares(Combined(tuple(made)), log) == {own.name: answer(own, log) for own in made}

    def test_a_record_that_two_journeys_claim_becomes_a_result_of_each(self) -> None:
        """The build service's own updates are no user's, unless it impersonates one."""
        updated = {
            "requestReceivedTimestamp": "2024-05-01T12:00:00Z",
            "objectRef": {"apiGroup": "appstudio.redhat.com", "resource": "components", "namespace": "ann-tenant"},
            "verb": "update",
            "responseStatus": {"code": 200},
            "user": {"username": BUILD_SERVICE},
            "responseObject": {"metadata": {"annotations": {clauses.STATUS_ANNOTATION: PULL_REQUEST % "1"}}},
        }
        log = audit_log([updated, updated | {"impersonatedUser": {"username": "ann"}}])
        (search,) = combine(find(["component-events", "pull-request-created"]))
        found = {name: [json.loads(line) for line in lines] for name, lines in shares(search, log).items()}
        assert {name: [row["result"]["messageId"] for row in rows] for name, rows in found.items()} == {
            "component-events": ["1"],
            "pull-request-created": ["0"],
        }
        log = audit_log([updated | {"impersonatedUser": {"username": "ann"}}])
        assert shares(search, log) == {own.name: answer(own, log) for own in find(search.names)}
        assert all(len(lines) == 1 and b'"messageId":"0"' in lines[0] for lines in shares(search, log).values())
