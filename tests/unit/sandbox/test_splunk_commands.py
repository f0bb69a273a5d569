from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.splunk import DOCUMENTED, AuditLog, SplError
from sandbox.splunk.commands import compile_search
from sandbox.splunk.records import Record

if TYPE_CHECKING:
    from sandbox.splunk.values import Value

STATUS = '{"pac": {"state": "enabled", "merge-url": "u1", "list": [1, {"k": "v"}], "none": null, "n": 1.50}}'
RECORDS: list[dict[str, Any]] = [
    {"id": "a", "url": "u1", "n": 9, "status": STATUS},
    {"id": "b", "url": "u2", "n": 10, "status": "enabled"},
    {"id": "c", "url": "u1", "n": 10, "old": "kept"},
    {"id": "d", "n": "x", "m": {"p.q": "dotted"}},
    {"id": "e", "url": "u2", "tags": ["x", "y"]},
]
LOG = AuditLog(
    tuple(
        Record.parse(json.dumps({**record, "requestReceivedTimestamp": f"2024-05-01T12:00:0{number}Z"}).encode())
        for number, record in enumerate(RECORDS)
    )
)


def results(commands: str) -> list[dict[str, Value]]:
    return list(compile_search(f"search log_type=audit {commands}").run(LOG))


def ids(commands: str) -> list[Value]:
    return [result.get("id") for result in results(f"{commands} | fields id")]


def test_newest_first() -> None:
    assert ids("") == ["e", "d", "c", "b", "a"]


def test_eval_assigns_in_order_and_null_removes() -> None:
    made = """id=a | eval x=n+1, y=x*2, "quoted name"=y, 'o.t'="t", n=null()"""
    assert results(f"{made} | fields x y n o.t quo* | fields - _*") == [
        {"x": 10, "y": 20, "quoted name": 20, "o.t": "t"}
    ]


@pytest.mark.parametrize(
    ("spath", "value"),
    [
        ("input=status path=pac.state output=x", "enabled"),
        ('output=x path="pac.merge-url" input="status"', "u1"),
        ("input=status output=x pac.state", "enabled"),
        ("input = status output = x path = pac.state", "enabled"),
        ("input=status path=pac output=x", STATUS[len('{"pac": ') : -1]),
        ("input=status path=pac.list output=x", '[1, {"k": "v"}]'),
        ("input=status path=pac.list{} output=x", ["1", '{"k": "v"}']),
        ("input=status path=pac.list{}.k output=x", "v"),
        ("input=status path=pac.n output=x", "1.50"),
        ("input=status path=pac.none output=x", None),
        ("input=status path=pac.missing output=x", None),
        ("input=missing path=pac.state output=x", None),
        ("input=id path=pac.state output=x", None),
        ("output=x url", "u1"),
    ],
)
def test_spath(spath: str, value: Value) -> None:
    assert [result.get("x") for result in results(f"id=a | spath {spath}")] == [value]


def test_spath_names_its_output_after_the_path_and_leaves_what_it_does_not_find() -> None:
    assert results("id=a | spath input=status pac.state | fields pac.state | fields - _*") == [{"pac.state": "enabled"}]
    assert results("id=c | spath input=_raw path=nothing output=old | fields old | fields - _*") == [{"old": "kept"}]


def test_spath_without_a_path_extracts_every_field_as_far_as_the_cutoff_lets_it_see() -> None:
    extracted = {"pac.state": "enabled", "pac.merge-url": "u1", "pac.list{}": "1", "pac.list{}.k": "v", "pac.n": "1.50"}
    status = 'id=a | eval more="kept" | spath input=status | fields more pac.* | fields - _*'
    assert results(status) == [{"more": "kept", "pac.none": "null", **extracted}]
    assert results("id=b | spath input=status | fields status pac.* | fields - _*") == [{"status": "enabled"}]
    assert results("id=c | spath input=status | fields id pac.* | fields - _*") == [{"id": "c"}]
    from_raw = 'search "a" u1 9 | eval s=json_extract(_raw, "status") | spath input=s | fields pac.* | fields - _*'
    search = compile_search(from_raw, readings=DOCUMENTED.having("extraction_cutoff=30"))
    assert list(search.run(LOG)) == [{"pac.state": "enabled"}]


def test_makeresults_makes_a_row_of_its_own() -> None:
    search = compile_search('| makeresults | eval a="x" | fields a | fields - _*')
    assert (search.index, list(search.run(LOG)), list(search.run(AuditLog(())))) == ("", [{"a": "x"}], [{"a": "x"}])


