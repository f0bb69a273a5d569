from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.splunk import AuditLog, SplError
from sandbox.splunk.commands import compile_search

if TYPE_CHECKING:
    from pathlib import Path

RECORDS: dict[str, dict[str, Any]] = {
    "create": {"verb": "create", "code": 200, "user": {"name": "Ann Bee"}, "tags": ["red", "green"]},
    "update": {"verb": "update", "code": 404, "user": {"name": "bob"}, "tags": ["red"]},
    "none": {"code": 1000},
    "stars": {"verb": 'a\\b"c', "Verb": "UPPER", "labels": {"x.y/z": "v"}},
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> AuditLog:
    path: Path = tmp_path_factory.mktemp("search") / "audit.log"
    lines = [
        json.dumps({"id": name, "requestReceivedTimestamp": f"2024-05-01T12:00:0{9 - number}Z", **record})
        for number, (name, record) in enumerate(RECORDS.items())
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return AuditLog.from_files([path])


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ("verb=create", ["create"]),
        ('"verb"="CREATE"', ["create"]),
        ("verb = create", ["create"]),
        ("Verb=upper", ["stars"]),
        ("VERB=create", []),
        ('user.name="ann bee"', ["create"]),
        ('"user.name"=bob', ["update"]),
        ('"labels.x.y/z"=v', ["stars"]),
        (r'verb="a\\b\"c"', ["stars"]),
        # numbers
        ("code=200", ["create"]),
        ('code="200"', ["create"]),
        ("code>404", ["none"]),
        ("code>=404 code<=1000", ["update", "none"]),
        ("code<1e3", ["create", "update"]),
        ("verb<5", []),
        # wildcards, in quotes too
        ("verb=*ate", ["create", "update"]),
        ('user.name="a*b*"', ["create"]),
        ('verb="*"', ["create", "update", "stars"]),
        ("verb=c*x", []),
        # a negation holds where the field is missing, an inequality does not
        ("NOT verb=create", ["update", "none", "stars"]),
        ("verb!=create", ["update", "stars"]),
        ('NOT verb="*"', ["none"]),
        ("verb!=*", []),
        # multivalues: any value is enough
        ("tags{}=green", ["create"]),
        ("tags{}!=red", ["create"]),
        ("NOT tags{}=green", ["update", "none", "stars"]),
        # AND, OR, NOT, side by side; OR binds tighter than AND
        ("verb=create code=404", []),
        ("verb=create AND code=200", ["create"]),
        ("verb=create OR code=404", ["create", "update"]),
        ("code=200 OR code=404 verb=update", ["update"]),
        ("verb=update code=404 OR code=200", ["update"]),
        ("(verb=create code=200) OR code=1000", ["create", "none"]),
        ("NOT verb=create OR code=200", ["create", "update", "none", "stars"]),
        ("NOT (verb=create OR code=404)", ["none", "stars"]),
        ("NOT NOT verb=create", ["create"]),
        ("((verb=create))", ["create"]),
        ("NOT(verb=create)code=404", ["update"]),
        # IN
        ("verb IN (create, UPDATE)", ["create", "update"]),
        ('verb in ("create","x*")', ["create"]),
        ("NOT verb IN (create, update)", ["none", "stars"]),
        # the collector's field, and any index
        ('log_type="audit" index="federated:x"', ["create", "update", "none", "stars"]),
        ("index=a OR index=b", ["create", "update", "none", "stars"]),
        ("index=a*", ["create", "update", "none", "stars"]),
        ("index=* code=200", ["create"]),
        ("NOT index=a index=a", []),
        # phrases: words of the record's text, whatever their case, that end where words do
        ("create", ["create"]),
        ("CREATE", ["create"]),
        ("creat", []),
        ("reate", []),
        ('"create" code=404', []),
        ("create OR update", ["create", "update"]),
        ("NOT create NOT update", ["none", "stars"]),
        ("*", ["create", "update", "none", "stars"]),
        ('"2024-05"', ["create", "update", "none", "stars"]),
        ('"OR"', []),
        # as a later command
        ("verb=* | search code=404", ["update"]),
    ],
)
def test_search(log: AuditLog, terms: str, found: list[str]) -> None:
    assert [result["id"] for result in compile_search(f"search {terms}").run(log)] == found


def test_a_search_may_begin_with_a_pipe(log: AuditLog) -> None:
    assert [result["id"] for result in compile_search("| search verb=create").run(log)] == ["create"]


@pytest.mark.parametrize(
    ("terms", "index"),
    [("index=one", "one"), ("code=1 (index=two OR index=three)", "two"), ('index="h*"', "h"), ("code=1", "main")],
)
def test_the_index_is_the_one_asked_for(terms: str, index: str) -> None:
    assert compile_search(f"search {terms}").index == index


@pytest.mark.parametrize(
    "text",
    [
        "search ",
        "search verb=create OR",
        'search ""',
        "search OR",
        "search verb=create AND OR code=404",
        "search NOT",
        "search CASE(create)",
        'search "a*b"',
        "search verb=",
        "search =create",
        "search verb==create",
        "search (verb=create",
        "search verb=create)",
        'search verb="create',
        "search verb='create'",
        'search ""=x',
        r'search verb="a\*b"',
        "search ver*=create",
        "search code>abc",
        "search verb IN ()",
        "search earliest=-4h verb=create",
        "search latest=1 verb=create",
        "search verb=`macro`",
        "search [search verb=create]",
        "search TERM(verb=create)",
        "search verb=create ```comment```",
        "where verb=1",
        "| where verb=1",
        "| makeresults count=2",
        "makeresults",
        " search verb=create",
        "SEARCH verb=create",
        "search verb=create |",
        "search verb=create || head",
        "search verb=create | stats dc(verb)",
        "search verb=create | lookup uids username",
    ],
)
def test_what_is_wrong_or_not_implemented_is_refused(text: str) -> None:
    with pytest.raises(SplError):
        compile_search(text)
