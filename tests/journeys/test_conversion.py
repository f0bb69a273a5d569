"""From a search result to a track event or to its reason, through the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

import pytest

from tests.journeys.cases import changed, filled, load
from tests.journeys.command_line import ndjson, segment_bridge, write_maps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    JsonObject = dict[str, Any]

FILE = load("conversion.yaml")
NAMES = load("event-names.yaml")
EVENT_KEYS = ["messageId", "timestamp", "namespace", "type", "userId", "event", "properties", "context"]


def made(name: str, change: JsonObject, expects: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Return a result with an ID of its own, and the event that it would become."""
    texts = {"id": str(uuid5(NAMESPACE_OID, name))}
    return filled(changed(FILE["result"], change), **texts), filled(changed(FILE["event"], expects), **texts)


def compact(value: JsonObject) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def line(result: JsonObject, **more: object) -> bytes:
    return compact({"preview": False, "offset": 0, **more, "result": result})


def sized(size: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Return a result whose event has as many bytes as the size says, and that event."""
    result, event = made(size["name"], size.get("change", {}), {})
    properties = {"filler": "", "rest": ""}

    def length() -> int:
        return len(compact(event | {"properties": properties | {"workspaceID": "11111"}}))

    missing = size["bytes"] - length()
    each = len(compact({"": size["filler"]})) - len(compact({"": ""}))
    properties |= {"filler": size["filler"] * (missing // each), "rest": "r" * (missing % each)}
    assert length() == size["bytes"]
    event |= {"properties": properties | {"workspaceID": "11111"}}
    return result | {"properties": json.dumps(properties, ensure_ascii=False)}, event


Outcome = tuple[list[dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Outcome]:
    """Give the events and the rejections of results, each in the order of their coming."""
    folder = tmp_path_factory.mktemp("conversion")

    def run(lines: bytes) -> Outcome:
        rejected = folder / "rejected.ndjson"
        events = segment_bridge("convert", *write_maps(folder), "--rejected", str(rejected), given=lines)
        return ndjson(events), ndjson(rejected.read_bytes())

    return run


CASES = [
    *(
        (case["name"], *made(case["name"], case["change"], case.get("expects", {})), case.get("reason"))
        for case in FILE["cases"]
    ),
    *((size["name"], *sized(size), size.get("reason")) for size in FILE["sizes"]),
]


@pytest.fixture(scope="module")
def outcome(convert: Callable[[bytes], Outcome]) -> Outcome:
    return convert(b"".join(line(result) + b"\n" for _, result, _, _ in CASES))


@pytest.mark.parametrize(("result", "event", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_event_or_reason(outcome: Outcome, result: JsonObject, event: JsonObject, reason: str | None) -> None:
    events, rejected = outcome
    reasons = [rejection["reason"] for rejection in rejected if rejection["result"] == result]
    assert reasons == ([] if reason is None else [reason])
    assert [e for e in events if e["messageId"] == event["messageId"]] == ([event] if reason is None else [])


def test_each_result_is_an_event_or_a_rejection_in_the_order_of_the_results(outcome: Outcome) -> None:
    events, rejected = outcome
    assert [e["messageId"] for e in events] == [event["messageId"] for *_, event, reason in CASES if reason is None]
    assert [r["result"] for r in rejected] == [result for _, result, _, reason in CASES if reason is not None]


def test_keys_have_their_order(outcome: Outcome) -> None:
    texts = {result.get("messageId"): result["properties"] for _, result, _, _ in CASES}
    for event in outcome[0]:
        assert list(event) == EVENT_KEYS
        given = [key for key in json.loads(texts[event["messageId"]]) if key != "workspaceID"]
        assert [key for key in event["properties"] if key != "workspaceID"] == given


@pytest.mark.parametrize(("table", "field", "size"), [("verbs", "event_verb", 9), ("subjects", "event_subject", 50)])
def test_every_row_of_the_tables(convert: Callable[[bytes], Outcome], table: str, field: str, size: int) -> None:
    rows = NAMES[table]
    assert len(rows) == size
    results = [made(word, {field: word}, {})[0] for word in rows]
    events, rejected = convert(b"".join(line(result) + b"\n" for result in results))
    expected = [f"Component {name}" if table == "verbs" else f"{name} created" for name in rows.values()]
    assert [event["event"] for event in events] == expected
    assert rejected == []


def test_duplicates_stay(convert: Callable[[bytes], Outcome]) -> None:
    result, event = made("twice", {}, {})
    refused, _ = made("refused twice", {"namespace": "carol-tenant"}, {})
    lines = [line(result), line(refused), line(result, offset=2), line(refused, offset=3, lastrow=True)]
    events, rejected = convert(b"\n".join(lines))
    assert events == [event, event]
    assert rejected == 2 * [{"reason": "unknown_namespace", "result": refused}]


def test_lines_without_a_result_are_skipped(convert: Callable[[bytes], Outcome]) -> None:
    result, event = made("among others", {}, {})
    lines = [
        b"",
        b'{"messages":[{"type":"INFO","text":"Your search is done."}]}',
        b"  ",
        line(result, lastrow=True),
        b"\r",
        b'{"preview":false,"lastrow":true}',
        b"",
    ]
    assert convert(b"\n".join(lines) + b"\n\n") == ([event], [])


def test_nothing_at_all(convert: Callable[[bytes], Outcome]) -> None:
    assert convert(b"") == ([], [])


def test_without_a_file_for_rejections(tmp_path: Path) -> None:
    result, event = made("kept", {}, {})
    refused, _ = made("refused", {"userId": "nobody"}, {})
    events = segment_bridge("convert", *write_maps(tmp_path), given=line(refused) + b"\n" + line(result) + b"\n")
    assert ndjson(events) == [event]
