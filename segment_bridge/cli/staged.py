"""Commands about what lies in staging."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segment_bridge.cli.excluding import exclusion_options
from segment_bridge.cli.options import CLUSTERS, environment, settings_options
from segment_bridge.cli.retrying import retrying
from segment_bridge.errors import ConfigurationError
from segment_bridge.settings import KubernetesSettings, SegmentSettings
from segment_bridge.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from segment_bridge.exclusions import Exclusions
    from segment_bridge.identity import Maps
    from segment_bridge.redrive import Redrive
    from segment_bridge.runs import Run
    from segment_bridge.staging import Staging

DEFAULT_STAGING = "~/.local/state/segment-bridge"


def staging_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--staging``."""
    return click.option(
        "--staging",
        envvar="SEGMENT_BRIDGE_STAGING",
        default=DEFAULT_STAGING,
        show_default=True,
        metavar="URL",
        help="Where runs keep their files: a folder or an object store's URL. [SEGMENT_BRIDGE_STAGING]",
    )(command)


def open_staging(url: str) -> Staging:
    """Open the place where runs keep their files."""
    from segment_bridge.staging import Staging  # noqa: PLC0415 - start-up

    return Staging.at(str(Path(url).expanduser()) if url.startswith("~") else url)


@click.command()
@click.argument("audit_id")
@staging_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def explain(audit_id: str, staging: str, *, as_json: bool) -> None:
    """Tell what became of an audit ID: its journey, its runs, and how Segment answered."""
    import msgspec  # noqa: PLC0415 - start-up

    from segment_bridge import runs  # noqa: PLC0415 - as above
    from segment_bridge.explain import explain as explain_id  # noqa: PLC0415 - as above

    explained = explain_id(runs.find(open_staging(staging)), audit_id)
    click.echo(msgspec.json.encode(explained) if as_json else explained.text())


@click.command()
@click.option("--run", "keys", multiple=True, metavar="KEY", help="A run's key; may be repeated (default: all runs).")
@click.option("--from", "start", default="", metavar="T", help="With --to: only runs whose window overlaps this one.")
@click.option("--to", "end", default="", metavar="T", help="The end of that, exclusive.")
@click.option("--dry-run", is_flag=True, help="Tell what would be sent, and send nothing.")
@click.option("--users", type=click.File("rb"), help="The map of users, as `maps users` prints it.")
@click.option(
    "--workspaces", type=click.File("rb"), help="The map of workspaces; without both, the clusters are asked."
)
@staging_option
@exclusion_options
@settings_options("SEGMENT_", *CLUSTERS)
def redrive(
    keys: tuple[str, ...],
    users: BinaryIO | None,
    workspaces: BinaryIO | None,
    staging: str,
    *,
    exclusions: Exclusions,
    start: str,
    end: str,
    dry_run: bool,
) -> None:
    """Send again what closed runs have left behind.

    That is: undelivered events, and rejected results whose user or namespace is known by now. Nothing is redriven
    twice. Afterwards the reports of these runs are counted anew.
    """
    from segment_bridge import leftovers, runs  # noqa: PLC0415 - start-up
    from segment_bridge.redrive import Redrive, asks_for_maps  # noqa: PLC0415 - as above
    from segment_bridge.segment import Segment  # noqa: PLC0415 - as above

    if bool(users) != bool(workspaces):
        raise ConfigurationError("one map is not enough: give both --users and --workspaces")
    root = open_staging(staging)
    every = runs.find(root)
    chosen = leftovers.choose(root, every, keys=keys, window=Window.between(start, end))
    asks_clusters = not users and any(map(asks_for_maps, chosen))
    with environment() as env:
        settings = None if dry_run else SegmentSettings.from_environment(env)
        clusters = KubernetesSettings.from_environment(env) if asks_clusters else None
    maps = _maps(clusters, users, workspaces, exclusions)
    with contextlib.ExitStack() as stack:
        segment = stack.enter_context(Segment(settings)) if settings else None
        _take_up(root, Redrive(every, segment, maps), chosen)


def _maps(
    clusters: KubernetesSettings | None,
    users: BinaryIO | None,
    workspaces: BinaryIO | None,
    exclusions: Exclusions,
) -> Maps | None:
    """Read maps from files, or make them anew from the clusters; None where neither is asked for."""
    from segment_bridge import identity, kubernetes, leftovers  # noqa: PLC0415 - start-up

    if users and workspaces:
        return identity.Maps(
            users=identity.read_map(users.read(), "--users"),
            workspaces=identity.read_map(workspaces.read(), "--workspaces"),
            exclusions=exclusions,
        )
    if clusters is None:
        return None
    host, *members = (
        kubernetes.Cluster.from_context(clusters, context)
        for context in (clusters.host_context, *clusters.member_contexts)
    )
    return retrying()(leftovers.make_maps, host, members, clusters.tenants, exclusions)


def _take_up(root: Staging, redrive: Redrive, chosen: list[Run]) -> None:
    """Take up one run after the other, and tell of each that had something."""
    from segment_bridge import leftovers  # noqa: PLC0415 - start-up

    done = []
    for one in leftovers.take_up(root, redrive, chosen):
        done.append(one)
        for told in one.told():
            click.echo(told)
        for warning in one.warnings():
            click.echo(f"segment-bridge: warning: {warning}", err=True)
    quiet = sum(not one.taken for one in done)
    click.echo(f"runs looked at: {len(done)}, with nothing to redrive: {quiet}")
    leftovers.require_nothing_left(done)
