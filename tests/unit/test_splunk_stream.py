from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from segment_bridge.errors import IncompleteAnswer, RetryableError
from segment_bridge.splunk import Clause, read_results

if TYPE_CHECKING:
    from collections.abc import Sequence

EMPTY = b'{"preview":false,"lastrow":true}'
HARMLESS_WARNING = {"type": "WARN", "text": "Could not load lookup=LOOKUP-example"}
HARMLESS = [
    {"type": "INFO", "text": "Your timerange was substituted based on your search string"},
    {"type": "DEBUG", "text": "base lispy: [ AND index::federated:audit failed quota incomplete ]"},
    {"type": "INFO"},
    HARMLESS_WARNING,
]
FAILURES = [
    {"type": "FATAL", "text": "Unknown search command 'serach'."},
    {"type": "ERROR", "text": "The search job has failed."},
    {"type": "error"},
    {"type": "SEVERE", "text": "a kind that nobody has heard of"},
]
PARTIAL = [
    "Unable to distribute to peer named idx1 at uri=https://idx1:8089 because peer has status=Down.",
    "Search results might be incomplete: the search process on the peer:idx1 ended prematurely.",
    "Timed out waiting for peer idx1. Search results might be incomplete!",
    "Unknown error for peer idx1. If this occurs frequently, please check on the peer.",
    "Search peer idx1 is quarantined",
    "Search auto-finalized after time limit (30 seconds) reached.",
    "Search auto-finalized after disk usage limit (100MB) reached.",
    "The search was auto-finalized",
    "Search finalized.",
    "The search was canceled.",
    "The disk quota of the role has been exceeded",
    "The maximum number of concurrent historical searches for this user has been reached",
    "The minimum free disk space (5000MB) reached for dispatch",
    "Federated provider 'stage' was ignored because it cannot be reached",
    "Ignoring remote provider stage",
    "The federated search head is unavailable",
    "Results are truncated to 50000 rows",
    "Skipped 3 buckets",
    "The index 'audit' does not exist",
    "Failed to read 5 events from rawdata in bucket audit~1",
    "Connection to idx1 was reset",
    "Some events may be missing",
    "Request TIMEOUT",
]


def read(*lines: bytes) -> list[bytes]:
    return list(read_results([b"\n".join(lines) + b"\n"]))


def broken_clause(*lines: bytes) -> str:
    with pytest.raises(IncompleteAnswer) as caught:
        read(*lines)
    assert isinstance(caught.value, RetryableError)
    return caught.value.clause


def dump(line: Any) -> bytes:  # noqa: ANN401 - any JSON
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()


def row(offset: int, *, last: bool = False, **more: object) -> bytes:
    if last:
        more["lastrow"] = True
    return dump({"preview": False, "offset": offset, "result": {"n": str(offset)}} | more)


def messages(*which: dict[str, str]) -> bytes:
    return dump({"messages": which})


# What is complete


def test_rows_come_as_they_are() -> None:
    first = '{ "offset": 0, "preview": false, "result": { "é": ["a", "b\\u00e9"] }, "new": [1e9] }'.encode()
    assert read(first, row(1, last=True)) == [first, row(1, last=True)]


def test_an_empty_result_comes_as_its_line() -> None:
    assert read(b"", EMPTY, b"") == [EMPTY]


def test_line_ends_of_either_kind_and_none_at_all() -> None:
    assert list(read_results([row(0) + b"\r\n\r\n", row(1, last=True)])) == [row(0), row(1, last=True)]


def test_previews_belong_to_no_result() -> None:
    preview = dump({"preview": True, "offset": 0, "lastrow": True, "result": {"n": "early"}})
    empty_preview = dump({"preview": True, "lastrow": True})
    assert read(preview, row(0), empty_preview, preview, row(1, last=True), preview) == [row(0), row(1, last=True)]
    assert broken_clause(preview) == Clause.NO_LAST_ROW


