from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from segment_bridge import canary, deep_fields
from segment_bridge.errors import ConfigurationError, IncompleteAnswer
from segment_bridge.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW = Window(datetime(2026, 1, 5, 8, tzinfo=UTC), datetime(2026, 1, 5, 12, tzinfo=UTC))


class Splunk:
    """Answers one search with these lines, and then raises if it is told to."""

    def __init__(self, *lines: bytes, error: Exception | None = None) -> None:
        self.lines, self.error = lines, error
        self.asked: list[tuple[str, Window]] = []

    def search(self, spl: str, window: Window) -> Iterator[bytes]:
        self.asked.append((spl, window))
        yield from self.lines
        if self.error:
            raise self.error


def test_it_asks_for_one_record_of_the_index() -> None:
    expected = 'search index="federated:audit" "log_type"="audit"\n| head 1\n| fields index\n| fields - _*'
    assert canary.search("federated:audit") == expected
    with pytest.raises(ConfigurationError):
        canary.search("* OR index=_internal")


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        (b'{"preview":false,"offset":0,"lastrow":true,"result":{"index":"audit"}}', True),
        (b'{"preview":false,"lastrow":true}', False),
    ],
)
def test_a_record_is_told_from_silence(line: bytes, holds: bool) -> None:
    splunk = Splunk(line)
    assert canary.holds_records(splunk, "audit", WINDOW) is holds  # type: ignore[arg-type] # it stands in for one
    assert splunk.asked == [(canary.search("audit"), WINDOW)]


def test_an_incomplete_answer_is_no_silence() -> None:
    splunk = Splunk(error=IncompleteAnswer("no_last_row", "the stream ended"))
    with pytest.raises(IncompleteAnswer):
        canary.holds_records(splunk, "audit", WINDOW)  # type: ignore[arg-type] # it stands in for one


def test_deep_fields_are_asked_for_twice() -> None:
    assert deep_fields.search("audit").split("\n| ") == [
        'search index="audit" "log_type"="audit"',
        "where len('_raw')>10240",
        "head 5",
        "eval raw='_raw'",
        *(f'spath input=raw path="{field}" output={field}_in_text' for field in deep_fields.FIELDS),
        f"fields {','.join(deep_fields.FIELDS)},{','.join(f'{field}_in_text' for field in deep_fields.FIELDS)}",
        "fields - _*",
    ]


ROW = b'{"preview":false,"offset":0,"result":{%s}}'


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        ([b'{"preview":false,"lastrow":true}'], deep_fields.Seen(0, ())),
        ([ROW % b'"verb":"get","verb_in_text":"get"'], deep_fields.Seen(1, ())),
        # Extracted twice over, at index time and at search time: it is there.
        ([ROW % b'"verb":["get","get"],"verb_in_text":"get"'], deep_fields.Seen(1, ())),
        ([ROW % b'"verb_in_text":"get"'], deep_fields.Seen(1, ("verb",))),
        ([ROW % b'"verb":7,"verb_in_text":7'], deep_fields.Seen(1, ())),
        ([ROW % b'"verb":{},"verb_in_text":[null]'], deep_fields.Seen(1, ("verb",))),
        ([ROW % b'"verb":"g","verb_in_text":"get"'], deep_fields.Seen(1, ("verb",))),
        # Text that is no JSON proves nothing.
        ([ROW % b'"verb":"get"'], deep_fields.Seen(0, ())),
        (
            [ROW % b'"verb":"get","verb_in_text":"get"', ROW % b'"stageTimestamp_in_text":"t","verb_in_text":"get"'],
            deep_fields.Seen(2, ("stageTimestamp", "verb")),
        ),
    ],
)
def test_what_splunk_does_not_extract_is_named(lines: list[bytes], seen: deep_fields.Seen) -> None:
    assert deep_fields.compare(Splunk(*lines), "audit", WINDOW) == seen  # type: ignore[arg-type] # it stands in for one
