"""Clusters that shrink or cannot be read: the last good map stands in, as long as the settings let it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import Response

from sandbox import kubernetes
from sandbox.serve import serving
from tests.system.stand_ins import FROM, TO, Done, bridge, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.system.stand_ins import World

SHRINK, STAND_IN = "SEGMENT_BRIDGE_MAP_SHRINK_PERCENT", "SEGMENT_BRIDGE_MAP_STAND_IN_HOURS"
SHORT = "the map of users: 2 users with an ID of fewer than 5 characters, which Amplitude removes"
REPEATS = "events are older than the 24 hours for which Segment recognizes repeats: what was sent before counts twice"
CUT = (
    "the API server cut records that were too large, which journeys may have missed: 4 of releases; "
    "raise its --audit-log-truncate-max-event-size, or that of the webhook"
)
FEWER = r"it has (\d+) entries where the last good one has (\d+), which is more than 20 % fewer"


class Changing:
    """Clusters that can become others at the same address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@dataclass(frozen=True)
class Bridge:
    """A bridge that has had one good run."""

    clusters: Changing
    halved: ASGIApp
    settings: dict[str, str]
    staging: Path

    def run(self, **settings: str) -> Done:
        window = ("--from", FROM, "--to", TO)
        return bridge("run", *window, "--dry-run", "release-done", settings=self.settings | settings)

    def report(self) -> dict[str, Any]:
        """Return the report of the last run."""
        last = max(self.staging.glob("runs/*/report.json"), key=lambda path: path.stat().st_mtime_ns)
        return dict(json.loads(last.read_text()))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as one:
        yield one


@pytest.fixture
def good(served: World, tmp_path: Path) -> Iterator[Bridge]:
    served.traffic.clusters.write(tmp_path / "clusters")
    whole = kubernetes.Clusters.from_folder(tmp_path / "clusters")
    signups = [one for one in whole.objects("host") if one.kind == "UserSignup"]
    fewer = [one for one in whole.objects("host") if one not in signups[::2]]
    halved = kubernetes.Clusters({name: whole.objects(name) for name in whole.names} | {"host": fewer})
    clusters = Changing(kubernetes.create_app(whole))
    with serving(clusters) as url:
        (tmp_path / "kubeconfig").write_text(kubernetes.kubeconfig(url, whole))
        places = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "SEGMENT_BRIDGE_STAGING": str(tmp_path / "staging")}
        one = Bridge(clusters, kubernetes.create_app(halved), served.settings | places, tmp_path / "staging")
        first = one.run()
        assert (first.code, one.report()["warnings"]) == (0, [CUT, SHORT, REPEATS]), first.err
        yield one


def test_a_map_that_has_shrunk_is_told_of_and_the_last_good_one_used(good: Bridge) -> None:
    before = good.report()["maps"]["users"]["entries"]
    good.clusters.app = good.halved
    done = good.run()

    report = good.report()
    (told,) = report["alarms"]
    matched = re.fullmatch(rf"the map of users: {FEWER}; the last good map, 0\.0 h old, stands in", told)
    assert matched, told
    assert (done.code, report["problems"], report["warnings"]) == (0, [], [told, CUT, SHORT, REPEATS])
    assert (int(matched[2]), report["maps"]["users"]["entries"]) == (before, before)
    assert f"warning: {told}" in " ".join(done.out.split())


def test_clusters_that_cannot_be_read_are_told_of_after_the_tries(good: Bridge) -> None:
    before = good.report()["maps"]
    good.clusters.app = Response(status_code=503)
    done = good.run()

    report = good.report()
    told = [
        f"the map of {name}: cluster {cluster}, asked for {what}, answered 503 Service Unavailable: try again later; "
        "the last good map, 0.0 h old, stands in"
        for name, cluster, what in (
            ("users", "host", "UserSignups"),
            ("workspaces", "member-1", "tenant Namespaces"),
        )
    ]
    assert (done.code, report["problems"], report["warnings"], report["alarms"]) == (
        0,
        [],
        [*told, CUT, SHORT, REPEATS],
        told,
    )
    assert {name: one["entries"] for name, one in report["maps"].items()} == {
        name: one["entries"] for name, one in before.items()
    }


def test_how_much_a_map_may_shrink_is_a_setting(good: Bridge) -> None:
    before = good.report()["maps"]["users"]["entries"]
    good.clusters.app = good.halved
    done = good.run(**{SHRINK: "70"})
    assert (done.code, good.report()["warnings"]) == (0, [CUT, SHORT, REPEATS])
    assert 0 < good.report()["maps"]["users"]["entries"] < before


def test_how_long_a_map_may_stand_in_is_a_setting(good: Bridge) -> None:
    good.clusters.app = good.halved
    done = good.run(**{STAND_IN: "0"})
    told = rf"the map of users-\w+ is refused: {FEWER}, and the last good map is 0\.0 h old, more than 0\.0 h\. "
    assert done.code == 2
    assert re.search(f"^segment-bridge: {told}", done.err, re.MULTILINE), done.err


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (SHRINK, "101", "101 is not in the range 0<=x<=100."),
        (SHRINK, "a fifth", "'a fifth' is not a valid integer range."),
        (STAND_IN, "-1", "-1 is not in the range 0<=x<=8760."),
    ],
)
def test_what_is_no_such_setting_is_said(name: str, value: str, told: str) -> None:
    done = bridge("run", "--from", FROM, "--to", TO, settings={name: value})
    option = name.removeprefix("SEGMENT_BRIDGE_").lower().replace("_", "-")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1] == f"Error: Invalid value for '--{option}' (env var: '{name}'): {told}"
