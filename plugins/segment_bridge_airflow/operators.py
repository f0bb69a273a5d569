"""The line's tasks as operators: a client from the connection, one call of the library, its errors in Airflow's words.

What may succeed later is retried as Airflow retries any task; what cannot succeed fails at the first try.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from segment_bridge import catalog, housekeeping, layout, line, mapping
from segment_bridge.errors import ConfigurationError, FatalError
from segment_bridge_airflow import alerts, schedule, settings
from segment_bridge_airflow.hooks import SegmentHook, SplunkHook, cluster
from segment_bridge_airflow.runs import key_of, plan_of, root_of, staging_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context

    from segment_bridge.report import MapBooks

P = ParamSpec("P")
R = TypeVar("R")


def failing_at_once(execute: Callable[P, R]) -> Callable[P, R]:
    """Let no task be tried again whose next try would end the same way."""

    @functools.wraps(execute)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return execute(*args, **kwargs)
        except (FatalError, ConfigurationError) as error:
            raise AirflowFailException(str(error)) from error
        except AirflowNotFoundException as error:
            settings.require_api_server()
            raise AirflowFailException(str(error)) from error

    return wrapped


class BeginRunOperator(BaseOperator):
    """Decide the window and the journeys, and log in to Splunk once; return the names of the journeys."""

    def __init__(self, *, conn_id: str = "splunk_default", **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own
        super().__init__(**kwargs)
        self.conn_id = conn_id

    @failing_at_once
    def execute(self, context: Context) -> list[str]:
        """Stage the run's plan."""
        schedule.require_usable()
        plan = plan_of(context)
        line.begin(staging_of(context), plan)
        self.log.info("a %s run searches %s for %d journeys", plan.kind, plan.window, len(plan.journeys))
        if plan.hole:
            self.log.error("no run has covered %s, and this one does not reach it", plan.hole.window)
        hook = SplunkHook(self.conn_id)
        self.log.info("index %s", hook.settings().source.index)
        with hook.get_conn() as splunk:
            line.require_login(splunk)
        return list(plan.journeys)


