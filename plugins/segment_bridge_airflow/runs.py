"""What a task's context says about its run: its key, its staging and its window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import ObjectStoragePath, Variable

from segment_bridge.staging import Staging
from segment_bridge.window import Window

if TYPE_CHECKING:
    from airflow.sdk import Context

#: The Variable that says where runs keep their files; several machines need a place that all of them see.
STAGING_VARIABLE = "segment_bridge_staging"
DEFAULT_STAGING = "file:///var/lib/segment-bridge"


def key_of(context: Context) -> str:
    """Name the run among those of all DAGs."""
    run = context["dag_run"]
    return f"{run.dag_id}__{run.run_id}"


def staging_of(context: Context) -> Staging:
    """Return the run's own folder; a URL such as ``s3://connection@bucket/key`` brings its connection along."""
    root = ObjectStoragePath(Variable.get(STAGING_VARIABLE, default=DEFAULT_STAGING))
    return Staging(root.fs, root.path).folder("runs").folder(key_of(context))


def window_of(context: Context) -> Window:
    """Return the look-back up to the end of the data interval; a run without one ends when it was due."""
    return Window.before(context.get("data_interval_end") or context["dag_run"].run_after)
