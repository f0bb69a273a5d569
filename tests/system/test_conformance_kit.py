"""What `doctor --conformance` asks a Splunk, and what it says of the answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from sandbox.serve import serving
from sandbox.splunk import DOCUMENTED, AuditLog, create_app

if TYPE_CHECKING:
    from pathlib import Path

LARGE = {
    "requestReceivedTimestamp": "2026-01-05T10:00:00.000000Z",
    "auditID": "large",
    "objectRef": {"apiGroup": "tekton.dev"},
    "responseObject": {"padding": "x" * 6_000},
    "stageTimestamp": "2026-01-05T10:00:00.000000Z",
    "userAgent": "curl/8",
    "verb": "get",
}
BY_PATH = "Explicit paths read the whole of the largest records"
BEHIND = "An explicit path reads behind half a megabyte"


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    path = tmp_path / "audit.log"
    path.write_text(json.dumps(LARGE) + "\n")
    return AuditLog.from_files([path])


def asked(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    foreign = ("SPLUNK_", "SEGMENT_", "KUBECONFIG", "HOST_CONTEXT", "MEMBER_CONTEXTS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    settings = {"SPLUNK_API_URL": url, "SPLUNK_INDEX": "audit", "SPLUNK_TOKEN": "changeme"}
    argv = [sys.executable, "-m", "segment_bridge", "doctor", "--conformance", "--to", "2026-01-05T12:00:00Z", *options]
    return subprocess.run(argv, env=kept | settings, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own command line


def test_a_documented_splunk_by_few_searches(log: AuditLog) -> None:
    with serving(create_app(log)) as url:
        done = asked(url, "--json")
        made = requests.get(f"{url}/sandbox/searches", timeout=10).text.splitlines()
    answers = {one["question"]: one["said"] for one in json.loads(done.stdout)}
    assert (done.returncode, done.stderr) == (0, "")
    assert len(made) <= 10
    assert answers == {
        "JSON functions read keys with dots exactly": "yes",
        "JSON functions give the text null for a JSON null": "yes",
        "JSON functions give true in small letters": "yes",
        "JSON functions keep whole numbers beyond 2^53": "differs",
        "Empty texts in arrays are values": "yes",
        "mvmap takes one element of a list by a key inside it": "yes",
        "mvmap does so in a list of one": "yes",
        "JSON functions work inside mvfilter": "yes",
        "json_object keeps the text 1.10 a text": "yes",
        "json_object keeps the text 1e10 a text": "yes",
        "json_object nests JSON that a JSON function made": "yes",
        "json_object keeps a marked text a text": "yes",
        "A JSON null is extracted as the text null": "yes",
        "true is extracted in small letters": "yes",
        "Empty texts in arrays are extracted": "yes",
        "The text 1.10 is extracted as it stands": "yes",
        BEHIND: "yes",
        "Each field is extracted once": "yes",
        BY_PATH: "yes",
        "Automatic extraction does so as well": "no",
        "allow_partial_results=false is honoured by exports": "not asked",
        "Lookups with local=true work on a federated index": "not asked",
        "Times of indexing (index_earliest, index_latest) hold on a federated index": "not asked",
    }


@pytest.mark.parametrize(
    ("setting", "changed"),
    [
        ("functions_give_null_as_text=false", {"JSON functions give the text null for a JSON null": "no"}),
        ("null_as_text=false", {"A JSON null is extracted as the text null": "no"}),
        ("json_in_mvfilter=false", {"JSON functions work inside mvfilter": "no"}),
        ("extract_twice=true", {"Each field is extracted once": "no"}),
        (
            "keep_empty_texts=false",
            {"Empty texts in arrays are values": "no", "Empty texts in arrays are extracted": "no"},
        ),
        (
            "numbers_from_texts=true",
            {"json_object keeps the text 1.10 a text": "no", "json_object keeps the text 1e10 a text": "differs"},
        ),
        ("nest_json=false", {"json_object nests JSON that a JSON function made": "differs"}),
        ("extraction_cutoff=0", {"Automatic extraction does so as well": "yes"}),
    ],
)
def test_a_splunk_that_answers_otherwise(log: AuditLog, setting: str, changed: dict[str, str]) -> None:
    with serving(create_app(log)) as url:
        usual = {one["question"]: one["said"] for one in json.loads(asked(url, "--json").stdout)}
    with serving(create_app(log, DOCUMENTED.having(setting))) as url:
        done = asked(url, "--json")
    assert done.returncode == 0, done.stderr
    assert {one["question"]: one["said"] for one in json.loads(done.stdout)} == usual | changed


def test_a_splunk_on_which_searches_cannot_work(log: AuditLog) -> None:
    with serving(create_app(log, DOCUMENTED.having("cut_explicit_paths=true"))) as url:
        done = asked(url)
    assert done.returncode == 1
    assert done.stderr == f"segment-bridge: this Splunk does not do what searches need: {BEHIND}; {BY_PATH}\n"
    assert f"| {BY_PATH} | no | yes | 1 of up to {len(json.dumps(LARGE))} bytes |" in done.stdout.splitlines()
