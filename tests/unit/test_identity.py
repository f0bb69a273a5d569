from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_bridge.errors import ConfigurationError
from segment_bridge.events import Identity, Reason
from segment_bridge.exclusions import Exclusions
from segment_bridge.identity import (
    IdentityMap,
    Maps,
    read_map,
    require_usable,
    shared_ids,
    short_ids,
    to_json,
    user_map,
    workspace_map,
)
from segment_bridge.tenants import Tenants

GROUP = "toolchain.dev.openshift.com"
HINT = ": give a map as `maps` prints it"


def signup(
    name: object = "ann",
    annotation: object = None,
    claim: object = None,
    state: str | None = "approved",
    created: str | None = "2026-01-01T00:00:00Z",
) -> dict[str, Any]:
    """Return a UserSignup; what is None is absent."""
    parts: dict[str, Any] = {
        "metadata": {"labels": {}, "annotations": {}},
        "spec": {"identityClaims": {}},
        "status": {},
    }
    for place, key, value in (
        (parts["metadata"], "creationTimestamp", created),
        (parts["metadata"]["labels"], f"{GROUP}/state", state),
        (parts["metadata"]["annotations"], f"{GROUP}/sso-user-id", annotation),
        (parts["spec"]["identityClaims"], "userID", claim),
        (parts["status"], "compliantUsername", name),
    ):
        if value is not None:
            place[key] = value
    return parts


def namespace(name: str | None, space: str | None) -> dict[str, Any]:
    labels = {f"{GROUP}/type": "tenant"} | ({} if space is None else {f"{GROUP}/space": space})
    return {"metadata": {"labels": labels} | ({} if name is None else {"name": name})}


