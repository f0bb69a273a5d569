"""``python -m sandbox``: write traffic, serve the stand-ins."""

from __future__ import annotations

import contextlib
import json
import signal
import tempfile
from pathlib import Path

import click
from rich.console import Console

from sandbox import demo as demonstration
from sandbox import kubernetes, look, segment, splunk
from sandbox.deployment import PROJECT
from sandbox.serve import serving
from sandbox.traffic.cli import audit_log

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PORT = click.IntRange(0, 65_535)
_WHERE = click.option(
    "--folder",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    default=PROJECT / ".sandbox",
    help="Where everything that is made lies (default: .sandbox in the project).",
)
_STOP = {signal.SIGTERM, signal.SIGINT}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Stand-ins for Splunk, Kubernetes and Segment on 127.0.0.1, and audit traffic for them.

    Credentials everywhere: user admin, password changeme (as a bearer token: changeme); any Segment write key.
    """


@main.command()
@click.option("--audit-log", "logs", multiple=True, type=_FILE, help="An audit log to search; may be repeated.")
@click.option("--clusters", type=_FOLDER, help="A folder of cluster objects, as `audit-log --clusters` writes it.")
@click.option("--splunk-port", type=_PORT, default=0, help="By default a free one.")
@click.option("--kubernetes-port", type=_PORT, default=0, help="By default a free one.")
@click.option("--segment-port", type=_PORT, default=0, help="By default a free one.")
@click.option(
    "--splunk-reading",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="How Splunk behaves where that is not settled (docs/sandbox.md); may be repeated.",
)
@click.option("--kubeconfig", type=click.Path(dir_okay=False, path_type=Path), help="Where to write a kubeconfig.")
def serve(
    *,
    logs: tuple[Path, ...],
    clusters: Path | None,
    splunk_port: int,
    kubernetes_port: int,
    segment_port: int,
    settings: tuple[str, ...],
    kubeconfig: Path | None,
) -> None:
    """Serve the three until SIGTERM; print one line of JSON with their addresses once they are ready."""
    # Blocked before any thread begins, the signals wait for this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    try:
        log = splunk.AuditLog.from_files(logs)
        readings = splunk.DOCUMENTED.having(*settings)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    with contextlib.ExitStack() as stack:
        objects = kubernetes.Clusters.from_folder(clusters) if clusters else kubernetes.Clusters({})
        addresses = {
            "splunk": stack.enter_context(serving(splunk.create_app(log, readings), splunk_port)),
            "kubernetes": stack.enter_context(serving(kubernetes.create_app(objects), kubernetes_port)),
            "segment": stack.enter_context(serving(segment.create_app(), segment_port)),
        }
        if kubeconfig is None:
            kubeconfig = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "kubeconfig"
        kubeconfig.write_text(kubernetes.kubeconfig(addresses["kubernetes"], objects))
        click.echo(json.dumps({**addresses, "kubeconfig": str(kubeconfig.absolute()), "records": len(log.records)}))
        signal.sigwait(_STOP)


@main.command()
@_WHERE
def demo(folder: Path) -> None:
    """Carry traffic through the real DAG; exit with 1 if anything is not as it should be."""
    if faults := demonstration.demonstrate(folder / "demo", Console()):
        raise click.ClickException("; ".join(faults))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Of Airflow's web UI, which asks for no login.")
@click.option("--port", type=_PORT, default=8080, show_default=True, help="Of Airflow's web UI.")
@click.option("--foreground", is_flag=True, help="Stay until SIGTERM, and stop it all then.")
@_WHERE
def up(*, folder: Path, host: str, port: int, foreground: bool) -> None:
    """Leave Airflow and the stand-ins running, with traffic of the last hours."""
    console = Console()
    look.up(folder / "up", (host, port), console)
    if foreground:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        signal.sigwait(_STOP)
        look.down(folder / "up", console)


@main.command()
@_WHERE
def down(folder: Path) -> None:
    """Stop what `up` started."""
    look.down(folder / "up", Console())


main.add_command(audit_log)