def test_harmless_messages_are_passed_over_and_warnings_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        lines = read(messages(*HARMLESS), row(0, last=True, messages=HARMLESS), messages(), messages(*HARMLESS))
    assert lines == [row(0, last=True, messages=HARMLESS)]
    assert caplog.messages == [
        "Splunk gave 3 warnings that tell of no missing results: see the search's job",
    ]


def test_a_line_of_some_megabytes() -> None:
    line = row(0, last=True, result={"n": "x" * 3_000_000})
    stream = line + b"\n"
    assert list(read_results(stream[at : at + 65_536] for at in range(0, len(stream), 65_536))) == [line]


def test_a_row_is_passed_on_before_the_next_chunk_is_asked_for() -> None:
    def chunks() -> Any:  # noqa: ANN401 - a generator
        yield row(0) + b"\n"
        raise AssertionError

    assert next(read_results(chunks())) == row(0)


# What is not, clause by clause


@pytest.mark.parametrize("failure", FAILURES)
def test_an_error(failure: dict[str, str]) -> None:
    assert broken_clause(messages(failure), row(0, last=True)) == Clause.ERROR_MESSAGE
    assert broken_clause(row(0, last=True), messages(*HARMLESS, failure, *HARMLESS)) == Clause.ERROR_MESSAGE
    assert broken_clause(row(0, last=True, messages=[failure])) == Clause.ERROR_MESSAGE
    assert broken_clause(dump({"preview": True, "messages": [failure]}), EMPTY) == Clause.ERROR_MESSAGE


@pytest.mark.parametrize("text", PARTIAL)
@pytest.mark.parametrize("kind", ["WARN", "INFO", "warn", "WARNING"])
def test_a_message_that_tells_of_partial_results(kind: str, text: str) -> None:
    message = {"type": kind, "text": text}
    assert broken_clause(messages(*HARMLESS, message, *HARMLESS), EMPTY) == Clause.PARTIAL_RESULTS
    assert broken_clause(EMPTY, messages(message)) == Clause.PARTIAL_RESULTS


@pytest.mark.parametrize(
    "line",
    [
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'{"preview":false}',
        b'{"preview":false,"offset":0,"lastrow":true}',
        b'{"preview":false,"offset":0,"lastrow":true,"result":null}',
        b'{"preview":false,"offset":0,"lastrow":true,"result":[]}',
        b'{"preview":false,"offset":0,"lastrow":true,"result":"{}"}',
        b'{"preview":false,"offset":"0","lastrow":true,"result":{}}',
        b'{"preview":false,"offset":0,"lastrow":"true","result":{}}',
        b'{"preview":"false","offset":0,"lastrow":true,"result":{}}',
        b'{"preview":false,"offset":0,"lastrow":true,"result":{}',
        b'{"preview":false,"offset":0,"lastrow":true,"result":{"a":}}',
        b'{"preview":false,"offset":0,"lastrow":true,"result":{"a":"\x01"}}',
        b'{"preview":false,"offset":0,"lastrow":true,"result":{"a":"\xff"}}',
        b'{"preview":false,"offset":0,"lastrow":true,"result":{"a":' + b"[" * 99_999 + b"]" * 99_999 + b"}}",
        b'{"preview":false,"lastrow":true,"\xff":0}',
        b'{"messages":"ERROR"}',
        b'{"messages":[{"text":"no type"}]}',
        b'{"messages":[{"type":"WARN","text":"\xff"}]}',
        b'{"preview":false,"lastrow":true}{"preview":false,"lastrow":true}',
    ],
)
def test_a_line_of_no_known_shape(line: bytes) -> None:
    assert broken_clause(line, EMPTY) == Clause.NOT_JSON


def test_a_line_without_end() -> None:
    endless = iter(lambda: b"x" * 2**20, b"")
    with pytest.raises(IncompleteAnswer) as caught:
        list(read_results(endless))
    assert caught.value.clause == Clause.NOT_JSON


