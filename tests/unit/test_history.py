from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from segment_bridge.events import to_body
from segment_bridge.segment import Attempt, MisconfiguredError, Outcome, Refused
from segment_bridge.segment.history import History, Request
from tests.unit.leftovers import Answers

STATUSES = (200, 204, 400, 401, 413, 429, 500, 503, 302)


@given(
    size=st.integers(min_value=1, max_value=20),
    poison=st.frozensets(st.integers(min_value=0, max_value=19)),
    answers=st.lists(st.sampled_from(STATUSES), max_size=12),
)
def test_it_tells_of_each_event_what_the_client_did_with_it(
    size: int, poison: frozenset[int], answers: list[int]
) -> None:
    left = list(answers)

    def answer(ids: list[str]) -> int:
        told = left.pop(0) if left else 200
        return 400 if told < 300 and any(int(one) in poison for one in ids) else told

    sent = Answers(answer)
    try:
        outcome = sent.segment().deliver(to_body([b'{"messageId":"%d"}' % at for at in range(size)]))
    except MisconfiguredError as error:
        outcome = error.outcome
    history = History(size, outcome)

    assert history.delivered == set(map(int, sent.delivered))
    assert history.refused == {one.position: one.status for one in outcome.rejected}
    assert len(history.undelivered) == outcome.undelivered
    assert [[str(at) for at in request.part] for request in history.requests] == sent.requests
    carried = Counter(at for request in history.requests for at in request.part)
    assert all(len(history.of(at)) == carried[at] for at in range(size))


def test_an_event_that_is_refused_alone_has_gone_through_every_half() -> None:
    outcome = Outcome(
        delivered=3,
        rejected=(Refused(1, 400),),
        attempts=(Attempt(4, 503), Attempt(4, 400), Attempt(2, 400), Attempt(1, 200), Attempt(1, 400), Attempt(2, 200)),
    )
    assert History(4, outcome).of(1) == (
        Request(1, range(4), 503),
        Request(2, range(4), 400),
        Request(3, range(2), 400),
        Request(5, range(1, 2), 400),
    )


def test_without_an_outcome_nothing_is_proven() -> None:
    history = History(2, None)
    assert not history.requests
    assert not history.delivered
    assert not history.refused
    assert history.undelivered == [0, 1]


def test_requests_that_do_not_fit_prove_no_delivery_of_a_mixed_batch() -> None:
    outcome = Outcome(delivered=1, undelivered=2, rejected=(Refused(0, 400),), attempts=(Attempt(9, 200),))
    assert not History(4, outcome).delivered
    assert History(4, outcome).undelivered == [1, 2, 3]
