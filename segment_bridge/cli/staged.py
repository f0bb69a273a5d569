"""Commands about what lies in staging."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segment_bridge.cli.options import environment, settings_options
from segment_bridge.cli.retrying import retrying
from segment_bridge.errors import BridgeError, ConfigurationError
from segment_bridge.settings import KubernetesSettings, SegmentSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from segment_bridge.identity import Maps
    from segment_bridge.redrive import Redrive, Redriven
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
@click.option("--dry-run", is_flag=True, help="Tell what would be sent, and send nothing.")
@click.option("--users", type=click.File("rb"), help="The map of users, as `maps users` prints it.")
@click.option(
    "--workspaces", type=click.File("rb"), help="The map of workspaces; without both, the clusters are asked."
)
@staging_option
@settings_options("SEGMENT_", "KUBECONFIG", "HOST_CONTEXT", "MEMBER_CONTEXTS")
def redrive(
    keys: tuple[str, ...], users: BinaryIO | None, workspaces: BinaryIO | None, staging: str, *, dry_run: bool
) -> None:
    """Send again what closed runs have left behind.

    That is: undelivered events, and rejected results whose user or namespace is known by now. Nothing is redriven
    twice. Afterwards the reports of these runs are counted anew.
    """
    from segment_bridge import redrive as redriving  # noqa: PLC0415 - start-up
    from segment_bridge import runs  # noqa: PLC0415 - as above
    from segment_bridge.segment import Segment  # noqa: PLC0415 - as above

    if bool(users) != bool(workspaces):
        raise ConfigurationError("one map is not enough: give both --users and --workspaces")
    root = open_staging(staging)
    every = runs.find(root)
    chosen = _chosen(root, every, keys)
    asks_clusters = not users and any(map(redriving.asks_for_maps, chosen))
    with environment() as env:
        settings = None if dry_run else SegmentSettings.from_environment(env)
        clusters = KubernetesSettings.from_environment(env) if asks_clusters else None
    maps = _maps(clusters, users, workspaces)
    if settings is None:
        _drive(root, redriving.Redrive(every, None, maps), chosen)
        return
    with Segment(settings) as segment:
        _drive(root, redriving.Redrive(every, segment, maps), chosen)


def _chosen(root: Staging, every: list[Run], keys: tuple[str, ...]) -> list[Run]:
    """Return the closed runs of these keys; all of them where there are no keys."""
    from segment_bridge import layout, redrive  # noqa: PLC0415 - start-up

    closed = redrive.to_be_redriven(every)
    if not keys:
        return closed
    by_folder = {run.folder: run for run in closed}
    unknown = [key for key in keys if layout.run_of(root, key) not in by_folder]
    if unknown:
        raise ConfigurationError(
            f"no closed run that was to send is named {', '.join(unknown)}: the runs' reports tell their names"
        )
    return [by_folder[layout.run_of(root, key)] for key in dict.fromkeys(keys)]


def _maps(clusters: KubernetesSettings | None, users: BinaryIO | None, workspaces: BinaryIO | None) -> Maps | None:
    """Read maps from files, or make them anew from the clusters; None where neither is asked for."""
    from segment_bridge import identity, kubernetes  # noqa: PLC0415 - start-up

    if users and workspaces:
        return identity.Maps(
            users=identity.read_map(users.read(), "--users"),
            workspaces=identity.read_map(workspaces.read(), "--workspaces"),
        )
    if clusters is None:
        return None
    host, *members = (
        kubernetes.Cluster.from_context(clusters, context)
        for context in (clusters.host_context, *clusters.member_contexts)
    )
    made = {
        "users": retrying()(lambda: identity.user_map(host.user_signups())),
        "workspaces": retrying()(lambda: identity.workspace_map(one.tenant_namespaces() for one in members)),
    }
    for name, one in made.items():
        identity.require_usable(one, name)
    return identity.Maps(users=made["users"].entries, workspaces=made["workspaces"].entries)


def _drive(root: Staging, redrive: Redrive, chosen: list[Run]) -> None:
    """Take up one run after the other, and tell of each that had something; the books are right even if one fails."""
    from segment_bridge import layout, line  # noqa: PLC0415 - start-up
    from segment_bridge.redrive import recount  # noqa: PLC0415 - as above
    from segment_bridge.report import Report  # noqa: PLC0415 - as above

    left = refused = quiet = 0
    for run in chosen:
        try:
            done = redrive.take_up(run)
        finally:
            # Also where an earlier redrive died before it came to this.
            if redrive.segment and run.folder.names(layout.REDRIVES):
                key = run.folder.read_json(layout.REPORT, Report).run
                recount(run, lambda key=key: line.close(root, key))  # type: ignore[misc] # bound to this run's key
        left, refused = left + done.left, refused + done.refused
        quiet += not _tell(done)
    click.echo(f"runs looked at: {len(chosen)}, with nothing to redrive: {quiet}")
    if left or refused:
        raise BridgeError(f"{left} events are still undelivered, and {refused} were refused by Segment")


def _tell(done: Redriven) -> bool:
    """Tell of one run; return whether there was something to send."""
    from segment_bridge.closing import DEDUPLICATION  # noqa: PLC0415 - start-up

    if done.unknown:
        click.echo(f"{done.run}: {done.unknown} rejected results stay so, as their user or namespace is not known")
    taken = done.undelivered + done.rejected
    if not taken:
        return False
    ends = ("sent", "refused", "left", "acknowledged", "withheld")
    told = ", ".join(f"{getattr(done, end)} {end}" for end in ends if getattr(done, end))
    click.echo(f"{done.run}: {done.undelivered} undelivered and {done.rejected} rejected taken up: {told}")
    if done.old:
        hours = DEDUPLICATION.total_seconds() / 3600
        click.echo(
            f"segment-bridge: warning: {done.run}: {done.old} events are older than the {hours:g} hours for which "
            "Segment recognizes repeats: any that it took without saying so counts twice",
            err=True,
        )
    return True
