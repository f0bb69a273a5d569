"""How long a command takes that has nothing to do, and how much Airflow has to do to read the DAG's file."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.harness import Command, measure
from benchmarks.tables import Goal, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness import Timing

_DAG = Path(__file__).resolve().parent.parent / "dags" / "segment_bridge_dag.py"
#: What any DAG's file of this kind imports; what is then left is ours.
_AIRFLOW = """
from airflow.sdk import DAG, Asset, BaseHook, BaseOperator, Connection, CronTriggerTimetable, ObjectStoragePath, Param
from airflow.sdk import TriggerRule, Variable
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
"""
_PARSE = f"{_AIRFLOW}\nimport runpy, sys\nrunpy.run_path(sys.argv[1])"


def benchmark(rounds: int, _largest: int, _without: tuple[str, ...]) -> Table:
    """Measure the smallest command and the parsing; the interpreter, and Airflow's imports, show what is not ours."""
    ours = Command("segment-bridge journeys", (Path(sys.executable).with_name("segment-bridge"), "journeys"))
    python = Command("python -c pass", (sys.executable, "-c", "pass"), same=False)
    timings = measure([ours, python], 1, max(rounds, 15))
    parsed, imported = _parsing(rounds)
    goals = [
        Goal("start-up of journeys, ms", timings[0].seconds * 1000, most=150),
        Goal("parsing the DAG's file beyond importing airflow.sdk, processor s", parsed.cpu - imported.cpu, most=0.5),
    ]
    return Table("startup", [*timings, parsed, imported], goals)


def _parsing(rounds: int) -> Sequence[Timing]:
    with TemporaryDirectory() as home:
        python = ("env", f"AIRFLOW_HOME={home}", sys.executable, "-c")
        parse = Command("parsing dags/segment_bridge_dag.py", (*python, _PARSE, _DAG))
        return measure([parse, Command("import airflow.sdk", (*python, _AIRFLOW))], 1, max(rounds, 5))
