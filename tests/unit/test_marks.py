"""Texts go through ``json_object`` as they stand, whatever it takes them for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sandbox.splunk import DOCUMENTED, AuditLog, Readings
from sandbox.splunk.commands import compile_search
from sandbox.splunk.records import Record
from segment_bridge import spl
from segment_bridge.events import unmarked

if TYPE_CHECKING:
    from sandbox.splunk.values import Value

READINGS = (DOCUMENTED, DOCUMENTED.having("numbers_from_texts=true"), DOCUMENTED.having("nest_json=false"))
NUMBERS = READINGS[1]
#: Texts made of what numbers, JSON and the mark are made of.
ODD = st.text(st.sampled_from([*"0189eE.,+-xX _'\"[]{}:,\\nul\t\n\r\f\v", "\xa0", "\u0661"]), max_size=8)
SLOW = settings(deadline=None, max_examples=200)
VALUE = spl.json_path(spl.field("_raw"), "requestObject")


def evaluated(expression: spl.Expression, value: object, readings: Readings = DOCUMENTED) -> Value:
    """Return what an expression makes of a record whose ``requestObject`` is this value."""
    line = json.dumps({"requestReceivedTimestamp": "2024-05-01T12:00:00Z", "requestObject": value}).encode()
    made = spl.Pipeline(spl.index("main")).eval(out=expression).fields("out")
    (row,) = compile_search(str(made), readings=readings).run(AuditLog((Record.parse(line),)))
    return row.get("out")


@given(ODD | st.text() | st.floats().map(str) | st.integers().map(str), st.sampled_from(READINGS))
@example("1.10", NUMBERS)
@example("-.5", NUMBERS)
@example("\xa05", NUMBERS)
@example(" 1e10\n", NUMBERS)
@example("'7", DOCUMENTED)
@example('{"a":1}', DOCUMENTED)
@SLOW
def test_a_text_comes_back(text: str, readings: Readings) -> None:
    made = evaluated(spl.json_object(a=spl.marked(VALUE), b=spl.text("'")), text, readings)
    assert json.loads(unmarked(str(made).encode())) == {"a": text, "b": "'"}


@given(ODD | st.text(), st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:  ")]), st.booleans())
@SLOW
def test_it_does_however_the_object_is_written(text: str, separators: tuple[str, str], ascii_: bool) -> None:
    marked = evaluated(spl.marked(VALUE), text)
    for value, plain in (
        ({"a": marked, "b": marked}, {"a": text, "b": text}),
        ({"a": {"b": marked}, "c": 1}, {"a": {"b": text}, "c": 1}),
    ):
        written = json.dumps(value, separators=separators, ensure_ascii=ascii_)
        assert json.loads(unmarked(written.encode())) == plain


@pytest.mark.parametrize("value", [{"k": 1}, [1, "2"], []])
@pytest.mark.parametrize("readings", READINGS)
def test_an_object_or_a_list_becomes_its_text(value: object, readings: Readings) -> None:
    made = evaluated(spl.json_object(a=spl.marked(VALUE)), value, readings)
    assert json.loads(json.loads(unmarked(str(made).encode()))["a"]) == value


@pytest.mark.parametrize("text", ["", "main", "v1.10", "pac-1", "a'b", "- x", "1 of 2 tasks", "0123456789abcdef"])
def test_most_texts_are_not_marked(text: str) -> None:
    assert evaluated(spl.marked(VALUE), text) == text
