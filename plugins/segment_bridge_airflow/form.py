"""The form of a run that somebody starts by hand; scheduled runs take its defaults."""

from __future__ import annotations

from airflow.sdk import Param

from segment_bridge.catalog import JOURNEYS

_NAMES = [journey.name for journey in JOURNEYS]

FORM = {
    "from": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="From",
        description="Start of the window. With neither end given, it is the look-back up to the last full hour.",
    ),
    "to": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="To",
        description="End of the window, exclusive; not in the future, and at most 31 days after its start.",
    ),
    "journeys": Param(
        [],
        type="array",
        items={"type": "string", "enum": _NAMES},
        examples=_NAMES,
        title="Journeys",
        description="The user journeys to search; none means all of them.",
    ),
    "dry_run": Param(
        False,
        type="boolean",
        title="Dry run",
        description_md=(
            "Do everything but send; the report shows what would have been sent.\n\n"
            "**Sending events again:** Segment recognizes what it has taken before by its messageId, for about 24 "
            "hours. Within these, running over the same hours again does no harm; older events count twice downstream."
        ),
    ),
    "look_back_hours": Param(
        None,
        type=["null", "number"],
        exclusiveMinimum=0,
        title="Look-back in hours",
        description="How far the window reaches back. By default as the settings say, and in a backfill one hour.",
    ),
}
