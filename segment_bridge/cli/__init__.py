"""``segment-bridge``: every stage as a Unix filter, and the whole line.

Exit codes: 0 done; 1 something was not delivered, an answer was incomplete or the books do not balance;
2 wrong usage or configuration.
"""

from __future__ import annotations

import logging
import sys

import click

from segment_bridge.cli.doctoring import doctor_command
from segment_bridge.cli.filters import convert, journeys, maps, search, spl, upload
from segment_bridge.cli.staged import explain, redrive
from segment_bridge.cli.whole import run
from segment_bridge.errors import BridgeError, ConfigurationError


class _Group(click.Group):
    """Turns the bridge's errors into one line on standard error and an exit code."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BridgeError as error:
            click.echo(f"segment-bridge: {error}", err=True)
            sys.exit(2 if isinstance(error, ConfigurationError) else 1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="segment-bridge")
@click.option("-v", "--verbose", is_flag=True, help="Tell more on standard error.")
def main(*, verbose: bool) -> None:
    """Carry user journeys from Kubernetes audit logs in Splunk to Segment.

    The stages are filters that can be joined by pipes; `run` is the whole line. Settings come from options or
    the environment; secrets from the environment alone: SPLUNK_TOKEN, or SPLUNK_USERNAME and SPLUNK_PASSWORD;
    SEGMENT_WRITE_KEY.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )


for _command in (journeys, spl, maps, search, convert, upload, run, redrive, explain, doctor_command):
    main.add_command(_command)