class MapUsersOperator(BaseOperator):
    """Stage the map from user names to SSO IDs."""

    def __init__(self, *, conn_id: str = "kubernetes_host", **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own
        super().__init__(**kwargs)
        self.conn_id = conn_id

    @failing_at_once
    def execute(self, context: Context) -> dict[str, int]:
        """Return the map's figures."""
        own, host = settings.read(), cluster(self.conn_id)
        last = _last_try(context)
        books = mapping.map_users(root_of(own), key_of(context), host, limits=own.limits, last_try=last)
        return _figures(self, context, books)


class MapWorkspacesOperator(BaseOperator):
    """Stage the map from namespaces to workspaces, of all member clusters."""

    @failing_at_once
    def execute(self, context: Context) -> dict[str, int]:
        """Return the map's figures."""
        own = settings.read()
        members = [cluster(conn_id) for conn_id in own.member_connections]
        last = _last_try(context)
        books = mapping.map_workspaces(
            root_of(own), key_of(context), members, tenants=own.tenants, limits=own.limits, last_try=last
        )
        return _figures(self, context, books)


class ShareUsersOperator(BaseOperator):
    """Put the map of users where searches look users up, if that is how this run resolves them."""

    def __init__(self, *, conn_id: str = "splunk_default", **kwargs: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(**kwargs)
        self.conn_id = conn_id

    @failing_at_once
    def execute(self, context: Context) -> None:
        """Return nothing."""
        mapping.share_users(staging_of(context), SplunkHook(self.conn_id).settings)


class PublishMapsOperator(BaseOperator):
    """Publish both maps as ConfigMaps, if a namespace for them is set."""

    def __init__(self, *, conn_id: str = "kubernetes_host", **kwargs: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(**kwargs)
        self.conn_id = conn_id

    @failing_at_once
    def execute(self, context: Context) -> list[str]:
        """Return the names of the ConfigMaps that have changed."""
        namespace = settings.read().publish_namespace
        return mapping.publish(staging_of(context), cluster(self.conn_id), namespace) if namespace else []


class SearchOperator(BaseOperator):
    """Stage the complete answer to a journey's search."""

    template_fields: Sequence[str] = ("journey",)

    def __init__(self, *, journey: str, conn_id: str = "splunk_default", **kwargs: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(**kwargs)
        self.journey = journey
        self.conn_id = conn_id

    @failing_at_once
    def execute(self, context: Context) -> int:
        """Return how many results were found."""
        context["label"] = self.journey  # type: ignore[typeddict-unknown-key] # for the template of the map index
        (journey,) = catalog.find([self.journey])
        own = settings.read()
        hook = SplunkHook(self.conn_id, own.tolerated_messages)
        source, longest = hook.settings().source, own.longest_search
        with hook.get_conn() as splunk:
            return line.search(staging_of(context), journey, source=source, splunk=splunk, longest=longest)


class CheckSourceOperator(BaseOperator):
    """Count records that the API server has cut, and where no journey found anything, look for any record at all."""

    def __init__(self, *, conn_id: str = "splunk_default", **kwargs: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(**kwargs)
        self.conn_id = conn_id

    @failing_at_once
    def execute(self, context: Context) -> None:
        """Return nothing."""
        own = settings.read()
        hook = SplunkHook(self.conn_id, own.tolerated_messages)
        source, longest = hook.settings().source, own.longest_search
        with hook.get_conn() as splunk:
            line.check_source(staging_of(context), source=source, splunk=splunk, longest=longest)


class ConvertResultsOperator(BaseOperator):
    """Turn all staged answers into batches; return the names of the batches, a group for each delivering task."""

    def __init__(self, *, most_groups: int, **kwargs: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(**kwargs)
        self.most_groups = most_groups

    @failing_at_once
    def execute(self, context: Context) -> list[list[str]]:
        """Return the groups; there is always one, so that nothing behind is skipped where nothing was found."""
        exclusions = settings.read().exclusions
        return line.groups(line.convert_results(staging_of(context), exclusions), self.most_groups)


class DeliverBatchesOperator(BaseOperator):
    """Deliver a group of batches; a retry goes on behind those that were delivered.

    ``tasks_at_once`` is how many of these tasks run at once, the slots of their pool: each keeps to its share of the
    connection's rate.
    """

    template_fields: Sequence[str] = ("batches",)

    def __init__(
        self,
        *,
        batches: list[str],
        conn_id: str = "segment_default",
        tasks_at_once: int = 4,
        **kwargs: Any,  # noqa: ANN401 - as above
    ) -> None:
        super().__init__(**kwargs)
        self.batches = batches
        self.conn_id = conn_id
        self.tasks_at_once = tasks_at_once

    @failing_at_once
    def execute(self, context: Context) -> int:
        """Return how many events were delivered."""
        context["label"] = label(self.batches)  # type: ignore[typeddict-unknown-key] # as above
        with SegmentHook(self.conn_id).get_conn(self.tasks_at_once) as segment:
            return line.deliver_all(staging_of(context), self.batches, segment)


class CloseBooksOperator(BaseOperator):
    """Write the report; fail unless everything found was sent or rejected for a reason."""

    @failing_at_once
    def execute(self, context: Context) -> str:
        """Return where the report lies."""
        root = root_of(settings.read())
        report = line.close(root, key_of(context))
        self.log.info("the books:\n%s", report.summary())
        for sample in report.samples.values():
            self.log.info("a dry run would have sent such as %s", sample)
        every = report.total
        ends = {"sent": every.sent, "rejected": sum(every.rejected.values()), "acknowledged": every.acknowledged}
        _tell(self, context, **ends)
        if report.alarms:
            alerts.send(alerts.alarm(report))
        report.require_success()
        return staging_of(context).uri(layout.REPORT)


class ExpireRunsOperator(BaseOperator):
    """Remove what finished runs have staged, once it is old."""

    @failing_at_once
    def execute(self, context: Context) -> int:
        """Return how many runs have expired."""
        own = settings.read()
        return housekeeping.expire(
            root_of(own),
            keep=own.keep,
            keep_reports=own.keep_reports,
            keep_ledger=own.keep_ledger,
            but=key_of(context),
        )


def label(batches: list[str]) -> str:
    """Name a group of batches as people read it."""
    if not batches:
        return "nothing"
    first, last = (name.removeprefix("batches/").removesuffix(".json") for name in (batches[0], batches[-1]))
    return first if first == last else f"{first} to {last}"


def _last_try(context: Context) -> bool:
    return context["ti"].try_number > context["ti"].max_tries


def _figures(task: BaseOperator, context: Context, books: MapBooks) -> dict[str, int]:
    figures = {"entries": books.entries, "skipped": books.skipped, "collisions": books.collisions}
    _tell(task, context, **figures)
    if books.stands_in:
        task.log.error("the last good map is used: %s", books.stands_in)
    return figures


def _tell(task: BaseOperator, context: Context, **figures: int) -> None:
    """Let those that are scheduled by the task's assets know its figures."""
    for asset in task.outlets:
        context["outlet_events"][asset].extra.update(figures)
