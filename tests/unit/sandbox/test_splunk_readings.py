"""How the stand-in behaves where a Splunk's configuration decides, or its documents leave it open."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.splunk import DOCUMENTED, AuditLog, Readings
from sandbox.splunk.commands import compile_search
from sandbox.splunk.cutoff import seen
from sandbox.splunk.json_path import flatten
from sandbox.splunk.records import Record

RECORD: dict[str, Any] = {
    "requestReceivedTimestamp": "2024-05-01T12:00:00Z",
    "nothing": None,
    "version": "1.10",
    "list": ["", "a"],
    "object": {"k": 1},
    "nested": [{"k": "x"}, {}],
}


def evaluated(expression: str, *settings: str, record: dict[str, Any] = RECORD) -> Any:  # noqa: ANN401 - any value
    log = AuditLog((Record.parse(json.dumps(record).encode()),))
    search = compile_search(
        f"search * | eval made={expression} | fields made | fields - _*", readings=DOCUMENTED.having(*settings)
    )
    (result,) = search.run(log)
    return result.get("made")


@pytest.mark.parametrize(
    ("expression", "setting", "documented", "otherwise"),
    [
        ("nothing", "null_as_text=false", "null", None),
        ('json_extract(_raw, "nothing")', "functions_give_null_as_text=false", "null", None),
        ("'list{}'", "keep_empty_texts=false", ["", "a"], "a"),
        ('json_array_to_mv(json_extract(_raw, "list"))', "keep_empty_texts=false", ["", "a"], "a"),
        ("version", "extract_twice=true", "1.10", ["1.10", "1.10"]),
        ('json_object("v", version)', "numbers_from_texts=true", '{"v":"1.10"}', '{"v":1.1}'),
        (
            'json_object("o", json_extract(_raw, "object"))',
            "nest_json=false",
            '{"o":{"k": 1}}',
            '{"o":"{\\"k\\": 1}"}',
        ),
    ],
)
def test_each_reading(expression: str, setting: str, documented: object, otherwise: object) -> None:
    assert evaluated(expression) == documented
    assert evaluated(expression, setting) == otherwise


def test_json_functions_inside_mvfilter_can_be_refused() -> None:
    search = 'search * | eval n=json_array_to_mv(json_extract(_raw, "nested")) | eval m=mvfilter(len(n)>2)'
    filtered = 'search * | eval m=mvfilter(json_extract_exact(n, "k")=="x")'
    compile_search(search, readings=Readings(json_in_mvfilter=False))
    compile_search(filtered)
    with pytest.raises(Exception, match="mvfilter"):
        compile_search(filtered, readings=Readings(json_in_mvfilter=False))


class TestCutoff:
    LARGE: dict[str, Any] = RECORD | {"big": {"a": "x" * 4_000, "b": {"c": "y" * 2_000}}, "verb": "create"}

    def test_what_lies_behind_it_is_not_extracted(self) -> None:
        assert evaluated("version", record=self.LARGE) == "1.10"
        assert evaluated("len('big.a')", record=self.LARGE) == 4_000
        assert evaluated("'big.b.c'", record=self.LARGE) is None
        assert evaluated("verb", record=self.LARGE) is None
        assert evaluated("verb", "extraction_cutoff=0", record=self.LARGE) == "create"

    def test_explicit_paths_see_it(self) -> None:
        assert evaluated('json_extract(_raw, "verb")', record=self.LARGE) == "create"
        assert evaluated('json_extract(_raw, "verb")', "cut_explicit_paths=true", record=self.LARGE) is None

    JSON = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        max_leaves=12,
    )

    @given(st.dictionaries(st.text(max_size=4), JSON, max_size=5), st.integers(2, 200), st.booleans())
    def test_what_is_seen_is_a_beginning_of_the_record(self, record: dict[str, Any], cutoff: int, ascii_: bool) -> None:
        line = json.dumps(record, ensure_ascii=ascii_).encode()
        part, whole = flatten(seen(line, cutoff)), flatten(record)
        assert {path: values == whole[path][: len(values)] for path, values in part.items()} == dict.fromkeys(
            part, True
        )
        if cutoff >= len(line):
            assert part == whole


@pytest.mark.parametrize("setting", ["", "extraction_cutoff", "extraction_cutoff=-1", "nest_json=1", "other=true"])
def test_what_is_no_reading(setting: str) -> None:
    with pytest.raises(ValueError, match="is no reading: write NAME=true"):
        DOCUMENTED.having(setting)
