"""The line: each task of a run, from staging to staging.

The command line and Airflow's operators both run these, so that both do the same. A task can be run again at
any time and replaces what it staged before; :mod:`segment_bridge.layout` shows what lies where.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from segment_bridge import batch, books, identity, layout
from segment_bridge.convert import convert
from segment_bridge.errors import RetryableError
from segment_bridge.events import Rejection
from segment_bridge.plan import Plan
from segment_bridge.report import MapBooks, Report, problems, total
from segment_bridge.segment.outcome import MisconfiguredError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from segment_bridge.catalog import Journey
    from segment_bridge.events import TrackEvent
    from segment_bridge.identity import IdentityMap
    from segment_bridge.kubernetes import Cluster
    from segment_bridge.segment import Outcome, Segment
    from segment_bridge.splunk import Splunk
    from segment_bridge.staging import Staging


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


def search(run: Staging, journey: Journey, *, index: str, splunk: Splunk) -> int:
    """Stage the complete answer to one journey's search; return how many results it has.

    Raises what :meth:`Splunk.search` raises; then nothing of the answer is staged.
    """
    name = layout.results(journey.name)
    run.remove(name)
    found = 0
    with run.write(name) as file:
        for line in splunk.search(journey.compile(index), plan_of(run).window):
            file.write(line + b"\n")
            found += books.has_result(line)
    return found


def convert_results(run: Staging, *, message_id_prefix: str = "") -> list[str]:
    """Turn all answers that are staged into batches; return the names of the batches.

    A journey whose search failed has no answer; it keeps none of the others back.
    """
    maps = identity.Maps(users=_read_map(run, layout.USERS), workspaces=_read_map(run, layout.WORKSPACES))
    names: list[str] = []
    for journey in plan_of(run).journeys:
        for made_before in (layout.batches(journey), layout.outcomes(journey), layout.rejected(journey)):
            run.remove(made_before)
        if not run.exists(layout.results(journey)):
            continue
        with run.read(layout.results(journey)) as lines, run.write(layout.rejected(journey)) as rejected:
            made = convert(lines, maps, message_id_prefix=message_id_prefix)
            for number, packed in enumerate(batch.pack(_accepted(made, rejected)), start=1):
                name = layout.batch(journey, number)
                with run.write(name) as file:
                    file.write(packed.body)
                names.append(name)
    return names


def deliver(run: Staging, batches: Iterable[str], segment: Segment) -> Iterator[Outcome]:
    """Deliver batches one after the other, staging and yielding the outcome of each.

    What was delivered before is passed over. Raises :class:`MisconfiguredError` where the line has to stop; the
    batches behind then stay as they are.
    """
    for name in batches:
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


def close(run: Staging, key: str) -> Report:
    """Count what lies in staging, stage the report and return it."""
    plan = plan_of(run)
    counted = {journey: books.count(run, journey, dry_run=plan.dry_run) for journey in plan.journeys}
    report = Report(
        run=key,
        start=plan.start,
        end=plan.end,
        dry_run=plan.dry_run,
        journeys=counted,
        total=total(counted),
        maps={
            name: run.read_json(layout.map_summary(name), MapBooks)
            for name in (layout.USERS, layout.WORKSPACES)
            if run.exists(layout.map_summary(name))
        },
        balanced=not any(journey.imbalance() for journey in counted.values()),
        problems=problems(counted),
    )
    run.write_json(layout.REPORT, report)
    return report


def groups(batches: Sequence[str], most: int) -> list[list[str]]:
    """Share batches out among at most so many tasks, in order; Airflow maps no task more than 1,024 times."""
    count = min(len(batches), most)
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
