"""The stages as filters."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

import click

from segment_bridge import catalog
from segment_bridge.cli.options import environment, search_mode_option, settings_options, window_options
from segment_bridge.cli.retrying import retrying
from segment_bridge.errors import BridgeError, ConfigurationError
from segment_bridge.settings import DEFAULT_INDEX, KubernetesSettings, SegmentSettings, SplunkSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segment_bridge.splunk import Splunk
    from segment_bridge.window import Window

_FILE = click.Path(dir_okay=False, path_type=Path)
_BUFFER = 256 * 1024

logger = logging.getLogger(__name__)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a list of {name, title, event}.")
def journeys(*, as_json: bool) -> None:
    """List the user journeys."""
    if as_json:
        listed = [{"name": j.name, "title": j.title, "event": j.event} for j in catalog.JOURNEYS]
        click.echo(json.dumps(listed, indent=2))
        return
    width = max(len(journey.name) for journey in catalog.JOURNEYS)
    for journey in catalog.JOURNEYS:
        click.echo(f"{journey.name:{width}}  {journey.title}")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--index", envvar="SPLUNK_INDEX", default=DEFAULT_INDEX, show_default=True, help="The index to search.")
@search_mode_option
@click.option("--json", "as_json", is_flag=True, help="Print a list of {name, title, spl}.")
def spl(names: tuple[str, ...], index: str, search_mode: str, *, as_json: bool) -> None:
    """Print the journeys' searches."""
    compiled = [(asked, asked.compile(index)) for asked in _searches(names, search_mode)]
    if as_json:
        listed = [{"name": asked.name, "title": asked.title, "spl": text} for asked, text in compiled]
        click.echo(json.dumps(listed, indent=2))
        return
    click.echo("\n\n".join(f"``` {asked.name}: {asked.title} ```\n{text}" for asked, text in compiled))


def _searches(names: tuple[str, ...], search_mode: str) -> tuple[catalog.Search, ...]:
    journeys = catalog.find(names)
    return catalog.combine(journeys) if search_mode == "combined" else journeys


@click.command()
@click.argument("which", type=click.Choice(["users", "workspaces"]))
@click.option("--context", "contexts", multiple=True, metavar="C", help="A cluster's context; may be repeated.")
@settings_options("KUBECONFIG", "HOST_CONTEXT", "MEMBER_CONTEXTS")
def maps(which: str, contexts: tuple[str, ...]) -> None:
    """Print a map as one JSON object: user name to SSO ID, or namespace to workspace."""
    from segment_bridge import identity, kubernetes  # noqa: PLC0415 - not every command asks clusters

    variable = "HOST_CONTEXT" if which == "users" else "MEMBER_CONTEXTS"
    with environment() as env:
        chosen = contexts or env.require_several(variable)
        settings = KubernetesSettings(host_context="", member_contexts=chosen, kubeconfig=env.get("KUBECONFIG"))
        settings = env.timed(settings, timeout="KUBERNETES_TIMEOUT")
    if which == "users" and len(chosen) > 1:
        raise ConfigurationError("the map of users comes from one host cluster: give one context")
    clusters = [kubernetes.Cluster.from_context(settings, context) for context in chosen]

    def make() -> identity.IdentityMap:
        if which == "users":
            return identity.user_map(clusters[0].user_signups())
        return identity.workspace_map(cluster.tenant_namespaces() for cluster in clusters)

    made = retrying()(make)
    identity.require_usable(made, which)
    if made.skipped or made.collisions:
        logger.info(
            "%s: %d entries, %d skipped, %d collisions", which, len(made.entries), made.skipped, made.collisions
        )
    click.echo(identity.to_json(made.entries))


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@window_options
@search_mode_option
@settings_options("SPLUNK_")
def search(names: tuple[str, ...], window: Window, search_mode: str) -> None:
    """Search the journeys of a window; print the lines of each answer once it is proven complete.

    A combined search prints what the journeys' own searches would, one journey after the other.
    """
    from segment_bridge.splunk import Splunk  # noqa: PLC0415 - not every command asks Splunk

    chosen = _searches(names, search_mode)
    with environment() as env:
        settings = SplunkSettings.from_environment(env)
    failed = []
    with Splunk(settings) as splunk:
        for asked in chosen:
            try:
                retrying()(_print_answer, splunk, asked, settings.index, window)
            except ConfigurationError:
                raise
            except BridgeError as error:
                failed.append(asked.name)
                click.echo(f"segment-bridge: {asked.name}: {error}", err=True)
    if failed:
        raise BridgeError(f"{len(failed)} of {len(chosen)} searches have no complete answer: {', '.join(failed)}")


