"""The DAGs that somebody starts by hand: redriving what runs have left behind, and the preflight."""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox import kubernetes
from sandbox.dag_run import load
from sandbox.serve import serving
from segment_bridge import doctor
from segment_bridge.redriven import PASSING
from tests.airflow.conftest import run_by_hand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow.sdk import DAG as AirflowDag  # noqa: N811 - as in conftest

    from tests.airflow.conftest import Airflow, World

JOURNEY = "application-events"
SPAN = {"from": "2026-01-05T08:00:00Z", "to": "2026-01-05T12:00:00Z"}
ELSEWHERE = {"from": "2026-01-06T08:00:00Z", "to": "2026-01-06T12:00:00Z"}
NOWHERE = "http://127.0.0.1:1"
CHECKS = (*doctor.SPLUNK_CHECKS, "map of users", "map of workspaces", "segment reachable", "staging writable")


@pytest.fixture(scope="module")
def redriving() -> AirflowDag:
    return load("segment_bridge_redrive")


@pytest.fixture(scope="module")
def checking() -> AirflowDag:
    return load("segment_bridge_doctor")


@dataclass(frozen=True)
class Done:
    """A finished run of one task: its state, its tries, and what it returned."""

    state: str
    tries: int
    returned: Any


def run(dag: AirflowDag, **form: object) -> Done:
    ended = run_by_hand(dag, **form)
    (task,) = ended.get_task_instances()
    return Done(str(ended.state), task.try_number, task.xcom_pull(task_ids=task.task_id))


def redriven(**figures: int) -> dict[str, int]:
    """Return what the task returns, the rest being zero."""
    names = ("undelivered", "rejected", "unknown", "old", "acknowledged", "sent", "refused", "left", "withheld")
    return {"runs": 1} | dict.fromkeys(names, 0) | figures


def connect(environment: pytest.MonkeyPatch, name: str, **changed: object) -> None:
    """Change a connection."""
    variable = f"AIRFLOW_CONN_{name.upper()}"
    environment.setenv(variable, json.dumps(json.loads(os.environ[variable]) | changed))


def stage_in(airflow: Airflow, folder: Path) -> None:
    """Let runs keep their files in a folder of the test's own."""
    variable = "AIRFLOW_VAR_SEGMENT_BRIDGE"
    airflow.environment.setenv(variable, json.dumps(json.loads(os.environ[variable]) | {"staging": folder.as_uri()}))


def report(staging: Path) -> dict[str, Any]:
    (file,) = staging.glob("runs/*/report.json")
    return dict(json.loads(file.read_text()))


@contextmanager
def half_of_the_users(world: World, folder: Path) -> Iterator[str]:
    """Serve clusters in which half of the users have not signed up yet; give the kubeconfig."""
    world.traffic.clusters.write(folder)
    signups = folder / "host" / "usersignups.json"
    listed = json.loads(signups.read_text())
    signups.write_text(json.dumps(listed | {"items": listed["items"][::2]}))
    clusters = kubernetes.Clusters.from_folder(folder)
    with serving(kubernetes.create_app(clusters)) as url:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(kubernetes.kubeconfig(url, clusters))
        yield str(kubeconfig)


def left_undelivered(staging: Path) -> set[str]:
    bodies = [json.loads(path.read_text()) for path in staging.glob("runs/*/batches/*/*.json")]
    return {event["messageId"] for body in bodies for event in body["batch"]}


