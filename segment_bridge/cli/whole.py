"""The whole line as one command."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from segment_bridge import catalog
from segment_bridge.cli.excluding import exclusion_options, separated
from segment_bridge.cli.options import (
    CLUSTERS,
    environment,
    map_limits_options,
    settings_options,
    tolerated_option,
    window_options,
)
from segment_bridge.cli.retrying import ATTEMPTS, retrying
from segment_bridge.cli.staged import open_staging, staging_option
from segment_bridge.errors import BridgeError, ConfigurationError
from segment_bridge.settings import KubernetesSettings, SegmentSettings, SplunkSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Progress

    from segment_bridge.exclusions import Exclusions
    from segment_bridge.gate import Limits
    from segment_bridge.plan import Plan
    from segment_bridge.report import JourneyBooks, Report
    from segment_bridge.staging import Staging
    from segment_bridge.window import Window


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@window_options
@click.option("--dry-run", is_flag=True, help="Do everything but send.")
@staging_option
@click.option(
    "--resend",
    envvar="SEGMENT_BRIDGE_RESEND",
    type=click.Choice(["always", "unacknowledged"]),
    default="always",
    show_default=True,
    help="Whether to send what Segment has acknowledged to an earlier run with the same staging.",
)
@map_limits_options
@click.option("--message-id-prefix", envvar="SEGMENT_MESSAGE_ID_PREFIX", default="", help="Put before each messageId.")
@tolerated_option
@exclusion_options
@click.option(
    "--expect-all-rejected",
    envvar="SEGMENT_BRIDGE_EXPECT_ALL_REJECTED",
    default="",
    metavar="NAMES",
    callback=separated,
    show_envvar=True,
    help="Journeys whose results may all be rejected; separated by commas.",
)
@settings_options("SPLUNK_", "SEGMENT_", *CLUSTERS)
def run(
    names: tuple[str, ...],
    window: Window,
    *,
    staging: str,
    resend: str,
    limits: Limits,
    exclusions: Exclusions,
    expect_all_rejected: tuple[str, ...],
    message_id_prefix: str,
    dry_run: bool,
) -> None:
    """Run the whole line over a window: maps, searches, conversion, delivery, books."""
    from rich.console import Console  # noqa: PLC0415 - start-up: only this command draws
    from rich.progress import Progress  # noqa: PLC0415 - as above

    from segment_bridge import layout, line  # noqa: PLC0415 - as above
    from segment_bridge.plan import Plan, Resend, Span  # noqa: PLC0415 - as above

    journeys = tuple(journey.name for journey in catalog.find(names))
    catalog.find(expect_all_rejected)  # raises where it knows no such journey
    with environment() as env:
        splunk = SplunkSettings.from_environment(env)
        clusters = KubernetesSettings.from_environment(env)
        segment = None if dry_run else SegmentSettings.from_environment(env)
    start, end = (f"{moment:%Y%m%dT%H%M%SZ}" for moment in (window.start, window.end))
    key = f"cli__{start}__{end}__{secrets.token_hex(4)}"
    root = open_staging(staging)
    folder = layout.run_of(root, key)
    plan = Plan(
        span=Span.of(window),
        journeys=journeys,
        dry_run=dry_run,
        message_id_prefix=message_id_prefix,
        resend=Resend(resend),
        expect_all_rejected=expect_all_rejected,
    )
    with Progress(console=Console(stderr=True), transient=True) as bar:
        carrying = _Carrying(root, key, bar, splunk, clusters, limits, exclusions, segment)
        stopped = carrying.carry(plan)
    report = line.close(root, key)
    _print_report(report, Console())
    click.echo(f"report: {folder.uri(layout.REPORT)}")
    if stopped:
        raise stopped
    report.require_success()


@dataclass(frozen=True)
class _Carrying:
    """The steps of one run, with what each needs; without ``segment`` nothing is sent."""

    root: Staging
    key: str
    bar: Progress
    splunk: SplunkSettings
    clusters: KubernetesSettings
    limits: Limits
    exclusions: Exclusions
    segment: SegmentSettings | None

    def carry(self, plan: Plan) -> BridgeError | None:
        """Take every step; a journey without an answer holds the others back no more than under Airflow.

        Returns the error that stopped the line before its end, if one did; the books tell what became of the rest.
        """
        from segment_bridge import line  # noqa: PLC0415 - start-up

        line.begin(self.folder, plan)
        try:
            self._map()
            self._search(catalog.find(plan.journeys))
            with self._step("convert", 1):
                batches = line.convert_results(self.folder, self.exclusions)
            if self.segment:
                self._deliver(batches, self.segment)
        except BridgeError as error:
            return error
        return None

    @property
    def folder(self) -> Staging:
        """Where this run's files lie."""
        from segment_bridge import layout  # noqa: PLC0415 - start-up

        return layout.run_of(self.root, self.key)

    def _map(self) -> None:
        from segment_bridge import mapping  # noqa: PLC0415 - start-up
        from segment_bridge.kubernetes import Cluster  # noqa: PLC0415 - start-up

        host, *members = (
            Cluster.from_context(self.clusters, context)
            for context in (self.clusters.host_context, *self.clusters.member_contexts)
        )
        with self._step("maps", 2) as advance:
            root, key, limits = self.root, self.key, self.limits
            _until_last_try(lambda last: mapping.map_users(root, key, host, limits=limits, last_try=last))
            advance()
            _until_last_try(
                lambda last: mapping.map_workspaces(
                    root, key, members, tenants=self.clusters.tenants, limits=limits, last_try=last
                )
            )
            advance()

    def _search(self, journeys: tuple[catalog.Journey, ...]) -> None:
        from segment_bridge import layout, line  # noqa: PLC0415 - start-up
        from segment_bridge.splunk import Splunk  # noqa: PLC0415 - start-up

        source = self.splunk.source
        with self._step("search", len(journeys)) as advance, Splunk(self.splunk) as splunk:
            line.require_login(splunk)
            for journey in journeys:
                with _told_of(journey.name):
                    retrying()(line.search, self.folder, journey, source=source, splunk=splunk)
                advance()
            with _told_of(layout.SOURCE_CHECK):
                retrying()(line.check_source, self.folder, source=source, splunk=splunk)

    def _deliver(self, batches: list[str], settings: SegmentSettings) -> None:
        from segment_bridge import line  # noqa: PLC0415 - start-up
        from segment_bridge.segment import Segment  # noqa: PLC0415 - start-up

        with self._step("deliver", len(batches)) as advance, Segment(settings) as segment:
            for _ in line.deliver(self.folder, batches, segment):
                advance()

    @contextlib.contextmanager
    def _step(self, name: str, total: int) -> Iterator[Callable[[], None]]:
        task = self.bar.add_task(name, total=total)
        yield lambda: self.bar.advance(task)
        self.bar.update(task, completed=total)


