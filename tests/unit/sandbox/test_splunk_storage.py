from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.splunk.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "/servicesNS/nobody/an-app"
CONFIG, DATA = f"{APP}/storage/collections/config", f"{APP}/storage/collections/data"
LOOKUPS = f"{APP}/data/transforms/lookups"
PEOPLE = [
    {"_key": "1", "name": "ann", "team": "red", "id": "007"},
    {"_key": "2", "name": "Ann", "team": "red", "id": "A"},
    {"_key": "3", "name": "bob", "team": "red", "id": "b1"},
    {"_key": "4", "name": "bob", "team": "blue", "id": "b2"},
    {"_key": "5", "name": 'say "x|y" \\ é', "team": "blue", "id": "odd"},
    {"_key": "6", "name": "no-id", "team": "blue"},
]
RECORDS = [
    {"auditID": "a", "who": "ann", "colour": "red"},
    {"auditID": "b", "who": "bob", "colour": "blue"},
    {"auditID": "c", "who": "nobody", "colour": "red"},
    {"auditID": "d"},
    {"auditID": "e", "who": 'say "x|y" \\ é'},
    {"auditID": "f", "who": "no-id"},
    {"auditID": "g", "who": "ANN"},
]


def record(number: int) -> Record:
    at = {"requestReceivedTimestamp": f"2026-01-31T08:00:0{number}Z"}
    return Record.parse(json.dumps(RECORDS[number] | at).encode())


@pytest.fixture
def url() -> Iterator[str]:
    with serving(create_app(AuditLog(tuple(map(record, range(len(RECORDS))))))) as address:
        yield address


def ask(url: str, method: str, path: str, json_body: Any = None, **parameters: str) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
    more = {"json": json_body, "params": parameters} if json_body is not None else {"params": parameters}
    if method == "POST" and json_body is None:
        more = {"data": parameters}
    parameters.setdefault("output_mode", "json")
    headers = {"Authorization": "Bearer changeme"}
    answer = requests.request(method, url + path, headers=headers, timeout=10, **more)
    return answer.status_code, answer.json()


def message(kind: str, text: str) -> Any:  # noqa: ANN401 - any JSON
    return {"messages": [{"type": kind, "text": text}]}


def entry(name: str, content: object, app: str = "an-app") -> Any:  # noqa: ANN401 - any JSON
    return {"name": name, "acl": {"app": app, "owner": "nobody", "sharing": "app"}, "content": content}


def make(url: str, **definition: str) -> None:
    assert ask(url, "POST", CONFIG, name="people")[0] == 201
    assert ask(url, "POST", f"{DATA}/people/batch_save", PEOPLE) == (200, ["1", "2", "3", "4", "5", "6"])
    fields = {"external_type": "kvstore", "collection": "people", "fields_list": "name, team,id"}
    assert ask(url, "POST", LOOKUPS, name="who_is", **fields, **definition)[0] == 201


def search(url: str, commands: str, app: str = "an-app") -> tuple[int, Any]:
    answer = requests.post(
        f"{url}/servicesNS/nobody/{app}/search/v2/jobs/export",
        data={"search": f"search auditID=* {commands}", "output_mode": "json", "preview": "false"},
        headers={"Authorization": "Bearer changeme"},
        timeout=10,
    )
    return answer.status_code, [json.loads(line) for line in answer.text.splitlines()]


def found(url: str, lookup: str) -> dict[str, Any]:
    status, lines = search(url, f"| lookup {lookup} | fields auditID, out | fields - _*")
    assert status == 200
    return {line["result"]["auditID"]: line["result"].get("out") for line in lines}


# Collections