@pytest.mark.parametrize("offsets", [[1], [0, 0], [0, 2], [1, 0], [0, 1, 1], [-1]])
def test_offsets_other_than_in_order(offsets: Sequence[int]) -> None:
    lines = [row(offset) for offset in offsets]
    assert broken_clause(*lines, row(len(lines), last=True)) == Clause.OFFSET_GAP


def test_a_row_without_an_offset() -> None:
    assert broken_clause(dump({"preview": False, "lastrow": True, "result": {}})) == Clause.OFFSET_GAP


@pytest.mark.parametrize(
    "lines", [[], [b""], [messages(*HARMLESS)], [row(0)], [row(0), row(1), messages()], [row(0), EMPTY]]
)
def test_no_last_row(lines: list[bytes]) -> None:
    assert broken_clause(*lines) == Clause.NO_LAST_ROW


@pytest.mark.parametrize("more", [row(1), row(0, last=True), EMPTY])
def test_more_after_the_end(more: bytes) -> None:
    assert broken_clause(row(0, last=True), more) == Clause.ROWS_AFTER_LAST
    assert broken_clause(EMPTY, messages(), more) == Clause.ROWS_AFTER_LAST


def test_a_row_without_an_offset_names_the_setting() -> None:
    with pytest.raises(IncompleteAnswer) as caught:
        read(dump({"preview": False, "lastrow": True, "result": {}}))
    assert str(caught.value) == (
        "incomplete answer (offset_gap): row 0 was due, one without an offset came in line 1: "
        "set add_offset=true in [export] of Splunk's limits.conf"
    )


def test_an_error_tells_nothing_of_the_data() -> None:
    private = "alice@example.com"
    for line in (
        private.encode(),
        row(7, result={"userId": private}),
    ):
        with pytest.raises(IncompleteAnswer) as caught:
            read(line)
        assert private not in f"{caught.value} {caught.value.__context__}"


# Whatever the stream

TEXTS = st.text(st.characters(codec="utf-8"))
RESULTS = st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS), max_size=3)
PREVIEWS = st.builds(
    lambda offset, last, result: dump({"preview": True, "offset": offset, "lastrow": last, "result": result}),
    st.integers(0, 9),
    st.booleans(),
    RESULTS,
)
MESSAGES = st.lists(st.sampled_from(HARMLESS), max_size=3)
NOISE = st.lists(
    st.sampled_from([b"", b" ", b"\t\r"]) | PREVIEWS | MESSAGES.map(lambda some: messages(*some)), max_size=2
)


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    """All lines of a complete answer, and those of its result."""
    results = draw(st.lists(RESULTS, max_size=4))
    final = [
        dump(
            {"preview": False, "offset": offset}
            | ({"lastrow": True} if offset == len(results) - 1 else draw(st.sampled_from([{}, {"lastrow": False}])))
            | ({"messages": draw(MESSAGES)} if draw(st.booleans()) else {})
            | {"result": result}
        )
        for offset, result in enumerate(results)
    ] or [EMPTY]
    lines = draw(NOISE)
    for line in final:
        lines += [line, *draw(NOISE)]
    return lines, final


