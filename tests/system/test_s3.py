"""The command line with its staging in S3: the same comes of it as with a folder."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import segment
from sandbox.serve import serving
from tests.buckets import bucket
from tests.system.stand_ins import FROM, NOWHERE, TO, arrived, bridge, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.buckets import Bucket
    from tests.system.stand_ins import World

WINDOW = ("--from", FROM, "--to", TO)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as one:
        yield one


@pytest.fixture
def s3() -> Iterator[Bucket]:
    with bucket() as one:
        yield one


@pytest.fixture
def segment_url() -> Iterator[str]:
    with serving(segment.create_app()) as url:
        yield url


def report(files: dict[str, bytes]) -> dict[str, Any]:
    """Return the only report, without what is each run's own."""
    (data,) = (data for name, data in files.items() if name.endswith("/report.json"))
    return {name: value for name, value in json.loads(data).items() if name not in {"run", "plan"}}


def of_a_run(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return what the only run has staged, without what holds a time or a name that is its own."""
    staged = {name.split("/", 2)[2]: data for name, data in files.items() if name.startswith("runs/")}
    return {name: data for name, data in staged.items() if name not in {"plan.json", "report.json"}}


def test_a_run_stages_in_s3_what_it_stages_in_a_folder(
    served: World, s3: Bucket, segment_url: str, tmp_path: Path
) -> None:
    settings = served.settings | s3.settings | {"SEGMENT_BATCH_API": segment_url}
    local = bridge("run", *WINDOW, "--staging", str(tmp_path), settings=settings)
    events = arrived(segment_url)
    with serving(segment.create_app()) as other:
        remote = bridge("run", *WINDOW, "--staging", s3.url, settings=settings | {"SEGMENT_BATCH_API": other})
        assert sorted(map(str, arrived(other))) == sorted(map(str, events))

    assert (local.code, remote.code) == (0, 0), remote.err
    assert f"report: {s3.url}/runs/cli__" in remote.out
    there = s3.files()
    here = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert of_a_run(there) == of_a_run(here)
    assert report(there) == report(here)
    assert report(there)["total"]["sent"] > 0
    assert {name for name in there if name.startswith("last-good/")} == {
        name for name in here if name.startswith("last-good/")
    }


def test_what_lies_in_s3_can_be_explained_and_redriven(served: World, s3: Bucket, segment_url: str) -> None:
    settings = served.settings | s3.settings | {"SEGMENT_BRIDGE_STAGING": s3.url}
    failed = bridge("run", *WINDOW, "release-done", settings=settings | {"SEGMENT_BATCH_API": NOWHERE})
    (body,) = (data for name, data in s3.files().items() if "/batches/" in name)
    events = json.loads(body)["batch"]
    assert failed.code == 1
    assert report(s3.files())["problems"] == [f"release-done: {len(events)} events undelivered"]

    message_id = events[0]["messageId"]
    assert bridge("explain", message_id, settings=settings).out.splitlines()[-1].startswith("    undelivered: ")

    done = bridge("redrive", settings=settings | {"SEGMENT_BATCH_API": segment_url})
    # An audit ID can stand in two results: both are sent, and Segment keeps the first.
    kept = {event["messageId"]: event for event in reversed(events)}
    assert (done.code, {event["messageId"]: event for event in arrived(segment_url)}) == (0, kept), done.err
    assert report(s3.files())["problems"] == []
    assert report(s3.files())["total"]["sent"] == len(events)
    assert bridge("explain", message_id, settings=settings).out.splitlines()[-1] == "    delivered"


def test_credentials_that_are_refused_are_told_in_a_line(served: World, s3: Bucket) -> None:
    settings = served.settings | s3.settings | {"SEGMENT_BRIDGE_STAGING": s3.url}
    with s3.refusing():
        run, explain = bridge("run", *WINDOW, "--dry-run", settings=settings), bridge("explain", "x", settings=settings)
    for done in (run, explain):
        assert done.code == 2
        told = r"staging refuses \S+: let its credentials list, read, write and delete there"
        assert re.fullmatch(f"\n?segment-bridge: {told}\n", done.err), done.err


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (
            {"SEGMENT_BRIDGE_STAGING": "s3://no-such-bucket/bridge"},
            2,
            r"there is no place in staging for plan\.json: check its URL, and its bucket",
        ),
        (
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"},
            1,
            r"staging gave no answer for \S+ \(NoCredentialsError\): check its URL, its credentials .*",
        ),
        (
            {"SEGMENT_BRIDGE_STAGING": "s4://bucket/bridge"},
            2,
            r"staging cannot be opened \(Protocol not known: s4\): check its URL",
        ),
    ],
    ids=["no bucket", "no credentials", "no such store"],
)
def test_what_keeps_it_from_being_used_is_said_in_a_line(
    served: World, s3: Bucket, change: dict[str, str], code: int, told: str
) -> None:
    settings = served.settings | s3.settings | {"SEGMENT_BRIDGE_STAGING": s3.url, "HOME": "/nowhere"} | change
    done = bridge("run", *WINDOW, "--dry-run", settings=settings)
    assert done.code == code
    assert re.fullmatch(f"\n?segment-bridge: {told}\n", done.err), done.err
