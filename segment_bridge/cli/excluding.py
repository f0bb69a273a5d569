"""Options that say whose results make no events; apart from the other options, so that ``convert`` starts fast."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from segment_bridge.exclusions import Exclusions

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., Any]


def exclusion_options(command: Command) -> Command:
    """Add ``--exclude-users`` and ``--exclude-namespaces`` and pass them on as ``exclusions``."""

    @functools.wraps(command)  # which keeps the options that the command has already
    def wrapped(
        *,
        exclude_users: tuple[str, ...],
        exclude_namespaces: tuple[str, ...],
        **arguments: Any,  # noqa: ANN401 - click's own
    ) -> Any:  # noqa: ANN401 - as above
        exclusions = Exclusions.of(users=exclude_users, namespaces=exclude_namespaces)
        return command(exclusions=exclusions, **arguments)

    for whose in ("namespaces", "users"):
        wrapped = click.option(
            f"--exclude-{whose}",
            envvar=f"SEGMENT_BRIDGE_EXCLUDE_{whose.upper()}",
            default="",
            metavar="PATTERNS",
            callback=separated,
            show_envvar=True,
            help=f"Make no events of these {whose}, such as load-test-*; separated by commas.",
        )(wrapped)
    return wrapped


def separated(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    """Read several values of one option, which blanks or commas separate."""
    return tuple(text.replace(",", " ").split())