class TestUserMap:
    def test_the_annotation_else_the_claim(self) -> None:
        made = user_map(
            [
                signup("annotated", annotation="a-1"),
                signup("claimed", claim="c-1"),
                signup("both", annotation="a-2", claim="c-2"),
                signup("emptied", annotation="", claim="c-3"),
                signup("blank", annotation=" \t", claim="c-4"),
            ]
        )
        assert dict(made.entries) == {
            "annotated": "a-1",
            "claimed": "c-1",
            "both": "a-2",
            "emptied": "c-3",
            "blank": "c-4",
        }
        assert (made.skipped, made.collisions) == (0, 0)

    @pytest.mark.parametrize(
        "lacking",
        [
            {},
            {"metadata": None, "spec": None, "status": None},
            {"metadata": [], "spec": "", "status": 1},
            signup(None, annotation="1"),
            signup("", annotation="1"),
            signup("  ", annotation="1"),
            signup("ann"),
            signup("ann", annotation="", claim="\n"),
            signup("ann", claim=1.5),
            signup("ann", claim=True),
            signup("ann", claim=["1"]),
            signup("ann", claim={"id": "1"}),
        ],
    )
    def test_a_signup_that_lacks_a_part_is_left_out_and_counted(self, lacking: dict[str, Any]) -> None:
        made = user_map([lacking, signup("bob", annotation="2")])
        assert made == IdentityMap({"bob": "2"}, skipped=1, collisions=0)

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("007", "007"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
            ("1e5", "1e5"),
            ("nullable", "nullable"),
            ("00", "00"),
            ("O", "O"),
            ("1 - n/a", "1 - n/a"),
            (" padded ", " padded "),
            ("日本", "日本"),
            (123456789012345678901234567890, "123456789012345678901234567890"),
            (10, "10"),
        ],
    )
    def test_an_id_is_text_and_stays_as_it_stands(self, given: object, kept: str) -> None:
        assert user_map([signup("ann", claim=given)]) == IdentityMap({"ann": kept})

    @pytest.mark.parametrize(
        "nobody",
        [
            *("null", "none", "nil", "undefined", "unknown", "anonymous", "n/a", "0"),
            *("NULL", "None", "N/A", "Unknown", " null ", "\tnil", 0),
            *("f:1\n", "f:\x001", "\x7f1234", "12345\x85", "\r12345"),
        ],
    )
    def test_an_id_that_identifies_nobody_is_left_out_and_counted(self, nobody: object) -> None:
        other = signup("bob", annotation="22222")
        left_out = IdentityMap({"bob": "22222"}, skipped=1, unusable=1)
        assert user_map([signup("ann", annotation=nobody), other]) == left_out
        assert user_map([signup("ann", claim=nobody), other]) == left_out
        assert user_map([signup("ann", annotation=nobody, claim=nobody), other]) == left_out
        # Either is enough, if it identifies somebody.
        assert user_map([signup("ann", annotation=nobody, claim="11111")]) == IdentityMap({"ann": "11111"})
        assert user_map([signup("ann", annotation="11111", claim=nobody)]) == IdentityMap({"ann": "11111"})
        # It wins over no signup of that name.
        assert user_map([signup("ann", annotation=nobody), signup("ann", claim="11111", state=None)]) == IdentityMap(
            {"ann": "11111"}, skipped=1, unusable=1
        )

    def test_why_it_is_empty(self) -> None:
        assert user_map([]) == IdentityMap({}, empty="there are no UserSignups")
        assert user_map([signup("ann"), signup("bob", claim="null")]) == IdentityMap(
            {}, skipped=2, unusable=1, empty="all 2 UserSignups lack a name or a usable ID"
        )

    def test_ids_that_are_shared_or_short_are_counted(self) -> None:
        users = {
            "ann": "007",
            "bob": "12345",
            "carl": "12345",
            "dora": "1",
            "eve": "1",
            "fred": "1",
            "gil": "日本語の字",
        }
        assert (shared_ids(users), short_ids(users)) == (2, 4)
        assert (shared_ids({}), short_ids({"gil": "日本語の字"})) == (0, 0)

    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize(
        ("winner", "loser"),
        [
            pytest.param(
                {"state": "approved", "created": "2025-01-01T00:00:00Z"},
                {"state": "deactivated", "created": "2026-01-01T00:00:00Z"},
                id="approved before newer",
            ),
            pytest.param({"state": "approved"}, {"state": None}, id="approved before no state"),
            pytest.param(
                {"created": "2026-01-01T00:00:01Z"}, {"created": "2026-01-01T00:00:00Z"}, id="newer, both approved"
            ),
            pytest.param(
                {"state": "banned", "created": "2026-01-02T00:00:00Z"},
                {"state": "pending", "created": "2026-01-01T00:00:00Z"},
                id="newer, none approved",
            ),
            pytest.param({"created": "2026-01-01T00:00:00Z"}, {"created": None}, id="dated before undated"),
        ],
    )
    def test_collisions(self, winner: dict[str, Any], loser: dict[str, Any], *, reverse: bool) -> None:
        # The loser's ID is the greater one, so that the order of IDs cannot have decided.
        signups = [signup(annotation="1", **winner), signup(annotation="2", **loser)]
        made = user_map(reversed(signups) if reverse else signups)
        assert made == IdentityMap({"ann": "1"}, skipped=0, collisions=1)

    @pytest.mark.parametrize("reverse", [False, True])
    def test_a_tie_goes_to_the_greater_id(self, *, reverse: bool) -> None:
        signups = [signup(annotation="10"), signup(annotation="9"), signup(annotation="1")]
        made = user_map(reversed(signups) if reverse else signups)
        assert made == IdentityMap({"ann": "9"}, skipped=0, collisions=2)

    @given(data=st.data())
    def test_the_order_of_signups_does_not_matter(self, data: st.DataObject) -> None:
        any_signup = st.builds(
            signup,
            name=st.sampled_from(["ann", "bob", "", None]),
            annotation=st.sampled_from(["1", "2", "", None]),
            claim=st.sampled_from(["3", 4, None]),
            state=st.sampled_from(["approved", "banned", None]),
            created=st.sampled_from(["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", None]),
        )
        signups = data.draw(st.lists(any_signup, max_size=8))
        made = user_map(signups)
        assert user_map(data.draw(st.permutations(signups))) == made
        assert len(made.entries) + made.skipped + made.collisions == len(signups)

    @given(name=st.text(), sso_id=st.text())
    def test_names_and_ids_stay_as_they_stand(self, name: str, sso_id: str) -> None:
        nobody = {"null", "none", "nil", "undefined", "unknown", "anonymous", "n/a", "0", ""}
        usable = sso_id.strip().lower() not in nobody and not any(unicodedata.category(one) == "Cc" for one in sso_id)
        expected = {name: sso_id} if name.strip() and usable else {}
        assert user_map([signup(name, annotation=sso_id)]).entries == expected


