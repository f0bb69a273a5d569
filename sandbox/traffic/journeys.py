"""The user journeys by title, and what the generator knows about the records that it makes for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.traffic.people import Person, Workspace
    from sandbox.traffic.values import Record


class Journey(StrEnum):
    """The titles of the journeys, as users know them."""

    APPLICATION = "Application events"
    COMPONENT = "Component events"
    BUILD_CREATED = "Build PipelineRun creation events"
    BUILD_STARTED = "Build PipelineRun started events"
    CLAIR_SCAN = "Clair scan TaskRun completion events"
    BUILD_ENDED = "Build PipelineRun Completed or Failed events"
    RELEASE = "Release Succeeded or Failed events"
    PULL_REQUEST = "Pull Request created events"


@dataclass(frozen=True, slots=True)
class Signal:
    """Why a record belongs to a journey, and what decides about the event to be made of it.

    ``user`` is who asked, where the journey tells; ``merge_url`` is the pull request, of whose records the earliest
    counts; ``oversize`` says that the event would be larger than Segment takes.
    """

    journey: Journey
    workspace: Workspace
    user: Person | None = None
    merge_url: str | None = None
    oversize: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A record and when it was received, in microseconds since the epoch; without a signal no journey selects it."""

    at: int
    record: Record
    signal: Signal | None = None
