"""The line: each task of a run, from staging to staging.

The command line and Airflow's operators both run these, so that both do the same. A task can be run again at
any time and replaces what it staged before; :mod:`segment_bridge.layout` shows what lies where.
"""

from __future__ import annotations

import contextlib
import logging
from typing import IO, TYPE_CHECKING

import msgspec

from segment_bridge import batch, books, catalog, closing, drift, layout, ledger, mapping, source_check, watermark
from segment_bridge.convert import convert
from segment_bridge.errors import FatalError, IncompleteAnswer, RetryableError
from segment_bridge.events import TrackEvent, read_head
from segment_bridge.exclusions import NOBODY
from segment_bridge.pausing import SharedPause
from segment_bridge.plan import Plan, Resend
from segment_bridge.report import MessageBooks, ToleratedBooks
from segment_bridge.segment.several import deliver_several
from segment_bridge.splunk.client import search_in_parts
from segment_bridge.window import LOOK_BACK, PERIOD, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime, timedelta

    from segment_bridge.catalog import Journey
    from segment_bridge.events import Rejection
    from segment_bridge.exclusions import Exclusions
    from segment_bridge.ledger import Ledger
    from segment_bridge.report import Report
    from segment_bridge.segment import Outcome, Segment
    from segment_bridge.settings import Source
    from segment_bridge.splunk import Splunk
    from segment_bridge.staging import Staging


logger = logging.getLogger(__name__)


def covered_before(root: Staging, key: str) -> datetime | None:
    """Return up to when scheduled runs had succeeded when this one began for the first time.

    Whatever has succeeded since, a run that begins again searches its own hours.
    """
    with contextlib.suppress(FatalError):
        return plan_of(layout.run_of(root, key)).covered
    return watermark.read(root)


def begin(run: Staging, plan: Plan) -> None:
    """Begin a run afresh: nothing that an earlier try of the same run staged remains."""
    run.remove()
    run.write_json(layout.PLAN, plan)
    if plan.kind is Kind.SCHEDULED:
        # As if a run before the first one had succeeded: should it fail, the next one reaches back as far.
        watermark.start(layout.root_of(run), plan.span.end - PERIOD)


def require_login(splunk: Splunk) -> None:
    """Log in to Splunk once, before several searches do: a few wrong logins lock an account.

    Raises :class:`ConfigurationError` where the login is refused. Any other failure may have passed when the searches
    begin, which make their own tries.
    """
    try:
        splunk.log_in()
    except RetryableError as error:
        logger.warning("the login to Splunk could not be tried: %s", error)


def plan_of(run: Staging) -> Plan:
    """Return what the run is about."""
    return run.read_json(layout.PLAN, Plan)


def search(run: Staging, journey: Journey, *, source: Source, splunk: Splunk, longest: timedelta = LOOK_BACK) -> int:
    """Stage the complete answer to a journey's search; return how many results it has.

    ``longest`` is the window of ordinary runs: a longer one is searched in parts. Raises what :meth:`Splunk.search`
    raises; then nothing of the answer is staged.
    """
    for name in (layout.results(journey.name), layout.SOURCE, layout.messages(layout.SOURCE_CHECK)):
        run.remove(name)
    found = 0
    plan = plan_of(run)
    lines = search_in_parts(splunk, journey.compile(source, plan.identity), plan.window, longest)
    with _staging_messages(run, journey.name, splunk), run.write(layout.results(journey.name)) as file:
        for line in lines:
            file.write(line + b"\n")
            found += books.has_result(line)
    return found


def check_source(run: Staging, *, source: Source, splunk: Splunk, longest: timedelta = LOOK_BACK) -> None:
    """Stage what the source holds that no journey finds; where it was found silent, only a new search changes that.

    Where all journeys have answers and none found anything, that is whether there was anything to be found at all.
    """
    if run.exists(layout.SOURCE) and run.read_json(layout.SOURCE, source_check.Seen).silent:
        return
    plan = plan_of(run)
    answers = [layout.results(journey) for journey in plan.journeys]
    nothing = all(run.exists(name) and not _any_result(run, name) for name in answers)
    journeys = catalog.find(plan.journeys)
    with _staging_messages(run, layout.SOURCE_CHECK, splunk):
        seen = source_check.look(splunk, source, plan.window, journeys, nothing_found=nothing, longest=longest)
    run.write_json(layout.SOURCE, seen)


