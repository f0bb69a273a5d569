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


#: The names of events, where all of a journey have the same.
EVENTS = {
    Journey.APPLICATION: "Application created",
    Journey.BUILD_CREATED: "Build PipelineRun created",
    Journey.BUILD_STARTED: "Build PipelineRun started",
    Journey.CLAIR_SCAN: "Clair scan TaskRun completed",
    Journey.BUILD_ENDED: "Build PipelineRun ended",
    Journey.RELEASE: "Release process done",
    Journey.PULL_REQUEST: "Pull request created",
}


@dataclass(frozen=True, slots=True)
class Signal:
    """Why a record belongs to a journey, and what decides about the event to be made of it.

    ``event`` is its name; ``user`` is who asked, where the journey tells; ``once`` names what counts once, by its
    earliest record: a pull request, or a PipelineRun that starts; ``oversize`` says that the event would be larger than
    Segment takes.
    """

    journey: Journey
    workspace: Workspace
    event: str
    user: Person | None = None
    once: str | None = None
    oversize: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A record and when it was received, in microseconds since the epoch; without a signal no journey selects it."""

    at: int
    record: Record
    signal: Signal | None = None