@st.composite
def chunked(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@given(answers(), st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.data())
def test_a_complete_answer_gives_its_rows_however_it_is_cut_into_chunks(
    answer: tuple[list[bytes], list[bytes]], end: bytes, ended: bool, data: st.DataObject
) -> None:
    lines, final = answer
    stream = end.join(lines) + end * ended
    assert list(read_results(data.draw(chunked(stream)))) == final
    assert list(read_results(stream[at : at + 1] for at in range(len(stream)))) == final


@given(answers())
def test_an_answer_that_is_cut_is_complete_only_if_the_last_row_is_there_and_no_line_after_it_is_torn(
    answer: tuple[list[bytes], list[bytes]],
) -> None:
    # After the last row there are but messages, previews and blank lines: that whole ones of these are missing, only
    # HTTP can tell. A line is whole with its last brace, whether its end is there or not.
    lines, final = answer
    stream = b"\n".join(lines) + b"\n"
    last = max(at for at, line in enumerate(lines) if line == final[-1])
    whole = set()
    for count in range(last, len(lines)):
        end = len(b"\n".join(lines[: count + 1]))
        whole |= {end, end + 1}
        if not lines[count].strip():
            whole |= set(range(end - len(lines[count]), end))
    for cut in range(len(stream)):
        if cut in whole:
            assert list(read_results([stream[:cut]])) == final
        else:
            with pytest.raises(IncompleteAnswer):
                list(read_results([stream[:cut]]))


BAD_MESSAGES = st.sampled_from([*FAILURES, *({"type": "WARN", "text": text} for text in PARTIAL)])


@given(answers(), BAD_MESSAGES, st.data())
def test_an_answer_with_a_bad_message_anywhere_is_not_complete(
    answer: tuple[list[bytes], list[bytes]], bad: dict[str, str], data: st.DataObject
) -> None:
    lines, _ = answer
    some = data.draw(MESSAGES)
    some.insert(data.draw(st.integers(0, len(some))), bad)
    at = data.draw(st.integers(0, len(lines)))
    beside = [at for at, line in enumerate(lines) if line.strip()]
    if data.draw(st.booleans()):
        lines.insert(at, messages(*some))
    else:
        at = data.draw(st.sampled_from(beside))
        lines[at] = dump(json.loads(lines[at]) | {"messages": some})
    assert broken_clause(*lines) in {Clause.ERROR_MESSAGE, Clause.PARTIAL_RESULTS}


@given(st.permutations(range(4)), st.lists(st.integers(0, 4), max_size=6))
def test_rows_that_are_missing_doubled_or_in_disorder_are_noticed(shuffled: list[int], chosen: list[int]) -> None:
    for offsets in (shuffled, chosen):
        # The last row may be any: what counts is that exactly 0..n-1 come, and in order.
        lines = [row(offset) for offset in offsets[:-1]] + [row(offset, last=True) for offset in offsets[-1:]]
        if offsets and offsets == list(range(len(offsets))):
            assert read(*lines) == lines
        else:
            assert broken_clause(*lines) == (Clause.OFFSET_GAP if offsets else Clause.NO_LAST_ROW)


def is_no_line(some: bytes) -> bool:
    """Tell whether this is neither blank nor an object, which may be what Splunk writes."""
    try:
        return bool(some.strip()) and not isinstance(json.loads(some), dict)
    except ValueError:
        return True


@given(answers(), st.data())
def test_garbage_is_an_incomplete_answer_and_nothing_else(
    answer: tuple[list[bytes], list[bytes]], data: st.DataObject
) -> None:
    lines, _ = answer
    at = data.draw(st.integers(0, len(lines)))
    garbage = data.draw(st.binary(min_size=1).filter(is_no_line))
    assert broken_clause(*lines[:at], garbage, *lines[at:]) == Clause.NOT_JSON


@given(answers(), st.data())
def test_a_changed_byte_never_raises_anything_else(
    answer: tuple[list[bytes], list[bytes]], data: st.DataObject
) -> None:
    lines, _ = answer
    stream = bytearray(b"\n".join(lines))
    stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    try:
        list(read_results([bytes(stream)]))
    except IncompleteAnswer as error:
        assert error.clause in set(Clause)  # noqa: PT017 - a change may also be of no importance


@given(st.lists(st.binary()))
def test_random_bytes_never_raise_anything_else(chunks: list[bytes]) -> None:
    # Hypothesis finds words in our sources, and has once made a whole answer of them.
    assume(b"lastrow" not in b"".join(chunks))
    with pytest.raises(IncompleteAnswer):
        list(read_results(chunks))
