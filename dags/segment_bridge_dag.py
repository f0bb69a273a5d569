"""The DAG ``segment_bridge``: user journeys from Splunk to Segment, hourly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable, TriggerRule

from segment_bridge_airflow.operators import (
    BeginRunOperator,
    CloseBooksOperator,
    ConvertResultsOperator,
    DeliverBatchesOperator,
    MapUsersOperator,
    MapWorkspacesOperator,
    SearchJourneyOperator,
)

DOC = """
Every hour, the user journeys of the last four hours are searched in Splunk, turned into track events and
delivered to Segment; what was delivered before is recognized there by its messageId.

    begin ─┬─ map_users ──────┐
           ├─ map_workspaces ─┼─ convert ─── deliver (a task a batch) ─── close
           └─ search (each) ──┘

A journey whose search fails makes the run red and keeps none of the others back. The report of a run lies in
its staging folder as `report.json`; the log of `close` shows it. Running a failed task again is always safe.
"""

with DAG(
    dag_id="segment_bridge",
    schedule=CronTriggerTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    tags=["segment-bridge"],
    doc_md=DOC,
    default_args={
        "owner": "segment-bridge",
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(hours=1),
    },
) as dag:
    begin = BeginRunOperator(task_id="begin", doc_md="Decides the window and clears what an earlier try staged.")
    map_users = MapUsersOperator(task_id="map_users", doc_md="Reads who is who from the host cluster.")
    map_workspaces = MapWorkspacesOperator(
        task_id="map_workspaces",
        conn_ids="{{ var.value.get('segment_bridge_member_connections', 'kubernetes_member') }}",
        doc_md="Reads which namespace belongs to which workspace from every member cluster.",
    )
    search = SearchJourneyOperator.partial(
        task_id="search",
        max_active_tis_per_dagrun=4,
        map_index_template="{{ task.journey }}",
        doc_md="Asks Splunk for one journey's results and proves that the answer is complete.",
    ).expand(journey=begin.output)
    convert = ConvertResultsOperator(
        task_id="convert",
        most_groups=100,
        message_id_prefix="{{ var.value.get('segment_bridge_message_id_prefix', '') }}",
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
        doc_md="Turns results into events and packs them into batches; keeps what cannot become one, with its reason.",
    )
    deliver = DeliverBatchesOperator.partial(
        task_id="deliver",
        max_active_tis_per_dagrun=4,
        map_index_template="{{ task.batches[0] }}",
        doc_md="Sends batches to Segment and keeps the outcome of each.",
    ).expand(batches=convert.output)
    close = CloseBooksOperator(
        task_id="close",
        trigger_rule=TriggerRule.ALL_DONE,  # also where there was nothing to deliver
        doc_md="Writes the report; red unless everything found was sent or rejected for a reason.",
    )

    begin >> [map_users, map_workspaces] >> convert
    search >> convert >> deliver >> close
    [begin, convert] >> close