class TestWorkspaceMap:
    def test_a_later_cluster_wins(self) -> None:
        made = workspace_map(
            [
                [namespace("ann-tenant", "ann"), namespace("moved-tenant", "old")],
                [],
                iter([namespace("moved-tenant", "new"), namespace("bob-tenant", "bob")]),
            ]
        )
        assert made == IdentityMap(
            {"ann-tenant": "ann", "moved-tenant": "new", "bob-tenant": "bob"}, skipped=0, collisions=1
        )

    def test_a_namespace_that_lacks_a_part_is_left_out_and_counted(self) -> None:
        first = [namespace("ann-tenant", "ann"), namespace("bare-tenant", None), namespace("empty-tenant", "")]
        # What lacks its space in a later cluster takes nothing away.
        second = [namespace("ann-tenant", None), namespace(None, "ann"), {}, {"metadata": {"labels": None}}]
        assert workspace_map([first, second]) == IdentityMap({"ann-tenant": "ann"}, skipped=6, collisions=0)

    @pytest.mark.parametrize(
        ("labels", "space"),
        [
            ({"a.example/space": "ann", "b.example/owner": "bob"}, "ann"),
            ({"b.example/owner": "bob"}, "bob"),
            ({"a.example/space": "", "b.example/owner": "bob"}, "bob"),
            ({f"{GROUP}/space": "carl"}, None),
        ],
    )
    def test_the_first_space_label_that_is_there_names_the_space(
        self, labels: dict[str, str], space: str | None
    ) -> None:
        tenants = Tenants(space_labels=("a.example/space", "b.example/owner"))
        made = workspace_map([[{"metadata": {"name": "one", "labels": labels}}]], tenants)
        assert (dict(made.entries), made.skipped) == (({}, 1) if space is None else ({"one": space}, 0))

    def test_why_it_is_empty(self) -> None:
        told = f"there are no namespaces with the label {GROUP}/type=tenant (setting tenant_selectors)"
        assert workspace_map([[], []]) == IdentityMap({}, empty=told)
        tenants = Tenants(("konflux-ci.dev/type=tenant", "team"), ("a.example/space", "b"))
        told = (
            "there are no namespaces with one of the labels konflux-ci.dev/type=tenant, team (setting tenant_selectors)"
        )
        assert workspace_map([], tenants) == IdentityMap({}, empty=told)
        told = (
            "all 1 namespaces with one of the labels konflux-ci.dev/type=tenant, team lack the label "
            "a.example/space and b (setting space_labels)"
        )
        assert workspace_map([[namespace("shop", "ann")]], tenants) == IdentityMap({}, skipped=1, empty=told)


class TestResolve:
    MAPS = Maps(users={"ann": "1", "bob": "2"}, workspaces={"ann-tenant": "ann", "gone-tenant": "gone"})
    EXCLUDING = Maps(
        users={"ann": "1", "bob": "2", "staff-9": "9", "staff-ann": "1"},
        workspaces={
            "ann-tenant": "ann",
            "staff-tenant": "staff-1",
            "known-staff-tenant": "staff-9",
            "load-1": "ann",
        },
        exclusions=Exclusions.of(users=["staff-*"], namespaces=["load-*"]),
    )

    @pytest.mark.parametrize(
        ("namespace", "user", "expected"),
        [
            ("ann-tenant", "bob", Identity(user_id="2", workspace_id="1")),
            ("ann-tenant", None, Identity(user_id="1", workspace_id="1")),
            ("other", "bob", Reason.UNKNOWN_NAMESPACE),
            (None, "bob", Reason.UNKNOWN_NAMESPACE),
            ("", None, Reason.UNKNOWN_NAMESPACE),
            ("gone-tenant", "bob", Reason.UNKNOWN_WORKSPACE_OWNER),
            ("gone-tenant", None, Reason.UNKNOWN_WORKSPACE_OWNER),
            ("ann-tenant", "carl", Reason.UNKNOWN_USER),
            ("ann-tenant", "", Reason.UNKNOWN_USER),
            ("ann-tenant", "Bob", Reason.UNKNOWN_USER),
        ],
    )
    def test_rules_in_their_order(self, namespace: str | None, user: str | None, expected: Identity | Reason) -> None:
        assert self.MAPS.resolve(namespace, user) == expected

    @pytest.mark.parametrize(
        ("namespace", "user", "expected"),
        [
            # Before the maps.
            ("other", "staff-1", Reason.EXCLUDED),
            (None, "staff-1", Reason.EXCLUDED),
            ("load-1", "bob", Reason.EXCLUDED),
            ("load-1", None, Reason.EXCLUDED),
            # Whoever acts counts, and where nobody is named, the owner.
            ("ann-tenant", "staff-1", Reason.EXCLUDED),
            ("staff-tenant", None, Reason.EXCLUDED),
            ("staff-tenant", "bob", Reason.UNKNOWN_WORKSPACE_OWNER),
            ("known-staff-tenant", "bob", Identity(user_id="2", workspace_id="9")),
            # All others as ever.
            ("ann-tenant", "bob", Identity(user_id="2", workspace_id="1")),
            ("ann-tenant", None, Identity(user_id="1", workspace_id="1")),
            ("other", "bob", Reason.UNKNOWN_NAMESPACE),
            ("ann-tenant", "carl", Reason.UNKNOWN_USER),
        ],
    )
    def test_who_is_excluded(self, namespace: str | None, user: str | None, expected: Identity | Reason) -> None:
        assert self.EXCLUDING.resolve(namespace, user) == expected

    @pytest.mark.parametrize(
        ("namespace", "user_id", "expected"),
        [
            ("ann-tenant", "9", Reason.EXCLUDED),
            ("other", "9", Reason.EXCLUDED),
            ("load-1", "2", Reason.EXCLUDED),
            ("load-1", None, Reason.EXCLUDED),
            ("known-staff-tenant", "2", Identity(user_id="2", workspace_id="9")),
            ("ann-tenant", "2", Identity(user_id="2", workspace_id="1")),
            # Of an ID that somebody else has as well, nobody knows whose event it is.
            ("ann-tenant", "1", Identity(user_id="1", workspace_id="1")),
            ("ann-tenant", None, Reason.UNKNOWN_USER),
            ("other", "2", Reason.UNKNOWN_NAMESPACE),
        ],
    )
    def test_who_is_excluded_where_splunk_has_looked_users_up(
        self, namespace: str, user_id: str | None, expected: Identity | Reason
    ) -> None:
        assert self.EXCLUDING.resolve_looked_up(namespace, user_id) == expected

    def test_shows_no_names(self) -> None:
        assert repr(self.MAPS) == "Maps()"
        assert (
            repr(IdentityMap({"ann": "1"}, skipped=2)) == "IdentityMap(skipped=2, collisions=0, unusable=0, empty='')"
        )


