"""One run of the DAG in this process, by ``dag.test()``: run as ``python -m sandbox.dag_run END``.

The environment is that of :func:`sandbox.deployment.environment`. Exits with 0 if the run succeeded.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.deployment import DAG

if TYPE_CHECKING:
    from airflow.sdk import DAG as AirflowDag  # noqa: N811 - the name is ours already


def load(dag_id: str = DAG) -> AirflowDag:
    """Make a database if there is none, and load a DAG, with no patience between tries: stand-ins need none."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - not before the environment is known to be set
    from airflow.settings import DAGS_FOLDER  # noqa: PLC0415 - as above
    from airflow.utils.db import initdb  # noqa: PLC0415 - as above

    initdb()
    bag = DagBag(DAGS_FOLDER)
    if bag.import_errors:
        raise ImportError(str(bag.import_errors))
    dag: AirflowDag = bag.dags[dag_id]
    dag.deadline = None  # which a scheduler sees to, and dag.test() stumbles over
    for task in dag.tasks:
        settings: dict[str, Any] = getattr(task, "partial_kwargs", vars(task))  # which a mapped task has
        settings["retry_delay"] = timedelta(0)
    return dag


def main(end: str) -> int:
    """Run the DAG for the data interval that ends at a time, in ISO-8601; return the exit code."""
    run = load().test(logical_date=datetime.fromisoformat(end))
    return 0 if run.state == "success" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
