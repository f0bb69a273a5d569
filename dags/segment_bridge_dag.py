"""The DAG ``segment_bridge``: user journeys from Splunk to Segment, hourly."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, CronTriggerTimetable, TriggerRule
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from segment_bridge_airflow import assets, defaults, manual, schedule, watch
from segment_bridge_airflow.form import FORM
from segment_bridge_airflow.operators import (
    BeginRunOperator,
    CheckSourceOperator,
    CloseBooksOperator,
    ConvertResultsOperator,
    DeliverBatchesOperator,
    ExpireRunsOperator,
    MapUsersOperator,
    MapWorkspacesOperator,
    PublishMapsOperator,
    SearchOperator,
    ShareUsersOperator,
)

with DAG(
    dag_id=defaults.DAG_ID,
    schedule=CronTriggerTimetable(f"{schedule.minute()} * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=defaults.DAGRUN_TIMEOUT,
    params=FORM,
    tags=defaults.TAGS,
    doc_md=manual.DAG,
    on_failure_callback=watch.failed,
    on_success_callback=watch.succeeded,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE, interval=watch.LATE, callback=AsyncCallback(watch.late)
    ),
    default_args=defaults.TASKS,
) as dag:
    begin = BeginRunOperator(task_id="begin", doc_md=manual.BEGIN)
    map_users = MapUsersOperator(task_id="map_users", outlets=[assets.USERS], doc_md=manual.MAP_USERS)
    map_workspaces = MapWorkspacesOperator(
        task_id="map_workspaces", outlets=[assets.WORKSPACES], doc_md=manual.MAP_WORKSPACES
    )
    share_users = ShareUsersOperator(
        task_id="share_users", pool="splunk", inlets=[assets.USERS], doc_md=manual.SHARE_USERS
    )
    publish = PublishMapsOperator(task_id="publish", inlets=[assets.USERS, assets.WORKSPACES], doc_md=manual.PUBLISH)
    search = SearchOperator.partial(
        task_id="search", pool="splunk", map_index_template="{{ label }}", doc_md=manual.SEARCH
    ).expand(journey=begin.output)
    check_source = CheckSourceOperator(
        task_id="check_source",
        pool="splunk",
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,  # it counts whatever journey failed
        doc_md=manual.CHECK_SOURCE,
    )
    convert = ConvertResultsOperator(
        task_id="convert",
        most_groups=20,
        inlets=[assets.USERS, assets.WORKSPACES],
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,  # a failed journey keeps no other back
        doc_md=manual.CONVERT,
    )
    deliver = DeliverBatchesOperator.partial(
        task_id="deliver", pool="segment", map_index_template="{{ label }}", doc_md=manual.DELIVER
    ).expand(batches=convert.output)
    close = CloseBooksOperator(
        task_id="close",
        outlets=[assets.DELIVERED],
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,  # whatever failed, the books say so
        doc_md=manual.CLOSE,
    )
    expire = ExpireRunsOperator(task_id="expire", doc_md=manual.EXPIRE)

    begin >> [map_users, map_workspaces]
    map_users >> share_users >> search >> convert >> deliver >> close
    [map_users, map_workspaces] >> convert
    [map_users, map_workspaces] >> publish
    search >> check_source >> close
    [begin, convert] >> close
    begin >> expire