class TestRequireUsable:
    def test_takes_a_map_with_an_entry(self) -> None:
        require_usable(IdentityMap({"ann": "1"}, skipped=3, collisions=1), "users")

    def test_refuses_one_without(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            require_usable(user_map([]), "users")
        assert str(caught.value) == (
            "the map of users is empty, as there are no UserSignups: "
            "check that it is the right cluster, and that its credentials may see them"
        )


class TestJson:
    def test_compact_and_sorted(self) -> None:
        assert to_json({"zoë": "1", "ann": "007", '"': "\n"}) == '{"\\"":"\\n","ann":"007","zoë":"1"}'.encode()

    @given(st.dictionaries(st.text().filter(str.strip), st.text().filter(str.strip)))
    def test_round_trip(self, entries: dict[str, str]) -> None:
        written = to_json(entries)
        assert read_map(written, "maps/users.json") == entries
        assert json.loads(written) == entries
        assert list(json.loads(written)) == sorted(entries)

    def test_an_empty_map_can_be_read(self) -> None:
        assert read_map(b" {} \n", "--users") == {}

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", f"--users is not JSON (Input data was truncated){HINT}"),
            (b'{"ann":"1"', f"--users is not JSON (Input data was truncated){HINT}"),
            (
                b'{"ann":"1"}\n{}',
                f"--users is not JSON (JSON is malformed: trailing characters (byte 13)){HINT}",
            ),
            (
                b'{"ann":"\xff"}',
                f"--users is not JSON ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte){HINT}",
            ),
            (b'["ann"]', f"--users is not a JSON object{HINT}"),
            (b"null", f"--users is not a JSON object{HINT}"),
            (
                b'{"ann":7,"bob":"2","carl":null,"dora":["1"]}',
                '--users: 3 of 4 IDs are not strings: write each in quotes, "7" and not 7',
            ),
            (
                b'{"ann":"","bob":" ","":"3","carl":"4"}',
                "--users: 3 of 4 entries have an empty name or ID: remove them",
            ),
        ],
    )
    def test_what_is_wrong_is_said_without_names(self, data: bytes, message: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read_map(data, "--users")
        assert str(caught.value) == message
        assert caught.value.__suppress_context__ or caught.value.__context__ is None

    def test_nesting_without_end_is_not_json(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^--users is not JSON "):
            read_map(b"[" * 100_000, "--users")
