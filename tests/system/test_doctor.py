"""The preflight: what it says of a world in which all is well, and of each that is not."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from starlette.responses import PlainTextResponse

from sandbox import segment
from sandbox.serve import serving
from sandbox.splunk import DOCUMENTED, AuditLog, create_app
from sandbox.splunk.records import Record
from segment_bridge import doctor
from segment_bridge.doctor import Check
from segment_bridge.errors import RetryableError
from segment_bridge.identity import IdentityMap, user_map
from segment_bridge.settings import SegmentSettings, SplunkSettings
from segment_bridge.window import Window
from tests.system.stand_ins import FROM, NOWHERE, TO, bridge, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.system.stand_ins import World

WINDOW = Window.parse(FROM, TO)
NEEDS = "not checked: what it needs has failed"
REACHABLE, LOGIN, ENDPOINT, INDEX, LARGE = doctor.SPLUNK_CHECKS


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


def as_list(done: str) -> list[dict[str, object]]:
    return [{name: value for name, value in check.items() if value != ""} for check in json.loads(done)]


def test_where_all_is_well_it_says_so_and_exits_with_0(stand_ins: World, tmp_path: Path) -> None:
    manifest = stand_ins.traffic.manifest
    with serving(segment.create_app()) as url:
        settings = {**stand_ins.settings, "SEGMENT_BATCH_API": url, "SEGMENT_BRIDGE_STAGING": str(tmp_path / "staging")}
        done = bridge("doctor", "--to", TO, "--json", settings=settings)
        text = bridge("doctor", "--to", TO, settings=settings)
    port = stand_ins.settings["SPLUNK_API_URL"].rpartition(":")[2]
    checks = as_list(done.out)
    users, workspaces = (str(check["told"]).partition(",") for check in checks[5:7])

    sizes = [len(line.decode().strip()) for line in stand_ins.traffic.records() if b".dev" in line or b".com" in line]
    large = (
        f"searches read the whole of 5 large records, of up to {max(sizes):,} bytes; "
        "automatic extraction, on which no search depends, does not reach their end"
    )

    cut = ", ".join(f"{count} of {resource}" for resource, count in manifest["truncated"].items())
    index = (
        f"audit holds audit records within [{FROM}, {TO}); the API server cut records that were too large, which "
        f"journeys may have missed: {cut}; raise its --audit-log-truncate-max-event-size, or that of the webhook"
    )

    assert (done.code, done.err) == (0, "")
    assert users[0] == f"{len(manifest['users'])} entries"
    assert workspaces[0] == f"{len(manifest['workspaces'])} entries"
    assert checks == [
        {"name": "splunk reachable", "ok": True, "told": f"127.0.0.1, port {port}, answers"},
        {"name": "splunk login", "ok": True, "told": "the credentials are taken; Splunk 10.0.1"},
        {"name": "splunk search endpoint", "ok": True, "told": "version 2 answers"},
        {"name": "splunk index", "ok": True, "told": index},
        {"name": "splunk large records", "ok": True, "told": large},
        {"name": "map of users", "ok": True, "told": "".join(users)},
        {"name": "map of workspaces", "ok": True, "told": "".join(workspaces)},
        {
            "name": "segment reachable",
            "ok": True,
            "told": "answered 200 to an empty batch, which does not prove that the write key is right",
        },
        {"name": "staging writable", "ok": True, "told": (tmp_path / "staging").as_uri()},
    ]
    assert text.out.splitlines() == [f"ok      {check['name']}: {check['told']}" for check in checks]
    assert list((tmp_path / "staging").iterdir()) == []


def test_where_nothing_is_well_it_says_what_to_do_and_exits_with_1(stand_ins: World, tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    settings = {
        **stand_ins.settings,
        "SPLUNK_API_URL": NOWHERE,
        "SEGMENT_BATCH_API": NOWHERE,
        "HOST_CONTEXT": "no-such-context",
        "MEMBER_CONTEXTS": "neither-this",
        "SEGMENT_BRIDGE_STAGING": str(tmp_path / "a-file/staging"),
    }
    done = bridge("doctor", "--to", TO, settings=settings)
    kubeconfig = settings["KUBECONFIG"]
    use = "what to do: use one of those it has (host, member-1, member-2)"

    assert (done.code, done.err) == (1, "segment-bridge: 5 of 9 checks failed\n")
    assert re.sub("doctor-[0-9a-f]{8}", "doctor-ID", done.out).splitlines() == [
        "FAILED  splunk reachable: Splunk at 127.0.0.1:1 gave no answer (ConnectionRefusedError)",
        "        what to do: try again later, or check SPLUNK_API_URL",
        *(f"-       {name}: {NEEDS}" for name in doctor.SPLUNK_CHECKS[1:]),
        f"FAILED  map of users: kubeconfig {kubeconfig} has no context no-such-context",
        f"        {use}",
        f"FAILED  map of workspaces: kubeconfig {kubeconfig} has no context neither-this",
        f"        {use}",
        "FAILED  segment reachable: Segment at 127.0.0.1:1 gave no answer (NewConnectionError)",
        "        what to do: try again later",
        "FAILED  staging writable: staging has not taken doctor-ID.json (Not a directory)",
        "        what to do: make room there, and try again",
    ]


def test_missing_settings_are_named_at_once_and_exit_with_2() -> None:
    done = bridge("doctor", settings={})
    login = "SPLUNK_TOKEN (or SPLUNK_USERNAME and SPLUNK_PASSWORD)"
    others = "SPLUNK_API_URL, SPLUNK_INDEX, HOST_CONTEXT, MEMBER_CONTEXTS, SEGMENT_WRITE_KEY"
    assert (done.code, done.out) == (2, "")
    assert done.err == f"segment-bridge: missing settings: {login}, {others}\n"


# --- Splunk, one thing wrong at a time ---


def splunk(url: str, **changed: str) -> SplunkSettings:
    return replace(SplunkSettings(url=url, index="audit", username="admin", password="changeme"), **changed)  # type: ignore[arg-type] # of several types


def ok(name: str, told: str) -> Check:
    return Check(name=name, ok=True, told=told)


def answers(url: str) -> Check:
    return ok(REACHABLE, f"127.0.0.1, port {url.rpartition(':')[2]}, answers")


TAKEN = ok(LOGIN, "the credentials are taken; Splunk 10.0.1")
THERE = ok(ENDPOINT, "version 2 answers")


def not_checked(*names: str) -> list[Check]:
    return [Check(name=name, ok=None, told=NEEDS) for name in names]


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"username": "", "password": "", "token": "wrong"}])
def test_wrong_credentials(stand_ins: World, wrong: dict[str, str]) -> None:
    url = stand_ins.settings["SPLUNK_API_URL"]
    assert list(doctor.check_splunk(splunk(url, **wrong), WINDOW)) == [
        answers(url),
        Check(
            name=LOGIN,
            ok=False,
            told="Splunk answered 401 Unauthorized",
            advice="check SPLUNK_TOKEN, or SPLUNK_USERNAME and SPLUNK_PASSWORD",
        ),
        *not_checked(ENDPOINT, INDEX, LARGE),
    ]


def test_what_is_no_splunk() -> None:
    with serving(PlainTextResponse("welcome")) as url:
        assert list(doctor.check_splunk(splunk(url), WINDOW)) == [
            answers(url),
            Check(
                name=LOGIN,
                ok=False,
                told="what answered the login is not Splunk's REST API",
                advice="check SPLUNK_API_URL",
            ),
            *not_checked(ENDPOINT, INDEX, LARGE),
        ]


@contextmanager
def exporting(app: ASGIApp) -> Iterator[str]:
    """Serve a Splunk whose searches are answered by another application."""
    whole = create_app(AuditLog(()))

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        chosen = app if scope["path"].endswith("/v2/jobs/export") else whole
        await chosen(scope, receive, send)

    with serving(serve) as url:
        yield url


SEE = "see the search's job in Splunk"
SEE_JOB = "look at the search's job in Splunk, and search again"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (
            PlainTextResponse("", 404),
            [
                Check(
                    name=ENDPOINT,
                    ok=False,
                    told="Splunk answered 404 Not Found",
                    advice="check SPLUNK_API_URL, SPLUNK_APP_NAME and SPLUNK_OWNER",
                ),
                *not_checked(INDEX, LARGE),
            ],
        ),
        (
            PlainTextResponse("", 403),
            [
                THERE,
                Check(
                    name=INDEX,
                    ok=False,
                    told="Splunk answered 403 Forbidden",
                    advice="check the rights of the credentials",
                ),
                *not_checked(LARGE),
            ],
        ),
        (
            PlainTextResponse("", 503),
            [
                THERE,
                Check(name=INDEX, ok=False, told="Splunk answered 503 Service Unavailable", advice="try again later"),
                *not_checked(LARGE),
            ],
        ),
        (
            PlainTextResponse('{"messages":[{"type":"ERROR","text":"a peer is down"}]}'),
            [
                THERE,
                Check(
                    name=INDEX,
                    ok=False,
                    told=(
                        'incomplete answer (error_message): ERROR, a search peer is in trouble: "a peer is down" '
                        f"({SEE}, or tolerated_messages)"
                    ),
                    advice=SEE_JOB,
                ),
                *not_checked(LARGE),
            ],
        ),
    ],
)
def test_searches_that_are_not_answered(answer: ASGIApp, found: list[Check]) -> None:
    with exporting(answer) as url:
        assert list(doctor.check_splunk(splunk(url), WINDOW)) == [answers(url), TAKEN, *found]


def test_an_index_without_a_record_is_a_failure(stand_ins: World) -> None:
    url, later = stand_ins.settings["SPLUNK_API_URL"], Window.parse("2027-01-05", "2027-01-06")
    assert list(doctor.check_splunk(splunk(url), later))[3:] == [
        Check(
            name=INDEX,
            ok=False,
            told="no audit record in audit within [2027-01-05T00:00:00Z, 2027-01-06T00:00:00Z)",
            advice="check SPLUNK_INDEX, that the role may search it, and that the collector sends records",
        ),
        *not_checked(LARGE),
    ]


def record(size: int, **changes: object) -> Record:
    """Make a record of this many bytes in Kubernetes's order of keys, in which the request lies before the times."""
    made: dict[str, Any] = {
        "kind": "Event",
        "auditID": "1",
        "stage": "ResponseComplete",
        "verb": "create",
        "userAgent": "curl",
        "objectRef": {"apiGroup": "tekton.dev"},
        "requestObject": {"data": ""},
        "requestReceivedTimestamp": FROM,
        "stageTimestamp": FROM,
        **changes,
    }
    made["requestObject"]["data"] = "x" * (size - len(msgspec.json.encode(made)))
    return Record.parse(msgspec.json.encode(made))


