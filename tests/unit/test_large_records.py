from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.serve import serving
from sandbox.splunk import DOCUMENTED, AuditLog, create_app
from sandbox.splunk.records import Record
from segment_bridge import large_records
from segment_bridge.errors import IncompleteAnswer
from segment_bridge.large_records import PATHS, Seen
from segment_bridge.settings import Source, SplunkSettings
from segment_bridge.splunk import Splunk
from segment_bridge.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW = Window(datetime(2026, 1, 5, 8, tzinfo=UTC), datetime(2026, 1, 5, 12, tzinfo=UTC))
#: In the order in which Kubernetes writes: both times stand behind the request.
TIMES = ("requestReceivedTimestamp", "stageTimestamp")


def record(size: int, *, alphabetical: bool = False, **changes: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Write a record of this many bytes."""
    made: dict[str, Any] = {
        "kind": "Event",
        "auditID": "1",
        "verb": "create",
        "userAgent": "curl",
        "objectRef": {"apiGroup": "tekton.dev", "resource": "pipelineruns"},
        "requestObject": {"data": ""},
        **dict.fromkeys(TIMES, "2026-01-05T10:00:00Z"),
        **changes,
    }
    made["requestObject"]["data"] = "x" * (size - len(json.dumps(made)))
    return json.dumps(made, sort_keys=alphabetical).encode()


def seen(*lines: bytes, settings: tuple[str, ...] = ()) -> Seen:
    log = AuditLog(tuple(map(Record.parse, lines)))
    with serving(create_app(log, DOCUMENTED.having(*settings))) as url:
        return large_records.look(Splunk(SplunkSettings(url=url, token="changeme")), Source("audit"), WINDOW)


def test_some_values_are_looked_for_three_times_in_the_largest_records() -> None:
    times = ("requestReceivedTimestamp", "stageTimestamp", "userAgent", "verb")
    marks = ", ".join(
        f'unread_{path}=case(match(_raw, "\\"{path}\\"\\\\s*:\\\\s*\\"") AND '
        f'NOT (isnotnull(nullif(json_extract(_raw, "{path}"), "null"))), "yes"), '
        f'unextracted_{path}=case(match(_raw, "\\"{path}\\"\\\\s*:\\\\s*\\"") AND NOT (isnotnull({path})), "yes")'
        for path in times
    )
    names = ",".join(f"unread_{path},unextracted_{path}" for path in times)
    assert large_records.search(Source("main", "kube:audit")).split("\n") == [
        (
            'search index="main" "sourcetype"="kube:audit" ("log_type"="audit" OR "log_type") '
            '("appstudio.redhat.com" OR "tekton.dev")'
        ),
        '| where coalesce(nullif(json_extract(_raw, "log_type"), "null"), mvindex(log_type, 0))=="audit"',
        "| eval size=len(_raw)",
        "| where size>5000",
        "| sort 5 -size",
        f"| eval {marks}",
        f"| fields size,{names}",
        "| fields - _*",
    ]


@pytest.mark.parametrize(
    ("lines", "settings", "due"),
    [
        pytest.param((), (), Seen(0, 0, (), ()), id="no record"),
        pytest.param((record(5_000),), (), Seen(0, 0, (), ()), id="none that is large"),
        pytest.param((record(5_001),), (), Seen(1, 5_001, (), ()), id="large, but nothing lies behind the limit"),
        pytest.param((record(9_000),), ("extraction_cutoff=0",), Seen(1, 9_000, (), ()), id="a limit that was raised"),
        pytest.param((record(9_000), record(9_001)), (), Seen(2, 9_001, (), TIMES), id="two"),
        pytest.param(
            (record(9_000, alphabetical=True),),
            (),
            Seen(1, 9_000, (), (*TIMES, "userAgent", "verb")),
            id="keys in the order of the alphabet",
        ),
        pytest.param(
            (record(9_000, verb=None), record(9_001, userAgent=None, verb="get")),
            ("cut_explicit_paths=true",),
            Seen(2, 9_001, TIMES, TIMES),
            id="explicit paths that are cut as well",
        ),
        pytest.param(
            tuple(record(6_000 + number) for number in range(7)), (), Seen(5, 6_006, (), TIMES), id="the five largest"
        ),
        pytest.param(
            (record(9_000, objectRef={"apiGroup": "apps"}),), (), Seen(0, 0, (), ()), id="no journey's API group"
        ),
    ],
)
def test_what_is_not_read_is_named(lines: tuple[bytes, ...], settings: tuple[str, ...], due: Seen) -> None:
    assert seen(*lines, settings=settings) == due


def test_fields_that_are_extracted_twice_are_extracted() -> None:
    twice = ("extract_twice=true", "extraction_cutoff=0")
    assert seen(record(9_000), settings=twice) == Seen(1, 9_000, (), ())


class Answering:
    """Answers one search with these lines, and then raises if it is told to."""

    def __init__(self, *rows: dict[str, str], error: Exception | None = None) -> None:
        self.rows, self.error = rows, error

    def search(self, spl: str, window: Window) -> Iterator[bytes]:
        assert (spl, window) == (large_records.search(Source("audit")), WINDOW)
        yield from (json.dumps({"preview": False, "result": row}).encode() for row in self.rows)
        if self.error:
            raise self.error


def test_any_record_of_which_something_is_not_read_counts() -> None:
    rows = (
        {"size": "9000", "unread_verb": "yes", "unextracted_verb": "yes"},
        {"size": "1.2e4", "unextracted_userAgent": "yes"},
    )
    made = large_records.look(Answering(*rows), Source("audit"), WINDOW)  # type: ignore[arg-type] # it stands in for one
    assert made == Seen(2, 12_000, ("verb",), ("userAgent", "verb"))
    assert set(made.unextracted) <= set(PATHS)


def test_an_incomplete_answer_says_nothing() -> None:
    broken = Answering({"size": "9000"}, error=IncompleteAnswer("no_last_row", "the stream ended"))
    with pytest.raises(IncompleteAnswer):
        large_records.look(broken, Source("audit"), WINDOW)  # type: ignore[arg-type] # it stands in for one
