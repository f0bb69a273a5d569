"""An answer to several journeys' search, shared out among them."""

from __future__ import annotations

import pytest

from segment_bridge.errors import FatalError
from segment_bridge.splunk.shares import share_out

EMPTY = b'{"preview":false,"lastrow":true}'
NOBODYS = "of the answer is of no journey of its search: use search_mode per_journey"


def row(offset: int, result: bytes, last: bytes = b"") -> bytes:
    return b'{"preview":false,"offset":%d%s,"result":%s}' % (offset, last, result)


LAST = b',"lastrow":true'


def shares(*lines: bytes, names: tuple[str, ...] = ("one", "other", "third")) -> dict[str, list[bytes]]:
    shared: dict[str, list[bytes]] = {name: [] for name in names}
    for name, line in share_out(lines, names, "journey"):
        shared[name].append(line)
    return shared


def test_each_journey_gets_an_answer_of_its_own_in_the_order_of_the_rows() -> None:
    assert shares(
        row(0, b'{"a":"1","journey":"other","z":["2"]}'),
        row(1, b'{"journey":"one","a":"3"}'),
        row(2, b'{"a":"4","journey":"other"}', LAST),
    ) == {
        "one": [row(0, b'{"a":"3"}', LAST)],
        "other": [row(0, b'{"a":"1","z":["2"]}'), row(1, b'{"a":"4"}', LAST)],
        "third": [EMPTY],
    }


def test_values_stay_as_they_are_written() -> None:
    values = rb'"\u00e9\/", "b" :[ "1",null], "c":1.50e+1, "d":{"a": "\ud83d\ude00" }'
    assert shares(row(0, rb'{"journey":"one","a":%s}' % values, LAST))["one"] == [
        row(0, rb'{"a":"\u00e9\/","b":[ "1",null],"c":1.50e+1,"d":{"a": "\ud83d\ude00" }}', LAST)
    ]


def test_several_answers_in_a_row_become_one_for_each_journey() -> None:
    parts = [
        *(row(0, b'{"a":"1","journey":"one"}'), row(1, b'{"a":"2","journey":"other"}', LAST)),
        EMPTY,
        row(0, b'{"a":"3","journey":"one"}', LAST),
    ]
    assert shares(*parts) == {
        "one": [row(0, b'{"a":"1"}'), row(1, b'{"a":"3"}', LAST)],
        "other": [row(0, b'{"a":"2"}', LAST)],
        "third": [EMPTY],
    }
    assert shares(*parts, names=("one",)) == {"one": parts}


def test_an_empty_answer_is_one_for_each() -> None:
    assert shares(EMPTY) == {"one": [EMPTY], "other": [EMPTY], "third": [EMPTY]}


def test_the_answer_to_a_journeys_own_search_stays_as_it_came() -> None:
    lines = [b'{"offset": 0, "result": {"journey": "x"}}', b'{"messages":[]}', b"not even JSON"]
    assert shares(*lines, names=("one",)) == {"one": lines}


@pytest.mark.parametrize(
    "result",
    [
        b'{"a":"a secret"}',
        b'{"journey":"none","a":"a secret"}',
        b'{"journey":"One"}',
        b'{"journey":["one","other"]}',
        b'{"journey":null}',
        b"{}",
    ],
)
def test_a_row_that_is_nobodys_is_not_passed_over(result: bytes) -> None:
    with pytest.raises(FatalError) as caught:
        shares(row(0, b'{"journey":"one"}'), row(1, result, LAST))
    assert str(caught.value) == f"line 2 {NOBODYS}"