@pytest.mark.parametrize(
    ("made", "settings", "check"),
    [
        (record(5_000), (), Check(name=LARGE, ok=None, told="not checked: no record is larger than 5,000 bytes")),
        (
            record(11_000),
            ("extraction_cutoff=0",),
            ok(LARGE, "searches read the whole of 1 large records, of up to 11,000 bytes"),
        ),
        (
            record(11_000),
            (),
            ok(
                LARGE,
                "searches read the whole of 1 large records, of up to 11,000 bytes; "
                "automatic extraction, on which no search depends, does not reach their end",
            ),
        ),
        (
            record(11_000),
            ("cut_explicit_paths=true",),
            Check(
                name=LARGE,
                ok=False,
                told="Splunk does not read the whole of 1 large records, of up to 11,000 bytes, "
                "even by explicit paths: requestReceivedTimestamp, stageTimestamp",
                advice="raise extraction_cutoff in [spath], and maxchars and limit in [kv], of Splunk's limits.conf",
            ),
        ),
    ],
)
def test_large_records(made: Record, settings: tuple[str, ...], check: Check) -> None:
    with serving(create_app(AuditLog((made,)), DOCUMENTED.having(*settings))) as url:
        assert list(doctor.check_splunk(splunk(url), WINDOW))[4] == check


