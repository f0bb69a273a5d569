"""The line's tasks as operators: a client from the connection, one call of the library, its errors in Airflow's words.

What may succeed later is retried as Airflow retries any task; what cannot succeed fails at the first try.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import msgspec
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from segment_bridge import catalog, layout, line
from segment_bridge.errors import ConfigurationError, FatalError
from segment_bridge.plan import Plan
from segment_bridge_airflow.hooks import SegmentHook, SplunkHook, cluster
from segment_bridge_airflow.runs import key_of, staging_of, window_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context

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

    return wrapped


class BeginRunOperator(BaseOperator):
    """Decide the window and the journeys; return the names of the journeys."""

    @failing_at_once
    def execute(self, context: Context) -> list[str]:
        """Stage the run's plan."""
        window = window_of(context)
        journeys = tuple(journey.name for journey in catalog.find())
        line.begin(staging_of(context), Plan(start=window.start, end=window.end, journeys=journeys))
        self.log.info("the run searches %s", window)
        return list(journeys)


class MapUsersOperator(BaseOperator):
    """Stage the map from user names to SSO IDs."""

    def __init__(self, *, conn_id: str = "kubernetes_host", **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own
        super().__init__(**kwargs)
        self.conn_id = conn_id

    @failing_at_once
    def execute(self, context: Context) -> dict[str, int]:
        """Return the map's figures."""
        return _figures(line.map_users(staging_of(context), cluster(self.conn_id)))


class MapWorkspacesOperator(BaseOperator):
    """Stage the map from namespaces to workspaces; ``conn_ids`` are separated by commas, a later cluster wins."""

    template_fields: Sequence[str] = ("conn_ids",)

    def __init__(self, *, conn_ids: str = "kubernetes_member", **kwargs: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(**kwargs)
        self.conn_ids = conn_ids

    @failing_at_once
    def execute(self, context: Context) -> dict[str, int]:
        """Return the map's figures."""
        members = [cluster(conn_id) for conn_id in self.conn_ids.replace(",", " ").split()]
        return _figures(line.map_workspaces(staging_of(context), members))


class SearchJourneyOperator(BaseOperator):
    """Stage the complete answer to one journey's search."""

    template_fields: Sequence[str] = ("journey",)

    def __init__(self, *, journey: str, conn_id: str = "splunk_default", **kwargs: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(**kwargs)
        self.journey = journey
        self.conn_id = conn_id

    @failing_at_once
    def execute(self, context: Context) -> int:
        """Return how many results were found."""
        (journey,) = catalog.find([self.journey])
        hook = SplunkHook(self.conn_id)
        with hook.get_conn() as splunk:
            return line.search(staging_of(context), journey, index=hook.settings().index, splunk=splunk)


class ConvertResultsOperator(BaseOperator):
    """Turn all staged answers into batches; return the names of the batches, a group for each delivering task."""

    template_fields: Sequence[str] = ("message_id_prefix",)

    def __init__(
        self,
        *,
        most_groups: int,
        message_id_prefix: str = "",
        **kwargs: Any,  # noqa: ANN401 - as above
    ) -> None:
        super().__init__(**kwargs)
        self.most_groups = most_groups
        self.message_id_prefix = message_id_prefix

    @failing_at_once
    def execute(self, context: Context) -> list[list[str]]:
        """Return the groups."""
        batches = line.convert_results(staging_of(context), message_id_prefix=self.message_id_prefix)
        return line.groups(batches, self.most_groups)


class DeliverBatchesOperator(BaseOperator):
    """Deliver a group of batches; a retry goes on behind those that were delivered."""

    template_fields: Sequence[str] = ("batches",)

    def __init__(
        self,
        *,
        batches: list[str],
        conn_id: str = "segment_default",
        **kwargs: Any,  # noqa: ANN401 - as above
    ) -> None:
        super().__init__(**kwargs)
        self.batches = batches
        self.conn_id = conn_id

    @failing_at_once
    def execute(self, context: Context) -> int:
        """Return how many events were delivered."""
        with SegmentHook(self.conn_id).get_conn() as segment:
            return line.deliver_all(staging_of(context), self.batches, segment)


class CloseBooksOperator(BaseOperator):
    """Write the report; fail unless everything found was sent or rejected for a reason."""

    @failing_at_once
    def execute(self, context: Context) -> str:
        """Return where the report lies."""
        run = staging_of(context)
        report = line.close(run, key_of(context))
        self.log.info("the books:\n%s", report.summary())
        report.require_success()
        return run.uri(layout.REPORT)


def _figures(books: msgspec.Struct) -> dict[str, int]:
    figures: dict[str, int] = msgspec.to_builtins(books)
    return figures
