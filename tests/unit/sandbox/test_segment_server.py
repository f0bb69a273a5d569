from __future__ import annotations

import base64
import gzip
import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
from segment.analytics.client import Client
from segment.analytics.version import VERSION

from sandbox.segment import create_app
from sandbox.serve import serving
from segment_bridge.batch import pack
from segment_bridge.events import to_body
from segment_bridge.segment import Attempt, Outcome, Refused, Segment
from segment_bridge.settings import SegmentSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

JSON = {"Content-Type": "application/json"}
SUCCESS = (200, "application/json", '{"success":true}')


def track(message_id: str, **more: object) -> bytes:
    event: dict[str, object] = {
        "messageId": message_id,
        "timestamp": "2024-05-01T09:20:00.500001Z",
        "type": "track",
        "userId": "007",
        "event": "Component created",
    }
    return compact({name: value for name, value in (event | more).items() if value is not ...})


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sized(size: int, message_id: str = "sized") -> bytes:
    event = track(message_id, filler="f" * (size - len(track(message_id, filler=""))))
    assert len(event) == size
    return event


class StandIn:
    """A stand-in on loopback, and a connection to it."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self.url = url
        self.session = session

    def post(
        self, body: bytes, headers: dict[str, str] | None = None, auth: tuple[str, str] | None = ("key", "")
    ) -> requests.Response:
        return self.session.post(f"{self.url}/v1/batch", body, headers=JSON | (headers or {}), auth=auth, timeout=10)

    def answer(self, body: bytes, headers: dict[str, str] | None = None, key: str = "key") -> tuple[int, str, str]:
        answer = self.post(body, headers, (key, ""))
        return answer.status_code, answer.headers["Content-Type"], answer.text

    def lines(self, what: str) -> list[bytes]:
        answer = self.session.get(f"{self.url}/sandbox/{what}", timeout=10)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-ndjson")
        assert answer.content == b"" or answer.content.endswith(b"\n")
        return answer.content.split(b"\n")[:-1]

    def rejected(self) -> list[tuple[str, Any]]:
        return [(line["reason"], line["event"]) for line in map(json.loads, self.lines("rejected"))]

    def read(self, what: str) -> Any:  # noqa: ANN401 - any JSON
        answer = self.session.get(f"{self.url}/sandbox/{what}", timeout=10)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
        return answer.json()


@contextmanager
def standing_in(app: ASGIApp) -> Iterator[StandIn]:
    with serving(app) as url, requests.Session() as session:
        session.trust_env = False
        yield StandIn(url, session)


@pytest.fixture(scope="module")
def running() -> Iterator[StandIn]:
    with standing_in(create_app()) as stand_in:
        yield stand_in


@pytest.fixture
def segment(running: StandIn) -> StandIn:
    assert running.session.delete(f"{running.url}/sandbox/events", timeout=10).status_code == 204
    return running


NOTHING = {
    "requests": 0,
    "answers": {},
    "x_retry_counts": {},
    "write_keys": 0,
    "batches": 0,
    "bytes": 0,
    "events": 0,
    "accepted": 0,
    "duplicates": 0,
    "rejected": {},
}


# --- What is taken ---


def test_events_are_kept_byte_for_byte_in_the_order_of_their_arrival(segment: StandIn) -> None:
    odd = (
        b'{ "type":"track", "event":"\\u00e9 \xc3\xa9","userId":"1", "n":1.50, "big":1e999, "n":123456789012345678901}'
    )
    assert segment.answer(to_body([track("b"), odd])) == SUCCESS
    assert segment.answer(to_body([track("a")])) == SUCCESS
    assert segment.lines("events") == [track("b"), odd, track("a")]
    assert segment.rejected() == []


def test_an_event_on_several_lines_is_kept_on_one(segment: StandIn) -> None:
    body = b'{"batch": [\r\n{"type": "track",\r\n "event": "x\\n", "n": 1.50,\n "userId": "1"}\n]}'
    assert segment.answer(body) == SUCCESS
    assert segment.lines("events") == [b'{"type":"track","event":"x\\n","n":1.50,"userId":"1"}']


def test_the_summary_counts_and_a_reset_forgets(segment: StandIn) -> None:
    first, second = to_body([track("a"), track("b"), track("a")]), to_body([track("b"), track("c", type="trick")])
    segment.answer(first)
    segment.answer(second, {"X-Retry-Count": "1"}, key="another key")
    segment.answer(second, {"X-Retry-Count": "2"})
    segment.answer(b"{", {"X-Retry-Count": "2"})
    segment.answer(b'{"batch":[]}')
    assert segment.read("summary") == {
        "requests": 5,
        "answers": {"200": 4, "400": 1},
        "x_retry_counts": {"1": 1, "2": 2},
        "write_keys": 2,
        "batches": 4,
        "bytes": len(first) + 2 * len(second) + len('{"batch":[]}'),
        "events": 7,
        "accepted": 2,
        "duplicates": 3,
        "rejected": {"invalid_type": 2},
    }
    assert segment.read("duplicates") == {"a": 1, "b": 2}
    assert segment.session.delete(f"{segment.url}/sandbox/events", timeout=10).status_code == 204
    assert segment.read("summary") == NOTHING
    assert (segment.lines("events"), segment.lines("rejected"), segment.read("duplicates")) == ([], [], {})
    segment.answer(first)
    assert segment.lines("events") == [track("a"), track("b")]


def test_repeats_are_taken_and_not_kept_though_they_differ(segment: StandIn) -> None:
    assert segment.answer(to_body([track("a")])) == SUCCESS
    assert segment.answer(to_body([track("a", event="Another"), track("A")]), key="another") == SUCCESS
    assert segment.lines("events") == [track("a"), track("A")]
    assert segment.read("duplicates") == {"a": 1}


def test_an_event_without_an_id_repeats_no_other_and_a_rejected_one_does_not_count(segment: StandIn) -> None:
    without, empty, null = track("", messageId=...), track(""), track("", messageId=None)
    segment.answer(to_body([without, without, empty, empty, null, track("a", userId=...), track("a")]))
    assert segment.lines("events") == [without, without, empty, empty, null, track("a")]
    assert segment.read("duplicates") == {}


# --- What is dropped under a 200 ---


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": ...}, "invalid_type"),
        ({"type": None}, "invalid_type"),
        ({"type": "Track"}, "invalid_type"),
        ({"type": 7}, "invalid_type"),
        ({"type": ["track"]}, "invalid_type"),
        ({"userId": 7}, "invalid_id"),
        ({"userId": True}, "invalid_id"),
        ({"userId": 1e300, "anonymousId": "x"}, "invalid_id"),
        ({"anonymousId": {}}, "invalid_id"),
        ({"messageId": 7}, "invalid_id"),
        ({"type": "group", "groupId": 7}, "invalid_id"),
        ({"type": "alias", "previousId": []}, "invalid_id"),
        ({"messageId": "é" * 100}, "message_id_too_long"),
        ({"userId": ...}, "missing_user"),
        ({"userId": None, "anonymousId": ""}, "missing_user"),
        ({"type": "identify", "userId": ""}, "missing_user"),
        ({"event": ...}, "missing_event_name"),
        ({"event": ""}, "missing_event_name"),
        ({"event": 7}, "missing_event_name"),
        ({"timestamp": ""}, "invalid_timestamp"),
        ({"timestamp": 1714555200}, "invalid_timestamp"),
        ({"timestamp": 0}, "invalid_timestamp"),
        ({"timestamp": "yesterday"}, "invalid_timestamp"),
        ({"timestamp": "2024-05-01"}, "invalid_timestamp"),
        ({"timestamp": "2024-05-01 09:20:00Z"}, "invalid_timestamp"),
        ({"timestamp": "2024-05-01T09:20:00"}, "invalid_timestamp"),
        ({"timestamp": "2024-02-30T09:20:00Z"}, "invalid_timestamp"),
        ({"timestamp": "٢٠٢٤-05-01T09:20:00Z"}, "invalid_timestamp"),
    ],
    ids=str,
)
def test_an_event_that_breaks_a_rule(segment: StandIn, change: dict[str, object], reason: str) -> None:
    broken = track("broken", **change)
    assert segment.answer(to_body([track("a"), broken, track("b")])) == SUCCESS
    assert segment.lines("events") == [track("a"), track("b")]
    assert segment.lines("rejected") == [b'{"reason":"%s","event":%s}' % (reason.encode(), broken)]
    assert segment.read("summary")["rejected"] == {reason: 1}


@pytest.mark.parametrize(
    "change",
    [
        {"userId": ..., "anonymousId": "x"},
        {"userId": None, "anonymousId": "x"},
        {"messageId": "é" * 99},
        {"type": "identify", "event": ...},
        {"type": "group", "groupId": "g", "event": ...},
        {"timestamp": ...},
        {"timestamp": None},
        {"timestamp": "2024-05-01T09:20:00Z"},
        {"timestamp": "2024-05-01T09:20:00.123456789Z"},
        {"timestamp": "2024-05-01T11:20:00.5+02:00"},
    ],
    ids=str,
)
def test_an_event_that_breaks_none(segment: StandIn, change: dict[str, object]) -> None:
    assert segment.answer(to_body([track("whole", **change)])) == SUCCESS
    assert segment.lines("events") == [track("whole", **change)]


@pytest.mark.parametrize("number", [b"1e999", b"1e99999999999999999999", b"9" * 5_000])
def test_numbers_beyond_all_bounds(segment: StandIn, number: bytes) -> None:
    kept, broken = track("a", n="N").replace(b'"N"', number), track("b", userId="N").replace(b'"N"', number)
    assert segment.answer(to_body([kept, broken])) == SUCCESS
    assert segment.lines("events") == [kept]
    assert segment.lines("rejected") == [b'{"reason":"invalid_id","event":%s}' % broken]


@pytest.mark.parametrize("event", ["7", '"x"', "null", "[]", "1e999"])
def test_an_event_that_is_no_object(segment: StandIn, event: str) -> None:
    assert segment.answer(to_body([event.encode(), track("a")])) == SUCCESS
    assert segment.lines("events") == [track("a")]
    assert segment.lines("rejected") == [b'{"reason":"not_an_object","event":%s}' % event.encode()]


def test_an_event_that_is_too_large(segment: StandIn) -> None:
    assert segment.answer(to_body([sized(32_768, "a"), sized(32_769, "b")])) == SUCCESS
    assert segment.lines("events") == [sized(32_768, "a")]
    assert segment.rejected() == [("too_large", json.loads(sized(32_769, "b")))]


def test_an_event_of_several_lines_that_is_dropped_is_one_line(segment: StandIn) -> None:
    assert segment.answer(b'{"batch":[{"type":\n7}]}') == SUCCESS
    assert segment.lines("rejected") == [b'{"reason":"invalid_type","event":{"type":7}}']


def test_events_beyond_2500(segment: StandIn) -> None:
    events = [track(str(number), timestamp=...) for number in range(2_503)]
    assert segment.answer(to_body(events)) == SUCCESS
    assert segment.lines("events") == events[:2_500]
    assert segment.rejected() == [("too_many", json.loads(event)) for event in events[2_500:]]
    assert segment.read("summary")["events"] == 2_503


def test_the_context_of_the_batch_counts_as_part_of_each_event(segment: StandIn) -> None:
    # As the event would read with {"library":"L","app":"A"} and its own context, which goes first.
    grown = [track("a", context={"library": "L", "app": "A"}), track("b", context={"library": "own", "app": "A"})]
    short = [track("a"), track("b", context={"library": "own"})]
    for growth, verdict in ((0, "events"), (1, "rejected")):
        fill = [json.loads(event) for event in short]
        for event, whole in zip(fill, grown, strict=True):
            event["filler"] = "f" * (32_768 - len(whole) - len(',"filler":""') + growth)
        body = compact({"context": {"library": "L", "app": "A"}, "batch": fill})
        assert segment.answer(body) == SUCCESS
        kept = [json.loads(line) for line in segment.lines(verdict)]
        assert kept == (fill if verdict == "events" else [{"reason": "too_large", "event": event} for event in fill])


def test_a_context_that_is_no_object_stands_against_that_of_the_batch(segment: StandIn) -> None:
    assert segment.answer(b'{"context":{"x":1},"batch":[%s,7]}' % track("a", context="c")) == SUCCESS
    assert segment.lines("events") == [track("a", context="c")]


# --- What is refused ---


def test_a_body_that_is_too_large(segment: StandIn) -> None:
    head, tail = b'{"batch":[],"filler":"', b'"}'
    allowed = head + b"f" * (500_000 - len(head) - len(tail)) + tail
    larger = allowed.replace(b"f", b"ff", 1)
    assert segment.answer(allowed) == SUCCESS
    too_large = (400, "text/plain; charset=utf-8", "the body is larger than 500000 bytes")
    assert segment.answer(larger) == too_large
    assert segment.answer(gzip.compress(allowed), {"Content-Encoding": "gzip"}) == SUCCESS
    assert segment.answer(gzip.compress(larger), {"Content-Encoding": "gzip"}) == too_large
    assert segment.answer(gzip.compress(bytes(50_000_000)), {"Content-Encoding": "gzip"}) == too_large
    summary = segment.read("summary")
    assert (summary["bytes"], summary["answers"]) == (1_000_000, {"200": 2, "400": 3})


def test_a_body_in_gzip(segment: StandIn) -> None:
    body = to_body([track("a")])
    assert segment.answer(gzip.compress(body), {"Content-Encoding": "gzip"}) == SUCCESS
    assert segment.lines("events") == [track("a")]
    assert segment.read("summary")["bytes"] == len(body)
    for wrong in (body, gzip.compress(body)[:-1], gzip.compress(body) + b"x", b""):
        answer = segment.answer(wrong, {"Content-Encoding": "gzip"})
        assert answer == (400, "text/plain; charset=utf-8", "malformed gzip")
    answer = segment.answer(body, {"Content-Encoding": "br"})
    assert answer == (400, "text/plain; charset=utf-8", "of the encodings, gzip alone is understood")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "malformed JSON"),
        (b'{"batch":[', "malformed JSON"),
        (b'{"batch":[{"a":NaN}]}', "malformed JSON"),
        (b'{"batch":[{"a":"\xff"}]}', "malformed JSON"),
        (b'{"batch":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "malformed JSON"),
        (b"[]", "invalid batch: Expected `object`, got `array`"),
        (b"{}", "invalid batch: Object missing required field `batch`"),
        (b'{"batch":{}}', "invalid batch: Expected `array`, got `object` - at `$.batch`"),
        (b'{"batch":[],"context":7}', "invalid batch: Expected `object | null`, got `int` - at `$.context`"),
        (b'{"batch":[],"writeKey":7}', "invalid batch: Expected `str | null`, got `int` - at `$.writeKey`"),
    ],
)
def test_a_body_that_is_no_batch(segment: StandIn, body: bytes, text: str) -> None:
    assert segment.answer(body) == (400, "text/plain; charset=utf-8", text)
    assert segment.read("summary") == NOTHING | {"requests": 1, "answers": {"400": 1}}


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/jsonp"])
def test_a_content_type_that_is_not_json(segment: StandIn, content_type: str) -> None:
    answer = segment.answer(to_body([]), {"Content-Type": content_type})
    assert answer == (400, "text/plain; charset=utf-8", "the Content-Type must be application/json")
    assert segment.answer(to_body([]), {"Content-Type": "Application/JSON; charset=utf-8"}) == SUCCESS


def basic(credentials: bytes) -> str:
    return "Basic " + base64.b64encode(credentials).decode()


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic ?", "Bearer key", basic(b""), basic(b":"), basic(b"key"), basic(b"key:x"), basic(b"\xff:")],
)
def test_credentials_that_are_no_write_key(segment: StandIn, authorization: str) -> None:
    answer = segment.post(b'{"batch":[],"writeKey":"key"}', {"Authorization": authorization}, None)
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "text/plain; charset=utf-8")
    assert answer.text == "the write key must be the user name of Basic credentials, and the password empty"


def test_a_write_key_in_the_body_or_nowhere(segment: StandIn) -> None:
    batch = compact({"writeKey": "key", "sentAt": "2024-05-01T09:20:01Z", "batch": [json.loads(track("a"))]})
    assert segment.post(batch, auth=None).status_code == 200
    assert segment.lines("events") == [track("a")]
    for body in (to_body([track("b")]), b'{"batch":[],"writeKey":""}', b'{"batch":[],"writeKey":null}'):
        answer = segment.post(body, auth=None)
        assert (answer.status_code, answer.text) == (401, "there is no write key, in the header or in the body")
    assert segment.lines("events") == [track("a")]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/batch/", "/v1/track", "/v2/batch", "/sandbox", "/docs"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_all_else_is_not_found(segment: StandIn, method: str, path: str) -> None:
    answer = segment.session.request(method, segment.url + path, data=to_body([]), headers=JSON, timeout=10)
    assert (answer.status_code, answer.history, answer.text) == (404, [], "Not Found")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_a_post_makes_a_batch(segment: StandIn, method: str) -> None:
    answer = segment.session.request(method, f"{segment.url}/v1/batch", timeout=10)
    assert (answer.status_code, answer.headers["Allow"], answer.text) == (405, "POST", "Method Not Allowed")


# --- Settings ---


def test_more_requests_a_second_than_the_rate() -> None:
    now = [100.0]
    with standing_in(create_app(rate=2, clock=lambda: now[0])) as segment:
        statuses = []
        for number, later in enumerate([0, 0.5, 0.4, 0, 0.125, 0, 0.5, 5]):
            now[0] += later
            answer = segment.post(to_body([track(str(number))]))
            statuses.append((answer.status_code, answer.headers.get("Retry-After")))
        taken, refused = (200, None), (429, "1")
        assert statuses == [taken, taken, refused, refused, taken, taken, refused, taken]
        assert segment.lines("events") == [track(number) for number in "01457"]
        assert segment.read("summary")["answers"] == {"200": 5, "429": 3}


def test_a_late_answer_comes_after_its_events_are_taken() -> None:
    with standing_in(create_app(latency=1.5)) as segment:
        body = to_body([track("a")])
        with pytest.raises(requests.ReadTimeout):
            requests.post(f"{segment.url}/v1/batch", body, headers=JSON, auth=("key", ""), timeout=0.5)
        assert segment.lines("events") == [track("a")]
    with standing_in(create_app(latency=0.1)) as segment:
        began = time.monotonic()
        assert segment.answer(body) == SUCCESS
        assert segment.answer(b"{")[0] == 400
        assert time.monotonic() - began >= 0.2


def test_a_large_event_can_be_refused_with_its_whole_request() -> None:
    with standing_in(create_app(refuse_large_events=True)) as segment:
        refused = (400, "text/plain; charset=utf-8", "an event is larger than 32768 bytes")
        assert segment.answer(to_body([track("a"), sized(32_769)])) == refused
        assert segment.read("summary") == NOTHING | {"requests": 1, "answers": {"400": 1}}
        assert segment.answer(to_body([track("a"), sized(32_768)])) == SUCCESS


# --- Other opinions ---


@contextmanager
def delivering(url: str, **more: Callable[..., Any]) -> Iterator[Segment]:
    with Segment(SegmentSettings(write_key="key", batch_api=url), **more) as client:
        yield client


def test_what_the_bridge_packs_and_delivers_arrives_whole(segment: StandIn) -> None:
    events = [track(f"{number}", properties={"né": [number, None, 0.5], "f": "x" * number}) for number in range(3_000)]
    batches = list(pack(events))
    assert len(batches) > 3
    with delivering(segment.url) as client:
        outcomes = [client.deliver(batch.body) for batch in batches]
        assert outcomes == [
            Outcome(delivered=batch.events, attempts=(Attempt(batch.events, 200),)) for batch in batches
        ]
        assert segment.lines("events") == events
        assert client.deliver(batches[0].body) == outcomes[0]
    assert segment.lines("events") == events
    assert segment.read("summary") == NOTHING | {
        "requests": len(batches) + 1,
        "answers": {"200": len(batches) + 1},
        "write_keys": 1,
        "batches": len(batches) + 1,
        "bytes": sum(len(batch.body) for batch in batches) + len(batches[0].body),
        "events": 3_000 + batches[0].events,
        "accepted": 3_000,
        "duplicates": batches[0].events,
    }


def test_the_bridge_finds_the_event_that_is_refused() -> None:
    events = [track("a"), track("b"), sized(32_769), track("c")]
    with standing_in(create_app(refuse_large_events=True)) as segment, delivering(segment.url) as client:
        assert client.deliver(to_body(events)) == Outcome(
            delivered=3,
            rejected=(Refused(2, 400),),
            attempts=(Attempt(4, 400), Attempt(2, 200), Attempt(2, 400), Attempt(1, 400), Attempt(1, 200)),
        )
        assert segment.lines("events") == [track("a"), track("b"), track("c")]


def test_the_bridge_waits_as_long_as_it_is_asked_to() -> None:
    now = [0.0]
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    def clock() -> float:
        return now[0]

    app = create_app(rate=1, clock=clock)
    with standing_in(app) as segment, delivering(segment.url, sleep=wait, clock=clock) as client:
        for name in ("a", "b"):
            assert client.deliver(to_body([track(name)])).delivered == 1
        assert pauses == [1.0]
        assert segment.lines("events") == [track("a"), track("b")]
        assert segment.read("summary")["x_retry_counts"] == {"1": 1}


def sdk_event(message_id: str) -> dict[str, Any]:
    return {
        "integrations": {},
        "properties": {"name": "cart", "é": [1, 2.5, None, {"deep": True}]},
        "timestamp": "2024-05-01T09:20:00.500+00:00",
        "context": {"userAgent": "kubectl", "library": {"name": "analytics-python", "version": VERSION}},
        "anonymousId": None,
        "userId": "007",
        "type": "track",
        "event": "Component created",
        "messageId": message_id,
    }


def send(sdk: Client, message_id: str) -> None:
    sdk.track(
        "007",
        "Component created",
        {"name": "cart", "é": [1, 2.5, None, {"deep": True}]},
        context={"userAgent": "kubectl"},
        timestamp=datetime(2024, 5, 1, 9, 20, 0, 500_000, tzinfo=UTC),
        message_id=message_id,
    )


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_what_the_sdk_sends_arrives_whole(segment: StandIn, zipped: bool) -> None:
    sdk = Client("key", host=segment.url, sync_mode=True, gzip=zipped)
    for message_id in ("a", "b", "a"):
        send(sdk, message_id)
    assert [json.loads(line) for line in segment.lines("events")] == [sdk_event("a"), sdk_event("b")]
    summary = segment.read("summary")
    assert summary.pop("bytes") > 3 * 300
    assert summary == {key: value for key, value in NOTHING.items() if key != "bytes"} | {
        "requests": 3,
        "answers": {"200": 3},
        "write_keys": 1,
        "batches": 3,
        "events": 3,
        "accepted": 2,
        "duplicates": 1,
    }


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_what_the_sdk_sends_in_batches_arrives_whole(segment: StandIn, zipped: bool) -> None:
    sdk = Client("key", host=segment.url, gzip=zipped, upload_interval=0.05)
    for number in range(250):
        send(sdk, str(number))
    sdk.shutdown()
    assert [json.loads(line) for line in segment.lines("events")] == [sdk_event(str(n)) for n in range(250)]
    assert segment.rejected() == []