#: A record of a collector that marks audit records by another type.
UNMARKED = record(600, verb="get", log_type="kube-audit")


def test_records_without_the_type_that_is_searched_for_are_told_from_silence() -> None:
    told = f"no audit record in audit within [{FROM}, {TO}); it holds other records, but none with log_type=audit"
    advice = "check SPLUNK_INDEX, and what the collector adds to audit records"
    with serving(create_app(AuditLog((UNMARKED,)))) as url:
        assert list(doctor.check_splunk(splunk(url), WINDOW))[2:] == [
            THERE,
            Check(name=INDEX, ok=False, told=told, advice=advice),
            *not_checked(LARGE),
        ]


#: A record in whose text the collector has wrapped the audit event.
WRAPPED = Record.parse(
    msgspec.json.encode({"log_type": "audit", "requestReceivedTimestamp": FROM, "message": record(600).line.decode()})
)


def test_records_that_no_search_can_read() -> None:
    told = (
        f"audit holds audit records within [{FROM}, {TO}), "
        "but no audit record's text is the audit event as JSON, which searches read"
    )
    advice = "let the collector send each audit event as it is, with nothing before or around it"
    with serving(create_app(AuditLog((WRAPPED,)))) as url:
        assert list(doctor.check_splunk(splunk(url), WINDOW))[2:] == [
            THERE,
            Check(name=INDEX, ok=False, told=told, advice=advice),
            *not_checked(LARGE),
        ]


