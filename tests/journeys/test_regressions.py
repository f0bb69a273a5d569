"""Records of shapes that went wrong for people who run such pipelines, by the command line, against a Splunk over HTTP.

``regressions/expected.yaml`` has every event that they become. All journeys search all of the records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.splunk.server import PASSWORD, USERNAME
from segment_bridge import source_check
from segment_bridge.catalog import JOURNEYS
from segment_bridge.settings import SplunkSettings
from segment_bridge.splunk import Splunk
from segment_bridge.window import Window
from tests.journeys.cases import FOLDER, in_order, load
from tests.journeys.command_line import ndjson, search, segment_bridge, write_maps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXPECTED = load("regressions/expected.yaml")
FILES = sorted((FOLDER / "regressions").glob("*.jsonl"))


@pytest.fixture(scope="module")
def splunk() -> Iterator[str]:
    with serving(create_app(AuditLog.from_files(FILES))) as url:
        yield url


def test_every_file_belongs_to_a_window() -> None:
    assert sorted(name for part in EXPECTED.values() for name in part["files"]) == [path.stem for path in FILES]


@pytest.mark.parametrize("part", EXPECTED.values(), ids=EXPECTED)
def test_the_events_are_those_expected_and_no_others(splunk: str, part: dict[str, Any], tmp_path: Path) -> None:
    results = search(splunk, *part["window"])
    rejected = tmp_path / "rejected.ndjson"
    events = segment_bridge("convert", *write_maps(tmp_path), "--rejected", str(rejected), given=results)
    assert in_order(ndjson(events)) == in_order(part["events"])
    assert rejected.read_bytes() == b""


@pytest.mark.parametrize("part", EXPECTED.values(), ids=EXPECTED)
def test_what_the_server_has_cut_is_counted(splunk: str, part: dict[str, Any]) -> None:
    settings = SplunkSettings(url=splunk, username=USERNAME, password=PASSWORD, index="audit", timeout=30)
    with Splunk(settings) as client:
        found = source_check.look(client, settings.source, Window.parse(*part["window"]), JOURNEYS, nothing_found=False)
    assert found.truncated == part["truncated"]
