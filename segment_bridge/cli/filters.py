"""The stages as filters that ask the outside world."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING

import click

from segment_bridge import catalog
from segment_bridge.cli.options import (
    CLUSTERS,
    environment,
    identity_option,
    settings_options,
    tolerated_option,
    window_options,
)
from segment_bridge.cli.retrying import retrying
from segment_bridge.errors import BridgeError, ConfigurationError
from segment_bridge.settings import IdentityMode, KubernetesSettings, SplunkSettings

if TYPE_CHECKING:
    from segment_bridge.splunk import Splunk
    from segment_bridge.window import Window


logger = logging.getLogger(__name__)


@click.command()
@click.argument("which", type=click.Choice(["users", "workspaces"]))
@click.option("--context", "contexts", multiple=True, metavar="C", help="A cluster's context; may be repeated.")
@settings_options(*CLUSTERS)
def maps(which: str, contexts: tuple[str, ...]) -> None:
    """Print a map as one JSON object: user name to SSO ID, or namespace to workspace."""
    from segment_bridge import identity, kubernetes, mapping  # noqa: PLC0415 - not every command asks clusters

    variable = "HOST_CONTEXT" if which == "users" else "MEMBER_CONTEXTS"
    with environment() as env:
        chosen = contexts or env.require_several(variable)
        settings = KubernetesSettings(
            host_context="", member_contexts=chosen, kubeconfig=env.get("KUBECONFIG"), tenants=env.tenants()
        )
        settings = env.timed(settings, timeout="KUBERNETES_TIMEOUT")
    if which == "users" and len(chosen) > 1:
        raise ConfigurationError("the map of users comes from one host cluster: give one context")
    clusters = [kubernetes.Cluster.from_context(settings, context) for context in chosen]

    def make() -> identity.IdentityMap:
        if which == "users":
            return identity.user_map(clusters[0].user_signups())
        tenants = settings.tenants
        return identity.workspace_map((cluster.tenant_namespaces(tenants) for cluster in clusters), tenants)

    made = retrying()(make)
    identity.require_usable(made, which)
    for doubt in mapping.count(which, made, made.entries).doubts():
        click.echo(f"segment-bridge: warning: the map of {which}: {doubt}", err=True)
    if made.skipped or made.collisions:
        logger.info(
            "%s: %d entries, %d skipped, %d collisions", which, len(made.entries), made.skipped, made.collisions
        )
    click.echo(identity.to_json(made.entries))


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@window_options
@tolerated_option
@identity_option
@settings_options("SPLUNK_")
def search(names: tuple[str, ...], window: Window, identity: str) -> None:
    """Search the journeys of a window; print the lines of each answer once it is proven complete."""
    from segment_bridge.splunk import Splunk  # noqa: PLC0415 - not every command asks Splunk

    chosen = catalog.find(names)
    with environment() as env:
        settings = SplunkSettings.from_environment(env)
    failed = []
    with Splunk(settings) as splunk:
        for journey in chosen:
            try:
                retrying()(_print_answer, splunk, journey.compile(settings.source, IdentityMode(identity)), window)
            except ConfigurationError:
                raise
            except BridgeError as error:
                failed.append(journey.name)
                click.echo(f"segment-bridge: {journey.name}: {error}", err=True)
    if failed:
        raise BridgeError(f"{len(failed)} of {len(chosen)} searches have no complete answer: {', '.join(failed)}")


def _print_answer(splunk: Splunk, spl: str, window: Window) -> None:
    from segment_bridge.splunk.client import search_in_parts  # noqa: PLC0415 - as above

    with tempfile.TemporaryFile() as file:
        for line in search_in_parts(splunk, spl, window):
            file.write(line + b"\n")
        file.seek(0)
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()