@pytest.mark.parametrize(
    ("made", "settings", "note"),
    [
        (record(600, apiVersion="audit.k8s.io/v1"), (), ""),
        (record(600), (), "; Splunk does not extract their fields by itself, on which no journey depends"),
        (
            record(600, apiVersion="audit.k8s.io/v1"),
            ("extract_twice=true",),
            (
                "; Splunk extracts every field twice, as it does with INDEXED_EXTRACTIONS=json beside KV_MODE=json: "
                "remove one of the two from Splunk's props.conf (no journey depends on it)"
            ),
        ),
        (
            record(
                600,
                apiVersion="audit.k8s.io/v1",
                objectRef={"apiGroup": "tekton.dev", "resource": "pipelineruns"},
                responseStatus={"code": 201},
                annotations={"audit.k8s.io/truncated": "true"},
            ),
            (),
            (
                "; the API server cut records that were too large, which journeys may have missed: 1 of pipelineruns; "
                "raise its --audit-log-truncate-max-event-size, or that of the webhook"
            ),
        ),
    ],
)
def test_what_is_odd_about_records_is_told(made: Record, settings: tuple[str, ...], note: str) -> None:
    with serving(create_app(AuditLog((made,)), DOCUMENTED.having(*settings))) as url:
        assert list(doctor.check_splunk(splunk(url), WINDOW))[3] == ok(
            INDEX, f"audit holds audit records within [{FROM}, {TO}){note}"
        )


# --- The others, one thing wrong at a time ---


@pytest.mark.parametrize(
    ("status", "check"),
    [
        (400, {"ok": True, "told": "answered 400 to an empty batch, which does not prove that the write key is right"}),
        (401, {"ok": False, "told": "Segment answered 401 Unauthorized", "advice": "check the credentials"}),
        (404, {"ok": False, "told": "Segment answered 404 Not Found", "advice": "check the address"}),
        (503, {"ok": False, "told": "Segment answered 503 Service Unavailable", "advice": "try again later"}),
    ],
)
def test_what_segment_answers(status: int, check: dict[str, object]) -> None:
    with serving(PlainTextResponse("", status)) as url:
        expected = Check(name="segment reachable", **check)  # type: ignore[arg-type] # of several types
        assert doctor.check_segment(SegmentSettings(write_key="k", batch_api=url)) == expected


def test_a_write_key_that_cannot_be_one_is_not_sent() -> None:
    check = doctor.check_segment(SegmentSettings(write_key="a key", batch_api=NOWHERE))
    told = "the write key is empty or has blanks, quotes, colons or other signs that no key has"
    assert check == Check(name="segment reachable", ok=False, told=told, advice="check it")


def unreachable() -> IdentityMap:
    raise RetryableError("cluster host, asked for UserSignups: no answer (TimeoutError): try again later")


@pytest.mark.parametrize(
    ("make", "check"),
    [
        (
            lambda: IdentityMap({"a": "11111"}, skipped=2, collisions=3),
            {"ok": True, "told": "1 entries, 2 skipped, 3 collisions"},
        ),
        (
            lambda: IdentityMap({"a": "1", "b": "1", "c": "22222"}, skipped=2, unusable=1),
            {
                "ok": True,
                "told": "3 entries, 2 skipped, 0 collisions; "
                "1 UserSignups left out, whose ID identifies nobody, such as null or unknown; "
                "1 IDs with several user names each, whose events count as one user's; "
                "2 users with an ID of fewer than 5 characters, which Amplitude removes",
            },
        ),
        (
            lambda: user_map([]),
            {
                "ok": False,
                "told": "the map of users is empty, as there are no UserSignups",
                "advice": "check that it is the right cluster, and that its credentials may see them",
            },
        ),
        (
            unreachable,
            {
                "ok": False,
                "told": "cluster host, asked for UserSignups: no answer (TimeoutError)",
                "advice": "try again later",
            },
        ),
    ],
)
def test_a_map(make: Callable[[], IdentityMap], check: dict[str, object]) -> None:
    assert doctor.check_map("users", make) == Check(name="map of users", **check)  # type: ignore[arg-type] # of several types