def test_a_collection_is_created_once_typed_listed_and_deleted(url: str) -> None:
    assert ask(url, "POST", CONFIG, name="people") == (201, {"entry": [entry("people", {})], "messages": []})
    assert ask(url, "POST", CONFIG, name="people") == (
        409,
        message("ERROR", "An object with name=people already exists"),
    )
    types = {"field.name": "string", "accelerated_fields.a": '{"name": 1}'}
    typed = {"entry": [entry("people", types)], "messages": []}
    assert ask(url, "POST", f"{CONFIG}/people", **types) == (200, typed)
    assert ask(url, "GET", CONFIG, count="0") == (200, typed)
    assert ask(url, "DELETE", f"{CONFIG}/people") == (200, {"entry": [], "messages": []})
    assert ask(url, "GET", CONFIG) == (200, {"entry": [], "messages": []})


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_not_there_is_not_found(url: str, method: str) -> None:
    missing = (404, message("ERROR", "Could not find object id=x"))
    assert ask(url, method, f"{DATA}/x") == missing
    assert ask(url, "POST", f"{CONFIG}/x", **{"field.a": "string"}) == missing
    assert ask(url, "POST", f"{DATA}/x/batch_save", []) == missing
    assert ask(url, "GET", f"{LOOKUPS}/x") == missing
    assert ask(url, "POST", f"{LOOKUPS}/x", collection="y") == missing


def test_documents_are_saved_by_key_found_and_deleted(url: str) -> None:
    make(url)
    changed = {"_key": "3", "name": "bob", "id": "b3"}
    assert ask(url, "POST", f"{DATA}/people/batch_save", [changed, {"name": "zoe"}])[1][0] == "3"
    everyone = ask(url, "GET", f"{DATA}/people")[1]
    assert everyone[:6] == [*PEOPLE[:2], changed, *PEOPLE[3:]]
    assert (everyone[6]["name"], len(everyone[6]["_key"])) == ("zoe", 24)
    assert ask(url, "GET", f"{DATA}/people", query='{"name":"bob"}') == (200, [changed, PEOPLE[3]])
    assert ask(url, "GET", f"{DATA}/people", limit="2", skip="1") == (200, [PEOPLE[1], changed])
    assert ask(url, "POST", f"{DATA}/people", {"_key": "é/ü", "name": "x"}) == (201, {"_key": "é/ü"})
    assert ask(url, "DELETE", f"{DATA}/people", query='{"name":"bob"}') == (200, {})
    assert ask(url, "GET", f"{DATA}/people", query='{"name":"bob"}') == (200, [])
    assert ask(url, "DELETE", f"{DATA}/people") == (200, {})
    assert ask(url, "GET", f"{DATA}/people") == (200, [])


def test_more_than_a_thousand_documents_in_a_call_are_too_many(url: str) -> None:
    ask(url, "POST", CONFIG, name="many")
    documents = [{"_key": str(number)} for number in range(1_001)]
    assert ask(url, "POST", f"{DATA}/many/batch_save", documents) == (
        400,
        message(
            "ERROR",
            "Request exceeds API limits - see limits.conf for details. "
            "(Too many documents for a single batch save, max_documents_per_batch_save=1000)",
        ),
    )
    assert ask(url, "GET", f"{DATA}/many", limit="1") == (200, [])
    assert len(ask(url, "POST", f"{DATA}/many/batch_save", documents[:1_000])[1]) == 1_000


def test_what_is_wrong_or_not_implemented_is_refused(url: str) -> None:
    make(url)
    for method, path, parameters in (
        ("POST", CONFIG, {}),
        ("POST", f"{CONFIG}/people", {"field.a": "text"}),
        ("POST", f"{CONFIG}/people", {"profile": "x"}),
        ("GET", f"{DATA}/people", {"query": '{"$or":[]}'}),
        ("GET", f"{DATA}/people", {"query": '{"name":{"$gt":"a"}}'}),
        ("GET", f"{DATA}/people", {"query": "[]"}),
        ("GET", f"{DATA}/people", {"limit": "-1"}),
        ("GET", f"{DATA}/people", {"sort": "name"}),
        ("POST", LOOKUPS, {"name": "y", "filename": "y.csv"}),
        ("POST", f"{LOOKUPS}/who_is", {"external_type": "python"}),
        ("GET", CONFIG, {"output_mode": "xml"}),
    ):
        answer = requests.request(
            method,
            url + path,
            **{"params" if method == "GET" else "data": {"output_mode": "json"} | parameters},  # type: ignore[arg-type] # by a name of two
            headers={"Authorization": "Bearer changeme"},
            timeout=10,
        )
        assert answer.status_code == 400, (path, parameters)
    headers = {"Authorization": "Bearer changeme", "Content-Type": "application/json"}
    path = f"{url}{DATA}/people/batch_save?output_mode=json"
    assert requests.post(path, data=b"{", headers=headers, timeout=10).json() == message(
        "ERROR", "JSON in the request is invalid."
    )
    del headers["Content-Type"]
    assert requests.post(path, data=b"[]", headers=headers, timeout=10).status_code == 415
    assert requests.post(path, data=b"[]", timeout=10).status_code == 401


