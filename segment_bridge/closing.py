"""Close a run's books: count them, and judge what was counted."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from segment_bridge import books, drift, layout, redriven
from segment_bridge.events import from_body
from segment_bridge.plan import Plan
from segment_bridge.report import (
    Alarm,
    JourneyBooks,
    MapBooks,
    MessageBooks,
    Report,
    ToleratedBooks,
    futile,
    problems,
    refusals,
    total,
)
from segment_bridge.source_check import SEND_WHOLE, UNREADABLE, Seen
from segment_bridge.splunk.messages import crowded, told

if TYPE_CHECKING:
    from segment_bridge.staging import Staging

#: How long Segment remembers messageIds.
DEDUPLICATION = timedelta(hours=24)


def close(run: Staging, key: str) -> Report:
    """Count what lies in staging, stage the report and return it."""
    plan = run.read_json(layout.PLAN, Plan)
    counted = {
        journey: redriven.settle(run, journey, books.count(run, journey, dry_run=plan.dry_run))
        for journey in plan.journeys
    }
    every = total(counted)
    maps = {
        name: run.read_json(layout.map_summary(name), MapBooks)
        for name in (layout.USERS, layout.WORKSPACES)
        if run.exists(layout.map_summary(name))
    }
    seen = run.read_json(layout.SOURCE, Seen) if run.exists(layout.SOURCE) else None
    messages = {name: books.messages(run, name) for name in (*plan.journeys, layout.SOURCE_CHECK)}
    tolerated = _tolerated(messages)
    alarming = {
        Alarm.UNBALANCED: tuple(f"{name}: {said}" for name, one in counted.items() if (said := one.imbalance())),
        Alarm.SILENT: _silence(every, seen),
        Alarm.UNKNOWN_SILENCE: _unknown_silence(every, seen),
        Alarm.HOLE: _holes(plan),
        Alarm.UNKNOWN: _shortfalls(plan, every),
        Alarm.STAND_IN: _stand_ins(maps),
    }
    report = Report(
        run=key,
        plan=plan,
        journeys=counted,
        total=every,
        maps=maps,
        truncated=seen.truncated if seen else {},
        tolerated_messages=tolerated,
        balanced=not alarming[Alarm.UNBALANCED],
        coverage=round(every.coverage, 4),
        problems=(
            *_unfinished(run, plan),
            *problems(counted),
            *refusals(counted),
            *futile(counted, plan.expect_all_rejected),
            *alarming[Alarm.SILENT],
            *alarming[Alarm.UNKNOWN_SILENCE],
            *alarming[Alarm.HOLE],
        ),
        warnings=(
            *alarming[Alarm.UNKNOWN],
            *alarming[Alarm.STAND_IN],
            *_truncated(seen),
            *_doubts(maps),
            *_unfilled(run, counted),
            *_repeats(plan, every),
            *(told(one.pattern, one.reason, one.count) for one in tolerated),
            *(f"{name}: {crowded(one.full)}" for name, one in messages.items() if one.full),
        ),
        alarms=tuple(chain.from_iterable(alarming.values())),
        alarm_kinds=tuple(kind for kind, said in alarming.items() if said),
        samples=_samples(run, plan) if plan.dry_run else {},
    )
    run.write_json(layout.REPORT, report)
    return report


def covers(report: Report) -> bool:
    """Say whether the run leaves nothing behind that a later one over the same hours could make good.

    None would reach a hole, and what Segment has refused it would refuse again. Where all results were rejected, it
    would find the same ones: a redrive takes up those whose user or namespace is known by then. Only fields that Splunk
    extracts twice are found once when that is mended.
    """
    passed_over = {
        *_holes(report.plan),
        *refusals(report.journeys),
        *futile(report.journeys, report.plan.expect_all_rejected),
    }
    return set(report.problems) <= passed_over


def _unfinished(run: Staging, plan: Plan) -> tuple[str, ...]:
    """Name the steps that have left nothing, which no figure would show where nothing was found."""
    names = (layout.USERS, layout.WORKSPACES)
    maps = (f"there is no map of {name}" for name in names if not run.exists(layout.map_file(name)))
    answered = (journey for journey in plan.journeys if run.exists(layout.results(journey)))
    unconverted = (
        f"{name}: its results are not converted" for name in answered if not run.exists(layout.rejected(name))
    )
    return (*maps, *unconverted)


def _holes(plan: Plan) -> tuple[str, ...]:
    if plan.hole is None:
        return ()
    hole = plan.hole.window
    return (f"no run has covered {hole}, and none will by itself: start a backfill while Splunk has the records",)


def _silence(every: JourneyBooks, seen: Seen | None) -> tuple[str, ...]:
    if every.found or every.state == "failed" or not seen:
        return ()
    if seen.unreadable:
        return (f"{UNREADABLE}: {SEND_WHOLE}",)
    if not seen.silent:
        return ()
    if seen.other_records:
        said = "the window holds records, but none with log_type=audit"
        return (f"{said}: check the index, and what the collector adds to audit records",)
    return ("the source is silent: the window holds no audit record at all; check the index, and what feeds it",)


def _unknown_silence(every: JourneyBooks, seen: Seen | None) -> tuple[str, ...]:
    if every.found or every.state == "failed" or (seen and seen.silent is not None):
        return ()
    return ("no journey found anything, and nothing says whether there was anything to be found",)


def _truncated(seen: Seen | None) -> tuple[str, ...]:
    if seen is None:
        return ("nothing says how many records the API server has cut: the source was not checked",)
    return tuple(filter(None, [seen.cut()]))


def _stand_ins(maps: dict[str, MapBooks]) -> tuple[str, ...]:
    return tuple(f"the map of {name}: {one.stands_in}" for name, one in maps.items() if one.stands_in)


def _doubts(maps: dict[str, MapBooks]) -> tuple[str, ...]:
    return tuple(f"the map of {name}: {doubt}" for name, one in maps.items() for doubt in one.doubts())


def _unfilled(run: Staging, counted: dict[str, JourneyBooks]) -> tuple[str, ...]:
    return tuple(
        f"{journey}: {name} is null in all {counted[journey].found} results, and used to be filled: "
        "look where the platform keeps it now"
        for journey, names in drift.unfilled(run).items()
        if journey in counted
        for name in names
    )


def _shortfalls(plan: Plan, every: JourneyBooks) -> tuple[str, ...]:
    if every.coverage >= plan.least_coverage:
        return ()
    told = f"of {every.wanted} results, the user and workspace of {every.coverage:.1%} are known"
    return (f"{told}, and {plan.least_coverage:.1%} are expected: compare the maps with those of earlier reports",)


def _tolerated(messages: dict[str, MessageBooks]) -> tuple[ToleratedBooks, ...]:
    """Add up what each pattern let pass, over all searches."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in chain.from_iterable(search.tolerated for search in messages.values()):
        counts[one.pattern, one.reason] += one.count
    return tuple(
        ToleratedBooks(pattern=pattern, reason=reason, count=count) for (pattern, reason), count in counts.items()
    )


def _repeats(plan: Plan, every: JourneyBooks) -> tuple[str, ...]:
    if not every.events or plan.begun - plan.span.start <= DEDUPLICATION:
        return ()
    hours = f"{DEDUPLICATION / timedelta(hours=1):g} hours"
    return (
        f"events are older than the {hours} for which Segment recognizes repeats: what was sent before counts twice",
    )


def _samples(run: Staging, plan: Plan) -> dict[str, dict[str, Any]]:
    """Take the first event of each journey, without its values."""
    samples = {}
    for journey in plan.journeys:
        for name in run.names(layout.batches(journey))[:1]:
            with run.read(name) as file:
                event = msgspec.json.decode(from_body(file.read())[0])
            samples[journey] = {**_kinds(event), "type": event["type"], "event": event["event"]}
    return samples


def _kinds(value: dict[str, Any]) -> dict[str, Any]:
    return {key: _kinds(one) if isinstance(one, dict) else type(one).__name__ for key, one in value.items()}
