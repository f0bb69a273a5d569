"""The user journeys: declared once as data, checked when imported, compiled to SPL."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from segment_bridge.catalog.journey import Journey
from segment_bridge.catalog.journeys import JOURNEYS
from segment_bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["JOURNEYS", "Journey", "check", "find"]


def find(names: Iterable[str] = ()) -> tuple[Journey, ...]:
    """Return the journeys of these names, in the catalog's order; all of them where no name is given.

    Raises :class:`ConfigurationError` for names that the catalog lacks.
    """
    wanted = set(names)
    unknown = wanted - {journey.name for journey in JOURNEYS}
    if unknown:
        known = ", ".join(journey.name for journey in JOURNEYS)
        raise ConfigurationError(f"no journey named {', '.join(sorted(unknown))}: there are {known}")
    return tuple(journey for journey in JOURNEYS if not wanted or journey.name in wanted)


def check(journeys: Sequence[Journey]) -> None:
    """Refuse a catalog with a double name or title, or with two journeys that could select one record.

    One audit ID may make at most one event, for Segment would take the second for a repeat of the first. A journey
    that is ``unless`` another one leaves the records that both could select to that one.
    """
    for one, other in combinations(journeys, 2):
        if one.name == other.name or one.title == other.title:
            raise ConfigurationError(f"two journeys are named {one.name} ({one.title}): rename one")
        claims, others = one.claims(), other.claims()
        if one in other.unless or other in one.unless:
            continue
        if not any(claims[facet].isdisjoint(others[facet]) for facet in claims.keys() & others.keys()):
            raise ConfigurationError(
                f"journeys {one.name} and {other.name} could select one record: "
                "let their clauses exclude each other, or name one in the other's `unless`"
            )


check(JOURNEYS)
