"""Both homes of the user ID map make the same events and the same rejections, out of generated traffic."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.traffic import Plan, Traffic, generate
from segment_bridge.catalog import JOURNEYS, Journey
from segment_bridge.convert import convert
from segment_bridge.errors import FatalError
from segment_bridge.events import Reason, Rejection, TrackEvent
from segment_bridge.identity import Maps
from segment_bridge.settings import IdentityMode, SplunkSettings
from segment_bridge.splunk import KvStore, Splunk
from segment_bridge.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW = Window.parse("2026-01-05T08:00:00Z", "2026-01-05T10:00:00Z")
PLAN = Plan(users=120, hours=2, seed=11)
ODD_USERS = (
    "ops@example.com",
    'say "cheese"',
    "back\\slash\\name",
    "名無しの権兵衛",
    "00042",
    "🚀 launch crew",
    "e\u0301tude",
)
NAMING_USERS = [journey for journey in JOURNEYS if journey.carries_user]


@dataclass(frozen=True)
class World:
    traffic: Traffic
    settings: SplunkSettings
    maps: Maps


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    log = tmp_path_factory.mktemp("world") / "audit.log"
    traffic = generate(PLAN)
    log.write_bytes(b"".join(traffic.records()))
    maps = Maps(traffic.manifest["users"], traffic.manifest["workspaces"])
    with serving(create_app(AuditLog.from_files([log]))) as url:
        settings = SplunkSettings(url=url, username="admin", password="changeme", index="main", timeout=30)
        with KvStore(settings) as store:
            assert store.publish_users(maps.users).changed
        yield World(traffic, settings, maps)


def results(world: World, journey: Journey, mode: IdentityMode) -> list[bytes]:
    with Splunk(world.settings) as splunk:
        return list(splunk.search(journey.compile(world.settings.source, mode), WINDOW))


def converted(world: World, journey: Journey, mode: IdentityMode) -> tuple[list[TrackEvent], Counter[Reason]]:
    # The lookup is in Splunk: to the bridge, the map says no more than who owns a workspace.
    owners = {name: world.maps.users[name] for name in world.maps.workspaces.values() if name in world.maps.users}
    maps = world.maps if mode is IdentityMode.BRIDGE else Maps(owners, world.maps.workspaces)
    made = list(convert(results(world, journey, mode), maps))
    events = [one for one in made if isinstance(one, TrackEvent)]
    return events, Counter(one.reason for one in made if isinstance(one, Rejection))


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.name)
def test_both_modes_make_the_same(world: World, journey: Journey) -> None:
    events, reasons = converted(world, journey, IdentityMode.BRIDGE)
    assert converted(world, journey, IdentityMode.SPLUNK_LOOKUP) == (events, reasons)
    due = world.traffic.manifest["journeys"][journey.title]
    assert (len(events), dict(reasons)) == (due["events"], due["rejected"])


def test_the_traffic_tells_the_modes_apart(world: World) -> None:
    """Odd names, users without an ID, and users who own no workspace: all of them occur."""
    users: Counter[str] = Counter()
    reasons: Counter[Reason] = Counter()
    for journey in NAMING_USERS:
        lines = [json.loads(line)["result"] for line in results(world, journey, IdentityMode.BRIDGE)]
        users.update(line["userId"] for line in lines)
        reasons += converted(world, journey, IdentityMode.SPLUNK_LOOKUP)[1]
    assert [name for name in ODD_USERS if not users[name]] == []
    assert len(world.maps.users.keys() & set(ODD_USERS)) > len(ODD_USERS) / 2
    assert set(users) - set(world.maps.users)
    assert set(users) & set(world.maps.users) - set(world.maps.workspaces.values())
    assert {Reason.UNKNOWN_NAMESPACE, Reason.UNKNOWN_WORKSPACE_OWNER, Reason.UNKNOWN_USER} <= set(reasons)


@pytest.mark.parametrize("journey", NAMING_USERS, ids=lambda journey: journey.name)
def test_user_names_do_not_leave_splunk_as_such(world: World, journey: Journey) -> None:
    for line in results(world, journey, IdentityMode.SPLUNK_LOOKUP):
        result = json.loads(line)["result"]
        assert result["identity"] == "splunk_lookup"
        assert result.get("userSsoId", "") in {*world.maps.users.values(), ""}
        assert set(result) - {"userSsoId"} == {
            *("messageId", "timestamp", "type", "namespace", "event_subject", "event_verb"),
            *("identity", "properties", "context"),
        } & set(result)
        assert "userId" not in result


def test_a_search_before_the_first_publication_fails_instead_of_finding_nobody(world: World) -> None:
    settings = SplunkSettings(url=world.settings.url, token="changeme", app="unpublished", timeout=30)
    search = NAMING_USERS[0].compile(world.settings.source, IdentityMode.SPLUNK_LOOKUP)
    with (
        Splunk(settings) as splunk,
        pytest.raises(FatalError, match=r"Could not construct lookup 'segment_bridge_users, username, AS, userId, OUT"),
    ):
        list(splunk.search(search, WINDOW))
