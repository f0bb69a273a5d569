from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
import requests
from starlette.responses import JSONResponse

from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.splunk.records import Record
from segment_bridge.errors import BridgeError, ConfigurationError, FatalError, RetryableError
from segment_bridge.settings import SplunkSettings
from segment_bridge.splunk import KvStore, Publication, Splunk
from segment_bridge.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

NAMES = [
    *("ann", "Ann", "ops@example.com", 'say "cheese"', "back\\slash", "名無し", "it's", "00042", "🚀", "e\u0301", "é"),
    *("per%cent", "{curly}", "$dollar", "a.b", "pipe|tick`,", "shalom שלום", "_key", " blank ", "a\nb", "x" * 2_000),
]
EVENTS = [
    {"auditID": str(number), "user": name, "requestReceivedTimestamp": f"2026-01-31T08:00:{number:02}Z"}
    for number, name in enumerate(NAMES)
]
LOG = AuditLog(tuple(Record.parse(json.dumps(event).encode()) for event in EVENTS))
WINDOW = Window.parse("2026-01-31T08:00:00Z", "2026-01-31T09:00:00Z")
SEARCH = (
    "search auditID=* | lookup local=true segment_bridge_users username AS user OUTPUT user_id AS id"
    " | fields user, id | fields - _*"
)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
STORAGE = "/servicesNS/nobody/search/storage/collections"
LOOKUP = "/servicesNS/nobody/search/data/transforms/lookups/segment_bridge_users"


