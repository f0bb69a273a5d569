"""The DAGs' files: what every one of them has, and that Airflow parses them without a warning and without any work."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.dag_processing.dagbag import DagBag

from sandbox.deployment import PROJECT
from segment_bridge_airflow.operators import DeliverBatchesOperator
from segment_bridge_airflow.repairing import RedriveRunsOperator

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG as AirflowDag  # noqa: N811 - as in conftest

FILES = sorted((PROJECT / "dags").glob("*.py"))
DAGS = [file.stem.removesuffix("_dag") for file in FILES]
POOLS = {"default_pool", *json.loads((PROJECT / "config" / "pools.json").read_text())}
#: What tasks import when they run; some of it takes longer than all of the parsing.
SLOW = {
    *("kubernetes", "splunklib", "requests", "urllib3", "fsspec.implementations", "s3fs", "boto3", "botocore"),
    *("apprise", "pandas", "numpy", "tenacity.asyncio", "airflow.providers.cncf", "airflow.providers.apprise"),
    *("airflow.models", "sqlalchemy.orm", "segment_bridge.cli", "sandbox"),
}
#: Parses a file in a process in which a warning is an error, and tells what Airflow's own interface has not imported.
PARSE = """
import json, runpy, sys, warnings
from airflow.sdk import DAG, Asset, BaseHook, BaseOperator, Connection, CronTriggerTimetable, ObjectStoragePath, Param
from airflow.sdk import TriggerRule, Variable
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

touched = []
sys.addaudithook(lambda event, _: touched.append(event) if event.startswith(("socket.", "subprocess.")) else None)
before = set(sys.modules)
warnings.simplefilter("error")
made = runpy.run_path(sys.argv[1])
dags = [value.dag_id for value in made.values() if isinstance(value, DAG)]
print(json.dumps({"dags": dags, "imported": sorted(set(sys.modules) - before), "touched": touched}))
"""


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(PROJECT / "dags")


@pytest.fixture(params=DAGS)
def dag(bag: DagBag, request: pytest.FixtureRequest) -> AirflowDag:
    found: AirflowDag = bag.dags[request.param]
    return found


def test_every_file_is_one_dag_of_its_name(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert bag.captured_warnings == {}
    assert sorted(bag.dags) == DAGS


@pytest.mark.parametrize("file", FILES, ids=DAGS)
def test_parsing_warns_of_nothing_and_does_no_work(file: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", PARSE, file], env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["dags"], told["touched"]) == ([file.stem.removesuffix("_dag")], [])
    imported = {name for name in told["imported"] if any(f"{name}.".startswith(f"{slow}.") for slow in SLOW)}
    assert imported == set()
    assert "segment_bridge_airflow.operators" in told["imported"]


def test_every_dag_says_whose_it_is_and_what_it_is_for(dag: AirflowDag) -> None:
    assert dag.tags == {"segment-bridge"}
    assert {task.owner for task in dag.tasks} == {"segment-bridge"}
    assert [task.task_id for task in dag.tasks if not (task.doc_md or "").strip()] == []
    assert (dag.doc_md or "").strip()


def test_no_two_runs_of_a_dag_meet_and_none_goes_on_for_ever(dag: AirflowDag) -> None:
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert dag.dagrun_timeout == timedelta(hours=4)


def test_every_task_is_tried_again_after_growing_pauses_and_ends_in_time(dag: AirflowDag) -> None:
    told = {
        task.task_id: (
            task.retries,
            task.retry_delay,
            bool(task.retry_exponential_backoff),
            task.max_retry_delay,
            task.execution_timeout,
        )
        for task in dag.tasks
    }
    assert told == dict.fromkeys(told, (3, timedelta(seconds=30), True, timedelta(minutes=10), timedelta(hours=1)))


def test_every_pool_is_one_that_is_made(dag: AirflowDag) -> None:
    assert {task.pool for task in dag.tasks} <= POOLS


def test_what_asks_a_shared_system_waits_for_its_pool(bag: DagBag) -> None:
    pools = {task.task_id: task.pool for task in bag.dags["segment_bridge"].tasks if task.pool != "default_pool"}
    assert pools == {
        "share_users": "splunk",
        "search": "splunk",
        "check_source": "splunk",
        "deliver": "segment",
    }


def test_each_task_that_delivers_takes_its_share_of_the_rate_by_the_slots_of_its_pool(bag: DagBag) -> None:
    slots = json.loads((PROJECT / "config" / "pools.json").read_text())["segment"]["slots"]
    defaults = [
        inspect.signature(operator).parameters["tasks_at_once"].default
        for operator in (DeliverBatchesOperator, RedriveRunsOperator)
    ]
    assert defaults == [slots, slots]
    delivering = [task for dag in bag.dags.values() for task in dag.tasks if task.pool == "segment"]
    assert len(delivering) == len(defaults)


def test_every_mapped_task_has_a_name_for_each_of_its_instances(dag: AirflowDag) -> None:
    mapped = {task.task_id: task.map_index_template for task in dag.tasks if task.is_mapped}
    assert mapped == dict.fromkeys(mapped, "{{ label }}")


def test_every_field_of_a_form_explains_itself_and_may_stay_as_it_is(dag: AirflowDag) -> None:
    fields = {name: dag.params.get_param(name) for name in dag.params}
    assert fields
    for name, field in fields.items():
        assert field.schema.get("title"), name
        assert field.description or field.schema.get("description_md"), name
        field.resolve()  # which raises where there is no default, or one that the field does not take
