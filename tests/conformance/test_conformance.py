"""Our client beside Segment's own SDK; skipped where that is not installed."""

from __future__ import annotations

import json
import shutil
from functools import cache

import pytest

from tests.conformance.clients import SDK
from tests.conformance.report import INSTALLED, PAGE, Played, page
from tests.conformance.scenarios import SCENARIOS, Scenario

installed = pytest.mark.skipif(
    not (INSTALLED.exists() and shutil.which("node")),
    reason="Segment's Node SDK is not installed: make conformance installs it and runs these",
)


@cache
def played(title: str) -> Played:
    (scenario,) = (one for one in SCENARIOS if one.title == title)
    return Played.play(scenario)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@installed
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.title)
def test_where_the_clients_differ_there_is_a_reason_and_where_they_do_not_there_is_none(scenario: Scenario) -> None:
    one = played(scenario.title)
    assert one.differences == set(scenario.why), (one.ours, one.theirs)


@installed
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.title)
def test_our_client_reports_what_was_taken_and_repeats_the_same_bytes(scenario: Scenario) -> None:
    ours = played(scenario.title).ours
    assert ours.delivered == ours.taken
    assert ours.same_bytes in (None, True)
    assert all(request.isdigit() for request in ours.requests)


@installed
def test_the_page_says_what_was_measured() -> None:
    measured = page({one.title: played(one.title) for one in SCENARIOS})
    assert PAGE.read_text() == measured, "make conformance writes the page"


def test_the_lock_names_no_registry_and_pins_what_it_installs() -> None:
    lock = json.loads((SDK / "package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages
    assert all("resolved" not in package and package["integrity"].startswith("sha512-") for package in packages)
