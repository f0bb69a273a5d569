from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from segment_bridge.errors import (
    BridgeError,
    ConfigurationError,
    FatalError,
    IncompleteAnswer,
    RetryableError,
    UnbalancedBooks,
    error_for_status,
    seconds_to_wait,
)


def kind_by_contract(status: int) -> type[BridgeError]:
    """Say it as the retry contract does."""
    if status in (401, 403, 404):
        return ConfigurationError
    if status in (408, 410, 429, 460):
        return RetryableError
    if status >= 500:
        return FatalError if status in (501, 505) else RetryableError
    return FatalError


@pytest.mark.parametrize("status", range(300, 600))
def test_every_status(status: int) -> None:
    error = error_for_status("Segment", status, retry_after=7.5)
    assert type(error) is kind_by_contract(status)
    assert str(error).startswith(f"Segment answered {status}")
    assert getattr(error, "retry_after", None) == (7.5 if isinstance(error, RetryableError) else None)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (302, "Splunk answered 302 Found: the request itself is not acceptable"),
        (400, "Splunk answered 400 Bad Request: the request itself is not acceptable"),
        (401, "Splunk answered 401 Unauthorized: check the credentials"),
        (403, "Splunk answered 403 Forbidden: check the rights of the credentials"),
        (404, "Splunk answered 404 Not Found: check the address"),
        (429, "Splunk answered 429 Too Many Requests: try again later"),
        (460, "Splunk answered 460: try again later"),
        (499, "Splunk answered 499: the request itself is not acceptable"),
        (501, "Splunk answered 501 Not Implemented: the request itself is not acceptable"),
        (503, "Splunk answered 503 Service Unavailable: try again later"),
        (599, "Splunk answered 599: try again later"),
    ],
)
def test_messages(status: int, message: str) -> None:
    assert str(error_for_status("Splunk", status)) == message


def test_no_pause_unless_the_server_asked_for_one() -> None:
    error = error_for_status("Segment", 503)
    assert isinstance(error, RetryableError)
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("error", "bases"),
    [
        (RetryableError, {RetryableError}),
        (IncompleteAnswer, {IncompleteAnswer, RetryableError}),
        (FatalError, {FatalError}),
        (UnbalancedBooks, {UnbalancedBooks, FatalError}),
        (ConfigurationError, {ConfigurationError}),
    ],
)
def test_the_tree(error: type[BridgeError], bases: set[type[BridgeError]]) -> None:
    assert set(error.__mro__) == bases | {BridgeError, Exception, BaseException, object}


def test_an_incomplete_answer_names_the_rule_that_it_broke() -> None:
    error = IncompleteAnswer("lastrow", "the last row is not marked")
    assert (error.clause, error.retry_after) == ("lastrow", None)
    assert str(error) == "incomplete answer (lastrow): the last row is not marked"


class TestSecondsToWait:
    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            (None, None),
            ("0", 0),
            ("120", 120),
            (" 5 ", 5),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
            ("", None),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
            ("1e3", None),
            ("Wed, 21 Oct 99999 07:28:00 GMT", None),
        ],
    )
    def test_either_form_or_nothing(self, header: str | None, seconds: float | None) -> None:
        assert seconds_to_wait(header) == seconds

    def test_a_date_to_come(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "time", lambda: 1_714_550_400.0)
        assert seconds_to_wait(formatdate(1_714_550_490, usegmt=True)) == 90.0

    @pytest.mark.parametrize("off", [-5 * 3_600, 0, 5 * 3_600])
    def test_a_date_counts_from_the_answers_own(self, off: int, monkeypatch: pytest.MonkeyPatch) -> None:
        there = 1_714_550_400
        monkeypatch.setattr(time, "time", lambda: float(there + off))
        until, now = (formatdate(moment, usegmt=True) for moment in (there + 90, there))
        assert seconds_to_wait(until, now) == 90.0
        assert seconds_to_wait(now, until) == 0.0
        assert seconds_to_wait(until, "soon") == max(0.0, 90.0 - off)
