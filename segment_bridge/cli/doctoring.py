"""The preflight as a command."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from segment_bridge.cli.options import environment, settings_options
from segment_bridge.cli.staged import open_staging, staging_option
from segment_bridge.errors import BridgeError
from segment_bridge.settings import KubernetesSettings, SegmentSettings, SplunkSettings
from segment_bridge.window import LOOK_BACK, Window, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segment_bridge.doctor import Check
    from segment_bridge.identity import IdentityMap

_MARKS = {True: "ok", False: "FAILED", None: "-"}


@click.command()
@click.option("--to", "end", metavar="T", help="End of the hours that are looked into (default: now).")
@click.option("--json", "as_json", is_flag=True, help="Print a list of {name, ok, told, advice}.")
@staging_option
@settings_options("SPLUNK_", "SEGMENT_", "KUBECONFIG", "HOST_CONTEXT", "MEMBER_CONTEXTS")
def doctor(end: str | None, staging: str, *, as_json: bool) -> None:
    """Check all that a run needs, and say what to do about what is not right.

    Nothing is sent but an empty batch. Exit codes: 0 all is well, 1 something has failed, 2 a setting is missing.
    """
    import msgspec  # noqa: PLC0415 - start-up

    with environment() as env:
        splunk = SplunkSettings.from_environment(env)
        clusters = KubernetesSettings.from_environment(env)
        segment = SegmentSettings.from_environment(env)
    until = parse_time(end) if end else datetime.now(UTC)
    checks = []
    for check in _checks(splunk, clusters, segment, staging, Window(until - LOOK_BACK, until)):
        checks.append(check)
        if not as_json:
            click.echo(f"{_MARKS[check.ok]:8}{check.name}: {check.told}")
            if check.advice:
                click.echo(f"{'':8}what to do: {check.advice}")
    if as_json:
        click.echo(msgspec.json.encode(checks))
    failed = sum(check.ok is False for check in checks)
    if failed:
        raise BridgeError(f"{failed} of {len(checks)} checks failed")


def _checks(
    splunk: SplunkSettings, clusters: KubernetesSettings, segment: SegmentSettings, staging: str, window: Window
) -> Iterator[Check]:
    from segment_bridge import doctor, identity  # noqa: PLC0415 - start-up
    from segment_bridge.kubernetes import Cluster  # noqa: PLC0415 - as above

    def users() -> IdentityMap:
        return identity.user_map(Cluster.from_context(clusters, clusters.host_context).user_signups())

    def workspaces() -> IdentityMap:
        members = [Cluster.from_context(clusters, context) for context in clusters.member_contexts]
        return identity.workspace_map(member.tenant_namespaces() for member in members)

    yield from doctor.check_splunk(splunk, window)
    yield doctor.check_map("users", users)
    yield doctor.check_map("workspaces", workspaces)
    yield doctor.check_segment(segment)
    yield doctor.check_staging(open_staging(staging))
