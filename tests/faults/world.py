"""Traffic, the stand-ins that serve it, and a proxy before each of them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox import kubernetes, segment
from sandbox.deployment import INDEX, command_line
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.traffic import Plan, Traffic, generate
from sandbox.traffic.manifest import Ledger
from segment_bridge.catalog import JOURNEYS, find
from segment_bridge.settings import Source
from tests.faults.proxy import Answer, Proxy, Wire, standing_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.faults.accounts import Due

SOURCE = Source(INDEX)
#: Seconds before a second try: the pauses are real, so they are short here.
PAUSE = "0.01"


@dataclass(frozen=True)
class World:
    """``due`` are the messageIds of the events to be delivered, ``found`` the numbers of results, by journey."""

    traffic: Traffic
    due: Due
    found: dict[str, int]
    #: By messageId: the users without whom an event cannot be made.
    people: dict[str, frozenset[str]]
    splunk: Proxy
    kubernetes: Proxy
    segment: Proxy
    #: Where the stand-in for Segment tells what arrived.
    inbox: str
    settings: dict[str, str]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Serve a world while the block runs."""
    traffic = generate(Plan(users=24, hours=4, seed=3))
    traffic.clusters.write(folder / "clusters")
    (folder / "audit.log").write_bytes(b"".join(traffic.records()))
    clusters = kubernetes.Clusters.from_folder(folder / "clusters")
    with (
        serving(create_app(AuditLog.from_files([folder / "audit.log"]))) as splunk_url,
        serving(kubernetes.create_app(clusters)) as kubernetes_url,
        serving(segment.create_app()) as inbox,
        standing_before(splunk_url, memorable=lambda wire: bool(wire.search)) as splunk,
        standing_before(kubernetes_url) as cluster,
        standing_before(inbox) as taking,
    ):
        (folder / "kubeconfig").write_text(kubernetes.kubeconfig(cluster.url, clusters))
        names = {journey.title: journey.name for journey in JOURNEYS}
        manifest = traffic.manifest["journeys"]
        yield World(
            traffic,
            people=_people(traffic),
            due={names[title]: ids for title, ids in _due(traffic).items()},
            found={names[title]: journey["matching"] for title, journey in manifest.items()},
            splunk=splunk,
            kubernetes=cluster,
            segment=taking,
            inbox=inbox,
            settings={
                **command_line({"splunk": splunk.url, "kubeconfig": str(folder / "kubeconfig"), "segment": taking.url}),
                "SEGMENT_BRIDGE_RETRY_PAUSE": PAUSE,
                "HOME": str(folder),
                "COLUMNS": "120",
            },
        )


def searching(journey: str) -> Callable[[Wire], bool]:
    """Let a cue apply to the searches of one journey."""
    (one,) = find((journey,))
    spl = one.compile(SOURCE)
    return lambda wire: wire.search == spl


def fabricated(world: World, count: int, journey: str, *, filler: int = 0) -> Answer:
    """Return the answer to a search that finds so many small results, each of which becomes an event."""
    users, spaces = world.traffic.manifest["users"], world.traffic.manifest["workspaces"]
    known = [name for name, owner in spaces.items() if owner in users]
    namespace = min(known, key=lambda name: len(name) + 2 * len(users[spaces[name]]))
    head = b'{"preview":false,"offset":%d,%s"result":{"messageId":"%s","namespace":"%s","event":"E","type":"track",'
    properties = b'{\\"x\\":\\"%s\\"}' % (b"x" * filler) if filler else b"{}"
    tail = b'"timestamp":"2026-01-05T08:00:00Z","properties":"%s","context":"{}"}}\n' % properties
    rows = [
        head % (offset, b'"lastrow":true,' if offset == count - 1 else b"", identity.encode(), namespace.encode())
        + tail
        for offset, identity in enumerate(fabricated_ids(count, journey))
    ]
    return Answer(body=b"".join(rows))


def fabricated_ids(count: int, journey: str) -> list[str]:
    """Return the messageIds of fabricated results."""
    which = [one.name for one in JOURNEYS].index(journey)
    return [f"{which}-{number:06}" for number in range(count)]


def _people(traffic: Traffic) -> dict[str, frozenset[str]]:
    people = {}
    for step in traffic._steps():
        if step.signal:
            everybody = (step.signal.workspace.owner, step.signal.user)
            people[str(step.record.get("auditID"))] = frozenset(one.username for one in everybody if one)
    return people


def _due(traffic: Traffic) -> Due:
    """Return what becomes an event, by the rules that the traffic's maker counts by."""
    ledger = Ledger()
    ids: dict[str, list[str]] = {str(journey): [] for journey in ledger.tallies}
    for step in traffic._steps():
        if step.signal is None:
            continue
        tally = ledger.tallies[step.signal.journey]
        before = tally.matching - tally.rejected.total()
        ledger.enter(step)
        if tally.matching - tally.rejected.total() > before:
            ids[step.signal.journey].append(str(step.record["auditID"]))
    counted = {name: journey["events"] for name, journey in traffic.manifest["journeys"].items()}
    assert {name: len(found) for name, found in ids.items()} == counted
    # Some requests have left records of several stages, and these have one ID.
    return {journey: frozenset(found) for journey, found in ids.items()}
