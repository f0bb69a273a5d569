"""How a session's requests become records, with what comes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.traffic import texts
from sandbox.traffic.journeys import EVENTS, Journey, Signal, Step
from sandbox.traffic.near_misses import near_miss
from sandbox.traffic.people import Person
from sandbox.traffic.shapes import Call, Caller, audit, enlarged, person, received, truncated
from sandbox.traffic.values import SECOND, Record, digits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from sandbox.traffic.people import Workspace
    from sandbox.traffic.shapes import Resource

_SYSTEM_ADMIN = Person("system:admin")

# The sessions, by their number, in which something rare happens: a cycle's length, and the place in it.
_WITHOUT_ID = (37, 11)
_IN_DISGUISE = (17, 16)
_LARGE = (7, 3)


class Recorder:
    """Records what happens in one session, beginning at a time in microseconds since the epoch.

    ``number`` counts the sessions of a log.
    """

    def __init__(self, rng: Random, at: int, who: Person, where: Workspace, number: int) -> None:
        self._rng = rng
        self._at = at
        self._who = who
        self._where = where
        self._number = number

    def _rarely(self, cycle: tuple[int, int]) -> bool:
        length, place = cycle
        return self._number % length == place

    def _later(self, low: int, high: int) -> int:
        """Let between ``low`` and ``high`` seconds go by."""
        self._at += self._rng.randrange(low * SECOND, high * SECOND)
        return self._at

    def _changed(self, owner: Record, **members: object) -> Record:
        """Return an object at a later moment: with another resource version, and these members."""
        return owner | {"metadata": owner["metadata"] | {"resourceVersion": digits(self._rng, 9)}} | members

    def _tell(self, signal: Signal, caller: Caller, call: Call, *, cut: bool = False) -> Iterator[Step]:
        """Give a signal's record, and what comes with it: its first stage, a duplicate, near misses."""
        record = audit(self._rng, self._at, caller, call)
        if self._rarely(_LARGE):
            record = enlarged(record, texts.SOME_FIELDS)
        if cut:
            record = truncated(record)
        if signal.journey is Journey.APPLICATION and self._rarely(_WITHOUT_ID):
            del record["auditID"]
        if self._rng.randrange(2):
            yield Step(self._at, received(record))
        step = Step(self._at, record, signal)
        yield step
        if self._rng.randrange(16) == 0:
            yield step
        for _ in range(0 if cut else self._rng.randrange(1, 3)):
            at = self._later(0, 3)
            yield Step(at, near_miss(self._rng, at, signal.journey, record))

    def _about(self, journey: Journey, *, once: str | None = None, oversize: bool = False) -> Signal:
        """Return the signal of a journey whose events all have one name, and name no user."""
        return Signal(journey, self._where, EVENTS[journey], once=once, oversize=oversize)

    def _ask(self, journey: Journey, call: Call, event: str | None = None, *, cut: bool = False) -> Iterator[Step]:
        """Give the record of a request that the person makes."""
        who, caller = self._who, person(self._rng, self._who)
        if call.verb == "update" and self._rarely(_IN_DISGUISE):
            who = _SYSTEM_ADMIN
            admin = {"username": "cluster-admin", "groups": ["system:masters"]}
            caller = Caller(admin, caller.agent, caller.addresses, {"username": who.username})
        yield from self._tell(Signal(journey, self._where, event or EVENTS[journey], who), caller, call, cut=cut)


def call_of(
    verb: str,
    resource: Resource,
    about: Record,
    *,
    request: object,
    response: Record | None = None,
    code: int = 200,
    subresource: str | None = None,
    query: str = "",
) -> Call:
    """Return a request about an object, which is also the answer unless there is another one."""
    meta = about["metadata"]
    answer = about if response is None else response
    return Call(verb, resource, meta["namespace"], meta["name"], subresource, code, request, answer, query)
