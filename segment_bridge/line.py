"""The line: each task of a run, from staging to staging.

The command line and Airflow's operators both run these, so that both do the same. A task can be run again at
any time and replaces what it staged before; :mod:`segment_bridge.layout` shows what lies where.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from segment_bridge import batch, books, closing, identity, layout, watermark
from segment_bridge.convert import convert
from segment_bridge.errors import RetryableError
from segment_bridge.events import IdentityMode, Rejection
from segment_bridge.plan import Plan
from segment_bridge.report import MapBooks, Report
from segment_bridge.segment.outcome import MisconfiguredError
from segment_bridge.window import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from segment_bridge.catalog import Journey
    from segment_bridge.events import TrackEvent
    from segment_bridge.identity import IdentityMap
    from segment_bridge.kubernetes import Cluster
    from segment_bridge.segment import Outcome, Segment
    from segment_bridge.settings import SplunkSettings
    from segment_bridge.splunk import Splunk
    from segment_bridge.staging import Staging


def run_of(root: Staging, key: str) -> Staging:
    """Return a run's folder."""
    return root.folder("runs").folder(key)


def begin(run: Staging, plan: Plan) -> None:
    """Begin a run afresh: nothing that an earlier try of the same run staged remains."""
    run.remove()
    run.write_json(layout.PLAN, plan)


def plan_of(run: Staging) -> Plan:
    """Return what the run is about."""
    return run.read_json(layout.PLAN, Plan)


def map_users(run: Staging, host: Cluster) -> MapBooks:
    """Stage the map from user names to SSO IDs."""
    return _stage_map(run, layout.USERS, identity.user_map(host.user_signups()))


def map_workspaces(run: Staging, members: Iterable[Cluster]) -> MapBooks:
    """Stage the map from namespaces to workspaces, of all member clusters; a later one wins."""
    made = identity.workspace_map(member.tenant_namespaces() for member in members)
    return _stage_map(run, layout.WORKSPACES, made)


def share_users(run: Staging, settings: Callable[[], SplunkSettings]) -> None:
    """Put the map of users into Splunk, if that is where this run resolves them."""
    if plan_of(run).identity is IdentityMode.SPLUNK_LOOKUP:
        from segment_bridge.splunk import KvStore  # noqa: PLC0415 - not every run needs it

        with KvStore(settings()) as store:
            store.publish_users(_read_map(run, layout.USERS))


def publish(run: Staging, cluster: Cluster, namespace: str) -> list[str]:
    """Publish both maps as ConfigMaps; return the names of those that have changed."""
    changed = []
    for name, config_map in ((layout.USERS, "uid-map"), (layout.WORKSPACES, "ws-map")):
        data = {f"{config_map}.json": identity.to_json(_read_map(run, name)).decode()}
        if cluster.publish(namespace, config_map, data):
            changed.append(config_map)
    return changed


def search(run: Staging, journey: Journey, *, index: str, splunk: Splunk) -> int:
    """Stage the complete answer to one journey's search; return how many results it has.

    Raises what :meth:`Splunk.search` raises; then nothing of the answer is staged.
    """
    name = layout.results(journey.name)
    run.remove(name)
    found = 0
    plan = plan_of(run)
    with run.write(name) as file:
        for line in splunk.search(journey.compile(index, plan.identity), plan.window):
            file.write(line + b"\n")
            found += books.has_result(line)
    return found


def convert_results(run: Staging) -> list[str]:
    """Turn all answers that are staged into batches; return the names of the batches.

    A journey whose search failed has no answer; it keeps none of the others back.
    """
    maps = identity.Maps(users=_read_map(run, layout.USERS), workspaces=_read_map(run, layout.WORKSPACES))
    plan = plan_of(run)
    names: list[str] = []
    for journey in plan.journeys:
        for made_before in (layout.batches(journey), layout.outcomes(journey), layout.rejected(journey)):
            run.remove(made_before)
        if not run.exists(layout.results(journey)):
            continue
        with run.read(layout.results(journey)) as lines, run.write(layout.rejected(journey)) as rejected:
            made = convert(lines, maps, message_id_prefix=plan.message_id_prefix)
            for number, packed in enumerate(batch.pack(_accepted(made, rejected)), start=1):
                name = layout.batch(journey, number)
                with run.write(name) as file:
                    file.write(packed.body)
                names.append(name)
    return names


def deliver(run: Staging, batches: Iterable[str], segment: Segment) -> Iterator[Outcome]:
    """Deliver batches one after the other, staging and yielding the outcome of each; none in a dry run.

    What was delivered before is passed over. Raises :class:`MisconfiguredError` where the line has to stop; the
    batches behind then stay as they are.
    """
    for name in () if plan_of(run).dry_run else batches:
        outcome = layout.read_outcome(run, name)
        if outcome is None or outcome.undelivered:
            with run.read(name) as file:
                body = file.read()
            try:
                outcome = segment.deliver(body)
            except MisconfiguredError as error:
                run.write_json(layout.outcome(name), error.outcome)
                raise
            run.write_json(layout.outcome(name), outcome)
        yield outcome


def deliver_all(run: Staging, batches: Sequence[str], segment: Segment) -> int:
    """Deliver batches; return how many events were delivered.

    Raises :class:`RetryableError` if Segment has not taken all of them, after each was tried.
    """
    outcomes = list(deliver(run, batches, segment))
    undelivered = sum(outcome.undelivered for outcome in outcomes)
    if undelivered:
        why = next(outcome.why for outcome in outcomes if outcome.undelivered)
        raise RetryableError(f"{undelivered} events are undelivered, and kept in staging ({why})")
    return sum(outcome.delivered for outcome in outcomes)


def close(root: Staging, key: str) -> Report:
    """Count what lies in staging, stage the report and return it; what a scheduled run covers is covered then."""
    report = closing.close(run_of(root, key), key)
    plan = report.plan
    if plan.kind is Kind.SCHEDULED and not plan.dry_run and closing.covers(report):
        watermark.advance(root, plan.span.end, key)
    return report


def groups(batches: Sequence[str], most: int) -> list[list[str]]:
    """Share batches out among at least one task and at most so many, in order; Airflow maps none over 1,024 times."""
    count = max(1, min(len(batches), most))
    return [list(batches[n * len(batches) // count : (n + 1) * len(batches) // count]) for n in range(count)]


def _stage_map(run: Staging, name: str, made: IdentityMap) -> MapBooks:
    identity.require_usable(made, name)
    with run.write(layout.map_file(name)) as file:
        file.write(identity.to_json(made.entries))
    summary = MapBooks(entries=len(made.entries), skipped=made.skipped, collisions=made.collisions)
    run.write_json(layout.map_summary(name), summary)
    return summary


def _read_map(run: Staging, name: str) -> dict[str, str]:
    with run.read(layout.map_file(name)) as file:
        return identity.read_map(file.read(), layout.map_file(name))


def _accepted(made: Iterable[TrackEvent | Rejection], rejected: IO[bytes]) -> Iterator[bytes]:
    """Let events pass and write rejections down."""
    for one in made:
        if isinstance(one, Rejection):
            rejected.write(one.line + b"\n")
        else:
            yield one.body
