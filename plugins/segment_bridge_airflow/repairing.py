"""What somebody starts by hand, before a run or after a bad one, as operators."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowNotFoundException

from segment_bridge import doctor, leftovers, runs
from segment_bridge.errors import ConfigurationError
from segment_bridge.redrive import Redrive, Redriven
from segment_bridge.window import LOOK_BACK, Window, parse_time
from segment_bridge_airflow import settings
from segment_bridge_airflow.hooks import SegmentHook, SplunkHook, cluster, in_fields
from segment_bridge_airflow.operators import failing_at_once
from segment_bridge_airflow.runs import key_of_run, root_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

    from segment_bridge.kubernetes import Cluster
    from segment_bridge_airflow.settings import BridgeSettings

T = TypeVar("T")


class RedriveRunsOperator(BaseOperator):
    """Send again what closed runs have left behind, and count their books anew.

    ``tasks_at_once`` is how many tasks share the rate of the connection, the slots of the task's pool.
    """

    def __init__(
        self,
        *,
        host_conn_id: str = "kubernetes_host",
        segment_conn_id: str = "segment_default",
        tasks_at_once: int = 4,
        **kwargs: Any,  # noqa: ANN401 - Airflow's own
    ) -> None:
        super().__init__(**kwargs)
        self.host_conn_id = host_conn_id
        self.segment_conn_id = segment_conn_id
        self.tasks_at_once = tasks_at_once

    @failing_at_once
    def execute(self, context: Context) -> dict[str, int]:
        """Return what was done with all of the runs, in events."""
        own, form = settings.read(), context["params"]
        root = root_of(own)
        every = runs.find(root)
        window = Window.between(form["from"] or "", form["to"] or "")
        chosen = leftovers.choose(root, every, keys=[*map(key_of_run, form["runs"] or ())], window=window)
        maps = leftovers.maps_for(
            chosen, lambda: leftovers.make_maps(cluster(self.host_conn_id), _members(own), own.tenants, own.exclusions)
        )
        done = []
        with contextlib.ExitStack() as stack:
            hook = SegmentHook(self.segment_conn_id)
            segment = None if form["dry_run"] else stack.enter_context(hook.get_conn(self.tasks_at_once))
            for one in leftovers.take_up(root, Redrive(every, segment, maps), chosen):
                done.append(one)
                self._tell(one)
        leftovers.require_nothing_left(done)
        return _sums(done)

    def _tell(self, done: Redriven) -> None:
        for told in done.told():
            self.log.info(told)
        for warning in done.warnings():
            self.log.warning(warning)


class CheckEverythingOperator(BaseOperator):
    """Check all that a run needs; fail if something is not right, and say in the log what to do about it."""

    def __init__(
        self,
        *,
        splunk_conn_id: str = "splunk_default",
        host_conn_id: str = "kubernetes_host",
        segment_conn_id: str = "segment_default",
        **kwargs: Any,  # noqa: ANN401 - as above
    ) -> None:
        super().__init__(**kwargs)
        self.splunk_conn_id = splunk_conn_id
        self.host_conn_id = host_conn_id
        self.segment_conn_id = segment_conn_id

    @failing_at_once
    def execute(self, context: Context) -> dict[str, bool | None]:
        """Return whether each check went well; None for one that could not be made."""
        asked = context["params"]["to"]
        end = parse_time(asked) if asked else context["dag_run"].run_after
        needs = doctor.Needs(
            splunk=_found(lambda: SplunkHook(self.splunk_conn_id, settings.read().tolerated_messages).settings()),
            host=_found(lambda: cluster(self.host_conn_id)),
            members=_found(lambda: _members(settings.read())),
            tenants=lambda: settings.read().tenants,
            segment=_found(SegmentHook(self.segment_conn_id).settings),
            staging=_found(lambda: root_of(settings.read())),
        )
        checks = []
        for check in doctor.check_all(needs, Window(end - LOOK_BACK, end)):
            checks.append(check)
            self.log.log(logging.ERROR if check.ok is False else logging.INFO, in_fields(check.text()))
        doctor.require_health(checks)
        return {check.name: check.ok for check in checks}


def _members(own: BridgeSettings) -> list[Cluster]:
    return [cluster(conn_id) for conn_id in own.member_connections]


def _found(make: Callable[[], T]) -> Callable[[], T]:
    """Let a connection that is not there be a failed check, and keep no other from being made."""

    def made() -> T:
        try:
            return make()
        except AirflowNotFoundException as error:
            raise ConfigurationError(f"{error}: make the connection") from None

    return made


def _sums(done: list[Redriven]) -> dict[str, int]:
    names = (name for name in Redriven.__struct_fields__ if name != "run")
    return {"runs": len(done), **{name: sum(getattr(one, name) for one in done) for name in names}}
