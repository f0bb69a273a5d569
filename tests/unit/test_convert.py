from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segment_bridge.convert import MAX_DEPTH, convert
from segment_bridge.events import MAX_EVENT, Reason, Rejection, TrackEvent, from_body, to_body
from segment_bridge.exclusions import Exclusions
from segment_bridge.identity import Maps

JsonObject = dict[str, Any]

USERS = {"ann": "11111", "bob": "007", "joë": "123456789012345678901234567890", "zoe": 'a "quoted" \\ ID'}
WORKSPACES = {"ann-tenant": "ann", "bob-tenant": "bob", "zoe-tenant": "zoe", "ghost-tenant": "ghost"}
MAPS = Maps(USERS, WORKSPACES, Exclusions.of(users=["load-test-*"], namespaces=["staff-*"]))
KEYS = ["messageId", "timestamp", "namespace", "type", "userId", "event", "properties", "context"]

RESULT = {
    "messageId": "8c2f9a54-0b5e-4f0e-9a37-5f1d2f6f4b11",
    "timestamp": "2024-05-01T09:20:00.500001Z",
    "type": "track",
    "namespace": "ann-tenant",
    "userId": "bob",
    "event_subject": "components",
    "event_verb": "create",
    "properties": '{"name":"cart"}',
    "context": '{"userAgent":"kubectl"}',
}
EVENT = {
    "messageId": "8c2f9a54-0b5e-4f0e-9a37-5f1d2f6f4b11",
    "timestamp": "2024-05-01T09:20:00.500001Z",
    "namespace": "ann-tenant",
    "type": "track",
    "userId": "007",
    "event": "Component created",
    "properties": {"name": "cart", "workspaceID": "11111"},
    "context": {"userAgent": "kubectl"},
}


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def changed(base: JsonObject, change: JsonObject) -> JsonObject:
    return {name: value for name, value in (base | change).items() if value is not ...}


def line(result: object, **more: object) -> bytes:
    return compact({"preview": False, "offset": 0, **more, "result": result})


def made(*lines: bytes, prefix: str = "") -> list[TrackEvent | Rejection]:
    return list(convert(lines, MAPS, message_id_prefix=prefix))


def outcomes(*lines: bytes) -> list[tuple[str, bytes]]:
    """Return the ID and the body of events, the reason and the result of rejections."""
    return [
        (one.reason, one.result) if isinstance(one, Rejection) else (one.message_id, one.body) for one in made(*lines)
    ]


