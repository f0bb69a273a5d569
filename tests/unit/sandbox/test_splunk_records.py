from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.splunk import AuditLog, AuditLogError
from sandbox.splunk.commands import compile_search
from sandbox.splunk.json_path import extract, flatten

if TYPE_CHECKING:
    from pathlib import Path

STAMP = "2024-05-01T12:00:00.000000Z"
MICROSECONDS = 1714564800_000_000


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def at(stamp: str, name: str) -> str:
    return json.dumps({"auditID": name, "requestReceivedTimestamp": stamp})


def test_newest_first_and_those_of_one_instant_in_the_order_of_the_files(tmp_path: Path) -> None:
    one = write(tmp_path / "1", at(STAMP, "a"), "", at("2024-05-01T12:00:00.000001Z", "b"), "  ", at(STAMP, "c"))
    two = write(tmp_path / "2", at("2024-05-01T14:00:00+02:00", "d"), at("2024-05-01T11:59:59Z", "e"))
    log = AuditLog.from_files([one, two])
    assert [row.get("auditID") for row in log.rows("i", None, None)] == ["b", "a", "c", "d", "e"]
    window = log.rows("i", Decimal(MICROSECONDS), Decimal(MICROSECONDS + 1))
    assert [row.get("auditID") for row in window] == ["a", "c", "d"]


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[1]",
        '{"auditID":"a"}',
        '{"requestReceivedTimestamp":null}',
        '{"requestReceivedTimestamp":"yesterday"}',
        '{"requestReceivedTimestamp":"2024-05-01T12:00:00"}',
        f'{{"requestReceivedTimestamp":"{STAMP}","x":{{"y":tru}}}}',
        f'{{"requestReceivedTimestamp":"{STAMP}","x":"\\ud800"}}',
        f'{{"requestReceivedTimestamp":"{STAMP}"}} trailing',
        f'{{"requestReceivedTimestamp":"{STAMP}","x":{"[" * 100_000}{"]" * 100_000}}}',
    ],
    ids=range(10),
)
def test_a_line_that_is_no_audit_event_is_named(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "audit.log", at(STAMP, "a"), line)
    with pytest.raises(AuditLogError) as caught:
        AuditLog.from_files([path])
    assert str(caught.value) == (
        f"{path}, line 2, is no audit event: "
        "it is no JSON object with a requestReceivedTimestamp and an offset from UTC"
    )


def test_a_result_without_a_fields_command_has_every_field(tmp_path: Path) -> None:
    line = json.dumps(
        {
            "requestReceivedTimestamp": "2024-05-01T12:00:00.120000Z",
            "user": {"username": "ü", "groups": ["a", "b"]},
            "responseStatus": {"code": 200},
            "list": [{"k": 1}, {"k": True}, {"other": 1.50}],
            "empty": {"object": {}, "list": []},
        }
    )
    (result,) = compile_search("search index=federated:any").run(AuditLog.from_files([write(tmp_path / "l", line)]))
    assert result == {
        "_raw": line,
        "_time": "1714564800.12",
        "index": "federated:any",
        "list{}.k": ["1", "true"],
        "list{}.other": "1.5",
        "log_type": "audit",
        "requestReceivedTimestamp": "2024-05-01T12:00:00.120000Z",
        "responseStatus.code": "200",
        "user.groups{}": ["a", "b"],
        "user.username": "ü",
    }


def test_a_log_type_of_its_own_holds(tmp_path: Path) -> None:
    path = write(tmp_path / "l", json.dumps({"requestReceivedTimestamp": STAMP, "log_type": "other"}))
    assert [row.get("log_type") for row in AuditLog.from_files([path]).rows("i", None, None)] == ["other"]


def test_large_members_are_read_like_small_ones(tmp_path: Path) -> None:
    large = {"metadata": {"labels": {"a.b/c": "x" * 4_000}}}
    line = json.dumps({"requestReceivedTimestamp": STAMP, "responseObject": large})
    log = AuditLog.from_files([write(tmp_path / "l", line)])
    search = "search responseObject.metadata.labels.a.b/c=xx* | fields responseObject* | fields - _*"
    assert list(compile_search(search).run(log)) == [{"responseObject.metadata.labels.a.b/c": "x" * 4_000}]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("a.b", ["1"]),
        ("a", []),
        ("a.b.c", []),
        ("labels.x.y/z.w", ["label"]),
        ("dotted.key", ["both", "ways"]),
        ("list{}", ["1", "two", "true", "null"]),
        ("list", []),
        ("list{}x", []),
        ("objects{}.k", ["1", "3"]),
        ("objects{}", []),
        ("nested{}{}", ["1", "2", "3"]),
        ("odd{}.key", ["braces"]),
        ("null", ["null"]),
        ("big", ["123456789012345678901234567890"]),
        ("missing", []),
        ("A.b", []),
    ],
)
def test_fields_by_path(path: str, values: list[str]) -> None:
    record: dict[str, Any] = {
        "a": {"b": 1},
        "labels": {"x.y/z.w": "label"},
        "dotted": {"key": "both"},
        "dotted.key": "ways",
        "list": [1, "two", True, None, {"k": 1}],
        "objects": [{"k": 1}, {"other": 2}, {"k": 3}],
        "nested": [[1, 2], [3]],
        "odd{}": {"key": "braces"},
        "null": None,
        "big": 123456789012345678901234567890,
    }
    assert sorted(extract(record, path)) == sorted(values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.{}/", min_size=1, max_size=4), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text("ab.{}/", min_size=1, max_size=4), JSON))
def test_every_field_of_a_record_is_found_by_its_path(record: dict[str, Any]) -> None:
    for path, values in flatten(record).items():
        found = extract(record, path)
        assert set(values) <= set(found)
