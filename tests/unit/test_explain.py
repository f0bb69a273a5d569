from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from segment_bridge import explain as explaining
from segment_bridge import layout, line
from segment_bridge.errors import FatalError
from segment_bridge.explain import Explanation, Finding, Request, Sending, explain
from segment_bridge.identity import Maps
from segment_bridge.redrive import Redrive
from segment_bridge.runs import find
from segment_bridge.staging import Staging
from tests.unit.leftovers import JOURNEY, NOON, USERS, WORKSPACES, Answers, always, result, stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WINDOW = "[2026-01-05T08:00:00Z, 2026-01-05T12:00:00Z)"
BATCH = f"batches/{JOURNEY}/000001.json"
AT = "2026-01-05T10:00:00.000000Z"
CREATED = "Application created"


@pytest.fixture
def root(tmp_path: Path) -> Staging:
    return Staging.at(str(tmp_path))


def one(
    *, run: str = "a", results: int = 1, rejections: tuple[str, ...] = (), sendings: tuple[Sending, ...] = ()
) -> Finding:
    return Finding(run=run, window=WINDOW, journey=JOURNEY, results=results, rejections=rejections, sendings=sendings)


def request(number: int, events: int, answer: int) -> Request:
    return Request(number=number, events=events, answer=answer)


def test_an_event_is_followed_through_every_request_of_its_halves(root: Staging) -> None:
    answers = Answers(lambda ids: 503 if len(halves.requests) == 1 else 400 if "2" in ids else 200)
    halves = answers
    stage(root, "a", [result(str(number)) for number in range(1, 5)], segment=answers)

    assert explain(find(root), "2") == Explanation(
        audit_id="2",
        findings=(
            one(
                sendings=(
                    Sending(
                        file=BATCH,
                        end="refused",
                        message_id="2",
                        place=2,
                        size=4,
                        event=CREATED,
                        timestamp=AT,
                        requests=(request(1, 4, 503), request(2, 4, 400), request(3, 2, 400), request(5, 1, 400)),
                    ),
                )
            ),
        ),
    )
    (found,) = explain(find(root), "4").findings
    assert [(sending.end, sending.requests) for sending in found.sendings] == [
        ("delivered", (request(1, 4, 503), request(2, 4, 400), request(6, 2, 200)))
    ]


def test_it_is_found_in_all_runs_and_told_as_text(root: Staging) -> None:
    stage(root, "a", [result("1"), result("11")], segment=always(503), prefix="p-")
    stage(root, "b", [result("1", user="bob")], end=NOON + timedelta(hours=1), prefix="p-")
    maps = Maps(users={**USERS, "bob": "id-bob"}, workspaces=WORKSPACES)
    redrive = Redrive(find(root), always(200).segment(), maps, NOON)
    for run in find(root):
        redrive.take_up(run)

    told = explain(find(root), "p-1").text()
    assert explain(find(root), "1").text() == told.replace("p-1", "1", 1)
    assert told.replace(redrive.id, "ID") == (
        f"""audit ID p-1

run a, window {WINDOW}
  journey {JOURNEY} matched it: 1 in its results
  became the event "{CREATED}" of {AT}, messageId p-1
  {BATCH}, event 1 of 2:
    request 1, with 2 events: 503
    request 2, with 2 events: 503
    request 3, with 2 events: 503
    undelivered: Segment answered 503 Service Unavailable: try again later; given up after request 3
  redrives/ID/{JOURNEY}/000001.json, event 1 of 2:
    request 1, with 2 events: 200
    delivered

run b, window [2026-01-05T09:00:00Z, 2026-01-05T13:00:00Z)
  journey {JOURNEY} matched it: 1 in its results
  rejected: unknown_user (no user of that name)
  redrives/ID/{JOURNEY}/000001.json: acknowledged by Segment before, to another run"""
    )