def hashed(users: dict[str, str]) -> str:
    text = json.dumps(users, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()[:16]


def version_of_users(number: int) -> dict[str, str]:
    return {name: f"{number}-{index:03}" for index, name in enumerate(NAMES)}


@dataclass
class Recorded:
    """A Splunk whose requests are noted down, and some of which are answered with a status of the test's choice."""

    app: ASGIApp = field(default_factory=lambda: create_app(LOG))
    requests: list[tuple[str, str]] = field(default_factory=list)
    broken: Callable[[str, str], int | None] = field(default=lambda *_: None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.append((scope["method"], scope["path"]))
        status = self.broken(scope["method"], scope["path"])
        answer = JSONResponse({"messages": [{"type": "ERROR", "text": "broken"}]}, status or 200)
        await (answer if status else self.app)(scope, receive, send)


@pytest.fixture
def splunk() -> Recorded:
    return Recorded()


@pytest.fixture
def settings(splunk: Recorded) -> Iterator[SplunkSettings]:
    with serving(splunk) as url:
        yield SplunkSettings(url=url, token="changeme", timeout=10)


def publish(settings: SplunkSettings, users: dict[str, str], at: datetime = NOON, **more: Any) -> Publication:  # noqa: ANN401 - whatever it takes
    with KvStore(settings, clock=lambda: at, **more) as store:
        return store.publish_users(users)


def looked_up(settings: SplunkSettings, search: str = SEARCH) -> dict[str, str | None]:
    with Splunk(settings) as splunk:
        rows = [json.loads(line)["result"] for line in splunk.search(search, WINDOW)]
    return {row["user"]: row.get("id") for row in rows}


def get(settings: SplunkSettings, path: str) -> Any:  # noqa: ANN401 - any JSON
    headers = {"Authorization": "Bearer changeme"}
    return requests.get(f"{settings.url}{path}", params={"output_mode": "json"}, headers=headers, timeout=10).json()


def collections(settings: SplunkSettings) -> list[str]:
    return [entry["name"] for entry in get(settings, f"{STORAGE}/config")["entry"]]


# What is published


def test_a_first_publication_makes_collection_and_lookup(settings: SplunkSettings) -> None:
    users = version_of_users(1)
    version = f"segment_bridge_users_20260131t120000z_{hashed(users)}"
    assert publish(settings, users) == Publication(version, len(NAMES), changed=True, removed=0)
    (config,) = get(settings, f"{STORAGE}/config")["entry"]
    types = {"field.username": "string", "field.user_id": "string"}
    index = {"accelerated_fields.username": '{"username": 1}'}
    assert (config["name"], config["content"]) == (version, types | index)
    assert get(settings, LOOKUP)["entry"][0]["content"] == {
        "collection": version,
        "external_type": "kvstore",
        "fields_list": "username, user_id",
        "max_matches": 1,
    }
    documents = get(settings, f"{STORAGE}/data/{version}")
    assert {document["username"]: document["user_id"] for document in documents} == users
    assert {len(document["_key"]) for document in documents} == {64}
    assert looked_up(settings) == users


def test_who_is_not_in_the_map_has_no_id(settings: SplunkSettings) -> None:
    publish(settings, {"ann": "007"})
    assert looked_up(settings) == {name: "007" if name == "ann" else None for name in NAMES}


def test_a_map_that_is_published_already_is_not_written_again(splunk: Recorded, settings: SplunkSettings) -> None:
    users = version_of_users(1)
    first = publish(settings, users)
    splunk.requests.clear()
    again = publish(settings, dict(reversed(users.items())), NOON + timedelta(days=30))
    assert again == replace(first, changed=False)
    assert [method for method, _ in splunk.requests] == ["GET"] * 3


def test_a_changed_map_takes_the_place_of_the_one_before(settings: SplunkSettings) -> None:
    first = publish(settings, version_of_users(1))
    second = publish(settings, version_of_users(2), NOON + timedelta(hours=1))
    assert (second.changed, second.removed) == (True, 0)
    assert collections(settings) == [first.version, second.version]
    assert looked_up(settings) == version_of_users(2)


def test_a_map_that_comes_back_is_published_as_a_new_version(settings: SplunkSettings) -> None:
    for hour, number in enumerate((1, 2, 1)):
        done = publish(settings, version_of_users(number), NOON + timedelta(hours=hour))
    assert done.version.startswith("segment_bridge_users_20260131t140000z_")
    assert looked_up(settings) == version_of_users(1)


def test_no_call_has_more_than_a_thousand_documents(splunk: Recorded, settings: SplunkSettings) -> None:
    users = {f"user-{number}": str(number) for number in range(2_001)}
    done = publish(settings, users)
    calls = [path for _, path in splunk.requests if path.endswith("batch_save")]
    assert calls == [f"{STORAGE}/data/{done.version}/batch_save"] * 3
    documents = get(settings, f"{STORAGE}/data/{done.version}")
    assert {document["username"]: document["user_id"] for document in documents} == users


def test_an_empty_map_is_refused(splunk: Recorded, settings: SplunkSettings) -> None:
    with pytest.raises(ConfigurationError, match=r"^the map of users is empty, and is not published: "):
        publish(settings, {})
    assert splunk.requests == []


# Old versions


def test_a_version_goes_some_hours_after_another_took_its_place(settings: SplunkSettings) -> None:
    first = publish(settings, version_of_users(1))
    week = NOON + timedelta(days=7)
    second = publish(settings, version_of_users(2), week)
    assert second.removed == 0
    third = publish(settings, version_of_users(3), week + timedelta(minutes=1))
    assert collections(settings) == [first.version, second.version, third.version]
    unchanged = publish(settings, version_of_users(3), week + timedelta(hours=5, minutes=59))
    assert (unchanged.changed, unchanged.removed) == (False, 0)
    assert publish(settings, version_of_users(3), week + timedelta(hours=6)).removed == 1
    assert collections(settings) == [second.version, third.version]
    assert publish(settings, version_of_users(3), week + timedelta(days=1)).removed == 1
    assert collections(settings) == [third.version]
    assert looked_up(settings) == version_of_users(3)


def test_the_version_before_stays_however_short_the_time(settings: SplunkSettings) -> None:
    done = [
        publish(settings, version_of_users(number), NOON + timedelta(seconds=number), keep=timedelta(0))
        for number in range(4)
    ]
    assert [one.removed for one in done] == [0, 0, 1, 1]
    assert collections(settings) == [done[2].version, done[3].version]


def test_nothing_of_others_is_removed(settings: SplunkSettings) -> None:
    old = NOON - timedelta(days=365)
    others = [
        publish(settings, version_of_users(1), old, lookup="segment_bridge_users_of_staging"),
        publish(settings, version_of_users(2), old + timedelta(1), lookup="segment_bridge_users_of_staging"),
        publish(replace(settings, app="other"), version_of_users(1), old),
    ]
    for number in range(1, 4):
        publish(settings, version_of_users(number), NOON + timedelta(days=number), keep=timedelta(0))
    kept = collections(settings)
    assert len(kept) == 4
    assert {one.version for one in others[:2]} <= set(kept)
    assert looked_up(replace(settings, app="other")) == version_of_users(1)
    search = SEARCH.replace("segment_bridge_users", "segment_bridge_users_of_staging")
    assert looked_up(settings, search) == version_of_users(2)


# What can go wrong


@pytest.mark.parametrize(
    ("method", "ending"),
    [
        ("GET", "lookups/segment_bridge_users"),
        ("GET", "/config"),
        ("POST", "/config"),
        ("POST", "/batch_save"),
        ("POST", "lookups/segment_bridge_users"),
        ("DELETE", ""),
    ],
)
def test_a_failure_leaves_the_old_map_or_the_new_one_and_can_be_tried_again(
    splunk: Recorded, settings: SplunkSettings, method: str, ending: str
) -> None:
    publish(settings, version_of_users(0), NOON - timedelta(days=3))
    publish(settings, version_of_users(1), NOON - timedelta(days=2))
    splunk.broken = lambda *asked: 503 if asked[0] == method and asked[1].endswith(ending) else None
    at = NOON + timedelta(seconds=1)
    with pytest.raises(RetryableError, match=r"^Splunk answered 503 Service Unavailable: try again later$"):
        publish(settings, version_of_users(2), at)
    assert looked_up(settings) == version_of_users(2 if method == "DELETE" else 1)
    splunk.broken = lambda *_: None
    publish(settings, version_of_users(2), NOON + timedelta(minutes=1))
    assert looked_up(settings) == version_of_users(2)
    assert f"segment_bridge_users_20260128t120000z_{hashed(version_of_users(0))}" not in collections(settings)


def test_a_failure_in_the_middle_of_the_documents(splunk: Recorded, settings: SplunkSettings) -> None:
    publish(settings, version_of_users(1))
    users = version_of_users(2) | {f"user-{number}": str(number) for number in range(3_000)}

    def second_call(_: str, path: str) -> int | None:
        calls = [asked for _, asked in splunk.requests if asked == path]
        return 503 if path.endswith("batch_save") and len(calls) == 2 else None

    splunk.broken = second_call
    with pytest.raises(RetryableError):
        publish(settings, users, NOON + timedelta(hours=1))
    assert looked_up(settings) == version_of_users(1)
    # Tried again within the same second, it meets what it has left behind.
    assert publish(settings, users, NOON + timedelta(hours=1)).changed
    assert looked_up(settings) == version_of_users(2)


@pytest.mark.parametrize("path", [f"{STORAGE}/config/", f"{STORAGE}/data/"])
def test_a_collection_that_was_removed_or_emptied_is_written_again(settings: SplunkSettings, path: str) -> None:
    lost = publish(settings, version_of_users(1)).version
    headers = {"Authorization": "Bearer changeme"}
    requests.delete(f"{settings.url}{path}{lost}?output_mode=json", headers=headers, timeout=10).raise_for_status()
    again = publish(settings, version_of_users(1), NOON + timedelta(hours=1))
    assert (again.changed, looked_up(settings)) == (True, version_of_users(1))


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (400, FatalError, "Splunk refuses the request: broken"),
        (401, ConfigurationError, "Splunk answered 401 Unauthorized: check SPLUNK_TOKEN, or SPLUNK_USERNAME and"),
        (403, ConfigurationError, "Splunk answered 403 Forbidden: check the rights of the credentials"),
        (409, FatalError, "Splunk answered 409 Conflict: the request itself is not acceptable"),
        (503, RetryableError, "Splunk answered 503 Service Unavailable: try again later"),
    ],
)
def test_each_refusal_says_what_to_do(
    splunk: Recorded, settings: SplunkSettings, status: int, kind: type[BridgeError], told: str
) -> None:
    splunk.broken = lambda *_: status
    with pytest.raises(kind) as caught:
        publish(settings, version_of_users(1))
    assert str(caught.value).startswith(told)


