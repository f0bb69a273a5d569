"""The DAG ``segment_bridge_doctor``: the preflight, for somebody to start by hand."""

from __future__ import annotations

from airflow.sdk import DAG

from segment_bridge_airflow import defaults, form, manual
from segment_bridge_airflow.repairing import CheckEverythingOperator

with DAG(
    dag_id="segment_bridge_doctor",
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=defaults.DAGRUN_TIMEOUT,
    params=form.DOCTOR,
    tags=defaults.TAGS,
    doc_md=manual.DOCTOR,
    default_args=defaults.TASKS,
) as dag:
    # In no pool: where the bridge's own have not been made, its preflight must not wait for one.
    CheckEverythingOperator(task_id="check", doc_md=manual.DOCTOR)
