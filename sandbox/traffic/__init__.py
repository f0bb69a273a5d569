"""Realistic, reproducible Kubernetes audit logs, with the cluster objects and the results that go with them."""

from __future__ import annotations

from functools import cached_property
from heapq import merge
from itertools import takewhile
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from sandbox.traffic.clusters import Clusters
from sandbox.traffic.flows import Session
from sandbox.traffic.journeys import Step
from sandbox.traffic.manifest import Ledger
from sandbox.traffic.noise import Noise
from sandbox.traffic.people import Population
from sandbox.traffic.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.traffic.values import Record

__all__ = ["Clusters", "Plan", "Traffic", "generate"]

_NOISE_PER_SIGNAL = 12
_SESSIONS_PER_HOUR = 0.5
_time = attrgetter("at")


class Traffic:
    """One log and all that goes with it; every part follows from the plan alone, and can be made again."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._population = Population(plan)

    @property
    def clusters(self) -> Clusters:
        """The objects of the host and the member clusters."""
        return Clusters(self.plan, self._population)

    def records(self) -> Iterator[bytes]:
        """Give the log's lines, line ends included, in the order of ``requestReceivedTimestamp``."""
        encode = msgspec.json.Encoder().encode
        noise = (Step(at, record) for at, record in Noise(self.plan, self._population, self._noise).records())
        for step in merge(self._steps(), noise, key=_time):
            yield encode(step.record) + b"\n"

    @cached_property
    def manifest(self) -> Record:
        """What a bridge should find.

        ``records`` is the number of lines; ``journeys`` leads from each journey's title to its results in the whole
        log: ``matching`` (their number), ``audit_ids`` (sorted, one for each result that has one), ``events`` (those
        that become track events), ``names`` (the numbers of different events by name) and ``rejected`` (numbers by
        reason). ``truncated`` are the numbers of records that the API server has cut, by resource; ``users`` and
        ``workspaces`` are the maps.
        """
        ledger = self._ledger
        return {
            "records": ledger.steps + self._noise,
            "journeys": {str(journey): tally.to_json() for journey, tally in ledger.tallies.items()},
            "truncated": dict(sorted(ledger.truncated.items())),
            "users": dict(sorted(self._population.user_ids.items())),
            "workspaces": dict(sorted(self._population.spaces.items())),
        }

    @cached_property
    def _ledger(self) -> Ledger:
        ledger = Ledger()
        for step in self._steps():
            ledger.enter(step)
        return ledger

    @property
    def _noise(self) -> int:
        """The number of records of noise."""
        return max(_NOISE_PER_SIGNAL * self._ledger.signals, (self.plan.records or 0) - self._ledger.steps)

    def _steps(self) -> Iterator[Step]:
        """Give the records of all sessions in the order of time, as far as the window reaches."""
        end = self.plan.first + self.plan.length
        steps = merge(*(session.steps() for session in self._sessions()), key=_time)
        return takewhile(lambda step: step.at < end, steps)

    def _sessions(self) -> Iterator[Session]:
        """Begin sessions within the window's first four fifths; in each sixth one somebody is a guest."""
        people, homes = self._population.people, self._population.homes
        for number in range(max(1, round(self.plan.hours * _SESSIONS_PER_HOUR)) * len(people)):
            rng = self.plan.random("session", number)
            at = self.plan.first + rng.randrange(max(1, self.plan.length * 4 // 5))
            place = number % len(people)
            where = homes[(place + number // 6) % len(homes)] if number % 6 == 5 else homes[place]  # noqa: PLR2004 - see above
            yield Session(rng, at, people[place], where, number)


def generate(plan: Plan) -> Traffic:
    """Plan a log; nothing is made before it is asked for."""
    return Traffic(plan)