def exactly(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON without rounding a number."""
    return json.loads(text, parse_float=Decimal)


# --- Whole values ---


def test_a_result_becomes_an_event() -> None:
    expected = TrackEvent("8c2f9a54-0b5e-4f0e-9a37-5f1d2f6f4b11", compact(EVENT))
    assert made(line(RESULT)) == [expected]


def test_the_prefix_stands_before_the_message_id() -> None:
    message_id = "staging-8c2f9a54-0b5e-4f0e-9a37-5f1d2f6f4b11"
    assert made(line(RESULT), prefix="staging-") == [TrackEvent(message_id, compact(EVENT | {"messageId": message_id}))]


REJECTED: list[tuple[Reason, JsonObject]] = [
    (Reason.MALFORMED_RESULT, {"messageId": 7}),
    (Reason.MALFORMED_RESULT, {"userId": ["ann", "bob"]}),
    (Reason.MALFORMED_RESULT, {"properties": {"name": "cart"}}),
    (Reason.MALFORMED_RESULT, {"userId": ["ann", "ann"]}),
    (Reason.MALFORMED_RESULT, {"userId": ["ann"], "namespace": ["ann-tenant"]}),
    (Reason.MALFORMED_RESULT, {"userId": []}),
    (Reason.MALFORMED_RESULT, {"messageId": 7, "extra": ["ann", "ann"]}),
    (Reason.FIELDS_TWICE, {name: [value, value] for name, value in RESULT.items()}),
    (Reason.FIELDS_TWICE, {"messageId": ["1"] * 3, "namespace": ["ann-tenant"] * 3, "userId": ["ann", "bob"]}),
    (Reason.EXCLUDED, {"userId": "load-test-7", "namespace": "no-tenant"}),
    (Reason.EXCLUDED, {"namespace": "staff-tenant"}),
    (Reason.UNKNOWN_NAMESPACE, {"namespace": "no-tenant"}),
    (Reason.UNKNOWN_NAMESPACE, {"namespace": ...}),
    (Reason.UNKNOWN_WORKSPACE_OWNER, {"namespace": "ghost-tenant"}),
    (Reason.UNKNOWN_USER, {"userId": "nobody"}),
    (Reason.UNKNOWN_USER, {"userId": ""}),
    (Reason.MISSING_EVENT, {"event_subject": ...}),
    (Reason.MISSING_EVENT, {"event_verb": ""}),
    (Reason.MALFORMED_PROPERTIES, {"properties": ...}),
    (Reason.MALFORMED_PROPERTIES, {"properties": "[]"}),
    (Reason.MALFORMED_PROPERTIES, {"properties": '{"a":1'}),
    (Reason.MALFORMED_PROPERTIES, {"properties": "null"}),
    (Reason.MALFORMED_PROPERTIES, {"properties": '{"half a pair":"\\ud83d"}'}),
    (Reason.MALFORMED_PROPERTIES, {"properties": '{"a":' * 10_000 + "1" + "}" * 10_000}),
    (Reason.MALFORMED_CONTEXT, {"context": ...}),
    (Reason.MALFORMED_CONTEXT, {"context": '"kubectl"'}),
    (Reason.MISSING_MESSAGE_ID, {"messageId": ...}),
    (Reason.MISSING_MESSAGE_ID, {"messageId": ""}),
    (Reason.MISSING_TIMESTAMP, {"timestamp": ...}),
    (Reason.MESSAGE_ID_TOO_LONG, {"messageId": "é" * 100}),
    (Reason.TOO_LARGE, {"properties": '{"a":"%s"}' % ("x" * 32_000)}),
]


@pytest.mark.parametrize(("reason", "change"), REJECTED, ids=lambda value: str(value)[:40])
def test_a_result_becomes_a_rejection(reason: Reason, change: JsonObject) -> None:
    result = changed(RESULT, change)
    assert outcomes(line(result)) == [(reason, compact(result))]


def test_every_reason_has_its_example() -> None:
    assert {reason for reason, _ in REJECTED} == set(Reason)


@pytest.mark.parametrize(
    ("given_line", "kept"),
    [
        (b"{", b'"{"'),
        (b"7", b'"7"'),
        (b'{"preview":"no"}', b'"{\\"preview\\":\\"no\\"}"'),
        (b"\xff \xe2\x82", b'"\\\\xff \\\\xe2\\\\x82"'),
        (b'{"result":7}', b"7"),
        (b'{"preview":0,"result":{ "a":1.50 }}', b'{ "a":1.50 }'),
    ],
)
def test_a_line_that_cannot_be_read_is_kept(given_line: bytes, kept: bytes) -> None:
    (rejection,) = made(given_line)
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.result) == (Reason.MALFORMED_RESULT, kept)
    assert rejection.line == b'{"reason":"malformed_result","result":%s}' % kept


def test_a_message_id_of_99_characters_with_its_prefix() -> None:
    (event,) = made(line(RESULT | {"messageId": "é" * 90}), prefix="9 letters")
    assert isinstance(event, TrackEvent)
    (rejection,) = made(line(RESULT | {"messageId": "é" * 90}), prefix="10 letters")
    assert isinstance(rejection, Rejection)


# --- Whatever comes ---

texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,6})?", fullmatch=True)
blanks = st.sampled_from(["", "", " ", "\t", " \n"])


@st.composite
def strings(draw: st.DrawFn) -> str:
    """JSON strings, with and without escapes: those beyond the BMP are escaped as pairs of surrogates."""
    return json.dumps(draw(texts), ensure_ascii=draw(st.booleans()))


@st.composite
def objects_of(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    names = st.one_of(strings(), strings(), strings(), st.just('"workspaceID"'))
    pairs = draw(st.lists(st.tuples(names, values), max_size=4))
    outside, within = draw(blanks), draw(blanks)
    inner = ",".join(f"{name}:{within}{value}" for name, value in pairs)
    return outside + "{" + within + inner + within + "}" + outside


def arrays_of(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda items: "[" + " , ".join(items) + "]")


scalars = st.sampled_from(["null", "true", "false"]) | numbers | strings()
values = st.recursive(
    scalars,
    lambda inner: arrays_of(inner) | objects_of(inner),
    max_leaves=6,
)
objects = objects_of(scalars) | objects_of(values)

good_results = st.fixed_dictionaries(
    {
        "messageId": texts.filter(bool),
        "timestamp": texts.filter(bool),
        "namespace": st.sampled_from(["ann-tenant", "bob-tenant", "zoe-tenant"]),
        "event": texts.filter(bool),
        "properties": objects,
        "context": objects,
    },
    optional={"userId": st.sampled_from(sorted(USERS)), "type": texts.filter(bool), "_raw": texts},
)
anything = st.none() | st.booleans() | st.integers() | texts | st.lists(texts, max_size=2)
results = good_results | st.builds(
    changed,
    good_results,
    st.dictionaries(
        st.sampled_from([*RESULT, "event"]),
        anything | objects | st.just(...) | st.sampled_from(["ghost-tenant", "nobody"]),
        max_size=3,
    ),
)
result_lines = st.builds(line, results, lastrow=st.booleans())
empty_lines = st.sampled_from(
    [b"", b" ", b"\r", b"{}", b'{"preview":false,"lastrow":true}', b'{"messages":[{"type":"INFO","text":"x"}]}']
) | st.builds(line, good_results, preview=st.just(True))
damaged_lines = st.builds(
    lambda whole, cut, dirt: whole[: cut % len(whole)] + dirt, result_lines, st.integers(0), st.binary(max_size=3)
)
lines = result_lines | empty_lines | damaged_lines | st.binary(max_size=20) | values.map(str.encode)


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@settings(deadline=None)
@given(st.lists(lines, max_size=4), texts)
def test_no_line_raises_and_each_is_answered_for_itself_in_order(given_lines: list[bytes], prefix: str) -> None:
    each = [made(given_line, prefix=prefix) for given_line in given_lines]
    assert made(*given_lines, prefix=prefix) == [one for answer in each for one in answer]
    for given_line, answer in zip(given_lines, each, strict=True):
        assert len(answer) <= 1
        if given_line.strip() and not is_json(given_line):
            assert [type(one) for one in answer] == [Rejection]


@settings(deadline=None)
@given(st.lists(st.tuples(st.just(1), result_lines) | st.tuples(st.just(0), empty_lines), max_size=4))
def test_each_result_is_one_event_or_one_rejection_and_nothing_else_is(given_lines: list[tuple[int, bytes]]) -> None:
    assert [len(made(given_line)) for _, given_line in given_lines] == [due for due, _ in given_lines]


@settings(deadline=None)
@given(good_results, texts)
@example(RESULT | {"event": "x", "properties": '{"big":%s}' % ("9" * 4_000)}, "")
@example(RESULT | {"event": "x", "properties": '{"tiny":1e-400,"huge":-1.5E+400,"fine":0.10}'}, "")
@example(RESULT | {"event": "x", "properties": '{"\\ud83d\\ude00":"\\ud83d\\ude00\\u0000\\u2028/\\/"}'}, "")
def test_an_event_says_what_its_result_and_the_maps_say(result: JsonObject, prefix: str) -> None:
    (event,) = made(line(result), prefix=prefix)
    assert isinstance(event, TrackEvent)
    owner = USERS[WORKSPACES[result["namespace"]]]
    given_properties = exactly(result["properties"])
    expected = {
        "messageId": prefix + result["messageId"],
        "timestamp": result["timestamp"],
        "namespace": result["namespace"],
        "type": result.get("type", "track"),
        "userId": USERS[result["userId"]] if "userId" in result else owner,
        "event": result["event"],
        "properties": given_properties | {"workspaceID": owner},
        "context": exactly(result["context"]),
    }
    assert event.message_id == expected["messageId"]
    written = exactly(event.body)
    assert written == expected
    assert list(written) == KEYS
    assert list(written["properties"]) == list(expected["properties"])
    assert list(written["context"]) == list(expected["context"])
    assert len(event.body.splitlines()) == 1


@settings(deadline=None)
@given(result_lines)
def test_a_rejection_holds_its_result_as_it_came(given_line: bytes) -> None:
    (one,) = made(given_line)
    if isinstance(one, Rejection):
        assert given_line.endswith(b'"result":' + one.result + b"}")
        assert exactly(one.line) == {"reason": one.reason, "result": exactly(given_line)["result"]}


@settings(deadline=None)
@given(damaged_lines | st.binary(max_size=20))
def test_a_rejection_of_a_damaged_line_is_json(given_line: bytes) -> None:
    for one in made(given_line):
        if isinstance(one, Rejection):
            assert list(json.loads(one.line)) == ["reason", "result"]


@settings(deadline=None)
@given(st.text(st.sampled_from('xé€😀"\\\n\x01/'), min_size=1, max_size=5), st.integers(-40, 40))
def test_no_event_is_larger_than_the_limit_and_none_below_it_is_rejected(filler: str, beyond: int) -> None:
    def event(properties: JsonObject) -> bytes:
        return compact(EVENT | {"properties": properties | {"workspaceID": "11111"}})

    each = len(compact(filler)) - 2
    times, rest = divmod(MAX_EVENT + beyond - len(event({"filler": "", "rest": ""})), each)
    properties = {"filler": filler * times, "rest": "r" * rest}
    body = event(properties)
    assert len(body) == MAX_EVENT + beyond
    for text in (json.dumps(properties), compact(properties).decode()):  # blanks and needless escapes do not count
        result = RESULT | {"properties": text}
        (one,) = made(line(result))
        if beyond > 0:
            assert one == Rejection(Reason.TOO_LARGE, line(result))
        else:
            assert isinstance(one, TrackEvent)
            assert json.loads(one.body) == json.loads(body)
            assert len(one.body) <= MAX_EVENT


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ('{"a":"b","c":1.50}', '{"a":"b","c":1.50,"workspaceID":"11111"}'),
        ('{ "a": "b" }', '{ "a": "b" ,"workspaceID":"11111"}'),
        ('{"a":\n"b"}', '{"a":"b","workspaceID":"11111"}'),
        ('{"a":\r"b"}', '{"a":"b","workspaceID":"11111"}'),
        (' {"a":"b"}', '{"a":"b","workspaceID":"11111"}'),
        ('{"a":"b"} ', '{"a":"b","workspaceID":"11111"}'),
        ("{}", '{"workspaceID":"11111"}'),
        ("{ }", '{"workspaceID":"11111"}'),
        ('{"a":"}"}', '{"a":"}","workspaceID":"11111"}'),
        ('{"a":{}, "b":[1]}', '{"a":{},"b":[1],"workspaceID":"11111"}'),
        ('{"workspaceID":"w", "a":"{["}', '{"workspaceID":"11111","a":"{["}'),
        ('{"workspace\\u0049D":"w","a":"b"}', '{"workspaceID":"11111","a":"b"}'),
        ('{"workspaceID":"%s"}' % ("w" * (MAX_EVENT + 1)), '{"workspaceID":"11111"}'),
        ('{"a":"%s","a":"b"}' % ("b" * (MAX_EVENT + 1)), '{"a":"b","workspaceID":"11111"}'),
        ('{"workspaceID":"%s","a":"é"}' % ("字" * MAX_EVENT), '{"workspaceID":"11111","a":"é"}'),
        ('{"a":"%s","a":"é"}' % ("字" * MAX_EVENT), '{"a":"é","workspaceID":"11111"}'),
        ('{"a":{%s}}' % (" " * MAX_EVENT), '{"a":{},"workspaceID":"11111"}'),
        ('{"a":"b"%s}' % (" " * MAX_EVENT), '{"a":"b","workspaceID":"11111"}'),
    ],
)
def test_properties_get_the_workspace_and_stay_on_one_line(text: str, printed: str) -> None:
    (one,) = made(line(RESULT | {"properties": text}))
    assert isinstance(one, TrackEvent)
    before, after = compact(EVENT).split(compact(EVENT["properties"]))
    assert one.body == before + printed.encode() + after


@settings(deadline=None)
@given(st.lists(objects, min_size=1, max_size=3), st.lists(st.integers(0, 2), min_size=2, max_size=6))
def test_a_context_that_comes_again_is_the_same_as_when_it_first_came(contexts: list[str], order: list[int]) -> None:
    chosen = [contexts[number % len(contexts)] for number in order]
    events = made(*(line(RESULT | {"context": context}) for context in chosen))
    assert [exactly(event.body)["context"] for event in events if isinstance(event, TrackEvent)] == [
        exactly(context) for context in chosen
    ]


# --- What is easily got wrong ---


@pytest.mark.parametrize("number", ["1e1000000000000000000", "0e-9999999999999999999"])
def test_an_exponent_beyond_all_bounds_does_not_raise(number: str) -> None:
    assert len(made(line(RESULT | {"properties": f'{{"a":{number}}}'}))) == 1


def deeper(calls: int, body: bytes) -> list[bytes]:
    return deeper(calls - 1, body) if calls else from_body(body)


def test_an_event_can_be_read_from_its_batch_wherever_that_is_done() -> None:
    for depth in (MAX_DEPTH, *range(800, 1_100, 7)):
        properties = '{"a":' * depth + "1" + "}" * depth
        (one,) = made(line(RESULT | {"properties": properties}))
        if isinstance(one, TrackEvent):
            assert deeper(20, to_body([one.body])) == [one.body]


@pytest.mark.parametrize("part", ["properties", "context"])
@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
@pytest.mark.parametrize("beyond", [0, 1])
def test_how_deep_an_object_may_be_nested(part: str, opening: str, closing: str, beyond: int) -> None:
    levels = MAX_DEPTH - 1 + beyond
    text = '{"wide":[[],[],{}],"deep":' + opening * levels + closing * levels + "}"
    (one,) = made(line(RESULT | {part: text.replace('":}', '":1}')}))
    reason = Reason.MALFORMED_PROPERTIES if part == "properties" else Reason.MALFORMED_CONTEXT
    assert isinstance(one, TrackEvent) if not beyond else isinstance(one, Rejection) and one.reason is reason


def test_many_brackets_are_not_deep() -> None:
    (one,) = made(
        line(RESULT | {"properties": '{{"flat":[{}],"text":"{}"}}'.format(",".join(["{}"] * 999), "[{" * 999)})
    )
    assert isinstance(one, TrackEvent)


@pytest.mark.parametrize("result", [b'{"x":"\xff"}', b'{"messageId":7,"x":"\xff"}', b'{"namespace":"\xff"}'])
def test_a_rejection_is_json_though_its_line_is_not_in_utf8(result: bytes) -> None:
    (rejection,) = made(b'{"result":%s}' % result)
    assert isinstance(rejection, Rejection)
    assert list(json.loads(rejection.line)) == ["reason", "result"]
