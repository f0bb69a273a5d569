"""How many audit records searches look at for each event that they find.

Counted are records, not seconds: how long the stand-in takes says nothing of Splunk. It keeps no index of words, and
looks at every record of the window; a perfect index would leave it those that match the terms of a search. What real
Splunk calls ``scanCount`` is to be expected between the two.
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
import requests

from benchmarks.harness import Command, run
from benchmarks.tables import Goal, Table
from sandbox.serve import serving
from sandbox.splunk import AuditLog, create_app
from sandbox.splunk.records import Record
from sandbox.traffic import Plan, generate

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAN = Plan(users=60, hours=4)


def benchmark(_rounds: int, _largest: int, _without: tuple[str, ...]) -> Table:
    """Count once, as every round would count the same."""
    log = AuditLog(tuple(Record.parse(line.strip()) for line in generate(_PLAN).records()))
    with serving(create_app(log)) as url, TemporaryDirectory() as folder:
        cost = _search(url, Path(folder) / "results")
    return Table("scans", [], list(_goals(cost)))


def _search(url: str, path: Path) -> Counter[str]:
    """Search all journeys; return what it has cost."""
    end = _PLAN.start + timedelta(hours=_PLAN.hours)
    window = (f"--from={_PLAN.start.isoformat()}", f"--to={end.isoformat()}")
    bridge = Path(sys.executable).with_name("segment-bridge")
    settings = (f"SPLUNK_API_URL={url}", "SPLUNK_USERNAME=admin", "SPLUNK_PASSWORD=changeme")
    run(Command("search", ("env", *settings, bridge, "search", *window)), path)
    told = requests.get(f"{url}/sandbox/searches", timeout=60).content.splitlines()
    requests.delete(f"{url}/sandbox/searches", timeout=60).raise_for_status()
    cost = Counter(searches=len(told))
    for line in told:
        cost.update({what: count for what, count in msgspec.json.decode(line).items() if what != "search"})
    return cost


def _goals(cost: Counter[str]) -> Iterator[Goal]:
    yield Goal("searches", cost["searches"])
    yield Goal("records looked at for each event found", cost["scanned"] / cost["results"])
    yield Goal("records that match the terms, for each event found", cost["matched"] / cost["results"])
