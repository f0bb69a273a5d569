"""Every journey's cases, however a Splunk behaves where its configuration decides or its documents leave it open."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.splunk import DOCUMENTED
from sandbox.splunk.cutoff import seen
from sandbox.splunk.json_path import flatten
from tests.journeys.cases import Journey, grown, in_order, journeys
from tests.journeys.in_process import SETTINGS, found

READINGS = {"as documented": (), **{setting: (setting,) for setting in SETTINGS}, "all otherwise": SETTINGS}
ORDERS = ("kubernetes", "alphabet")

Events = dict[str, list[dict[str, Any]]]


def by_case(journey: Journey, events: list[dict[str, Any]]) -> Events:
    """Sort events by the case whose records they are of."""
    return {case.name: in_order(event for event in events if event["messageId"] in case.ids) for case in journey.cases}


def audits(journey: Journey) -> list[dict[str, Any]]:
    return [record.audit for case in journey.cases for record in case.records]


@pytest.mark.parametrize("journey", journeys(), ids=lambda journey: journey.title)
class TestEveryCase:
    @pytest.fixture
    def expected(self, journey: Journey) -> Events:
        return {case.name: in_order(case.events) for case in journey.cases}

    @pytest.mark.parametrize("settings", READINGS.values(), ids=READINGS)
    def test_under_every_reading(self, journey: Journey, settings: tuple[str, ...], expected: Events) -> None:
        assert by_case(journey, found(audits(journey), journey.title, *settings)) == expected

    @pytest.mark.parametrize("order", ORDERS)
    def test_in_a_large_record(self, journey: Journey, order: str, expected: Events) -> None:
        large = [grown(audit, characters=5_000, order=order) for audit in audits(journey)]
        assert by_case(journey, found(large, journey.title)) == expected

    @pytest.mark.parametrize("order", ORDERS)
    def test_automatic_extraction_sees_little_of_a_large_record(self, journey: Journey, order: str) -> None:
        line = json.dumps(grown(audits(journey)[0], characters=5_000, order=order)).encode()
        names = flatten(seen(line, DOCUMENTED.extraction_cutoff))
        needed = ("log_type", "requestReceivedTimestamp", "responseObject")
        assert [name for name in names if name.startswith(needed)] == []
