"""Options that stand for environment variables, and how clients are made of them."""

from __future__ import annotations

import functools
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from segment_bridge.settings import (
    DEFAULT_MAP_SHRINK_PERCENT,
    DEFAULT_MAP_STAND_IN_HOURS,
    TOLERATED_MESSAGES,
    Environment,
)
from segment_bridge.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Command = Callable[..., Any]

_OPTIONS = {
    "SPLUNK_API_URL": "Splunk's REST API, as https://splunk.example.com:8089.",
    "SPLUNK_APP_NAME": "The Splunk app to search in (default: search).",
    "SPLUNK_INDEX": "The index of the audit records.",
    "SPLUNK_SOURCETYPE": "The sourcetype of the audit records.",
    "SPLUNK_SEARCH_FIELDS": "Further fixed terms of every search, as host=api-*,source=audit.",
    "SPLUNK_CA_FILE": "The authority that signed Splunk's certificate, as PEM.",
    "SEGMENT_BATCH_API": "Segment's batch endpoint (default: https://api.segment.io/v1/batch).",
    "SEGMENT_CA_FILE": "The authority that signed its certificate, as PEM.",
    "SEGMENT_CONNECTIONS": "Batches delivered at once (default: 8).",
    "SEGMENT_REQUESTS_PER_SECOND": "The most requests a second (default: 100).",
    "SEGMENT_EVENTS_PER_SECOND": "The most events a second (default: no limit).",
    "KUBECONFIG": "The kubeconfig with the clusters' contexts (default: ~/.kube/config).",
    "HOST_CONTEXT": "The host cluster's context.",
    "MEMBER_CONTEXTS": "The member clusters' contexts, separated by commas.",
    "TENANT_SELECTORS": "Labels that mark a tenant's namespace, separated by commas "
    "(default: toolchain.dev.openshift.com/type=tenant).",
    "SPACE_LABELS": "Labels that name its space, the first one counts (default: toolchain.dev.openshift.com/space).",
}

_SHRINK = "By how many percent a map may be smaller than the last good one."
_STAND_IN = "How many hours old the last good map may be to stand in for one that cannot be used."
#: The options of whoever asks clusters.
CLUSTERS = ("KUBECONFIG", "HOST_CONTEXT", "MEMBER_CONTEXTS", "TENANT_SELECTORS", "SPACE_LABELS")


def settings_options(*prefixes: str) -> Callable[[Command], Command]:
    """Add an option for each variable that begins with one of the prefixes; values go into the context."""

    def decorate(command: Command) -> Command:
        for variable, text in reversed(_OPTIONS.items()):
            if variable.startswith(prefixes):
                option = "--" + variable.lower().replace("_", "-")
                note = click.option(
                    option, expose_value=False, metavar="TEXT", callback=_noting(variable), help=f"{text} [{variable}]"
                )
                command = note(command)
        return command

    return decorate


def _noting(variable: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def note(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            context.meta[variable] = value

    return note


def environment(**overrides: str) -> Environment:
    """Return the environment's variables, overridden by the options of the running command."""
    meta: Mapping[str, Any] = click.get_current_context().meta
    given = {name: value for name, value in meta.items() if name in {*_OPTIONS, TOLERATED_MESSAGES}}
    return Environment({**os.environ, **given, **overrides})


def identity_option(command: Command) -> Command:
    """Add ``--identity`` and pass it on as ``identity``."""
    return click.option(
        "--identity",
        envvar="SEGMENT_BRIDGE_IDENTITY",
        type=click.Choice(["bridge", "splunk_lookup"]),
        default="bridge",
        show_default=True,
        help="Who resolves user names: `convert`, or the search itself, from Splunk's KV store.",
    )(command)


def tolerated_option(command: Command) -> Command:
    """Add ``--tolerated-messages``; its value goes into the context."""
    return click.option(
        "--tolerated-messages",
        expose_value=False,
        metavar="JSON",
        callback=_noting(TOLERATED_MESSAGES),
        help=f"Messages of Splunk that may pass, as [{{pattern, reason}}, ...]. [{TOLERATED_MESSAGES}]",
    )(command)


def map_limits_options(command: Command) -> Command:
    """Add ``--map-shrink-percent`` and ``--map-stand-in-hours`` and pass them on as ``limits``."""

    @functools.wraps(command)  # which keeps the options that the command has already
    def wrapped(*, map_shrink_percent: int, map_stand_in_hours: int, **arguments: Any) -> Any:  # noqa: ANN401 - click's own
        from segment_bridge.gate import Limits  # noqa: PLC0415 - start-up

        limits = Limits(largest_shrink=map_shrink_percent, oldest=timedelta(hours=map_stand_in_hours))
        return command(limits=limits, **arguments)

    for option, most, default, text in (
        ("--map-stand-in-hours", 8760, DEFAULT_MAP_STAND_IN_HOURS, _STAND_IN),
        ("--map-shrink-percent", 100, DEFAULT_MAP_SHRINK_PERCENT, _SHRINK),
    ):
        variable = "SEGMENT_BRIDGE_" + option.removeprefix("--").upper().replace("-", "_")
        wrapped = click.option(
            option,
            envvar=variable,
            type=click.IntRange(0, most),
            default=default,
            show_default=True,
            show_envvar=True,
            help=text,
        )(wrapped)
    return wrapped


def window_options(command: Command) -> Command:
    """Add ``--from`` and ``--to`` and pass them on as ``window``."""

    @functools.wraps(command)  # which keeps the options that the command has already
    def wrapped(*, start: str, end: str, **arguments: Any) -> Any:  # noqa: ANN401 - click's own
        return command(window=Window.parse(start, end), **arguments)

    time = "as 2026-01-31T08:00:00Z or seconds since the epoch"
    wrapped = click.option("--to", "end", required=True, metavar="T", help=f"End of the window, exclusive, {time}.")(
        wrapped
    )
    return click.option("--from", "start", required=True, metavar="T", help=f"Start of the window, {time}.")(wrapped)