def test_an_app_that_there_is_not(splunk: Recorded, settings: SplunkSettings) -> None:
    splunk.broken = lambda *_: 404
    with pytest.raises(ConfigurationError, match=r"check SPLUNK_API_URL, SPLUNK_APP_NAME and SPLUNK_OWNER$"):
        publish(settings, version_of_users(1))


def test_a_cluster_that_does_not_know_the_collection_yet(splunk: Recorded, settings: SplunkSettings) -> None:
    splunk.broken = lambda _, path: 404 if path.endswith("batch_save") else None
    with pytest.raises(RetryableError, match=r"^Splunk does not know a collection that it has just created: "):
        publish(settings, version_of_users(1))


def test_something_that_is_no_splunk(splunk: Recorded, settings: SplunkSettings) -> None:
    splunk.app = JSONResponse(["no", "feed"])
    with pytest.raises(ConfigurationError, match=r"^what answered about the KV store is not Splunk's REST API: "):
        publish(settings, version_of_users(1))


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a|b", "1a", "ü", "a" * 65])
def test_a_name_that_no_lookup_can_have(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name for a lookup"):
        KvStore(SplunkSettings(url="https://splunk.example.com", token="t"), lookup=name)


def test_no_log_tells_a_user(settings: SplunkSettings, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        publish(settings, {"a-secret-name": "a-secret-id"})
    assert "1 documents" in caplog.text
    assert [secret for secret in ("a-secret-name", "a-secret-id") if secret in caplog.text] == []


def test_a_password_serves_as_well(settings: SplunkSettings) -> None:
    publish(replace(settings, token="", username="admin", password="changeme"), version_of_users(1))
    assert looked_up(settings) == version_of_users(1)


# Several at once


def test_a_reader_sees_one_whole_version_while_others_are_published(settings: SplunkSettings) -> None:
    versions = [version_of_users(number) for number in range(24)]
    publish(settings, versions[0], NOON)

    def publish_all() -> None:
        for number, users in enumerate(versions):
            publish(settings, users, NOON + timedelta(minutes=number))

    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(publish_all)
        seen = [looked_up(settings)]
        while not publishing.done():
            seen.append(looked_up(settings))
        publishing.result()
    seen.append(looked_up(settings))
    assert [one for one in seen if one not in versions] == []
    places = [versions.index({name: str(found) for name, found in one.items()}) for one in seen]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 23)
    assert len(set(places)) > 2


def test_several_publishers_leave_one_whole_version(settings: SplunkSettings) -> None:
    publish(settings, version_of_users(0), NOON)
    with ThreadPoolExecutor(6) as pool:
        done = list(
            pool.map(
                lambda number: publish(settings, version_of_users(number), NOON + timedelta(seconds=number)),
                [1, 2, 3, 1, 2, 3],
            )
        )
    assert {one.entries for one in done} == {len(NAMES)}
    assert looked_up(settings) in [version_of_users(number) for number in (1, 2, 3)]
