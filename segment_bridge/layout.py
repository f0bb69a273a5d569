"""What a run's folder in staging holds, and how its files are named.

::

    plan.json                      what the run is about
    source.json                    what the source holds beside what was found
    maps/users.json                and maps/workspaces.json, with a NAME.summary.json of each
    results/JOURNEY.ndjson         a complete answer of Splunk, its lines as they came
    messages/SEARCH.json           what became of Splunk's messages about it
    rejected/JOURNEY.ndjson        {"reason", "result"} a line; there once the whole answer is converted
    acknowledged/JOURNEY.ndjson    {"messageId"} a line: events that are not sent again, where the plan says so
    batches/JOURNEY/000001.json    finished request bodies
    unfilled.json                  properties that are null for once in all results of a journey
    outcomes/JOURNEY/000001.json   what became of each
    pause.json                     until when nothing is to be sent, where Segment asked for a pause
    report.json                    the books
    redrives/ID/JOURNEY/000001.json   what became of its leftovers later

Beside the runs lie the maps that were good last, ``last-good/users-HASH.json`` and ``last-good/workspaces-HASH.json``,
where HASH stands for the clusters that a map is of; the mark of the :mod:`~segment_bridge.watermark`, ``covered.json``;
what :mod:`~segment_bridge.drift` remembers, ``filled.json``; and the :mod:`~segment_bridge.ledger`.
"""

from __future__ import annotations

from segment_bridge.segment.outcome import Outcome
from segment_bridge.staging import Staging

PLAN = "plan.json"
#: What the source holds that no journey finds, as :class:`segment_bridge.source_check.Seen`.
SOURCE = "source.json"
#: Which properties are null for once, of each journey that has some.
UNFILLED = "unfilled.json"
REPORT = "report.json"
REDRIVES = "redrives"
#: What the searches of the source check are called among those of the journeys.
SOURCE_CHECK = "check_source"
USERS = "users"
WORKSPACES = "workspaces"


def run_of(root: Staging, key: str) -> Staging:
    """Return a run's folder."""
    return root.folder("runs").folder(key)


def root_of(run: Staging) -> Staging:
    """Return the place of all runs, given the folder of one."""
    return Staging(run.filesystem, run.root.rsplit("/", 2)[0])


def map_file(name: str) -> str:
    """Name the file of a map."""
    return f"maps/{name}.json"


def map_summary(name: str) -> str:
    """Name the file that tells how a map came about."""
    return f"maps/{name}.summary.json"


def results(journey: str) -> str:
    """Name the file of a journey's results."""
    return f"results/{journey}.ndjson"


def messages(search: str) -> str:
    """Name the file of what became of Splunk's messages: a journey's, or those of the search named here."""
    return f"messages/{search}.json"


def rejected(journey: str) -> str:
    """Name the file of the results that cannot become events."""
    return f"rejected/{journey}.ndjson"


def acknowledged(journey: str) -> str:
    """Name the file of the events that Segment had acknowledged before."""
    return f"acknowledged/{journey}.ndjson"


def batches(journey: str) -> str:
    """Name the folder of a journey's batches."""
    return f"batches/{journey}"


def outcomes(journey: str) -> str:
    """Name the folder of the outcomes of a journey's batches."""
    return f"outcomes/{journey}"


def batch(journey: str, number: int) -> str:
    """Name the file of a batch; numbers count from 1."""
    return f"{batches(journey)}/{number:06}.json"


def outcome(batch_name: str) -> str:
    """Name the file of a batch's outcome."""
    return batch_name.replace("batches/", "outcomes/", 1)


def redrive(redrive_id: str, journey: str, number: int) -> str:
    """Name the file in which a redrive tells of one body; numbers count from 1."""
    return f"{REDRIVES}/{redrive_id}/{journey}/{number:06}.json"


def last_good(name: str) -> str:
    """Name the file, in the root of staging, of the map that was good last."""
    return f"last-good/{name}.json"


def read_outcome(run: Staging, batch_name: str) -> Outcome | None:
    """Return what became of a batch, as far as is known."""
    name = outcome(batch_name)
    return run.read_json(name, Outcome) if run.exists(name) else None
