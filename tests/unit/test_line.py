"""What the tasks of a run make of what earlier tries have staged, over stand-ins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from starlette.responses import PlainTextResponse

from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from segment_bridge import books, catalog, layout, line
from segment_bridge.errors import ConfigurationError, FatalError, IncompleteAnswer, RetryableError
from segment_bridge.report import MessageBooks, ToleratedBooks
from segment_bridge.settings import Source, SplunkSettings
from segment_bridge.source_check import Seen
from segment_bridge.splunk import Splunk
from segment_bridge.staging import Staging
from segment_bridge.tolerance import Tolerated
from tests.unit.leftovers import JOURNEY, always, result, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUDIT = Source("audit")
#: A record that the API server has cut.
CUT = {
    "auditID": "cut",
    "verb": "create",
    "objectRef": {"apiGroup": "appstudio.redhat.com", "resource": "applications"},
    "responseStatus": {"code": 201},
    "annotations": {"audit.k8s.io/truncated": "true"},
    "requestReceivedTimestamp": "2026-01-05T10:00:00.000000Z",
}


@pytest.fixture
def root(tmp_path: Path) -> Staging:
    return Staging.at(str(tmp_path / "staging"))


class TestSource:
    """What is staged of a source that had nothing and then has something again, or whose records were cut."""

    @pytest.fixture
    def dead(self) -> Iterator[Splunk]:
        with serving(create_app(AuditLog(()))) as url, connected(url) as splunk:
            yield splunk

    @pytest.fixture
    def alive(self, tmp_path: Path) -> Iterator[Splunk]:
        log = tmp_path / "audit.log"
        log.write_text(json.dumps(CUT))
        with serving(create_app(AuditLog.from_files([log]))) as url, connected(url) as splunk:
            yield splunk

    def check(self, run: Staging, splunk: Splunk) -> Seen:
        line.check_source(run, source=AUDIT, splunk=splunk)
        return run.read_json(layout.SOURCE, Seen)

    def test_answers_of_a_silent_source_stay_doubtful_until_it_is_searched_again(
        self, root: Staging, dead: Splunk, alive: Splunk
    ) -> None:
        run = stage(root, "one", []).folder
        (search,) = catalog.find((JOURNEY,))
        assert self.check(run, dead) == Seen(silent=True)
        assert self.check(run, alive) == Seen(silent=True)
        line.search(run, search, source=AUDIT, splunk=alive)
        assert not run.exists(layout.SOURCE)
        assert self.check(run, alive) == Seen(silent=False, truncated={"applications": 1})
        assert self.check(run, dead) == Seen(silent=True)

    def test_where_something_was_found_or_a_search_failed_nobody_asks_for_silence(
        self, root: Staging, dead: Splunk
    ) -> None:
        run = stage(root, "one", [result("a")]).folder
        assert self.check(run, dead) == Seen()
        run.remove(layout.results(JOURNEY))
        assert self.check(run, dead) == Seen()

    def test_what_was_cut_is_that_of_the_journeys_of_the_run(self, root: Staging, alive: Splunk) -> None:
        run = stage(root, "one", []).folder
        plan = line.plan_of(run)
        run.write_json(layout.PLAN, msgspec.structs.replace(plan, journeys=("release-done",)))
        assert self.check(run, alive) == Seen()


class TestMessages:
    """What Splunk says about the answers, as far as it is staged."""

    KNOWN = Tolerated("*waiting for peer idx-9", "it is a test")
    LOST = "Timed out waiting for peer idx-{}"

    def searched(self, run: Staging, *said: tuple[str, str]) -> MessageBooks:
        """Search, and look further where nothing was found; return what is staged of the search."""
        line_of = json.dumps({"messages": [{"type": kind, "text": text} for kind, text in said]})
        answer = PlainTextResponse(f'{line_of}\n{{"lastrow":true}}\n', headers={"Connection": "close"})
        (search,) = catalog.find((JOURNEY,))
        with serving(answer) as url:
            settings = SplunkSettings(url=url, token="a-token", tolerated_messages=(self.KNOWN,))
            line.search(run, search, source=AUDIT, splunk=Splunk(settings))
            line.check_source(run, source=AUDIT, splunk=Splunk(settings))
        return books.messages(run, JOURNEY)

    def test_what_passes_is_counted_and_what_stops_is_named_until_the_next_search(self, root: Staging) -> None:
        run = stage(root, "one", []).folder
        lookup = ("ERROR", "Could not load lookup=LOOKUP-x")
        tolerated = ToleratedBooks(pattern=self.KNOWN.pattern, reason=self.KNOWN.reason, count=1)
        passed = self.searched(run, lookup, ("WARN", self.LOST.format(9)))
        assert passed == MessageBooks(passed=1, tolerated=(tolerated,))
        # A source in which nothing is found is searched three times.
        checked = MessageBooks(passed=3, tolerated=(msgspec.structs.replace(tolerated, count=3),))
        assert books.messages(run, layout.SOURCE_CHECK) == checked

        with pytest.raises(IncompleteAnswer):
            self.searched(run, lookup, ("WARN", self.LOST.format(8)))
        stopped = MessageBooks(stopped_by="WARN, something did not answer in time")
        assert books.messages(run, JOURNEY) == stopped
        assert not run.exists(layout.messages(layout.SOURCE_CHECK))
        assert not run.exists(layout.results(JOURNEY))

        assert self.searched(run, *[lookup] * 20) == MessageBooks(passed=20, full=("ERROR",))
        assert self.searched(run) == MessageBooks()
        assert [name for name in run.names() if name.startswith("messages")] == []


def connected(url: str) -> Splunk:
    return Splunk(SplunkSettings(url=url, username="admin", password="changeme"))


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (402, FatalError, "Segment answered 402 Payment Required: the request itself is not acceptable"),
        (503, RetryableError, "Segment answered 503 Service Unavailable: try again later; given up after request 3"),
    ],
)
def test_what_would_be_answered_the_same_is_not_tried_again(
    root: Staging, status: int, error: type[Exception], told: str
) -> None:
    run = stage(root, "one", [result("a")]).folder
    with pytest.raises(error) as caught:
        line.deliver_all(run, [layout.batch(JOURNEY, 1)], always(status).segment())
    assert str(caught.value) == f"1 events are undelivered, and kept in staging ({told})"


class TestLogin:
    """One login before several searches."""

    def test_right_credentials_pass(self) -> None:
        with serving(create_app(AuditLog(()))) as url, connected(url) as splunk:
            line.require_login(splunk)

    def test_wrong_ones_stop_the_run(self) -> None:
        with serving(create_app(AuditLog(()))) as url:
            wrong = Splunk(SplunkSettings(url=url, username="admin", password="wrong"))
            with pytest.raises(ConfigurationError) as caught:
                line.require_login(wrong)
        assert str(caught.value) == (
            "Splunk answered 401 Unauthorized: check SPLUNK_TOKEN, or SPLUNK_USERNAME and SPLUNK_PASSWORD"
        )

    def test_a_splunk_that_does_not_answer_is_left_to_the_searches(self, caplog: pytest.LogCaptureFixture) -> None:
        with serving(PlainTextResponse("", 503, headers={"Connection": "close"})) as url:
            line.require_login(Splunk(SplunkSettings(url=url, token="changeme")))
        told = "Splunk answered 503 Service Unavailable: try again later"
        assert caplog.messages == [f"the login to Splunk could not be tried: {told}"]
