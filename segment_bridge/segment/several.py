"""Deliver several batches at once, over a few connections."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from segment_bridge.errors import BridgeError
from segment_bridge.segment.outcome import MisconfiguredError, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from segment_bridge.segment.client import Segment

Name = TypeVar("Name")


def deliver_several(
    bodies: Iterable[tuple[Name, bytes]], segment: Segment, connections: int
) -> Iterator[tuple[Name, Outcome]]:
    """Yield the name and the outcome of each batch, as they come to an end.

    Of the bodies, no more than one for each connection and the next one are in memory. Where one raises an error, no
    other is begun; those under way come to their end, and then the error is raised. Whoever stops earlier cuts the
    pauses short of those under way.
    """
    under_way: dict[Future[Outcome], Name] = {}
    errors: list[BridgeError] = []
    with ThreadPoolExecutor(connections, thread_name_prefix="segment") as threads:
        try:
            for name, body in bodies:
                while len(under_way) >= connections:
                    yield from _ended(under_way, errors)
                if errors:
                    break
                under_way[threads.submit(segment.deliver, body)] = name
            while under_way:
                yield from _ended(under_way, errors)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            segment.stop()
            raise
    if errors:
        raise errors[0]


def _ended(under_way: dict[Future[Outcome], Name], errors: list[BridgeError]) -> Iterator[tuple[Name, Outcome]]:
    """Wait until at least one has come to its end, and take those away that have."""
    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
        name = under_way.pop(future)
        try:
            outcome = future.result()
        except MisconfiguredError as error:
            outcome = error.outcome
            errors.append(error)
        except BridgeError as error:
            errors.append(error)
            continue
        yield name, outcome