@pytest.mark.parametrize(
    ("settings", "end"),
    [
        ({"dry_run": True}, "withheld"),
        ({"closed": False}, "waiting"),
        ({}, "undelivered"),
    ],
)
def test_what_was_not_sent_says_why(root: Staging, settings: dict[str, bool], end: str) -> None:
    stage(root, "a", [result("1")], **settings)  # type: ignore[arg-type] # of several types
    sending = Sending(file=BATCH, end=end, message_id="1", place=1, size=1, event=CREATED, timestamp=AT)  # type: ignore[arg-type] # of several types
    assert explain(find(root), "1").findings == (one(sendings=(sending,)),)


def test_results_that_are_not_converted_yet_are_found(root: Staging) -> None:
    run = stage(root, "a", [result("1")])
    for made in ("batches", "rejected"):
        run.folder.remove(made)
    explained = explain(find(root), "1")
    assert explained.findings == (one(),)
    assert explained.text().splitlines()[-1] == "  not converted"


@pytest.mark.parametrize("audit_id", ["1", 'quoted " and \\', "é\u2028", "a/b"])
def test_only_the_whole_id_counts_however_json_writes_it(root: Staging, audit_id: str) -> None:
    run = stage(root, "a", [result("x" + audit_id), result(audit_id + "x"), result(audit_id), result("2")])
    with run.folder.read(layout.results(JOURNEY)) as file:
        lines = file.read()
    escaped = lines.replace(b"/", b"\\/").replace("é\u2028".encode(), b"\\u00e9\\u2028")
    with run.folder.write(layout.results(JOURNEY)) as file:
        file.write(escaped)
    (found,) = explain(find(root), audit_id).findings
    assert (found.results, len(found.sendings)) == (1, 1)


def test_a_result_that_cannot_be_read_is_found_by_its_text(root: Staging) -> None:
    odd: dict[str, object] = {**result("1"), "messageId": ["1", "1"]}
    stage(root, "a", [odd])  # type: ignore[list-item] # odd on purpose
    assert explain(find(root), "1").findings == (one(rejections=("malformed_result",)),)


def test_no_user_is_named(root: Staging) -> None:
    stage(root, "a", [result("1"), result("2", user="bob-the-user")], segment=always(200))
    for audit_id in ("1", "2"):
        explained = explain(find(root), audit_id)
        for told in (explained.text(), repr(explained)):
            assert not any(name in told for name in ("ann", "bob", "owner", "shop", "curl"))


def test_what_is_nowhere_is_said_to_be_so(root: Staging) -> None:
    with pytest.raises(FatalError) as error:
        explain([], "1")
    assert str(error.value) == "audit ID 1 is in none of the runs in staging, as there are none: check --staging"
    stage(root, "a", [result("11")])
    with pytest.raises(FatalError) as error:
        explain(find(root), "1")
    assert str(error.value) == (
        "audit ID 1 is in none of the runs in staging (1), whose windows lie between 2026-01-05T08:00:00Z and "
        "2026-01-05T12:00:00Z: check the ID; a record that no journey selects turns up nowhere"
    )


def test_files_without_the_id_are_not_decoded(root: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    stage(root, "a", [result(f"other-{number}") for number in range(50)])
    stage(root, "b", [result("wanted")])
    decoded: list[bytes] = []

    def noting(read: Callable[[bytes], object]) -> Callable[[bytes], object]:
        def noted(line: bytes) -> object:
            decoded.append(line)
            return read(line)

        return noted

    for name in ("_read_row", "_read_event"):
        monkeypatch.setattr(explaining, name, noting(getattr(explaining, name)))
    explain(find(root), "wanted")
    assert len(decoded) == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"namespace": "ghost-tenant"}, "unknown_workspace_owner (the workspace's owner: no user of that name)"),
        ({"namespace": "gone"}, "unknown_namespace (no tenant namespace of that name)"),
    ],
)
def test_a_rejection_is_told_with_its_meaning(root: Staging, change: dict[str, str], told: str) -> None:
    run = stage(root, "a", [result("1", **change)], closed=False)
    run.folder.write_json(layout.map_file(layout.WORKSPACES), {**WORKSPACES, "ghost-tenant": "ghost"})
    line.convert_results(run.folder)
    assert f"  rejected: {told}" in explain(find(root), "1").text().splitlines()