def _print_answer(splunk: Splunk, asked: catalog.Search, index: str, window: Window) -> None:
    from segment_bridge.splunk.shares import share_out  # noqa: PLC0415 - as above

    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(tempfile.TemporaryFile()) for name in asked.names}
        for name, line in share_out(splunk.search(asked.compile(index), window), asked.names, catalog.MARK):
            files[name].write(line + b"\n")
        for file in files.values():
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


@click.command()
@click.option("--users", required=True, type=click.File("rb"), help="The map of users, as `maps users` prints it.")
@click.option("--workspaces", required=True, type=click.File("rb"), help="The map of workspaces.")
@click.option(
    "--rejected",
    "rejected_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write rejections, as NDJSON.",
)
@click.option("--message-id-prefix", envvar="SEGMENT_MESSAGE_ID_PREFIX", default="", help="Put before each messageId.")
def convert(users: BinaryIO, workspaces: BinaryIO, rejected_path: Path | None, message_id_prefix: str) -> None:
    """Turn results on standard input into track events on standard output.

    A rejection is no failure: it is counted on standard error and, with --rejected, kept with its reason.
    """
    from collections import Counter  # noqa: PLC0415

    from segment_bridge import identity  # noqa: PLC0415 - start-up
    from segment_bridge.convert import convert as convert_lines  # noqa: PLC0415
    from segment_bridge.events import TrackEvent  # noqa: PLC0415

    found = identity.Maps(
        users=identity.read_map(users.read(), "--users"),
        workspaces=identity.read_map(workspaces.read(), "--workspaces"),
    )
    reasons: Counter[str] = Counter()
    with (
        open(sys.stdin.fileno(), "rb", _BUFFER, closefd=False) as lines,
        open(sys.stdout.fileno(), "wb", _BUFFER, closefd=False) as output,
        _optional_file(rejected_path) as rejected,
    ):
        for made in convert_lines(lines, found, message_id_prefix=message_id_prefix):
            if isinstance(made, TrackEvent):
                output.write(made.body + b"\n")
                continue
            reasons[made.reason] += 1
            if rejected:
                rejected.write(made.line + b"\n")
    for reason, count in sorted(reasons.items()):
        click.echo(f"rejected {count}: {reason}", err=True)


@contextlib.contextmanager
def _optional_file(path: Path | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    path.touch(mode=0o600)
    with path.open("wb") as file:
        yield file


@click.command()
@click.option(
    "--summary",
    "summary_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the summary (default: standard output).",
)
@settings_options("SEGMENT_")
def upload(summary_path: Path | None) -> None:
    """Deliver the events on standard input; exit with 0 only if each of them was delivered."""
    from segment_bridge.cli.uploading import upload_events  # noqa: PLC0415 - not every command asks Segment

    with environment() as env:
        settings = SegmentSettings.from_environment(env)
    summary, error = upload_events(sys.stdin.buffer, settings)
    text = json.dumps(summary)
    if summary_path:
        summary_path.write_text(text + "\n")
    else:
        click.echo(text)
    if error:
        raise error
    if summary["delivered"] != summary["events"]:
        raise BridgeError(f"{summary['undelivered']} events undelivered, {summary['rejected']} rejected")
