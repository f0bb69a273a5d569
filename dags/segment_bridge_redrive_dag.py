"""The DAG ``segment_bridge_redrive``: what runs have left behind, sent again when somebody asks for it."""

from __future__ import annotations

from airflow.sdk import DAG

from segment_bridge_airflow import defaults, form, manual
from segment_bridge_airflow.repairing import RedriveRunsOperator

with DAG(
    dag_id="segment_bridge_redrive",
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=defaults.DAGRUN_TIMEOUT,
    params=form.REDRIVE,
    tags=defaults.TAGS,
    doc_md=manual.REDRIVE,
    default_args=defaults.TASKS,
) as dag:
    RedriveRunsOperator(task_id="redrive", pool="segment", doc_md=manual.REDRIVE)
