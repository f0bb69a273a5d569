"""``segment-bridge``: every stage as a Unix filter, and the whole line.

Exit codes: 0 done; 1 something was not delivered, an answer was incomplete or the books do not balance;
2 wrong usage or configuration.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module

import click

from segment_bridge import __version__
from segment_bridge.errors import BridgeError, ConfigurationError

#: Where each command is: which modules are imported, and how long a command takes to start, hangs on it alone.
_COMMANDS = {
    "journeys": ("catalogue", "journeys"),
    "spl": ("catalogue", "spl"),
    "maps": ("filters", "maps"),
    "search": ("filters", "search"),
    "convert": ("converting", "convert"),
    "upload": ("uploading", "upload"),
    "run": ("whole", "run"),
    "redrive": ("staged", "redrive"),
    "explain": ("staged", "explain"),
    "doctor": ("doctoring", "doctor_command"),
}
#: Commands that ask nobody, have nothing to log, and start the sooner for it.
_SILENT = frozenset({"journeys", "spl", "convert"})


class _Group(click.Group):
    """Imports a command when it is asked for; turns the bridge's errors into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"{__name__}.{module}"), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BridgeError as error:
            click.echo(f"segment-bridge: {error}", err=True)
            sys.exit(2 if isinstance(error, ConfigurationError) else 1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Tell more on standard error.")
@click.pass_context
def main(ctx: click.Context, *, verbose: bool) -> None:
    """Carry user journeys from Kubernetes audit logs in Splunk to Segment.

    The stages are filters that can be joined by pipes; `run` is the whole line. Settings come from options or
    the environment; secrets from the environment alone: SPLUNK_TOKEN, or SPLUNK_USERNAME and SPLUNK_PASSWORD;
    SEGMENT_WRITE_KEY.
    """
    if not gc.isenabled():  # What has been imported stays: nobody looks for garbage there, at the end neither.
        gc.freeze()
        gc.enable()
    if ctx.invoked_subcommand in _SILENT:
        return
    import logging  # noqa: PLC0415 - start-up

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
