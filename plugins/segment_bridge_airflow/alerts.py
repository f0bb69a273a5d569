"""Tell somebody: through whatever services the connection ``segment_bridge_alerts`` names, by Apprise.

The connection is of type ``apprise``; it may name a chat, a pager, e-mail by SMTP (``mailtos://...``), a webhook, or
several of them. Where there is no such connection, what there is to tell stands in the log alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

from segment_bridge_airflow.settings import require_api_server

if TYPE_CHECKING:
    from apprise import Apprise

    from segment_bridge.report import Report

CONNECTION = "segment_bridge_alerts"

logger = logging.getLogger(__name__)


class AlertFailedError(RuntimeError):
    """Not every service took an alert."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What there is to tell; ``cleared`` says that it is over."""

    title: str
    body: str
    cleared: bool = False


def alarm(report: Report) -> Alert:
    """Return what a report with alarms wants somebody to know."""
    told = [*(f"* {one}" for one in report.alarms), "", f"run {report.run}", report.summary()]
    return Alert(f"segment-bridge: {report.alarm_kinds[0]}", "\n".join(told))


def send(alert: Alert) -> None:
    """Send an alert; raises :class:`AlertFailedError` where a service did not take it, which Apprise only returns."""
    logger.warning("%s\n%s", alert.title, alert.body)
    services = _services()
    if services is not None and not services.notify(**_message(alert)):
        raise AlertFailedError(f"not every service of the connection {CONNECTION} took the alert: {alert.title}")


async def send_async(alert: Alert) -> None:
    """Send an alert as :func:`send` does, from the triggerer."""
    from asgiref.sync import sync_to_async  # noqa: PLC0415 - in the triggerer alone

    logger.warning("%s\n%s", alert.title, alert.body)
    services = await sync_to_async(_services)()
    if services is not None and not await services.async_notify(**_message(alert)):
        raise AlertFailedError(f"not every service of the connection {CONNECTION} took the alert: {alert.title}")


def _services() -> Apprise | None:
    from airflow.providers.apprise.hooks.apprise import AppriseHook  # noqa: PLC0415 - slow, and seldom needed
    from apprise import Apprise  # noqa: PLC0415 - as above

    try:
        connection = Connection.get(CONNECTION)
    except (AirflowNotFoundException, AirflowRuntimeError):
        require_api_server()
        logger.warning("there is no connection %s: nobody is told", CONNECTION)
        return None
    services = Apprise()
    AppriseHook(CONNECTION).set_config_from_conn(connection, services)
    return services


def _message(alert: Alert) -> dict[str, Any]:
    """Say it as Apprise takes it; left to guess, it makes HTML of it for e-mail, which knows no line ends."""
    kind = "success" if alert.cleared else "failure"
    return {"title": alert.title, "body": alert.body, "body_format": "text", "notify_type": kind}