def test_what_a_run_has_left_behind_is_sent_and_nothing_twice(
    airflow: Airflow, world: World, redriving: AirflowDag, tmp_path: Path
) -> None:
    form = {**SPAN, "journeys": [JOURNEY]}
    # What a run sends that nothing befalls.
    stage_in(airflow, tmp_path / "healthy")
    assert run_by_hand(airflow.dag, **form).state == "success"
    due, healthy = world.sent_to(airflow.segment), report(tmp_path / "healthy")
    requests.delete(f"{airflow.segment}/sandbox/events", timeout=60)

    # The same hours while half of the users are not known yet, and Segment is away.
    stage_in(airflow, staging := tmp_path / "staging")
    with half_of_the_users(world, tmp_path / "clusters") as kubeconfig, airflow.environment.context() as meanwhile:
        connect(meanwhile, "segment_default", host=NOWHERE)
        connect(meanwhile, "kubernetes_host", extra={"kube_config_path": kubeconfig, "cluster_context": "host"})
        left_behind = run_by_hand(airflow.dag, **form)
    before, undelivered = report(staging), left_undelivered(staging)
    assert left_behind.state == "failed"
    assert 0 < len(undelivered) < len(due)

    # A dry run says what would be sent, a span in which no run lies leaves it alone.
    figures = {"undelivered": len(undelivered), "rejected": len(due) - len(undelivered), "old": len(due)}
    figures["unknown"] = sum(healthy["total"]["rejected"].get(reason, 0) for reason in PASSING)
    dry = run(redriving, dry_run=True)
    assert dry == Done("success", 1, redriven(**figures, withheld=len(due)))
    assert run(redriving, **ELSEWHERE) == Done("success", 1, redriven(runs=0))
    assert (report(staging), world.sent_to(airflow.segment)) == (before, [])

    # A redrive sends just what was due, and leaves the books as they are of a run that nothing befell.
    done = run(redriving, **SPAN, runs=[left_behind.run_id])
    assert done == Done("success", 1, redriven(**figures, sent=len(due)))
    assert world.sent_to(airflow.segment) == due
    after = report(staging)
    assert sum(after["total"]["rejected"].values()) == sum(healthy["total"]["rejected"].values())
    # A result that is rejected for another reason by now keeps the one that it was rejected for.
    ended = {"batches": before["total"]["batches"], "rejected": after["total"]["rejected"]}
    assert after["total"] == healthy["total"] | ended
    assert (after["balanced"], after["problems"]) == (True, [])

    # Another one finds nothing to send.
    again = run(redriving)
    assert again == Done("success", 1, redriven(unknown=figures["unknown"]))
    assert requests.get(f"{airflow.segment}/sandbox/duplicates", timeout=60).json() == {}


def test_a_redrive_fails_as_long_as_segment_does_not_take_everything(
    airflow: Airflow, redriving: AirflowDag, tmp_path: Path
) -> None:
    stage_in(airflow, staging := tmp_path / "staging")
    connect(airflow.environment, "segment_default", host=NOWHERE)
    assert run_by_hand(airflow.dag, **SPAN, journeys=[JOURNEY]).state == "failed"
    before = report(staging)

    assert run(redriving) == Done("failed", 4, None)
    assert report(staging)["total"] == before["total"]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"runs": ["manual__no-such"]}, "no closed run that was to send is named segment_bridge__manual__no-such"),
        ({"from": SPAN["from"]}, "the window has one end"),
    ],
)
def test_what_cannot_be_redriven_is_said_at_once(  # noqa: PLR0917 - fixtures
    airflow: Airflow,
    redriving: AirflowDag,
    form: dict[str, object],
    told: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    stage_in(airflow, tmp_path)
    assert run(redriving, **form) == Done("failed", 1, None)
    assert told in capfd.readouterr().out


def test_a_preflight_where_all_is_well(airflow: Airflow, checking: AirflowDag, tmp_path: Path) -> None:
    stage_in(airflow, tmp_path / "staging")
    assert run(checking, to=SPAN["to"]) == Done("success", 1, dict.fromkeys(CHECKS, True))


def test_a_preflight_makes_every_check_and_says_what_to_do(
    airflow: Airflow, checking: AirflowDag, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stage_in(airflow, tmp_path / "staging")
    airflow.misremember_splunks_password()
    airflow.environment.delenv("AIRFLOW_CONN_SEGMENT_DEFAULT")
    done = run(checking, to=SPAN["to"])
    log = capfd.readouterr().out
    failed = re.findall(r"\[error *\] FAILED  (.*)\n +what to do: (.*?) \[", log)

    assert done == Done("failed", 1, None)
    assert failed == [
        ("splunk login: Splunk answered 401 Unauthorized", "check the login and the password, or the token"),
        ("segment reachable: The conn_id `segment_default` isn't defined", "make the connection"),
    ]
    assert re.findall(r"\[info *\] (ok|-)  +([^:]+):", log) == [
        ("ok", "splunk reachable"),
        ("-", "splunk search endpoint"),
        ("-", "splunk index"),
        ("-", "splunk large records"),
        ("ok", "map of users"),
        ("ok", "map of workspaces"),
        ("ok", "staging writable"),
    ]
    assert "2 of 9 checks failed" in log
