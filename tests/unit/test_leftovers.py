from __future__ import annotations

import pytest

from segment_bridge.errors import FatalError, RetryableError
from segment_bridge.leftovers import require_nothing_left
from segment_bridge.redrive import Redriven


def test_nothing_is_left_where_all_was_sent_or_need_not_be() -> None:
    require_nothing_left([Redriven(run="a", sent=3, unknown=1), Redriven(run="b", acknowledged=1, withheld=1)])


def test_what_is_undelivered_may_be_taken_later_and_what_was_refused_not() -> None:
    left, refused = Redriven(run="a", left=2), Redriven(run="b", refused=3)
    with pytest.raises(RetryableError, match="2 events are still undelivered, and 0 were refused by Segment"):
        require_nothing_left([left, Redriven(run="c", sent=1)])
    with pytest.raises(FatalError, match="2 events are still undelivered, and 3 were refused by Segment"):
        require_nothing_left([left, refused])
