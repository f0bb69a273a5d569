"""Several journeys as one search, so that Splunk reads the records of a window once for all of them."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, TypeAlias

from segment_bridge import spl
from segment_bridge.catalog.journey import Journey, put_out, terms_of
from segment_bridge.settings import DEFAULT_USER_LOOKUP, IdentityMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from segment_bridge.catalog.clauses import Clause

#: The field of a row that names its journey, and the name in a row of which no journey knows.
MARK, UNCLAIMED = "journey", "none"
#: Between the names of journeys in the name of their search.
_AND = "+"


@dataclass(frozen=True)
class Combined:
    """The search of several journeys of one API group and resource.

    A record becomes a row for each journey whose terms it satisfies; what else a journey asks for, and makes of a
    record, concerns the rows with its name alone.
    """

    journeys: tuple[Journey, ...]

    @property
    def name(self) -> str:
        """The names of its journeys."""
        return _AND.join(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The journeys that its search is about."""
        return tuple(journey.name for journey in self.journeys)

    @property
    def title(self) -> str:
        """The titles of its journeys."""
        return ", ".join(journey.title for journey in self.journeys)

    def compile(
        self, index: str, identity: IdentityMode = IdentityMode.BRIDGE, *, lookup: str = DEFAULT_USER_LOOKUP
    ) -> str:
        """Print the search over this index; see :meth:`Journey.compile`."""
        first = self.journeys[0]
        shared = [clause for clause in first.clauses if all(clause in other.clauses for other in self.journeys)]
        own = [_own(journey, shared) for journey in self.journeys]
        base = first.base(index, shared)
        if None not in own:
            base &= reduce(operator.or_, filter(None, own))
        claims = (_claim(journey, term) for journey, term in zip(self.journeys, own, strict=True))
        mark = spl.coalesce(spl.list_of(*claims), spl.text(UNCLAIMED))
        pipeline = spl.Pipeline(base).eval(**{MARK: mark}).expand(MARK)
        for journey in self.journeys:
            pipeline = pipeline.only(_is(journey), journey.narrow)
        return str(put_out(pipeline, self._output(identity), lookup, MARK))

    def _output(self, identity: IdentityMode) -> dict[str, spl.Expression]:
        """Give the fields of all journeys; where these differ in a field, a row has what its journey makes of it."""
        outputs = [(_is(journey), journey.output(identity)) for journey in self.journeys]
        made: dict[str, spl.Expression] = {}
        for name in dict.fromkeys(name for _, output in outputs for name in output):
            branches = [(condition, output[name]) for condition, output in outputs if name in output]
            alike = len(branches) == len(outputs) and len({value for _, value in branches}) == 1
            made[name] = branches[0][1] if alike else spl.case(*branches)
        return made


Search: TypeAlias = Journey | Combined


def combine(journeys: Iterable[Journey]) -> tuple[Search, ...]:
    """Make one search of the journeys of one API group and resource; a journey that is alone in it stays as it is."""
    alike: dict[tuple[str, str], list[Journey]] = {}
    for journey in journeys:
        alike.setdefault((journey.api_group, journey.resource), []).append(journey)
    return tuple(Combined(tuple(several)) if len(several) > 1 else several[0] for several in alike.values())


def split(name: str) -> list[str]:
    """Return the names of the journeys whose search has this name."""
    return name.split(_AND)


def _own(journey: Journey, shared: Sequence[Clause]) -> spl.Term | None:
    """Give what a journey's terms say beside those of the clauses that are shared; None where that is nothing."""
    terms = terms_of(clause for clause in journey.clauses if clause not in shared)
    return reduce(operator.and_, terms) if terms else None


def _claim(journey: Journey, term: spl.Term | None) -> spl.Expression:
    name = spl.text(journey.name)
    return spl.case((term.condition(), name)) if term else name


def _is(journey: Journey) -> spl.Expression:
    return spl.field(MARK).equals(journey.name)
