"""Nothing that is secret or personal gets out of a run: into logs, errors, the metadata database or the report."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.dag_run import load
from sandbox.deployment import INDEX, environment
from tests.airflow.conftest import run_by_hand, run_with
from tests.airflow.planted import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import DAG as AirflowDag  # noqa: N811 - as in conftest

SOME = {"journeys": ["component-events"]}
#: By what it is: who asks Splunk, what Splunk and Segment answer, and the state of the run.
RUNS = {
    "a success": ("password", 0, 0, "success", {}),
    "a success by a token": ("token", 0, 0, "success", SOME),
    "a wrong password": ("wrong", 0, 0, "failed", SOME),
    "a search that Splunk refuses": ("password", 400, 0, "failed", SOME),
    "a search on which Splunk fails": ("token", 500, 0, "failed", SOME),
    "a write key that Segment refuses": ("password", 0, 401, "failed", SOME),
    "a batch that Segment refuses": ("password", 0, 400, "failed", SOME),
    "a batch on which Segment fails": ("password", 0, 500, "failed", SOME),
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, world(tmp_path_factory.mktemp("planted"), patch) as one:
        yield one


@pytest.fixture(autouse=True)
def _healthy(planted: World) -> Iterator[None]:
    yield
    planted.splunk.status = planted.segment.status = 0


def connect(planted: World, who: str, patch: pytest.MonkeyPatch, home: Path) -> None:
    """Let Airflow know the planted secrets, as connections."""
    for name, value in environment(home, planted.addresses).items():
        if name.startswith("AIRFLOW_"):
            patch.setenv(name, value)
    splunk = {
        "password": {"login": "admin", "password": planted.password},
        "token": {"login": None, "password": planted.token},
        "wrong": {"login": "admin", "password": planted.token},
    }[who]
    for name, change in {"SPLUNK": splunk, "SEGMENT": {"password": planted.write_key}}.items():
        variable = f"AIRFLOW_CONN_{name}_DEFAULT"
        patch.setenv(variable, json.dumps(json.loads(os.environ[variable]) | change))


def told(home: Path) -> dict[str, str]:
    """Return what lies in a home, outside of what staging holds on purpose."""
    database = sqlite3.connect(f"file:{home / 'airflow.db'}?mode=ro", uri=True)
    texts = {"the metadata database": "\n".join(database.iterdump())}
    for path in home.rglob("*"):
        staged = home / "staging" in path.parents and path.name != "report.json"
        if path.is_file() and not path.name.startswith("airflow.db") and not staged:
            texts[str(path.relative_to(home))] = path.read_text(errors="replace")
    return texts


@pytest.fixture
def impatient(dag: AirflowDag, monkeypatch: pytest.MonkeyPatch) -> AirflowDag:
    """Let each task be tried again only once: what a second try tells, the third does not tell otherwise."""
    for task in dag.tasks:
        monkeypatch.setitem(getattr(task, "partial_kwargs", vars(task)), "retries", 1)
    return dag


# That a batch is halved takes a request for each event, under Airflow as on the command line.
@pytest.mark.parametrize("case", [case for case in RUNS if case != "a batch that Segment refuses"])
def test_a_run_tells_nothing(  # noqa: PLR0917 - fixtures
    case: str,
    planted: World,
    impatient: AirflowDag,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    home = Path(os.environ["AIRFLOW_HOME"])
    who, planted.splunk.status, planted.segment.status, state, form = RUNS[case]
    connect(planted, who, monkeypatch, home)
    end = datetime.fromisoformat(f"2026-01-05T12:00:{[*RUNS].index(case):02}Z")
    run = run_with(impatient, form, end)

    printed = capfd.readouterr()
    texts = {"stdout": printed.out, "stderr": printed.err, "logging": caplog.text, **told(home)}
    assert run.state == state
    # That these hold what they should means that the secrets would be found.
    # A login that is refused ends a run before there is anything to count.
    told_by_all = "Splunk answered 401 Unauthorized" if who == "wrong" else "found = "
    assert told_by_all in printed.out + printed.err + caplog.text
    tables = ("dag_run", "xcom", "rendered_task_instance_fields", "log")
    assert all(f'INSERT INTO "{table}"' in texts["the metadata database"] for table in tables)
    assert run.run_id in texts["the metadata database"]
    assert any(name.endswith("report.json") for name in texts)
    assert {name: leaks for name, text in texts.items() if (leaks := planted.leaks(text))} == {}


SECRET = f"sesame-{secrets.token_hex(8)}"
#: Credentials that cannot be used, or that nobody takes: whose they are, how they are given, and what is told.
ODD: dict[str, tuple[str, dict[str, Any], str]] = {
    "Splunk's, with a line end within": (
        "splunk",
        {"login": None, "password": f"{SECRET}\n{SECRET}"},
        "SPLUNK_TOKEN holds a blank, a line end or another character that no token has",
    ),
    "Splunk's, and not Latin": (
        "splunk",
        {"login": f"{SECRET}я", "password": f" {SECRET}пароль%41\n"},
        "Splunk answered 401 Unauthorized",
    ),
    "a cluster's, with a NUL": (
        "cluster",
        {"token": f"{SECRET}\0{SECRET}"},
        "the user's token is empty, or holds a blank, a line end or another character that no token has",
    ),
    "a cluster's, printed by a plugin": (
        "cluster",
        {"exec": {"apiVersion": "v1", "command": "sh", "args": ["-c", f"echo {SECRET} >&2; exit 1"]}},
        "the user's exec plugin fails (ConfigException)",
    ),
    "a cluster's, with a line end": (
        "cluster",
        {"username": f"{SECRET}\n", "password": f"{SECRET}\n"},
        "cluster kubernetes_host, asked for UserSignups, answered 401 Unauthorized",
    ),
    "Segment's, in quotes": (
        "segment",
        {"password": f'"{SECRET}"'},
        "the write key is empty or has blanks, quotes, colons or other signs that no key has",
    ),
}


def misconnect(planted: World, whose: str, changed: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    """Let Airflow know an odd credential."""
    planted.odd.add(SECRET)
    if whose == "cluster":
        kubeconfig = json.loads(Path(planted.addresses["kubeconfig"]).read_text())
        kubeconfig["users"][0]["user"] = changed
        cluster = {"conn_type": "kubernetes", "extra": {"kube_config": kubeconfig, "cluster_context": "host"}}
        for name in ("HOST", "MEMBER_1", "MEMBER_2"):
            patch.setenv(f"AIRFLOW_CONN_KUBERNETES_{name}", json.dumps(cluster))
    else:
        variable = f"AIRFLOW_CONN_{whose.upper()}_DEFAULT"
        patch.setenv(variable, json.dumps(json.loads(os.environ[variable]) | changed))


@pytest.mark.parametrize("odd", ODD)
def test_no_task_tells_an_odd_credential_even_at_debug(  # noqa: PLR0917 - fixtures
    odd: str,
    planted: World,
    impatient: AirflowDag,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    home = Path(os.environ["AIRFLOW_HOME"])
    connect(planted, "password", monkeypatch, home)
    whose, changed, message = ODD[odd]
    misconnect(planted, whose, changed, monkeypatch)
    end = datetime.fromisoformat(f"2026-01-05T12:00:{20 + [*ODD].index(odd):02}Z")
    with caplog.at_level("DEBUG"):
        states = [run_with(impatient, SOME, end).state, run_by_hand(load("segment_bridge_doctor"), to="").state]

    printed = capfd.readouterr()
    assert states == ["failed", "failed"]
    texts = {"stdout": printed.out, "stderr": printed.err, "logging": caplog.text, **told(home)}
    assert "DEBUG" in texts["logging"]
    assert (printed.out + printed.err + caplog.text).count(message) > 1
    assert {name: leaks for name, text in texts.items() if (leaks := planted.leaks(text))} == {}


def test_what_is_started_by_hand_tells_nothing_either(
    planted: World, impatient: AirflowDag, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    home = Path(os.environ["AIRFLOW_HOME"])
    connect(planted, "password", monkeypatch, home)
    # A place of its own: what another run has delivered is not left behind.
    settings = json.loads(os.environ["AIRFLOW_VAR_SEGMENT_BRIDGE"]) | {"staging": (home / "staging/by-hand").as_uri()}
    monkeypatch.setenv("AIRFLOW_VAR_SEGMENT_BRIDGE", json.dumps(settings))
    planted.segment.status = 500
    span = {"from": "2026-01-05T08:00:00Z", "to": "2026-01-05T12:00:00Z"}
    left_behind = run_by_hand(impatient, **span, **SOME)
    redrive, check = load("segment_bridge_redrive"), load("segment_bridge_doctor")
    states = [left_behind.state]
    for planted.segment.status in (401, 0):
        states.append(run_by_hand(redrive, runs=[left_behind.run_id]).state)
        states.append(run_by_hand(check, to=span["to"]).state)
    connect(planted, "wrong", monkeypatch, home)
    states.append(run_by_hand(check, to=span["to"]).state)

    printed = capfd.readouterr()
    assert states == ["failed", "failed", "failed", "success", "success", "failed"]
    assert " taken up: " in printed.out
    assert "what to do: " in printed.out
    texts = {"stdout": printed.out, "stderr": printed.err, **told(home)}
    assert {name: leaks for name, text in texts.items() if (leaks := planted.leaks(text))} == {}


def test_what_is_staged_is_for_its_owner_alone(planted: World) -> None:
    staging = Path(os.environ["AIRFLOW_HOME"]) / "staging"
    paths = [staging, *staging.rglob("*")]
    assert any(planted.leaks(path.read_text(errors="replace")) for path in paths if path.name == "users.json")
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths}
    assert modes == {(True, 0o700), (False, 0o600)}


#: How the command is started: with -v, and with all that the libraries under it have to say.
VERBOSE = ("-m", "segment_bridge", "-v")
DEBUGGED = ("-c", "import logging; logging.basicConfig(level=10)\nfrom segment_bridge.cli import main\nmain()")


@pytest.mark.parametrize(
    ("case", "start"),
    [*((case, VERBOSE) for case in RUNS), ("a success", DEBUGGED), ("a batch on which Segment fails", DEBUGGED)],
)
def test_the_command_line_tells_nothing_either(
    case: str, start: tuple[str, ...], planted: World, tmp_path: Path
) -> None:
    who, planted.splunk.status, planted.segment.status, state, _ = RUNS[case]
    splunk = {
        "password": {"SPLUNK_USERNAME": "admin", "SPLUNK_PASSWORD": planted.password},
        "token": {"SPLUNK_TOKEN": planted.token},
        "wrong": {"SPLUNK_USERNAME": "admin", "SPLUNK_PASSWORD": planted.token},
    }[who]
    window = ("--from", "2026-01-05T08:00:00Z", "--to", "2026-01-05T12:00:00Z")
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, *start, "run", *window, *SOME["journeys"]],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "SPLUNK_API_URL": planted.addresses["splunk"],
            "SPLUNK_INDEX": INDEX,
            "SEGMENT_BATCH_API": planted.addresses["segment"],
            "SEGMENT_WRITE_KEY": planted.write_key,
            "KUBECONFIG": planted.addresses["kubeconfig"],
            "HOST_CONTEXT": "host",
            "MEMBER_CONTEXTS": "member-1,member-2",
            "SEGMENT_BRIDGE_STAGING": str(tmp_path / "staging"),
            "SEGMENT_BRIDGE_RETRY_PAUSE": "0.01",
            **splunk,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    (report,) = (path.read_text() for path in tmp_path.glob("staging/runs/*/report.json"))
    assert (done.returncode == 0) == (state == "success"), done.stderr
    assert "Traceback" not in done.stderr
    assert ("DEBUG" in done.stderr) == (start is DEBUGGED)
    assert {
        name: leaks
        for name, text in {"stdout": done.stdout, "stderr": done.stderr, "report.json": report}.items()
        if (leaks := planted.leaks(text))
    } == {}
