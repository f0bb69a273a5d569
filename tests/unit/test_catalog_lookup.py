"""The searches that resolve users in Splunk, each compared with a file that a reviewer can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from segment_bridge import spl
from segment_bridge.catalog import JOURNEYS, Journey, find
from segment_bridge.errors import ConfigurationError
from segment_bridge.settings import IdentityMode, Source

GOLDEN = Path(__file__).parent / "golden" / "spl_lookup"
SOURCE = Source("your-index")
NAMING_USERS = [journey for journey in JOURNEYS if journey.carries_user]


def lookup_search(journey: Journey) -> str:
    return journey.compile(SOURCE, IdentityMode.SPLUNK_LOOKUP)


@pytest.mark.parametrize("journey", NAMING_USERS, ids=lambda journey: journey.name)
def test_a_journey_that_carries_users_looks_them_up(journey: Journey) -> None:
    assert lookup_search(journey) + "\n" == (GOLDEN / f"{journey.name}.spl").read_text(encoding="utf-8")


def test_each_golden_file_is_that_of_a_journey() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {"application-events", "component-events"}
    assert [journey.name for journey in NAMING_USERS] == ["application-events", "component-events"]


@pytest.mark.parametrize("journey", NAMING_USERS, ids=lambda journey: journey.name)
def test_it_differs_from_the_default_in_who_resolves_the_user(journey: Journey) -> None:
    before = journey.compile(SOURCE).splitlines()
    after = lookup_search(journey).splitlines()
    assert after[:-4] == before[:-3]
    assert after[-4] == before[-3] + ', identity="splunk_lookup"'
    assert after[-3] == "| lookup local=true segment_bridge_users username AS userId OUTPUT user_id AS userSsoId"
    assert after[-2] == before[-2].replace("userId,", "") + ",identity,userSsoId"
    assert after[-1] == before[-1]


@pytest.mark.parametrize(
    "journey", [one for one in JOURNEYS if one not in NAMING_USERS], ids=lambda journey: journey.name
)
def test_a_journey_without_users_is_the_same_in_both_modes(journey: Journey) -> None:
    assert lookup_search(journey) == journey.compile(SOURCE)


def test_the_default_is_to_leave_users_to_the_bridge() -> None:
    for journey in JOURNEYS:
        assert journey.compile(SOURCE) == journey.compile(SOURCE, IdentityMode.BRIDGE)
        assert "lookup" not in journey.compile(SOURCE)


def test_the_lookup_can_have_another_name() -> None:
    (journey,) = find(["application-events"])
    assert "\n| lookup local=true team_users username " in journey.compile(
        SOURCE, IdentityMode.SPLUNK_LOOKUP, lookup="team_users"
    )


@pytest.mark.parametrize("name", ["", "a b", "a|delete", "a`b", "a.csv", "ä"])
def test_a_lookup_whose_name_could_end_the_command_is_refused(name: str) -> None:
    pipeline = spl.Pipeline(spl.index("main"))
    with pytest.raises(ConfigurationError, match="is no name for a new field"):
        pipeline.lookup(name, match=("a", "b"), output=("c", "d"))
