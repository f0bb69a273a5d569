"""The preflight as a command."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from segment_bridge.cli.options import CLUSTERS, environment, settings_options, tolerated_option
from segment_bridge.cli.staged import open_staging, staging_option
from segment_bridge.errors import FatalError
from segment_bridge.settings import KubernetesSettings, SegmentSettings, SplunkSettings
from segment_bridge.window import LOOK_BACK, Window, parse_time


@click.command("doctor")
@click.option("--to", "end", metavar="T", help="End of the hours that are looked into (default: now).")
@click.option("--json", "as_json", is_flag=True, help="Print a list of {name, ok, told, advice}.")
@click.option(
    "--conformance",
    is_flag=True,
    help="Instead ask Splunk, by eight small searches, what no document says; print a table for an issue.",
)
@staging_option
@tolerated_option
@settings_options("SPLUNK_", "SEGMENT_", *CLUSTERS)
def doctor_command(end: str | None, staging: str, *, as_json: bool, conformance: bool) -> None:
    """Check all that a run needs, and say what to do about what is not right.

    Nothing is sent but an empty batch. What is not checked are four settings of Splunk's limits.conf, on which the
    proof of an answer depends: add_offset, infocsv_log_level, max_infocsv_messages, search_retry. Exit codes: 0 all is
    well, 1 something has failed, 2 a setting is missing.
    """
    import msgspec  # noqa: PLC0415 - start-up

    from segment_bridge import doctor  # noqa: PLC0415 - as above
    from segment_bridge.kubernetes import Cluster  # noqa: PLC0415 - as above

    until = parse_time(end) if end else datetime.now(UTC)
    window = Window(until - LOOK_BACK, until)
    if conformance:
        _ask_splunk(window, as_json=as_json)
        return
    with environment() as env:
        splunk = SplunkSettings.from_environment(env)
        clusters = KubernetesSettings.from_environment(env)
        segment = SegmentSettings.from_environment(env)
    needs = doctor.Needs(
        splunk=lambda: splunk,
        host=lambda: Cluster.from_context(clusters, clusters.host_context),
        members=lambda: [Cluster.from_context(clusters, context) for context in clusters.member_contexts],
        tenants=lambda: clusters.tenants,
        segment=lambda: segment,
        staging=lambda: open_staging(staging),
    )
    checks = []
    for check in doctor.check_all(needs, window):
        checks.append(check)
        if not as_json:
            click.echo(check.text())
    if as_json:
        click.echo(msgspec.json.encode(checks))
    doctor.require_health(checks)


def _ask_splunk(window: Window, *, as_json: bool) -> None:
    """Print the answers; raise :class:`FatalError` where one that searches need is no yes."""
    import msgspec  # noqa: PLC0415 - start-up

    from segment_bridge import conformance  # noqa: PLC0415 - as above
    from segment_bridge.splunk import Splunk  # noqa: PLC0415 - as above

    with environment() as env:
        settings = SplunkSettings.from_environment(env)
    with Splunk(settings) as splunk:
        version = splunk.log_in()
        answers = list(conformance.ask(splunk, settings.source, window))
    click.echo(msgspec.json.encode(answers) if as_json else conformance.table(answers, version))
    if failed := [answer.question for answer in answers if answer.fails]:
        raise FatalError(f"this Splunk does not do what searches need: {'; '.join(failed)}")
