"""What is compared: our client and Segment's own SDK, each told to send the same number of events to a server."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from segment_bridge.segment import MisconfiguredError, Segment
from segment_bridge.settings import SegmentSettings
from tests.conformance.server import Server, serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conformance.server import Request

SDK = Path(__file__).parent / "node"
#: Tries of one request; a pause that was asked for uses up none.
TRIES = 3
#: Seconds by which a wait may be shorter than was asked for: what had passed of it before it began.
_PASSED = 0.25
#: Seconds of the shortest first wait that grows, and of the longest last one in as few tries.
_FIRST, _LONGEST_GROWN = 0.5, 4.5


@dataclass(frozen=True)
class Conduct:
    """What a client did, and what it said had become of the events."""

    #: Method, host and path where they are not those of a batch, and the status; 0 is no answer.
    requests: tuple[str, ...]
    #: ``X-Retry-Count`` of each request.
    counts: tuple[str, ...]
    #: ``7`` for seconds that were asked for, ``0.5+`` for the lower bound of a wait that grows.
    waits: tuple[str, ...]
    #: Whether each repeat had the bytes of the try before; None where there was none.
    same_bytes: bool | None
    delivered: int
    taken: int

    def differs_from(self, other: Conduct) -> set[str]:
        """Name the aspects in which two clients differ; from where a wait grows is no difference."""
        ours, theirs = self._aspects(), other._aspects()
        return {aspect for aspect, one in ours.items() if one != theirs[aspect]}

    def _aspects(self) -> dict[str, object]:
        return {
            "requests": (self.requests, self.counts),
            "waits": tuple("+" if "+" in wait else wait for wait in self.waits),
            "bytes": self.same_bytes,
            "outcome": (self.delivered, self.taken),
        }


def bridge(server: Server, events: int, patience: float) -> Conduct:
    """Let our client send, with a clock that only waits move; ``patience`` is in seconds, for one answer."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)

    body = b",".join(b'{"userId":"somebody","event":"event-%d"}' % number for number in range(events))
    with serving(server) as url:
        settings = SegmentSettings(write_key="a-write-key", batch_api=url, timeout=patience, attempts=TRIES)
        with Segment(settings, sleep=sleep, clock=lambda: sum(waits)) as segment:
            try:
                outcome = segment.deliver(b'{"batch":[' + body + b"]}")
            except MisconfiguredError as error:
                outcome = error.outcome
    return _conduct(server, waits, outcome.delivered)


def official(server: Server, events: int, patience: float) -> Conduct:
    """Let the SDK send; it counts repeats, where we count tries."""
    with serving(server) as url:
        told = (url, str(events), str(TRIES - 1), str(round(patience * 1_000)))
        command = [shutil.which("node") or "node", str(SDK / "send.mjs"), *told]
        done = subprocess.run(command, capture_output=True, check=True, timeout=120)  # noqa: S603 - our own
    said = json.loads(done.stdout)
    return _conduct(server, said["waits"], said["delivered"])


def _conduct(server: Server, waits: Sequence[float], delivered: int) -> Conduct:
    requests = server.requests
    repeats = [(before.body, one.body) for before, one in pairwise(requests) if one.repeat]
    return Conduct(
        requests=tuple(_named(one, f"127.0.0.1:{server.port}") for one in requests),
        counts=tuple(one.repeat or "-" for one in requests),
        waits=tuple(map(_written, waits)),
        same_bytes=all(before == after for before, after in repeats) if repeats else None,
        delivered=delivered,
        taken=server.taken,
    )


def _named(request: Request, own: str) -> str:
    if (request.method, request.host, request.path) == ("POST", own, "/v1/batch"):
        return str(request.status)
    return f"{request.method} {request.host.partition(':')[0]}{request.path} {request.status}"


def _written(wait: float) -> str:
    """Name a wait: those that grow are no longer than this, and those of a second are none that grow."""
    if wait > _LONGEST_GROWN or 1 - _PASSED <= wait <= 1:
        return str(math.ceil(wait))
    return f"{_FIRST * 2 ** math.floor(math.log2(wait / _FIRST)):g}+"
