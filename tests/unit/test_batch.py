from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_bridge.batch import MAX_BODY, MAX_EVENTS, Batch, pack
from segment_bridge.errors import FatalError
from segment_bridge.events import MAX_EVENT, from_body

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVELOPE = len(b'{"batch":[]}')

text = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
events = st.lists(
    st.dictionaries(text, values, max_size=3).map(
        lambda event: json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    ),
    max_size=30,
)


def event_of(size: int) -> bytes:
    return b'{"a":"%s"}' % (b"x" * (size - len(b'{"a":""}')))


@given(events, st.integers(0, 200), st.integers(1, 10))
def test_no_limit_is_broken_and_nothing_is_lost_moved_or_changed(
    given_events: list[bytes], spare: int, max_events: int
) -> None:
    max_body = ENVELOPE + max(map(len, given_events), default=0) + spare

    batches = list(pack(iter(given_events), max_body=max_body, max_events=max_events))

    for batch in batches:
        assert len(batch.body) <= max_body
        assert 1 <= batch.events <= max_events
        assert json.loads(batch.body) == {"batch": [json.loads(event) for event in from_body(batch.body)]}
        assert batch.events == len(from_body(batch.body))
    assert [event for batch in batches for event in from_body(batch.body)] == given_events
    for batch, following in pairwise(batches):
        first = from_body(following.body)[0]
        assert batch.events == max_events or len(batch.body) + len(b",") + len(first) > max_body


@given(events.filter(bool))
def test_a_body_is_exactly_its_events_in_the_envelope(given_events: list[bytes]) -> None:
    assert list(pack(given_events)) == [Batch(b'{"batch":[' + b",".join(given_events) + b"]}", len(given_events))]


def test_no_events_make_no_batch() -> None:
    assert list(pack([])) == []


def test_a_body_may_be_as_large_as_the_limit_and_not_a_byte_larger() -> None:
    # With its comma, each event but the first takes 1,000 bytes.
    fitting = [event_of(1_000 - ENVELOPE)] + [event_of(999)] * 474
    one_byte_more = [event_of(1_001 - ENVELOPE)] + [event_of(999)] * 474

    assert [(len(batch.body), batch.events) for batch in pack(fitting)] == [(MAX_BODY, 475)]
    assert [(len(batch.body), batch.events) for batch in pack(one_byte_more)] == [
        (MAX_BODY + 1 - 1_000, 474),
        (ENVELOPE + 999, 1),
    ]


def test_a_batch_holds_as_many_events_as_the_limit_and_not_one_more() -> None:
    assert [batch.events for batch in pack([b"{}"] * (2 * MAX_EVENTS + 1))] == [MAX_EVENTS, MAX_EVENTS, 1]


def test_an_event_may_be_as_large_as_the_limit() -> None:
    largest = event_of(MAX_EVENT)

    assert list(pack([largest])) == [Batch(b'{"batch":[' + largest + b"]}", 1)]


def test_an_event_that_fits_no_batch_is_the_callers_mistake_and_not_shown() -> None:
    with pytest.raises(ValueError, match=r"^an event of 32001 bytes is beyond the limit of 32000: reject it before$"):
        list(pack([event_of(MAX_EVENT + 1)]))
    with pytest.raises(ValueError, match=r"^an event of 89 bytes is beyond the limit of 88: reject it before$"):
        list(pack([event_of(89)], max_body=100))
    with pytest.raises(ValueError, match=r"^a batch of at most 0 events holds none: allow at least one$"):
        list(pack([b"{}"], max_events=0))


def test_a_batch_is_out_before_more_is_read_than_the_event_that_did_not_fit() -> None:
    read = []

    def source() -> Iterator[bytes]:
        for number in range(5):
            read.append(number)
            yield b"{}"

    assert next(pack(source(), max_events=2)) == Batch(b'{"batch":[{},{}]}', 2)
    assert read == [0, 1, 2]


def test_the_limits_are_those_that_segment_keeps() -> None:
    assert (MAX_BODY, MAX_EVENTS, MAX_EVENT) == (475_000, 2_500, 32_000)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"batch":{}}', b'{"batch":[{}', b'{"batch":[{}]}}'])
def test_what_is_no_body_is_not_unpacked(body: bytes) -> None:
    with pytest.raises(FatalError, match=rf"^a body of {len(body)} bytes is no batch: make it again from the events$"):
        from_body(body)
