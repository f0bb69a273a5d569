"""Both search modes leave the same files behind, whatever happens; combined searches read less for them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import kubernetes
from sandbox.deployment import command_line
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.splunk.records import Record
from sandbox.traffic import Plan as Traffic
from sandbox.traffic import generate
from segment_bridge import catalog, layout, line
from segment_bridge.catalog.clauses import STATUS_ANNOTATION
from segment_bridge.errors import FatalError, IncompleteAnswer
from segment_bridge.plan import Plan, SearchMode, Span
from segment_bridge.settings import IdentityMode, SplunkSettings
from segment_bridge.splunk import KvStore, Splunk
from segment_bridge.staging import Staging
from segment_bridge.window import Window
from tests.system.stand_ins import FROM, TO, Done, bridge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    Change = Callable[[bytes], bytes]

NAMES = tuple(journey.name for journey in catalog.JOURNEYS)
COMPONENTS = ("component-events", "pull-request-created")


@dataclass
class Changing:
    """The stand-in for Splunk, whose answers to combined searches can be changed as they go by."""

    app: ASGIApp
    change: Change | None = None
    changed: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = [await receive()]
        while asked[-1].get("more_body"):
            asked.append(await receive())
        combined = b"mvexpand" in b"".join(part.get("body", b"") for part in asked)

        async def given() -> Message:
            return asked.pop(0) if asked else await receive()

        async def pass_on(message: Message) -> None:
            if combined and self.change and (body := message.get("body")):
                message = {**message, "body": self.change(body)}
                self.changed.append(message["body"])
            await send(message)

        await self.app(scope, given, pass_on)


@dataclass(frozen=True)
class World:
    splunk: Changing
    maps: dict[str, dict[str, str]]
    settings: dict[str, str]

    def client(self) -> Splunk:
        return Splunk(self.splunk_settings)

    @property
    def splunk_settings(self) -> SplunkSettings:
        return SplunkSettings(url=self.settings["SPLUNK_API_URL"], username="admin", password="changeme", timeout=30)

    def costs(self) -> list[dict[str, Any]]:
        """Take what the searches since the last time have cost."""
        url = f"{self.settings['SPLUNK_API_URL']}/sandbox/searches"
        told = requests.get(url, timeout=10).text.splitlines()
        requests.delete(url, timeout=10).raise_for_status()
        return [json.loads(one) for one in told]


def claimed_twice(records: list[Record]) -> Iterator[Record]:
    """Let the build service impersonate a person in some of its updates: two journeys select these."""
    made = (json.loads(record.line) for record in records if STATUS_ANNOTATION.encode() in record.line)
    service = [one for one in made if one["user"]["username"].startswith("system:serviceaccount:build-service:")]
    for number, one in enumerate(service[:20]):
        changed = {
            "auditID": f"twice-{number}",
            "impersonatedUser": {"username": f"person-{number}"},
            "requestReceivedTimestamp": f"2026-01-05T08:00:00.{number:06}Z",  # so that it is the earliest
        }
        yield Record.parse(json.dumps(one | changed).encode())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    traffic = generate(Traffic(users=24, hours=4, seed=3))
    traffic.clusters.write(folder / "clusters")
    records = [Record.parse(record.strip()) for record in traffic.records()]
    clusters = kubernetes.Clusters.from_folder(folder / "clusters")
    splunk = Changing(create_app(AuditLog((*records, *claimed_twice(records)))))
    maps = {name: traffic.manifest[name] for name in (layout.USERS, layout.WORKSPACES)}
    with serving(splunk) as splunk_url, serving(kubernetes.create_app(clusters)) as kubernetes_url:
        (folder / "kubeconfig").write_text(kubernetes.kubeconfig(kubernetes_url, clusters))
        settings = {
            **command_line({"splunk": splunk_url, "kubeconfig": str(folder / "kubeconfig")}),
            "SPLUNK_INDEX": "audit",
            "SEGMENT_BRIDGE_RETRY_PAUSE": "0.01",
        }
        yield World(splunk, maps, settings)


@pytest.fixture
def world(served: World) -> Iterator[World]:
    served.costs()
    yield served
    served.splunk.change = None
    served.splunk.changed.clear()


def dry_run(world: World, folder: Path, *options: str, **settings: str) -> tuple[Done, Path]:
    settings = world.settings | {"SEGMENT_BRIDGE_STAGING": str(folder)} | settings
    done = bridge("run", "--dry-run", "--from", FROM, "--to", TO, *options, settings=settings)
    (run,) = folder.glob("runs/*")
    return done, run


def files(run: Path) -> dict[str, bytes]:
    """Return what a run found and made of it."""
    folders = ("results", "rejected", "batches")
    paths = (path for folder in folders for path in (run / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(run)): path.read_bytes() for path in paths}


def report(run: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((run / "report.json").read_bytes())
    return read


def test_both_modes_make_the_same_and_combined_searches_read_less(world: World, tmp_path: Path) -> None:
    done, separate = dry_run(world, tmp_path / "per_journey")
    assert done.code == 0, done.err
    costs = world.costs()
    done, combined = dry_run(world, tmp_path / "combined", "--search-mode", "combined")
    assert done.code == 0, done.err
    less = world.costs()

    assert files(combined) == files(separate)
    assert {f"results/{name}.ndjson" for name in NAMES} <= set(files(combined))
    assert report(combined)["journeys"] == report(separate)["journeys"]
    assert [report(run)["plan"]["search_mode"] for run in (separate, combined)] == ["per_journey", "combined"]
    for name in COMPONENTS:
        assert b'"messageId":"twice-' in files(combined)[f"results/{name}.ndjson"]
    for mode, told in (("per_journey", costs), ("combined", less)):
        scanned, matched = (sum(cost[what] for cost in told) for what in ("scanned", "matched"))
        found = sum(cost["results"] for cost in told)
        print(  # noqa: T201 - its figures
            f"{mode}: {len(told)} searches, {found} results, records scanned for each: {scanned / found:.1f}, "
            f"of these matched: {matched / found:.2f}"
        )
    assert (len(costs), len(less)) == (8, 5)
    assert sum(cost["results"] for cost in less) == sum(cost["results"] for cost in costs)
    assert sum(cost["scanned"] for cost in less) * 8 == sum(cost["scanned"] for cost in costs) * 5
    assert sum(cost["matched"] for cost in less) <= sum(cost["matched"] for cost in costs)


def test_the_environment_says_the_mode_too(world: World, tmp_path: Path) -> None:
    done, run = dry_run(world, tmp_path, *COMPONENTS, SEGMENT_BRIDGE_SEARCH_MODE="combined")
    assert (done.code, report(run)["plan"]["search_mode"], len(world.costs())) == (0, "combined", 1)


def test_the_filter_prints_the_same_lines(world: World) -> None:
    window = ("--from", FROM, "--to", TO)
    separate = bridge("search", *window, settings=world.settings)
    combined = bridge("search", *window, "--search-mode", "combined", settings=world.settings)
    assert (separate.code, combined.code) == (0, 0)
    assert sorted(combined.out.splitlines()) == sorted(separate.out.splitlines())


def test_the_searches_can_be_printed() -> None:
    printed = bridge("spl", "--json", "--search-mode", "combined", "--index", "main", settings={})
    assert json.loads(printed.out) == [
        {"name": search.name, "title": search.title, "spl": search.compile("main")}
        for search in catalog.combine(catalog.JOURNEYS)
    ]
    chosen = bridge("spl", "release-done", "pull-request-created", "--search-mode", "combined", settings={})
    assert (chosen.code, chosen.out) == (0, bridge("spl", "release-done", "pull-request-created", settings={}).out)


class Line:
    """One run's searches, by the library."""

    def __init__(self, world: World, folder: Path, mode: SearchMode, identity: IdentityMode, *names: str) -> None:
        self.world = world
        self.run = Staging.at(str(folder))
        window = Window.parse(FROM, TO)
        plan = Plan(span=Span.of(window), journeys=names or NAMES, search_mode=mode, identity=identity)
        line.begin(self.run, plan)
        self.searches = line.searches(plan)

    def search(self) -> int:
        with self.world.client() as splunk:
            return sum(line.search(self.run, asked, index="audit", splunk=splunk) for asked in self.searches)

    @property
    def results(self) -> dict[str, bytes]:
        return files(Path(self.run.root))