# Lookups


def test_a_lookup_is_created_once_shown_and_changed(url: str) -> None:
    make(url, max_matches="1")
    content = {"collection": "people", "external_type": "kvstore", "fields_list": "name, team, id", "max_matches": 1}
    assert ask(url, "GET", f"{LOOKUPS}/who_is") == (200, {"entry": [entry("who_is", content)], "messages": []})
    again = {"name": "who_is", "external_type": "kvstore", "collection": "x", "fields_list": "a"}
    assert ask(url, "POST", LOOKUPS, **again) == (409, message("ERROR", "An object with name=who_is already exists"))
    assert ask(url, "POST", f"{LOOKUPS}/who_is", collection="others")[0] == 200
    changed = entry("who_is", content | {"collection": "others"})
    assert ask(url, "GET", f"{LOOKUPS}/who_is")[1] == {"entry": [changed], "messages": []}


def test_a_match_is_letter_by_letter_and_no_match_leaves_no_field(url: str) -> None:
    make(url, max_matches="1")
    once = {"a": "007", "b": "b1", "c": None, "d": None, "e": "odd", "f": None, "g": None}
    assert found(url, "who_is name AS who OUTPUT id AS out") == once
    assert found(url, 'local=true "who_is" name as who OUTPUT id AS "out"') == once
    assert found(url, "local=false who_is name AS who OUTPUT id AS out") == once


def test_a_field_that_is_there_gives_way_even_to_no_match(url: str) -> None:
    make(url)
    status, lines = search(url, '| eval id="old", name=who | lookup who_is name OUTPUT id | fields auditID,id')
    ids = {line["result"]["auditID"]: line["result"].get("id") for line in lines}
    assert (status, ids) == (
        200,
        {"a": "007", "b": ["b1", "b2"], "c": None, "d": None, "e": "odd", "f": None, "g": None},
    )


def test_several_fields_match_together_and_all_have_to_be_there(url: str) -> None:
    make(url)
    assert found(url, "who_is name AS who, team AS colour OUTPUT id AS out") == {
        "a": "007",
        "b": "b2",
        **dict.fromkeys("cdefg"),
    }


def test_a_lookup_belongs_to_its_app(url: str) -> None:
    make(url)
    unknown = message(
        "FATAL",
        "Error in 'lookup' command: Could not construct lookup 'who_is, name, AS, who, OUTPUT, id'. "
        "See search.log for more details.",
    )
    assert search(url, "| lookup who_is name AS who OUTPUT id", app="other") == (400, [unknown])
    assert search(url, "| lookup who_is name AS who OUTPUT id")[0] == 200
    ask(url, "DELETE", f"{CONFIG}/people")
    assert search(url, "| lookup who_is name AS who OUTPUT id") == (400, [unknown])


def test_a_field_that_the_lookup_lacks(url: str) -> None:
    make(url)
    text = "Error in 'lookup' command: Could not find all of the specified lookup fields in the lookup table."
    assert search(url, "| lookup who_is surname AS who OUTPUT id") == (400, [message("FATAL", text)])


@pytest.mark.parametrize(
    "lookup",
    [
        "",
        "who_is",
        "who_is name",
        "who_is OUTPUT id",
        "who_is name OUTPUTNEW id",
        "who_is n* OUTPUT id",
        "a=b c OUTPUT d",
    ],
)
def test_a_lookup_that_is_wrong_or_not_implemented(url: str, lookup: str) -> None:
    make(url)
    assert search(url, f"| lookup {lookup}")[0] == 400
