"""What the server answers, and why our client is right where the SDK does something else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.conformance.server import Reply, Server, garble, hang_up, reset, stall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.server import Answer

OK = Reply(200)

SENT_AT = (
    "The SDK writes a new sentAt into each try. Ours sends the same bytes: a repeat is byte for byte what is staged, "
    "and a sentAt that comes from another clock would shift the events' timestamps."
)
LOCALLY = (
    "Segment's contract lets any retryable status ask for a pause. The SDK heeds one with a 429 alone, and comes back "
    "to a server that has said when it will be there again while it is not, which uses up its tries."
)
DATE = (
    "HTTP has two forms of Retry-After. The SDK reads seconds alone: after a date it comes back two minutes too early."
)
FOREVER = (
    "Ours gives a batch half an hour, waits included, and then leaves it in staging for the next try of the task, so "
    "that retrying ends well inside the 24 hours for which Segment recognizes repeats. The SDK asks 20 times more than "
    "it retries, which here takes nearly two hours, in memory."
)
HALVING = (
    "A 400 or 413 says that something in the batch is wrong, not that all of it is. Ours halves the batch until the "
    "event stands alone, delivers the rest and sets that one aside. The SDK drops the whole batch."
)
ALONE = (
    "A batch that is refused whatever is in it ends as single events, each refused, each kept with its reason. The SDK "
    "asks once and drops them all."
)
REDIRECT = (
    "A redirect is no success: nothing was taken. The SDK's fetch follows it by a GET without the events, is answered "
    "200, and the SDK reports all of them as delivered. Ours leaves them undelivered, and says so."
)
FOLLOWED = (
    "The SDK's fetch repeats the request wherever the answer points: on another host too, with all events and the "
    "write key, which stands in the body. Ours sends both to the configured address alone."
)
UNCHANGED = "A 3xx is no success. The SDK reports the events as delivered, though nothing says that they were."
CAPTIVE = (
    "511 is a captive network that wants a login, and passes. Segment's contract retries 5xx except 501 and 505; the "
    "SDK counts 511 among those, unless it uses OAuth."
)


@dataclass(frozen=True)
class Scenario:
    """Answers, the last of which stands for ever; ``why`` says for each aspect that differs why ours is right."""

    title: str
    answers: tuple[Answer, ...] = (OK,)
    why: Mapping[str, str] = field(default_factory=dict)
    events: int = 3
    poison: str = ""
    refusal: int = 400
    #: Seconds that a client waits for an answer; long, as a machine may be busy.
    patience: float = 30.0

    def server(self) -> Server:
        """Return a server that plays it."""
        return Server(list(self.answers), poison=self.poison, refusal=self.refusal)


def _asks(status: int, value: str) -> Reply:
    return Reply(status, {"Retry-After": value})


_REPEATED = {"bytes": SENT_AT}
_TAKEN = [Scenario(str(status), (Reply(status),)) for status in (200, 202, 204)]
_RETRYABLE = [408, 410, 429, 460, 500, 502, 503, 504, 520, 599]
_ONCE = [Scenario(f"{status}, then 200", (Reply(status), OK), _REPEATED) for status in _RETRYABLE]
_FOR_EVER = [Scenario(f"{status} for ever", (Reply(status),), _REPEATED) for status in (408, 429, 503)]
_511 = [
    Scenario(
        "511, then 200", (Reply(511), OK), {**dict.fromkeys(("requests", "waits", "outcome"), CAPTIVE), **_REPEATED}
    )
]
_TERMINAL = [
    Scenario(f"{status}, then 200", (Reply(status), OK))
    for status in (401, 402, 403, 404, 405, 409, 415, 422, 501, 505)
]
_PAUSES = [
    Scenario("429 asks for 7 s, then 200", (_asks(429, "7"), OK), _REPEATED),
    Scenario("429 asks for 0 s, then 200", (_asks(429, "0"), OK), _REPEATED),
    Scenario("429 asks for 3600 s, then 200", (_asks(429, "3600"), OK), _REPEATED),
    Scenario("429 asks for a pause it cannot name, then 200", (_asks(429, "soon"), OK), _REPEATED),
    Scenario("429 asks for 7 s, five times, then 200", (*[_asks(429, "7")] * 5, OK), _REPEATED),
    Scenario("429 asks until a date, then 200", (_asks(429, "{date}"), OK), {**_REPEATED, "waits": DATE}),
    Scenario("503 asks for 7 s, then 200", (_asks(503, "7"), OK), {**_REPEATED, "waits": LOCALLY}),
    Scenario("503 asks until a date, then 200", (_asks(503, "{date}"), OK), {**_REPEATED, "waits": LOCALLY}),
    Scenario(
        "503 asks for 7 s, five times, then 200",
        (*[_asks(503, "7")] * 5, OK),
        {**_REPEATED, "waits": LOCALLY, "requests": LOCALLY, "outcome": LOCALLY},
    ),
    Scenario(
        "429 asks for 300 s for ever",
        (_asks(429, "300"),),
        {**_REPEATED, "waits": FOREVER, "requests": FOREVER},
    ),
]
_NETWORK = [
    Scenario("reset, then 200", (reset, OK), _REPEATED),
    Scenario("closed without an answer, then 200", (hang_up, OK), _REPEATED),
    Scenario("no HTTP, then 200", (garble, OK), _REPEATED),
    Scenario("no answer in time, then 200", (stall, OK), _REPEATED, patience=3),
    Scenario("reset for ever", (reset,), _REPEATED),
]
_REFUSED = [
    Scenario(
        f"{status} for one event of eight",
        why={"requests": HALVING, "outcome": HALVING},
        events=8,
        poison="event-5",
        refusal=status,
    )
    for status in (400, 413)
] + [Scenario(f"{status} for ever", (Reply(status),), {"requests": ALONE}) for status in (400, 413)]
_ELSEWHERE = {"Location": "/elsewhere"}
_OTHER_HOST = {"Location": "http://localhost:{port}/v1/batch"}
_REDIRECTS = [
    Scenario(
        f"{status} to another path",
        (Reply(status, _ELSEWHERE), OK),
        {"requests": REDIRECT, "outcome": REDIRECT},
    )
    for status in (301, 302, 303)
] + [
    Scenario(
        f"{status} to another host",
        (Reply(status, _OTHER_HOST), OK),
        {"requests": FOLLOWED, "outcome": FOLLOWED},
    )
    for status in (307, 308)
]
_304 = [Scenario("304", (Reply(304), OK), {"outcome": UNCHANGED})]

GROUPS: dict[str, list[Scenario]] = {
    "Taken": _TAKEN,
    "Try again": [*_ONCE, *_511, *_FOR_EVER],
    "Final": _TERMINAL,
    "Pauses that are asked for": _PAUSES,
    "The network": _NETWORK,
    "About the events": _REFUSED,
    "Redirects": [*_REDIRECTS, *_304],
}
SCENARIOS = [scenario for group in GROUPS.values() for scenario in group]
