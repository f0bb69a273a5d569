"""Redriving what a run has left behind, and explaining it, over real HTTP."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import segment
from sandbox.serve import serving
from segment_bridge.convert import convert
from segment_bridge.events import MEANINGS, TrackEvent
from segment_bridge.identity import Maps
from segment_bridge.redrive import Redrive
from segment_bridge.runs import find
from segment_bridge.segment import Segment
from segment_bridge.settings import SegmentSettings
from segment_bridge.staging import Staging
from tests.system.stand_ins import FROM, NOWHERE, TO, arrived, bridge, finish, start, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.stand_ins import Done, World

JOURNEY = "application-events"
IDENTITY = ("unknown_namespace", "unknown_user", "unknown_workspace_owner")


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def segment_url() -> Iterator[str]:
    with serving(segment.create_app(latency=0.1)) as url:
        yield url


class Outage:
    """A run whose Segment was out of reach, and what is to be expected of its leftovers."""

    def __init__(self, settings: dict[str, str], root: Path) -> None:
        self.root = root
        self.settings = {**settings, "SEGMENT_BRIDGE_STAGING": str(root)}
        (self.run,) = (root / "runs").iterdir()
        rejected = _lines(self.run / f"rejected/{JOURNEY}.ndjson")
        self.identity = [line for line in rejected if line["reason"] in IDENTITY]
        known = {name: json.loads((self.run / f"maps/{name}.json").read_text()) for name in ("users", "workspaces")}
        for line in self.identity:
            owner = known["workspaces"].setdefault(line["result"]["namespace"], "the-owner")
            for name in (owner, line["result"]["userId"]):
                known["users"].setdefault(name, f"id-of-{len(known['users'])}")
        #: Maps in which everybody is known, and the options that name them.
        self.everybody = Maps(**known)
        self.maps = tuple(part for name in known for part in (f"--{name}", str(root / f"{name}.json")))
        for name, entries in known.items():
            (root / f"{name}.json").write_text(json.dumps(entries))

    def bridge(self, *arguments: str, **settings: str) -> Done:
        return bridge(*arguments, settings={**self.settings, **settings})

    @property
    def passing(self) -> list[tuple[str, str]]:
        """The messageIds that everybody's being known turns into events, with the reasons of their rejections."""
        lines = [json.dumps({"result": line["result"]}).encode() for line in self.identity]
        made = list(convert(lines, self.everybody))
        pairs = zip(made, self.identity, strict=True)
        return [(one.message_id, line["reason"]) for one, line in pairs if isinstance(one, TrackEvent)]

    @property
    def undelivered(self) -> list[str]:
        batches = sorted((self.run / "batches").rglob("*.json"))
        return [event["messageId"] for path in batches for event in json.loads(path.read_text())["batch"]]

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.run / "report.json").read_text())
        return report


