"""The gate that a new map has to pass: one that lacks many entries would turn their events away in silence.

A map that passes is kept as the last good one, which stands in for a while where the next ones do not pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from segment_bridge import layout
from segment_bridge.errors import ConfigurationError
from segment_bridge.settings import DEFAULT_MAP_SHRINK_PERCENT, DEFAULT_MAP_STAND_IN_HOURS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segment_bridge.identity import IdentityMap
    from segment_bridge.staging import Staging


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """By how many percent a map may be smaller than the last good one, and how old that one may be to stand in."""

    largest_shrink: int = DEFAULT_MAP_SHRINK_PERCENT
    oldest: timedelta = timedelta(hours=DEFAULT_MAP_STAND_IN_HOURS)


@dataclass(frozen=True, slots=True)
class Accept:
    """The new map is good."""


@dataclass(frozen=True, slots=True)
class UseLastGood:
    """The new map is not, and the last good one stands in."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """The new map is not good, and none stands in."""

    reason: str


Verdict: TypeAlias = Accept | UseLastGood | Refuse


class LastGood(msgspec.Struct, frozen=True, kw_only=True):
    """The map that was good last, when it was made, and by which run."""

    made_at: datetime
    run: str
    entries: dict[str, str]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The entries to use, and why these."""

    entries: Mapping[str, str] = field(repr=False)
    verdict: Accept | UseLastGood


def judge(made: IdentityMap, *, last_size: int | None, last_age: timedelta | None, limits: Limits) -> Verdict:
    """Judge a new map by the size and age of the last good one, which are None where there is none."""
    reason = _flaw(made, last_size, limits)
    if not reason:
        return Accept()
    if last_age is None:
        return Refuse(f"{reason}, and there is no last good map to stand in")
    if last_age > limits.oldest:
        return Refuse(f"{reason}, and the last good map is {_hours(last_age)} old, more than {_hours(limits.oldest)}")
    return UseLastGood(f"{reason}; the last good map, {_hours(last_age)} old, stands in")


def admit(root: Staging, name: str, made: IdentityMap, *, run: str, now: datetime, limits: Limits) -> Admitted:
    """Judge a new map of this name, and keep a good one as the last good, made by ``run``; ``root`` is staging's own.

    Raises :class:`ConfigurationError` for a map that is refused: asking again would find the same objects.
    """
    last = read_last_good(root, name)
    verdict = judge(
        made,
        last_size=len(last.entries) if last else None,
        last_age=now - last.made_at if last else None,
        limits=limits,
    )
    match verdict:
        case Refuse(reason):
            raise ConfigurationError(
                f"the map of {name} is refused: {reason}. Check the clusters, and that the credentials may see all "
                f"objects; if the map is right, remove {root.uri(layout.last_good(name))}"
            )
        case UseLastGood() if last:
            return Admitted(last.entries, verdict)
    root.write_json(layout.last_good(name), LastGood(made_at=now, run=run, entries=dict(made.entries)))
    return Admitted(made.entries, Accept())


def stand_in(root: Staging, name: str, *, reason: str, now: datetime, limits: Limits) -> Admitted | None:
    """Return the last good map of this name where none could be made; None where there is none young enough."""
    last = read_last_good(root, name)
    if last is None or (age := now - last.made_at) > limits.oldest:
        return None
    return Admitted(last.entries, UseLastGood(f"{reason}; the last good map, {_hours(age)} old, stands in"))


def read_last_good(root: Staging, name: str) -> LastGood | None:
    """Return the map of this name that was good last, if there is one."""
    file = layout.last_good(name)
    return root.read_json(file, LastGood) if root.exists(file) else None


def _flaw(made: IdentityMap, last_size: int | None, limits: Limits) -> str:
    size = len(made.entries)
    if not size:
        return f"it is empty, as {made.empty}"
    unusable = f" ({made.unusable} are left out for an ID that identifies nobody)" if made.unusable else ""
    if last_size and (last_size - size) * 100 > last_size * limits.largest_shrink:
        return (
            f"it has {size} entries where the last good one has {last_size}, "
            f"which is more than {limits.largest_shrink} % fewer{unusable}"
        )
    return ""


def _hours(time: timedelta) -> str:
    return f"{time / timedelta(hours=1):.1f} h"