def convert_results(run: Staging, exclusions: Exclusions = NOBODY) -> list[str]:
    """Turn all answers that are staged into batches; return the names of the batches.

    A journey whose search failed has no answer; it keeps none of the others back.
    """
    maps = mapping.read(run, exclusions)
    plan = plan_of(run)
    known = ledger.Ledger(layout.root_of(run)) if plan.resend is Resend.UNACKNOWLEDGED else None
    names: list[str] = []
    for journey in plan.journeys:
        for place in (layout.batches, layout.outcomes, layout.rejected, layout.acknowledged):
            run.remove(place(journey))
        if not run.exists(layout.results(journey)):
            continue
        with run.read(layout.results(journey)) as lines, run.write(layout.rejected(journey)) as rejected:
            made = convert(lines, maps, message_id_prefix=plan.message_id_prefix)
            accepted = _accepted(made, rejected)
            events = _unacknowledged(run, journey, accepted, known) if known else accepted
            for number, packed in enumerate(batch.pack(events), start=1):
                name = layout.batch(journey, number)
                with run.write(name) as file:
                    file.write(packed.body)
                names.append(name)
    drift.note(run, plan.journeys)
    return names


def deliver(run: Staging, batches: Sequence[str], segment: Segment) -> Iterator[Outcome]:
    """Deliver batches, several at once, staging and yielding the outcome of each as it comes; none in a dry run.

    What was delivered before is passed over. Raises :class:`MisconfiguredError` where the line has to stop; the
    batches that were not begun then stay as they are.
    """
    plan = plan_of(run)
    if plan.dry_run:
        return
    segment.share_pauses(SharedPause(run))
    delivered = {name: outcome for name in batches if (outcome := layout.read_outcome(run, name))}
    passed_over = {name for name, outcome in delivered.items() if not outcome.undelivered}
    yield from (delivered[name] for name in passed_over)
    bodies: dict[str, bytes] = {}

    def read() -> Iterator[tuple[str, bytes]]:
        for name in batches:
            if name not in passed_over:
                with run.read(name) as file:
                    bodies[name] = file.read()
                yield name, bodies[name]

    for name, outcome in deliver_several(read(), segment, segment.connections):
        run.write_json(layout.outcome(name), outcome)
        body = bodies.pop(name)
        if plan.resend is Resend.UNACKNOWLEDGED:
            ledger.enter(layout.root_of(run), body, outcome)
        yield outcome


def deliver_all(run: Staging, batches: Sequence[str], segment: Segment) -> int:
    """Deliver batches; return how many events were delivered.

    Raises :class:`RetryableError` if Segment has not taken all of them, after each was tried, and
    :class:`FatalError` where none of those would fare better another time.
    """
    outcomes = list(deliver(run, batches, segment))
    left = [outcome for outcome in outcomes if outcome.undelivered]
    if left:
        undelivered = sum(outcome.undelivered for outcome in left)
        error = FatalError if all(outcome.terminal for outcome in left) else RetryableError
        raise error(f"{undelivered} events are undelivered, and kept in staging ({left[0].why})")
    return sum(outcome.delivered for outcome in outcomes)


def close(root: Staging, key: str) -> Report:
    """Count what lies in staging, stage the report and return it; what a scheduled run covers is covered then."""
    report = closing.close(layout.run_of(root, key), key)
    plan = report.plan
    if plan.kind is Kind.SCHEDULED and not plan.dry_run and closing.covers(report):
        watermark.advance(root, plan.span.end, key)
    return report


def groups(batches: Sequence[str], most: int) -> list[list[str]]:
    """Share batches out among at least one task and at most so many, in order; Airflow maps none over 1,024 times."""
    count = max(1, min(len(batches), most))
    return [list(batches[n * len(batches) // count : (n + 1) * len(batches) // count]) for n in range(count)]


@contextlib.contextmanager
def _staging_messages(run: Staging, search: str, splunk: Splunk) -> Iterator[None]:
    """Stage what becomes of Splunk's messages in the block, without their texts, which may name people."""
    run.remove(layout.messages(search))
    stopped_by = ""
    with splunk.tallying() as tally:
        try:
            yield
        except IncompleteAnswer as error:
            stopped_by = error.summary
            raise
        finally:
            tolerated = tuple(
                ToleratedBooks(pattern=one.pattern, reason=one.reason, count=count)
                for one, count in tally.tolerated.items()
            )
            full = tuple(sorted(tally.full))
            books = MessageBooks(passed=tally.passed, tolerated=tolerated, full=full, stopped_by=stopped_by)
            if books != MessageBooks():
                run.write_json(layout.messages(search), books)


def _any_result(run: Staging, name: str) -> bool:
    with run.read(name) as lines:
        return any(map(books.has_result, lines))


def _accepted(made: Iterable[TrackEvent | Rejection], rejected: IO[bytes]) -> Iterator[bytes]:
    """Let events pass and write rejections down."""
    for one in made:
        if type(one) is TrackEvent:
            yield one.body
        else:
            rejected.write(one.line + b"\n")


def _unacknowledged(run: Staging, journey: str, events: Iterable[bytes], known: Ledger) -> Iterator[bytes]:
    """Let events pass that have to be sent, and write the others down."""
    with run.write(layout.acknowledged(journey)) as acknowledged:
        for event in events:
            if event in known:
                acknowledged.write(msgspec.json.encode({"messageId": read_head(event).messageId}) + b"\n")
            else:
                yield event
