"""The command line as its users run it: exit codes, what is said, and what lies there afterwards."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import segment
from sandbox.deployment import PROJECT
from sandbox.serve import serving
from segment_bridge.settings import SplunkSettings
from segment_bridge.splunk import KvStore
from tests.system import stand_ins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

WINDOW = ("--from", "2026-01-05T08:00:00Z", "--to", "2026-01-05T12:00:00Z")
SPLUNK_SETTINGS = "SPLUNK_TOKEN (or SPLUNK_USERNAME and SPLUNK_PASSWORD), SPLUNK_API_URL, SPLUNK_INDEX"
EVENT = {"messageId": "m-1", "type": "track", "userId": "u", "event": "e", "timestamp": "2026-01-05T08:00:00Z"}


@dataclass(frozen=True)
class Done:
    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def bridge(*arguments: str, given: bytes = b"", settings: Mapping[str, str] | None = None) -> Done:
    """Run a command with no settings but those given here."""
    own = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "segment_bridge", *arguments],
        input=given,
        capture_output=True,
        env={**own, **(settings or {})},
        check=False,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr.decode())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stand_ins.World]:
    with stand_ins.world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def segment_url() -> Iterator[str]:
    with serving(segment.create_app()) as url:
        yield url


def arrived(url: str) -> list[Any]:
    return [json.loads(line) for line in requests.get(f"{url}/sandbox/events", timeout=60).content.splitlines()]


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (("search", *WINDOW), SPLUNK_SETTINGS),
        (("maps", "users"), "HOST_CONTEXT"),
        (("maps", "workspaces"), "MEMBER_CONTEXTS"),
        (("upload",), "SEGMENT_WRITE_KEY"),
        (
            ("run", *WINDOW),
            f"{SPLUNK_SETTINGS}, HOST_CONTEXT, MEMBER_CONTEXTS, SEGMENT_WRITE_KEY",
        ),
    ],
)
def test_all_missing_settings_are_named_at_once(command: tuple[str, ...], missing: str) -> None:
    assert bridge(*command) == Done(2, b"", f"segment-bridge: missing settings: {missing}\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("spl", "no-such-journey"), "no journey named no-such-journey: there are application-events, "),
        (("spl", "--index", "a b"), "'a b' is no index name: "),
        (("search", "--from", "-4h", "--to", "now"), "'-4h' is not a time: "),
        (("search", "--from", "2026-01-05", "--to", "2026-01-04"), "the window ends (2026-01-04T00:00:00Z) before "),
    ],
)
def test_wrong_usage_is_told_in_one_line(command: tuple[str, ...], said: str) -> None:
    done = bridge(*command)
    assert (done.code, done.out, done.err.count("\n")) == (2, b"", 1)
    assert done.err.startswith(f"segment-bridge: {said}")


def test_maps_are_one_json_object_each_with_sorted_keys(world: stand_ins.World) -> None:
    users, workspaces = (
        bridge("maps", "users", settings=world.settings),
        bridge("maps", "workspaces", settings=world.settings),
    )
    assert [json.loads(users.out), json.loads(workspaces.out)] == [
        world.traffic.manifest["users"],
        world.traffic.manifest["workspaces"],
    ]
    assert list(json.loads(users.out)) == sorted(json.loads(users.out))
    short = "the map of users: 2 users with an ID of fewer than 5 characters, which Amplitude removes"
    assert (users.err, workspaces.err) == (f"segment-bridge: warning: {short}\n", "")
    one = bridge("maps", "workspaces", "--context", "member-1", settings=world.settings)
    assert json.loads(one.out).items() != json.loads(workspaces.out).items()


@pytest.mark.parametrize("by", ["option", "variable"])
def test_the_labels_of_tenants_are_settings(world: stand_ins.World, by: str) -> None:
    label = "example.com/team=blue"
    options = ("--tenant-selectors", label) if by == "option" else ()
    settings = {"TENANT_SELECTORS": label} if by == "variable" else {}
    done = bridge("maps", "workspaces", *options, settings=world.settings | settings)
    told = (
        "segment-bridge: the map of workspaces is empty, as there are no namespaces with the label "
        "example.com/team=blue (setting tenant_selectors): check that it is the right cluster, and that its "
        "credentials may see them\n"
    )
    assert (done.code, done.err) == (2, told)


def test_the_filters_joined_by_pipes_deliver_what_is_due(
    world: stand_ins.World, segment_url: str, tmp_path: Path
) -> None:
    for which in ("users", "workspaces"):
        (tmp_path / which).write_bytes(bridge("maps", which, settings=world.settings).out)
    results = bridge("search", *WINDOW, settings=world.settings)
    rejected = tmp_path / "rejected"
    maps = ("--users", str(tmp_path / "users"), "--workspaces", str(tmp_path / "workspaces"))
    events = bridge("convert", *maps, "--rejected", str(rejected), given=results.out)
    summary = tmp_path / "summary"
    upload = bridge(
        *("upload", "--summary", str(summary)),
        given=events.out,
        settings={"SEGMENT_BATCH_API": segment_url, "SEGMENT_WRITE_KEY": "a-write-key"},
    )

    due = world.traffic.manifest["journeys"].values()
    assert (results.code, events.code, upload.code) == (0, 0, 0)
    assert len(events.lines) == sum(journey["events"] for journey in due)
    assert len(rejected.read_bytes().splitlines()) == sum(sum(journey["rejected"].values()) for journey in due)
    assert stat.S_IMODE(rejected.stat().st_mode) == 0o600
    assert json.loads(summary.read_text()) == {
        "events": len(events.lines),
        "batches": 1,
        "delivered": len(events.lines),
        "undelivered": 0,
        "rejected": 0,
        "reasons": {},
    }
    unique = {event["messageId"]: event for event in events.lines}
    assert {event["messageId"]: event for event in arrived(segment_url)} == unique


def test_searches_that_resolve_users_are_printed_and_made(world: stand_ins.World) -> None:
    asked = ("component-events", "--identity", "splunk_lookup")
    printed = bridge("spl", *asked).out.decode()
    golden = (PROJECT / "tests" / "unit" / "golden" / "spl_lookup" / "component-events.spl").read_text()
    assert printed.partition("```\n")[2] == golden

    splunk = SplunkSettings(
        url=world.settings["SPLUNK_API_URL"],
        username=world.settings["SPLUNK_USERNAME"],
        password=world.settings["SPLUNK_PASSWORD"],
    )
    with KvStore(splunk) as store:
        store.publish_users(world.traffic.manifest["users"])
    found = [line["result"] for line in bridge("search", *asked, *WINDOW, settings=world.settings).lines]
    assert {(result["identity"], "userId" in result) for result in found} == {("splunk_lookup", False)}
    assert {result.get("userSsoId") for result in found} & set(world.traffic.manifest["users"].values())


def test_run_carries_everything_and_prints_the_books(world: stand_ins.World, segment_url: str, tmp_path: Path) -> None:
    settings = world.settings | {"SEGMENT_BATCH_API": segment_url, "SEGMENT_BRIDGE_STAGING": str(tmp_path)}
    done = bridge("run", *WINDOW, settings=settings)
    (report,) = tmp_path.glob("runs/*/report.json")
    total = json.loads(report.read_text())["total"]

    assert done.code == 0, done.err
    assert len(arrived(segment_url)) > 0
    assert total["found"] == total["sent"] + sum(total["rejected"].values())
    assert f"report: {report.as_uri()}" in done.out.decode()
    assert "all" in done.out.decode()
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()} == {0o600}


def test_a_dry_run_does_everything_but_send(world: stand_ins.World, tmp_path: Path) -> None:
    settings = world.settings | {"SEGMENT_BRIDGE_STAGING": str(tmp_path)}
    del settings["SEGMENT_WRITE_KEY"]
    done = bridge("run", *WINDOW, "--dry-run", settings=settings)
    (report,) = (json.loads(path.read_text()) for path in tmp_path.glob("runs/*/report.json"))

    assert done.code == 0, done.err
    assert (report["plan"]["dry_run"], report["total"]["sent"], report["problems"]) == (True, 0, [])
    assert report["total"]["withheld"] == sum(j["events"] for j in world.traffic.manifest["journeys"].values())


def test_run_with_an_unreachable_segment_says_what_is_undelivered(world: stand_ins.World, tmp_path: Path) -> None:
    settings = world.settings | {"SEGMENT_BATCH_API": "http://127.0.0.1:1", "SEGMENT_BRIDGE_STAGING": str(tmp_path)}
    done = bridge("run", *WINDOW, "application-events", settings=settings)
    (report,) = (json.loads(path.read_text()) for path in tmp_path.glob("runs/*/report.json"))

    assert done.code == 1
    assert report["balanced"] is True
    assert report["problems"] == [f"application-events: {report['total']['events']} events undelivered"]
    assert done.err.splitlines()[-1] == f"segment-bridge: the run is not complete: {report['problems'][0]}"


RESULT = {
    "messageId": "m-1",
    "timestamp": "2026-01-05T10:00:00Z",
    "type": "track",
    "namespace": "4711-tenant",
    "event_subject": "applications",
    "event_verb": "create",
    "userId": "4711",
    "properties": '{"name":"a"}',
    "context": '{"userAgent":"x"}',
}
CONVERTED = {
    "messageId": "m-1",
    "timestamp": "2026-01-05T10:00:00Z",
    "namespace": "4711-tenant",
    "type": "track",
    "userId": "10001",
    "event": "Application created",
    "properties": {"name": "a", "workspaceID": "10001"},
    "context": {"userAgent": "x"},
}
TWICE = {name: [value, value] for name, value in RESULT.items()}
WANTED = '{"result": {...}} a line, as `segment-bridge search` prints it'
DOUBLED = (
    "Splunk extracts every field twice, as it does with INDEXED_EXTRACTIONS=json beside KV_MODE=json: "
    "remove one of the two from Splunk's props.conf"
)


def ndjson(*documents: object) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


class TestConvert:
    """What is said of what comes in, whatever it is."""

    @pytest.fixture
    def maps(self, tmp_path: Path) -> tuple[str, ...]:
        for name, entries in (("users", {"4711": "10001"}), ("workspaces", {"4711-tenant": "4711"})):
            (tmp_path / name).write_text(json.dumps(entries))
        return ("--users", str(tmp_path / "users"), "--workspaces", str(tmp_path / "workspaces"))

    def convert(self, maps: tuple[str, ...], *options: str, given: bytes, **settings: str) -> Done:
        return bridge("convert", *maps, *options, given=given, settings=settings)

    @pytest.mark.parametrize(
        ("given", "code", "told"),
        [
            pytest.param(
                ndjson(RESULT, RESULT),
                2,
                "segment-bridge: standard input holds a line without a result, as bare results are: "
                f"give {WANTED} (jq -c '{{result: .}}')\n",
                id="bare results",
            ),
            pytest.param(
                ndjson({"preview": False, "init_offset": 0, "messages": [], "results": [RESULT]}),
                2,
                "segment-bridge: standard input holds a whole document of results: "
                f"give {WANTED} (jq -c '.results[] | {{result: .}}')\n",
                id="a document of results",
            ),
            pytest.param(
                ndjson({"messages": [{"type": "FATAL", "text": "no ann here"}]}),
                1,
                'segment-bridge: incomplete answer (error_message): FATAL, the search failed: "no ann here" '
                "(see the search's job in Splunk)\n",
                id="a message that the answer is incomplete",
            ),
            pytest.param(
                ndjson({"messages": ["what?"]}),
                2,
                f"segment-bridge: standard input holds messages of an unknown shape: give {WANTED}\n",
                id="an odd message",
            ),
            pytest.param(
                ndjson({"result": TWICE}),
                1,
                f"rejected 1: fields_twice\nsegment-bridge: 1 results rejected: {DOUBLED}\n",
                id="every field twice",
            ),
            pytest.param(
                ndjson([RESULT]),
                2,
                "rejected 1: malformed_result\n"
                f"segment-bridge: none of the 1 lines on standard input is a result: give {WANTED}\n",
                id="a list of results",
            ),
            pytest.param(
                b"messageId,timestamp\nm-1,2026-01-05T10:00:00Z\n",
                2,
                "rejected 2: malformed_result\n"
                f"segment-bridge: none of the 2 lines on standard input is a result: give {WANTED}\n",
                id="a table",
            ),
            pytest.param(
                ndjson({"result": {**RESULT, "messageId": ["a", "b"]}}),
                0,
                "rejected 1: malformed_result\nsegment-bridge: warning: all 1 results were rejected\n",
                id="a result with an odd field",
            ),
            pytest.param(
                ndjson({"result": {**RESULT, "userId": "nobody"}}),
                0,
                "rejected 1: unknown_user\nsegment-bridge: warning: all 1 results were rejected\n",
                id="all rejected",
            ),
            pytest.param(
                ndjson(
                    {"preview": True, "offset": 0, "result": RESULT},
                    {"messages": [{"type": "INFO", "text": "Your timerange was substituted based on your search"}]},
                    {"preview": False, "lastrow": True},
                    {"preview": False, "lastrow": True},
                ),
                0,
                "passed over 2: answer without results\npassed over 1: message\npassed over 1: preview\n",
                id="no row at all",
            ),
            pytest.param(b"\n \n", 0, "", id="nothing"),
        ],
    )
    def test_no_line_is_passed_over_in_silence(self, maps: tuple[str, ...], given: bytes, code: int, told: str) -> None:
        assert self.convert(maps, given=given) == Done(code, b"", told)

    def test_an_event_beside_them_is_made_all_the_same(self, maps: tuple[str, ...]) -> None:
        done = self.convert(maps, given=ndjson({"result": TWICE}, {"result": RESULT}))
        assert (done.code, done.lines) == (1, [CONVERTED])
        assert done.err == f"rejected 1: fields_twice\nsegment-bridge: 1 results rejected: {DOUBLED}\n"

    @pytest.mark.parametrize("by", ["option", "variable"])
    @pytest.mark.parametrize(("whose", "pattern"), [("users", "x, 47*"), ("namespaces", "4711-*")])
    def test_who_is_excluded_is_counted_and_alarms_nobody(
        self, maps: tuple[str, ...], whose: str, pattern: str, by: str
    ) -> None:
        options = (f"--exclude-{whose}", pattern) if by == "option" else ()
        settings = {f"SEGMENT_BRIDGE_EXCLUDE_{whose.upper()}": pattern} if by == "variable" else {}
        done = self.convert(maps, *options, given=ndjson({"result": RESULT}), **settings)
        assert done == Done(0, b"", "rejected 1: excluded\n")

    def test_a_pattern_that_would_exclude_everybody_is_an_error(self, maps: tuple[str, ...]) -> None:
        done = self.convert(maps, "--exclude-users", "ann,*", given=ndjson({"result": RESULT}))
        told = "segment-bridge: exclude_users: pattern 2 matches every name: name whom to exclude\n"
        assert done == Done(2, b"", told)


@pytest.mark.parametrize(
    "line",
    [
        RESULT,
        {"messageId": "m-1", "properties": "{}"},
        {"result": RESULT},
        {"results": [RESULT]},
        {"messages": [{"type": "FATAL", "text": "no ann here"}]},
    ],
    ids=["bare", "bare, with an event", "a row", "a document", "a message"],
)
def test_upload_takes_no_result_for_an_event(line: dict[str, Any], segment_url: str) -> None:
    settings = {"SEGMENT_BATCH_API": segment_url, "SEGMENT_WRITE_KEY": "a-write-key"}
    done = bridge("upload", given=ndjson(line, EVENT | {"properties": {"result": "x"}}), settings=settings)
    told = "0 events undelivered, 1 rejected; 1 are results of a search: convert them first"
    assert (done.code, done.err) == (1, f"segment-bridge: {told}\n")
    assert (done.lines[0]["delivered"], done.lines[0]["reasons"]) == (1, {"search_result": 1})


def test_upload_counts_what_cannot_be_delivered_and_exits_with_1(segment_url: str) -> None:
    lines = [json.dumps(EVENT), "", "no JSON", json.dumps({**EVENT, "messageId": "m-2", "filler": "x" * 32_000})]
    settings = {"SEGMENT_BATCH_API": segment_url, "SEGMENT_WRITE_KEY": "a-write-key"}
    done = bridge("upload", given="\n".join(lines).encode(), settings=settings)

    assert (done.code, done.err) == (1, "segment-bridge: 0 events undelivered, 2 rejected\n")
    assert done.lines == [
        {
            "events": 3,
            "batches": 1,
            "delivered": 1,
            "undelivered": 0,
            "rejected": 2,
            "reasons": {"malformed_event": 1, "too_large": 1},
        }
    ]
    assert arrived(segment_url) == [EVENT]


def test_upload_to_nowhere_delivers_nothing_and_exits_with_1() -> None:
    settings = {"SEGMENT_BATCH_API": "http://127.0.0.1:1", "SEGMENT_WRITE_KEY": "a-write-key"}
    done = bridge("upload", given=json.dumps(EVENT).encode(), settings=settings)
    assert done.code == 1
    assert {key: done.lines[0][key] for key in ("delivered", "undelivered")} == {"delivered": 0, "undelivered": 1}


def test_nothing_to_upload_is_a_success(segment_url: str) -> None:
    done = bridge("upload", settings={"SEGMENT_BATCH_API": segment_url, "SEGMENT_WRITE_KEY": "a-write-key"})
    assert (done.code, done.lines[0]["events"]) == (0, 0)


@pytest.mark.parametrize("argv", [["journeys"], ["convert", "--help"]])
def test_what_asks_nobody_imports_no_client(argv: list[str]) -> None:
    clients = {"kubernetes", "requests", "splunklib", "fsspec", "rich", "tenacity", "urllib3", "airflow"}
    clients |= {"logging", "email"}  # which take as long to import as much of the rest
    command = f"import sys; from segment_bridge.cli import main; main({argv}, standalone_mode=False)"
    code = f"{command}; print(sorted({{name.split('.')[0] for name in sys.modules}} & {clients}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)  # noqa: S603 - our own
    assert done.stdout.splitlines()[-1] == b"[]"


def test_garbage_is_looked_for_while_a_command_runs_but_not_among_the_imports() -> None:
    command = "import gc; from segment_bridge.__main__ import main; main(['journeys'], standalone_mode=False)"
    code = f"{command}; print(gc.isenabled(), gc.get_freeze_count() > 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)  # noqa: S603 - our own
    assert done.stdout.splitlines()[-1] == b"True True"