def test_fields_keeps_the_internal_ones_unless_they_are_dropped() -> None:
    (record,) = (record for record in LOG.records if b'"a"' in record.line)
    assert results("id=a | fields id, n") == [
        {"_raw": record.line.decode(), "_time": "1714564800", "id": "a", "n": "9"}
    ]
    assert results("id=a | fields + id url, missing | fields - _*") == [{"id": "a", "url": "u1"}]
    assert results('id=d | fields "m.p.q", id* | fields - _*, id') == [{"m.p.q": "dotted"}]
    assert results("id=d | fields - _* requestReceivedTimestamp, log_type index") == [
        {"id": "d", "n": "x", "m.p.q": "dotted"}
    ]


def test_what_fields_dropped_is_gone() -> None:
    assert results("id=a | fields id | where isnull(url) | fields - _*") == [{"id": "a"}]


def test_table_drops_the_internal_fields() -> None:
    assert results("id=a | table id u*") == [{"id": "a", "url": "u1"}]
    assert results("id=a | table id _time") == [{"id": "a", "_time": "1714564800"}]


@pytest.mark.parametrize(
    ("commands", "found"),
    [
        ("| dedup url", ["e", "c"]),
        ("| dedup url sortby +_time", ["a", "b"]),
        ("| dedup url sortby _time", ["a", "b"]),
        ("| dedup url sortby -_time", ["e", "c"]),
        ("| dedup 2 url sortby _time", ["a", "b", "c", "e"]),
        ("| dedup url, n", ["c", "b", "a"]),
        ("| dedup nothing", []),
        ("| dedup nothing keepempty=t", ["e", "d", "c", "b", "a"]),
        ("| dedup url keepempty=true", ["e", "d", "c"]),
        ("| dedup url keepempty = false", ["e", "c"]),
        ("| dedup 1 url keepempty=1 sortby +n -_time", ["a", "b", "d"]),
        ('| eval mine=case(url="u1", _time) | dedup url keepempty=t sortby +mine -_time', ["a", "e", "d"]),
        ("| dedup tags{}", ["e"]),
        ("| sort id", ["a", "b", "c", "d", "e"]),
        ("| sort n, -id", ["a", "c", "b", "d", "e"]),
        ("| sort -n", ["d", "c", "b", "a", "e"]),
        ("| sort 2 id", ["a", "b"]),
        ("| sort 0 -id", ["e", "d", "c", "b", "a"]),
        ("| head 2", ["e", "d"]),
        ("| head", ["e", "d", "c", "b", "a"]),
        ("| where n==10 | head 1", ["c"]),
    ],
)
def test_rows(commands: str, found: list[str]) -> None:
    assert ids(commands) == found


def test_rename() -> None:
    assert results('id=a | rename id AS name, url as "the url" | fields id name the* url | fields - _*') == [
        {"name": "a", "the url": "u1"}
    ]


def test_stats_count() -> None:
    assert results("| stats count") == [{"count": 5}]
    assert results("nothing=1 | stats count") == [{"count": 0}]
    assert results("| stats count by url") == [{"url": "u1", "count": 2}, {"url": "u2", "count": 2}]
    assert results("| stats count by tags{}") == [{"tags{}": "x", "count": 1}, {"tags{}": "y", "count": 1}]


@pytest.mark.parametrize(
    "commands",
    [
        "| eval",
        "| eval x",
        "| eval x==1",
        "| eval x=1 y=2",
        '| eval ""=1',
        "| spath output=x",
        "| spath input=status path=a path=b",
        "| spath input=status path=a b",
        "| spath input=status path=a{1}",
        "| spath input=status path=a option=b",
        "| fields",
        "| fields -",
        "| fields a=b",
        "| fields 'a'",
        '| fields ""',
        "| dedup",
        "| dedup 0 url",
        "| dedup url keepempty=maybe",
        "| dedup url sortby _time keepempty=true",
        "| dedup url consecutive=t",
        "| dedup url sortby",
        "| dedup u*",
        "| sort",
        "| sort url desc",
        "| sort num(n)",
        "| head x",
        "| head limit=3",
        "| head (n=1)",
        "| rename id",
        "| rename i* AS j*",
        "| mvexpand tags{}",
        "| makeresults",
        "| makeresults count=2",
        "| stats count AS n",
        "| stats count(id)",
        "| stats sum(n)",
        "| stats count by",
        "| search",
        "| timechart count",
        "| fields id; head",
        "| unknown",
    ],
)
def test_what_is_wrong_or_not_implemented_is_refused(commands: str) -> None:
    with pytest.raises(SplError):
        compile_search(f"search log_type=audit {commands}")