def test_both_modes_find_the_same_where_splunk_resolves_users(world: World, tmp_path: Path) -> None:
    with KvStore(world.splunk_settings) as store:
        store.publish_users(world.maps[layout.USERS])
    separate, combined = (Line(world, tmp_path / mode, mode, IdentityMode.SPLUNK_LOOKUP) for mode in SearchMode)
    assert separate.search() == combined.search() > 0
    assert combined.results == separate.results
    assert combined.results["results/component-events.ndjson"].count(b'"userSsoId":') > 1
    assert b"person-" not in b"".join(combined.results.values())


def combined_line(world: World, folder: Path) -> Line:
    return Line(world, folder, SearchMode.COMBINED, IdentityMode.BRIDGE, *COMPONENTS)


def without_last_row(body: bytes) -> bytes:
    return body.replace(b'"lastrow":true', b'"lastrow":false')


def test_an_incomplete_answer_is_none_for_each_of_its_journeys(world: World, tmp_path: Path) -> None:
    made = combined_line(world, tmp_path)
    made.search()
    before = made.results
    world.splunk.change = without_last_row
    with pytest.raises(IncompleteAnswer):
        made.search()
    assert b'"journey":"component-events"' in b"".join(world.splunk.changed)
    assert made.results == {}
    world.splunk.change = None
    made.search()
    assert made.results == before


def test_a_row_that_is_nobodys_fails_its_search(world: World, tmp_path: Path) -> None:
    made = combined_line(world, tmp_path)
    world.splunk.change = lambda body: body.replace(b'"journey":"pull-request-created"', b'"journey":"none"')
    with pytest.raises(FatalError, match=r"is of no journey of its search: use search_mode per_journey$"):
        made.search()
    assert made.results == {}


def test_journeys_whose_search_fails_keep_no_others_back(world: World, tmp_path: Path) -> None:
    world.splunk.change = without_last_row
    done, run = dry_run(world, tmp_path, "--search-mode", "combined")
    failed = {*COMPONENTS, *(name for name in NAMES if name.startswith("build-"))}
    assert done.code == 1
    books = report(run)["journeys"]
    assert {name for name in NAMES if books[name]["state"] == "failed"} == failed
    assert report(run)["problems"] == [f"{name}: no complete answer to its search" for name in NAMES if name in failed]
    assert all(books[name]["withheld"] > 0 for name in set(NAMES) - failed)
    for name in ("+".join(COMPONENTS), "+".join(name for name in NAMES if name.startswith("build-"))):
        assert f"segment-bridge: {name}: incomplete answer (no_last_row)" in done.err


def test_a_crash_between_two_journeys_is_healed_by_the_next_try(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = combined_line(world, tmp_path)
    replace, taken = Path.replace, []

    def crash_at_the_second(path: Path, target: Path) -> Path:
        taken.append(Path(target).name)
        if len(taken) > 1:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            made.search()
    (left,) = made.results.items()
    assert left[0] == f"results/{taken[0]}"
    made.search()
    assert made.results[left[0]] == left[1]
    assert set(made.results) == {f"results/{name}.ndjson" for name in COMPONENTS}
