"""Play every scenario to both clients and write docs/conformance.md: ``python -m tests.conformance.report``."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sandbox.deployment import PROJECT
from tests.conformance.clients import SDK, TRIES, Conduct, bridge, official
from tests.conformance.scenarios import GROUPS, SENT_AT, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = PROJECT / "docs" / "conformance.md"
INSTALLED = SDK / "node_modules" / "@segment" / "analytics-node" / "package.json"
_HEAD = """\
# Retry conformance

What the bridge's client does when Segment does not simply take a batch, beside Segment's own Node SDK
(`@segment/analytics-node` {version}): the same scripted server, over HTTP, faces both. Each has {tries} tries.
`make conformance` plays every scenario and writes this page; the tests in `tests/conformance/` fail where a client does
something else, or where the two differ and no reason stands here.

{scenarios} scenarios; in {alike} both ask as often, wait alike and tell the same. In {wrong} the SDK reports events as
delivered that were not taken, and in {fewer} more the bridge delivers events that the SDK gives up.

| column | what it holds |
|---|---|
| requests | the status of each, in order; `0` no answer; method, host and path where they are not the batch's |
| repeats | `X-Retry-Count` of each request; `-` has none |
| waits | seconds: `7` as asked for, `1+` at least 1 and growing. Some 10 % of the bridge's \
grown waits are chance, and half of the SDK's |
| same bytes | whether each repeat is byte for byte the try before |
| delivered | events reported as delivered; the others the bridge keeps in staging, the SDK tells its caller of |
| taken | events that the server answered with 2xx |

**In every repeat:** {sent_at}
"""
_TABLE = "| scenario | client | requests | repeats | waits | same bytes | delivered | taken |\n"
_RULE = "|---|---|---|---|---|---|---:|---:|\n"
_MANY = 8


@dataclass(frozen=True)
class Played:
    """A scenario, and what both clients did."""

    scenario: Scenario
    ours: Conduct
    theirs: Conduct

    @classmethod
    def play(cls, scenario: Scenario) -> Played:
        """Play it to one after the other."""
        told = (scenario.events, scenario.patience)
        return cls(scenario, bridge(scenario.server(), *told), official(scenario.server(), *told))

    @cached_property
    def differences(self) -> set[str]:
        """The aspects in which the clients differ."""
        return self.ours.differs_from(self.theirs)

    @property
    def reasons(self) -> list[str]:
        """Why ours is right, beside what goes for every repeat."""
        return list(dict.fromkeys(why for why in self.scenario.why.values() if why != SENT_AT))

    def rows(self) -> Iterator[str]:
        """Give a row for each client, or one for both."""
        title = self.scenario.title
        ours, theirs = _cells(self.ours), _cells(self.theirs)
        if self.differences <= {"bytes"}:
            cells = (one if one == other else f"{one} (SDK: {other})" for one, other in zip(ours, theirs, strict=True))
            yield _row(title, "both", *cells)
        else:
            yield _row(title, "bridge", *ours)
            yield _row("", "SDK", *theirs)


def page(played: dict[str, Played]) -> str:
    """Return the page."""
    every = list(played.values())
    wrong = sum(one.theirs.delivered > one.theirs.taken for one in every)
    head = _HEAD.format(
        version=json.loads(INSTALLED.read_text())["version"],
        tries=TRIES,
        scenarios=len(every),
        alike=sum(one.differences <= {"bytes"} for one in every),
        wrong=wrong,
        fewer=sum(one.ours.delivered > one.theirs.delivered for one in every),
        sent_at=SENT_AT,
    )
    return head + "".join(_group(title, [played[one.title] for one in group]) for title, group in GROUPS.items())


def _group(title: str, played: list[Played]) -> str:
    rows = "".join(row for one in played for row in one.rows())
    reasons: dict[str, list[str]] = {}
    for one in played:
        for why in one.reasons:
            reasons.setdefault(why, []).append(one.scenario.title)
    told = "".join(f"\n* **{'; '.join(titles)}:** {why}" for why, titles in reasons.items())
    return f"\n## {title}\n\n{_TABLE}{_RULE}{rows}" + (f"\nWhere the two differ:\n{told}\n" if told else "")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cells(conduct: Conduct) -> tuple[str, ...]:
    same = {None: "", True: "yes", False: "no"}[conduct.same_bytes]
    lists = map(_listed, (conduct.requests, conduct.counts, conduct.waits))
    return (*lists, same, str(conduct.delivered), str(conduct.taken))


def _listed(parts: tuple[str, ...]) -> str:
    if len(parts) <= _MANY:
        return ", ".join(parts)
    return f"{', '.join(parts[:3])}, ... {parts[-1]} ({len(parts)})"


def main() -> int:
    """Write the page, unless a scenario ends in a way that no reason explains."""
    if not INSTALLED.exists():
        print("the SDK is not installed: make conformance does that", file=sys.stderr)  # noqa: T201 - a command
        return 1
    logging.disable()  # of a client that does what it should
    played = {one.title: Played.play(one) for group in GROUPS.values() for one in group}
    unexplained = [
        f"{title}: differs in {sorted(one.differences)}, explained are {sorted(one.scenario.why)}"
        for title, one in played.items()
        if one.differences != set(one.scenario.why)
    ]
    if unexplained:
        print("\n".join(unexplained), file=sys.stderr)  # noqa: T201 - as above
        return 1
    PAGE.write_text(page(played))
    return 0


if __name__ == "__main__":
    sys.exit(main())
