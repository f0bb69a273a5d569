"""Watch over the runs: one that is late, and too many that failed in a row; and tell when that is over.

The DAG's callbacks run in the DAG processor, the deadline's in the triggerer; what each may ask of Airflow differs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError

from segment_bridge.errors import BridgeError
from segment_bridge.window import PERIOD, REACH, format_time
from segment_bridge_airflow import schedule, settings
from segment_bridge_airflow.alerts import Alert, send, send_async

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

#: A run is late if it has not succeeded this long after it was due to start.
LATE = schedule.late_after()
#: The failed run of a row upon which somebody is told.
TOO_MANY = 5

_DO = "Look at the report of the last run and at its red tasks; docs/airflow.md says what each failure means."


async def late(context: dict[str, Any]) -> None:
    """Tell that a scheduled run is late; Airflow asks for every run, whatever its kind, and however it has ended."""
    run = context["dag_run"]
    if run["run_type"] != "scheduled" or run["state"] == "success":
        return
    minutes = LATE // timedelta(minutes=1)
    state = "It has failed" if run["state"] == "failed" else "It has not ended"
    body = f"{state}, and has not succeeded within {minutes} minutes of when it was due to start. {_DO}"
    await send_async(Alert(f"segment-bridge: {run['dag_run_id']} is late", body))


def failed(context: Context) -> None:
    """Tell that too many scheduled runs have failed in a row: once, and again only after a success."""
    run = context["dag_run"]
    if run.run_type != "scheduled" or run.logical_date is None or 1 + _failures_before(context) != TOO_MANY:
        return
    first = run.logical_date - (TOO_MANY - 1) * PERIOD
    reach = _reach()
    lost = first - PERIOD + reach
    body = (
        f"{TOO_MANY} scheduled runs have failed in a row, the first of them that of {format_time(first)}. The next one "
        "that succeeds searches what those should have, and reaches back at most "
        f"{reach / timedelta(days=1):g} days. If none succeeds before {format_time(lost)}, or Splunk keeps its records "
        f"for less, events are lost. {_DO}"
    )
    send(Alert(f"segment-bridge: {TOO_MANY} runs have failed in a row", body))


def succeeded(context: Context) -> None:
    """Tell that alerts are over: of runs that failed, or of this run being late."""
    run = context["dag_run"]
    if run.run_type != "scheduled" or run.logical_date is None:
        return
    failures = _failures_before(context)
    if failures:  # each of which was told as late
        runs = "failed run" if failures == 1 else "failed runs in a row"
        body = (
            f"After {failures} {runs}, {run.run_id} has succeeded. It looked where those should have looked. Hours "
            "that no run has covered, if there are any, are named in the reports of those that failed."
        )
        send(Alert("segment-bridge: runs succeed again", body, cleared=True))
    elif _now(run) - run.logical_date > LATE:
        send(Alert(f"segment-bridge: {run.run_id} has succeeded", "It was late.", cleared=True))


def _reach() -> timedelta:
    """Return how far back runs reach, as far as is known: wrong settings may be why they fail."""
    try:
        return settings.read().reach
    except (BridgeError, AirflowRuntimeError):
        return REACH


def _failures_before(context: Context) -> int:
    """Count the scheduled runs that failed since the last one that succeeded."""
    count = 0
    for run in _before(context):
        if run.run_type != "scheduled":
            continue
        if run.state != "failed":
            break
        count += 1
    return count


def _before(context: Context) -> Iterator[Any]:
    """Give the runs before this one, the newest first."""
    from airflow.sdk.execution_time import task_runner  # noqa: PLC0415 - where callbacks run alone
    from airflow.sdk.execution_time.comms import GetPreviousDagRun  # noqa: PLC0415 - as above

    dag_id, before = context["dag_run"].dag_id, context["dag_run"].logical_date
    while before:
        asked = GetPreviousDagRun(dag_id=dag_id, logical_date=before, state=None)
        run = getattr(task_runner.SUPERVISOR_COMMS.send(asked), "dag_run", None)
        if run is None:
            return
        yield run
        before = run.logical_date


def _now(run: Any) -> datetime:  # noqa: ANN401 - Airflow has several classes of runs
    ended: datetime | None = run.end_date
    return ended or datetime.now(UTC)
