"""What a task's context says about its run: its key, its staging, and its plan."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.sdk import ObjectStoragePath

from segment_bridge import catalog, layout, line
from segment_bridge.closing import DEDUPLICATION
from segment_bridge.errors import ConfigurationError
from segment_bridge.plan import Plan, Resend
from segment_bridge.staging import Staging
from segment_bridge.window import Kind, decide
from segment_bridge_airflow.defaults import DAG_ID
from segment_bridge_airflow.settings import BridgeSettings, read

if TYPE_CHECKING:
    from airflow.sdk import Context


def key_of(context: Context) -> str:
    """Name the run among those of all DAGs."""
    run = context["dag_run"]
    return f"{run.dag_id}__{run.run_id}"


def key_of_run(run_id: str) -> str:
    """Name a run of the bridge's own DAG among those of all DAGs."""
    return f"{DAG_ID}__{run_id}"


def root_of(settings: BridgeSettings) -> Staging:
    """Return the place of all runs; a URL such as ``s3://connection@bucket/key`` brings its connection along.

    Raises :class:`ConfigurationError` for a kind of store that is unknown, or whose library is not installed.
    """
    if "@" not in urlsplit(settings.staging).netloc:
        # Airflow's own path would want a provider even so.
        return Staging.at(settings.staging)
    try:
        root = ObjectStoragePath(settings.staging)
        return Staging(root.fs, root.path.rstrip("/"))
    except (ValueError, ImportError) as error:
        raise ConfigurationError(
            f"staging cannot be opened ({error}): check its URL, and that the connection's provider is installed"
        ) from error


def staging_of(context: Context) -> Staging:
    """Return the run's own folder."""
    return layout.run_of(root_of(read()), key_of(context))


def plan_of(context: Context) -> Plan:
    """Decide what the run is about: from its data interval, its kind, its form, and what is covered already."""
    settings, form = read(), context["params"]
    run = context["dag_run"]
    # A reprocessed run keeps the ID of a scheduled one, and has the type of a backfill.
    kind = {"scheduled": Kind.SCHEDULED, "backfill": Kind.BACKFILL}.get(run.run_type, Kind.MANUAL)
    span = (form.get("from") or "", form.get("to") or "")
    # A span may reach up to when it was asked for, whatever logical date the run was given.
    due = run.run_after if any(span) else context.get("data_interval_end") or run.run_after
    asked = form.get("look_back_hours")
    look_back = timedelta(hours=asked) if asked else None
    resend = Resend(form.get("resend") or settings.resend)
    covered = line.covered_before(root_of(settings), key_of(context)) if kind is Kind.SCHEDULED else None
    decision = decide(
        kind,
        due,
        covered=covered,
        span=span,
        look_back=look_back if kind is Kind.BACKFILL else look_back or settings.look_back,
        reach=settings.reach,
        recognized=DEDUPLICATION if resend is Resend.ALWAYS else None,
    )
    catalog.find(settings.expect_all_rejected)  # raises where it knows no such journey
    return Plan.following(
        decision,
        kind=kind,
        covered=covered,
        journeys=tuple(journey.name for journey in catalog.find(form.get("journeys") or ())),
        dry_run=bool(form.get("dry_run")),
        message_id_prefix=settings.message_id_prefix,
        resend=resend,
        identity=settings.identity,
        least_coverage=settings.least_coverage,
        expect_all_rejected=settings.expect_all_rejected,
    )
