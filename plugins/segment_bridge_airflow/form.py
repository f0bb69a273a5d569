"""The forms of runs that somebody starts by hand; scheduled runs take the first one's defaults.

Each field may be null: the web UI marks any other as required, and sends null for a list that was emptied again.
"""

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
        description=(
            "Start of the window, in the time zone of the web UI. "
            "With neither end given, the window is the look-back up to the last full hour."
        ),
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
        type=["null", "array"],
        items={"type": "string", "enum": _NAMES},
        examples=_NAMES,
        title="Journeys",
        description="The user journeys to search; none means all of them.",
    ),
    "dry_run": Param(
        False,
        type=["null", "boolean"],
        title="Dry run",
        description="Do everything but send; the report shows what would have been sent.",
    ),
    "resend": Param(
        None,
        type=["null", "string"],
        enum=[None, "always", "unacknowledged"],
        values_display={"null": "as the settings say"},
        title="Resend",
        description_md=(
            "Whether to send what earlier runs have sent: always, or only what Segment has not acknowledged.\n\n"
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

REDRIVE = {
    "runs": Param(
        [],
        type=["null", "array"],
        items={"type": "string"},
        title="Runs",
        description="IDs of runs of segment_bridge, as the web UI shows them; none means all that lie in staging.",
    ),
    "from": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="From",
        description="With To: only runs whose window overlaps this span.",
    ),
    "to": Param(
        None, type=["null", "string"], format="date-time", title="To", description="End of the span, exclusive."
    ),
    "dry_run": Param(
        False,
        type=["null", "boolean"],
        title="Dry run",
        description="Say in the log what would be sent, and send nothing.",
    ),
}

DOCTOR = {
    "to": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="To",
        description="End of the four hours that are looked into for audit records; by default, now.",
    ),
}