@contextlib.contextmanager
def _told_of(search: str) -> Iterator[None]:
    """Let a search that has failed keep nothing else back; the books say so as well."""
    try:
        yield
    except ConfigurationError:
        raise
    except BridgeError as error:
        click.echo(f"segment-bridge: {search}: {error}", err=True)


def _until_last_try(make: Callable[[bool], object]) -> None:
    """Try as often as anything is tried, saying each time whether it is the last one."""
    for attempt in retrying():
        with attempt:
            make(attempt.retry_state.attempt_number == ATTEMPTS)


def _print_report(report: Report, console: Console) -> None:
    """Print the books as a table, a journey a row."""
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(title=f"{report.plan.window}{' (dry run)' if report.plan.dry_run else ''}")
    table.add_column("journey", no_wrap=True)
    always = ("found", "events", "batches", "sent", "rejected", "undelivered")
    columns = (*always, *(name for name in ("withheld", "acknowledged") if getattr(report.total, name)))
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")

    def add(name: str, books: JourneyBooks) -> None:
        figures = {column: getattr(books, column) for column in columns} | {"rejected": sum(books.rejected.values())}
        table.add_row(name if books.state == "complete" else f"{name} (failed)", *map(str, figures.values()))

    for name, books in report.journeys.items():
        add(name, books)
    table.add_section()
    add("all", report.total)
    console.print(table)
    for reason, count in report.total.rejected.items():
        console.print(f"rejected {count}: {reason}")
    for problem in report.problems:
        console.print(f"problem: {problem}", style="bold")
    for warning in report.warnings:
        console.print(f"warning: {warning}")