@pytest.fixture(scope="module")
def staged(stand_ins: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("staging")
    settings = {**stand_ins.settings, "SEGMENT_BRIDGE_STAGING": str(root), "SEGMENT_BATCH_API": NOWHERE}
    assert bridge("run", "--from", FROM, "--to", TO, JOURNEY, settings=settings).code == 1
    return root


@pytest.fixture
def outage(stand_ins: World, staged: Path, tmp_path: Path) -> Outage:
    shutil.copytree(staged, tmp_path / "staging")
    return Outage(stand_ins.settings, tmp_path / "staging")


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_everything_is_redriven_once_and_the_books_balance(outage: Outage, segment_url: str) -> None:
    name, before, passing = outage.run.name, outage.report, outage.passing
    # The same audit ID can stand in two results: it is sent once, and both are.
    undelivered, rejected = set(outage.undelivered), {audit_id for audit_id, _ in passing}
    count = len(undelivered) + len(rejected)
    assert undelivered
    assert len({reason for _, reason in passing}) == 2
    old = f"segment-bridge: warning: {name}: {count} events are older than the 24 hours for which "
    old += "Segment recognizes repeats: any that it took without saying so counts twice\n"
    taken_up = f"{name}: {len(undelivered)} undelivered and {len(rejected)} rejected taken up"

    dry = outage.bridge("redrive", "--dry-run", *outage.maps)
    assert (dry.code, dry.err) == (0, old)
    assert dry.out == f"{taken_up}: {count} withheld\nruns looked at: 1, with nothing to redrive: 0\n"
    assert outage.report == before

    done = outage.bridge("redrive", *outage.maps, SEGMENT_BATCH_API=segment_url)
    assert (done.code, done.err) == (0, old)
    assert done.out == f"{taken_up}: {count} sent\nruns looked at: 1, with nothing to redrive: 0\n"
    assert {event["messageId"] for event in arrived(segment_url)} == undelivered | rejected
    left = Counter(before["total"]["rejected"])
    left.subtract(reason for _, reason in passing)
    total = outage.report["total"]
    assert total == {
        **before["total"],
        "events": before["total"]["events"] + len(passing),
        "sent": len(outage.undelivered) + len(passing),
        "rejected": {reason: count for reason, count in left.items() if count},
        "undelivered": 0,
    }
    assert total["found"] == total["sent"] + left.total()
    assert (outage.report["balanced"], outage.report["problems"]) == (True, [])

    again = outage.bridge("redrive", *outage.maps, SEGMENT_BATCH_API=segment_url)
    assert (again.code, again.err) == (0, "")
    assert again.out == "runs looked at: 1, with nothing to redrive: 1\n"
    assert requests.get(f"{segment_url}/sandbox/duplicates", timeout=60).json() == {}


def test_a_window_takes_up_those_runs_that_overlap_it(outage: Outage) -> None:
    looked_at = []
    for window in ((FROM, TO), ("2026-01-05T11:59:00Z", "2026-01-06T00:00:00Z"), (TO, "2026-01-06T00:00:00Z")):
        done = outage.bridge("redrive", "--from", window[0], "--to", window[1], "--dry-run", *outage.maps)
        looked_at.append(done.out.splitlines()[-1])
    assert looked_at == [f"runs looked at: {count}, with nothing to redrive: 0" for count in (1, 1, 0)]


def test_two_at_once_leave_balanced_books(outage: Outage, segment_url: str) -> None:
    settings = {**outage.settings, "SEGMENT_BATCH_API": segment_url}
    both = [finish(one) for one in [start("redrive", *outage.maps, settings=settings) for _ in range(2)]]
    assert [done.code for done in both] == [0, 0]
    assert {event["messageId"] for event in arrived(segment_url)} == {*outage.undelivered, *dict(outage.passing)}
    assert outage.report["total"]["sent"] == len(outage.undelivered) + len(outage.passing)
    assert (outage.report["balanced"], outage.report["problems"]) == (True, [])


def test_one_that_died_before_it_counted_is_counted_by_the_next(outage: Outage, segment_url: str) -> None:
    runs = find(Staging.at(str(outage.root)))
    with Segment(SegmentSettings(write_key="a-write-key", batch_api=segment_url)) as client:
        Redrive(runs, client).take_up(runs[0])
    assert outage.report["total"]["sent"] == 0
    assert outage.bridge("redrive", *outage.maps, "--dry-run").code == 0
    assert outage.report["total"]["sent"] == 0
    assert outage.bridge("redrive", *outage.maps, SEGMENT_BATCH_API=segment_url).code == 0
    assert outage.report["total"]["sent"] == len(outage.undelivered) + len(outage.passing)


def test_maps_made_anew_from_the_clusters_change_nothing_where_nobody_is_new(outage: Outage, segment_url: str) -> None:
    done = outage.bridge("redrive", "--run", outage.report["run"], SEGMENT_BATCH_API=segment_url)
    undelivered, name = len(set(outage.undelivered)), outage.run.name
    assert done.code == 0
    assert done.out.splitlines() == [
        f"{name}: {len(outage.identity)} rejected results stay so, as their user or namespace is not known",
        f"{name}: {undelivered} undelivered and 0 rejected taken up: {undelivered} sent",
        "runs looked at: 1, with nothing to redrive: 0",
    ]
    assert len(arrived(segment_url)) == undelivered


def test_what_segment_does_not_take_stays_undelivered_and_exits_with_1(outage: Outage) -> None:
    done = outage.bridge("redrive", SEGMENT_BATCH_API=NOWHERE)
    left = len(set(outage.undelivered))
    assert done.code == 1
    assert done.err.endswith(f"segment-bridge: {left} events are still undelivered, and 0 were refused by Segment\n")
    assert outage.report["total"]["undelivered"] == len(outage.undelivered)
    assert outage.report["balanced"]


def test_wrong_usage_is_told_in_one_line(outage: Outage, tmp_path: Path) -> None:
    unknown = outage.bridge("redrive", "--run", "no-such-run", "--dry-run")
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.err == (
        "segment-bridge: no closed run that was to send is named no-such-run: the runs' reports tell their names\n"
    )
    missing = bridge("redrive", settings={"SEGMENT_BRIDGE_STAGING": str(outage.root)})
    assert (missing.code, missing.out) == (2, "")
    assert missing.err == "segment-bridge: missing settings: SEGMENT_WRITE_KEY, HOST_CONTEXT, MEMBER_CONTEXTS\n"
    open_ended = outage.bridge("redrive", "--from", FROM, "--dry-run")
    told = "segment-bridge: the window has one end: give both from and to, or neither\n"
    assert (open_ended.code, open_ended.err) == (2, told)
    one = outage.bridge("redrive", *outage.maps[:2], "--dry-run")
    assert (one.code, one.err) == (2, "segment-bridge: one map is not enough: give both --users and --workspaces\n")
    empty = bridge("redrive", "--dry-run", settings={"SEGMENT_BRIDGE_STAGING": str(tmp_path / "nothing")})
    assert (empty.code, empty.out) == (0, "runs looked at: 0, with nothing to redrive: 0\n")


def test_an_audit_id_is_explained(outage: Outage, segment_url: str) -> None:
    audit_id, reason = outage.passing[0]
    assert outage.bridge("redrive", *outage.maps, SEGMENT_BATCH_API=segment_url).code == 0
    (record,) = (outage.run / "redrives").rglob("*.json")
    sent = json.loads(record.read_text())["sent"]
    place, file = sent.index(audit_id) + 1, record.relative_to(outage.run)

    text = outage.bridge("explain", audit_id)
    assert (text.code, text.err) == (0, "")
    assert text.out == (
        f"""audit ID {audit_id}

run {outage.run.name}, window [{FROM}, {TO})
  journey {JOURNEY} matched it: 1 in its results
  rejected: {reason} ({MEANINGS[reason]})
  {file}, event {place} of {len(sent)}:
    request 1, with {len(sent)} events: 200
    delivered
"""
    )
    as_json = outage.bridge("explain", audit_id, "--json")
    assert json.loads(as_json.out) == {
        "audit_id": audit_id,
        "findings": [
            {
                "run": outage.run.name,
                "window": f"[{FROM}, {TO})",
                "journey": JOURNEY,
                "results": 1,
                "rejections": [reason],
                "sendings": [
                    {
                        "file": str(file),
                        "end": "delivered",
                        "message_id": audit_id,
                        "place": place,
                        "size": len(sent),
                        "event": "",
                        "timestamp": "",
                        "why": "",
                        "requests": [{"number": 1, "events": len(sent), "answer": 200}],
                    }
                ],
            }
        ],
    }
    nowhere = outage.bridge("explain", "no-such-id")
    assert (nowhere.code, nowhere.out) == (1, "")
    assert nowhere.err == (
        f"segment-bridge: audit ID no-such-id is in none of the runs in staging (1), whose windows lie between {FROM} "
        f"and {TO}: check the ID; a record that no journey selects turns up nowhere\n"
    )
