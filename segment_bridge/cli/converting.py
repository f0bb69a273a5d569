"""Conversion as a filter."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from itertools import islice
from typing import IO, TYPE_CHECKING, BinaryIO

import click

from segment_bridge import identity
from segment_bridge.cli.excluding import exclusion_options
from segment_bridge.cli.shapes import WANTED, PassedOver, is_row
from segment_bridge.convert import convert as convert_lines
from segment_bridge.errors import BridgeError, ConfigurationError
from segment_bridge.events import FIELDS_TWICE, Reason, Rejection, TrackEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segment_bridge.exclusions import Exclusions

_BUFFER = 64 * 1024
#: Events that are written at once: for each by itself the writing costs three times as much.
_TOGETHER = 64


@click.command()
@click.option("--users", required=True, type=click.File("rb"), help="The map of users, as `maps users` prints it.")
@click.option("--workspaces", required=True, type=click.File("rb"), help="The map of workspaces.")
@click.option(
    "--rejected",
    "rejected_path",
    type=click.Path(dir_okay=False),
    help="Where to write rejections, as NDJSON.",
)
@click.option("--message-id-prefix", envvar="SEGMENT_MESSAGE_ID_PREFIX", default="", help="Put before each messageId.")
@exclusion_options
def convert(
    users: BinaryIO,
    workspaces: BinaryIO,
    rejected_path: str | None,
    message_id_prefix: str,
    exclusions: Exclusions,
) -> None:
    """Turn results on standard input into track events on standard output.

    It reads {"result": {...}} a line, as `search` prints it. A rejection is no failure: it is counted on standard error
    and, with --rejected, kept with its reason.
    """
    found = identity.Maps(
        users=identity.read_map(users.read(), "--users"),
        workspaces=identity.read_map(workspaces.read(), "--workspaces"),
        exclusions=exclusions,
    )
    reasons: Counter[str] = Counter()
    events, rows = 0, False
    passed_over = PassedOver()
    with (
        open(sys.stdin.fileno(), "rb", _BUFFER, closefd=False) as lines,
        open(sys.stdout.fileno(), "wb", _BUFFER, closefd=False) as output,
        _optional_file(rejected_path) as rejected,
    ):
        converted = convert_lines(lines, found, message_id_prefix=message_id_prefix, pass_over=passed_over)
        while some := list(islice(converted, _TOGETHER)):
            bodies = [made.body for made in some if type(made) is TrackEvent]
            events += len(bodies)
            output.write(b"\n".join((*bodies, b"")))
            for made in some:
                if type(made) is Rejection:
                    reasons[made.reason] += 1
                    rows = rows or made.reason != Reason.MALFORMED_RESULT or is_row(made.answer)
                    if rejected:
                        rejected.write(made.line + b"\n")
    passed_over.require_complete()
    for what, count in sorted(passed_over.counts.items()):
        click.echo(f"passed over {count}: {what}", err=True)
    for reason, count in sorted(reasons.items()):
        click.echo(f"rejected {count}: {reason}", err=True)
    if reasons[Reason.FIELDS_TWICE]:
        raise BridgeError(f"{reasons[Reason.FIELDS_TWICE]} results rejected: {FIELDS_TWICE}")
    wanted = reasons.total() - reasons[Reason.EXCLUDED]
    if wanted and not events:
        if not rows:
            raise ConfigurationError(f"none of the {wanted} lines on standard input is a result: give {WANTED}")
        click.echo(f"segment-bridge: warning: all {wanted} results were rejected", err=True)


@contextlib.contextmanager
def _optional_file(path: str | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    with open(path, "wb", opener=_open_private) as file:
        yield file


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
