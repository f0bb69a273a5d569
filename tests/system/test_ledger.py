"""A day of hourly runs over the stand-ins: what is sent, how often, and what arrives."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import requests
from starlette.responses import Response

from sandbox import segment
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.splunk.records import Record
from sandbox.traffic import Plan as Traffic
from sandbox.traffic import generate
from segment_bridge import catalog, layout, ledger, line
from segment_bridge.errors import BridgeError
from segment_bridge.events import from_body, read_head
from segment_bridge.plan import Plan, Resend, Span
from segment_bridge.segment import Segment
from segment_bridge.settings import SegmentSettings, Source, SplunkSettings
from segment_bridge.splunk import Splunk
from segment_bridge.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from segment_bridge.report import JourneyBooks

RUNS = 24
LOOK_BACK = timedelta(hours=4)
#: With as many runs, each of the traffic's hours is in four windows.
TRAFFIC = Traffic(users=6, hours=RUNS - 3, seed=5)


@dataclass
class Fragile:
    """Segment's stand-in, which answers 503 while it is down."""

    app: ASGIApp
    down: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        down = self.down and scope["type"] == "http" and scope["method"] == "POST"
        await (Response("down", 503) if down else self.app)(scope, receive, send)


@dataclass
class Day:
    """The stand-ins, and what became of all runs."""

    root: Staging
    splunk: str
    segment: str
    fragile: Fragile
    maps: dict[str, dict[str, str]]
    #: How often each event was sent and taken, and how often it stands in one answer: an audit ID can have two results.
    sent: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    books: list[JourneyBooks] = field(default_factory=list)
    batches: int = 0

    def run(self, number: int, resend: Resend, *, down: bool = False, killed: bool = False) -> None:
        """Make one hourly run; with ``killed`` it dies between the outcomes and the ledger."""
        end = TRAFFIC.start + timedelta(hours=number)
        key = f"run-{number:02}"
        run = layout.run_of(self.root, key)
        names = tuple(journey.name for journey in catalog.JOURNEYS)
        line.begin(run, Plan(span=Span(end - LOOK_BACK, end), journeys=names, resend=resend))
        for name, entries in self.maps.items():
            run.write_json(layout.map_file(name), entries)
        with Splunk(SplunkSettings(url=self.splunk, username="admin", password="changeme")) as splunk:
            for journey in catalog.JOURNEYS:
                line.search(run, journey, source=Source("audit"), splunk=splunk)
        batches = line.convert_results(run)
        self.fragile.down = down
        with pytest.MonkeyPatch.context() as patch, Segment(self._settings) as client:
            if killed:
                patch.setattr(ledger, "enter", _die)
            try:
                line.deliver_all(run, batches, client)
            except (BridgeError, KeyboardInterrupt):
                assert down or killed
        report = line.close(self.root, key)
        assert report.balanced
        self.books.append(report.total)
        sent = Counter(head for name in batches for head in _delivered(run, name))
        self.sent += sent
        self.copies |= sent
        self.batches += len(batches)

    @property
    def _settings(self) -> SegmentSettings:
        return SegmentSettings(write_key="key", batch_api=self.segment, pause=0.001)

    @property
    def delivered(self) -> set[str]:
        events = requests.get(f"{self.segment}/sandbox/events", timeout=60).content.splitlines()
        return {read_head(event).messageId for event in events}

    @property
    def sent_per_event(self) -> float:
        return self.sent.total() / self.copies.total()


def _delivered(run: Staging, name: str) -> Iterator[str]:
    outcome = layout.read_outcome(run, name)
    if outcome and outcome.delivered:
        with run.read(name) as file:
            yield from (read_head(event).messageId for event in from_body(file.read()))


def _die(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def splunk() -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    traffic = generate(TRAFFIC)
    maps = {name: traffic.manifest[name] for name in (layout.USERS, layout.WORKSPACES)}
    with serving(create_app(AuditLog(tuple(Record.parse(record.strip()) for record in traffic.records())))) as url:
        yield url, maps


@contextmanager
def a_day(splunk: tuple[str, dict[str, dict[str, str]]], folder: Path) -> Iterator[Day]:
    fragile = Fragile(segment.create_app())
    with serving(fragile) as address:
        yield Day(Staging.at(str(folder)), splunk[0], address, fragile, splunk[1])


@pytest.fixture(scope="module")
def always(splunk: tuple[str, dict[str, dict[str, str]]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """All runs, each of which sends all that it finds."""
    with a_day(splunk, tmp_path_factory.mktemp("always")) as day:
        for number in range(1, RUNS + 1):
            day.run(number, Resend.ALWAYS)
        yield day


@pytest.fixture
def day(splunk: tuple[str, dict[str, dict[str, str]]], tmp_path: Path) -> Iterator[Day]:
    with a_day(splunk, tmp_path) as made:
        yield made


def test_each_event_is_sent_once_instead_of_four_times(always: Day, day: Day) -> None:
    for number in range(1, RUNS + 1):
        day.run(number, Resend.UNACKNOWLEDGED)
    for one in (always, day):
        print(f"sent per event: {one.sent_per_event:.3f} of {len(one.delivered)}, in batches: {one.batches}")  # noqa: T201 - its figures
    assert day.delivered == always.delivered == set(day.sent)
    assert always.sent_per_event == pytest.approx(4, abs=0.01)
    assert day.sent_per_event == pytest.approx(1, abs=0.01)
    assert sum(books.acknowledged for books in day.books) == 3 * day.copies.total()


def test_nothing_is_lost_by_outages_and_kills(always: Day, day: Day) -> None:
    for number in range(1, RUNS + 1):
        day.run(number, Resend.UNACKNOWLEDGED, down=number in {3, 4, 5, 13}, killed=number in {8, 17})
    print(f"sent per event, with faults: {day.sent_per_event:.3f} of {len(day.delivered)}")  # noqa: T201 - its figures
    assert day.delivered == always.delivered
    assert 1 < day.sent_per_event < 1.2
