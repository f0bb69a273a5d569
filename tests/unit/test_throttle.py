"""One rate, and one pause, for all that a run sends."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_bridge.pausing import SharedPause
from segment_bridge.segment import Segment, deliver_several
from segment_bridge.segment.throttle import MAX_PAUSE, Bucket, NoTimeLeftError, Throttle
from segment_bridge.settings import SegmentSettings
from segment_bridge.staging import Staging
from tests.unit.test_segment import BODY, KEY, Reply, Time, script, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.test_segment import Request


@dataclass
class Note:
    until: float = 0.0
    looks: int = 0
    written: list[float] = field(default_factory=list)

    def read(self) -> float:
        self.looks += 1
        return self.until

    def write(self, until: float) -> None:
        self.written.append(until)


def throttle(timer: Time, requests: float | None = None, events: float | None = None, ahead: float = 0.0) -> Throttle:
    settings = SegmentSettings(write_key=KEY, requests_per_second=requests, events_per_second=events)
    return Throttle(settings, timer.sleep, timer.clock, lambda: timer.now + ahead)


def test_a_second_worth_goes_out_at_once_and_the_rest_at_the_rate() -> None:
    timer = Time()
    gate, begin = throttle(timer, requests=10), timer.now
    at = []
    for _ in range(30):
        gate.wait(1, 99)
        at.append(timer.now - begin)
    assert at[:10] == pytest.approx([0] * 10)
    assert at[10:] == pytest.approx([0.1 * number for number in range(1, 21)])


def test_a_batch_of_more_events_than_a_second_has_makes_the_next_one_wait() -> None:
    timer = Time()
    gate, begin = throttle(timer, events=1_000), timer.now
    at = []
    for _ in range(4):
        gate.wait(2_500, 99)
        at.append(timer.now - begin)
    assert at == pytest.approx([0, 2.5, 5, 7.5])


def test_whoever_rested_has_no_more_than_a_second_worth() -> None:
    timer = Time()
    gate = throttle(timer, requests=10)
    for _ in range(10):
        gate.wait(1, 99)
    timer.now += 100
    for _ in range(10):
        gate.wait(1, 99)
    assert sum(timer.pauses) == pytest.approx(0)
    gate.wait(1, 99)
    assert sum(timer.pauses) == pytest.approx(0.1)


@given(st.floats(0.1, 1_000), st.lists(st.tuples(st.floats(0, 3), st.integers(1, 3_000)), min_size=1, max_size=40))
def test_no_stretch_of_time_has_more_than_the_rate_and_what_the_bucket_holds(
    rate: float, takes: list[tuple[float, int]]
) -> None:
    now, taken = 0.0, []
    bucket = Bucket(rate, now)
    for rest, tokens in takes:
        now = max(now + rest, at := bucket.take(tokens, now + rest))
        taken.append((at, tokens))
    for first in range(len(taken)):
        total = 0
        for at, tokens in taken[first:]:
            # The last one may be more than the bucket holds: those behind it pay for that.
            assert total + min(tokens, max(rate, 1)) <= (at - taken[first][0]) * rate + max(rate, 1) + 1e-6 * rate
            total += tokens


def test_what_could_not_go_out_in_time_does_not_wait() -> None:
    timer = Time()
    gate = throttle(timer, requests=0.1)
    gate.wait(1, 5)
    with pytest.raises(NoTimeLeftError):
        gate.wait(1, 9.9)
    assert timer.pauses == []


def test_nothing_goes_out_within_a_pause_that_others_were_asked_for_meanwhile() -> None:
    timer, note = Time(), Note()
    gate = throttle(timer)
    gate.board = note
    gate.pause(2)
    note.until = timer.now + 300
    with pytest.raises(NoTimeLeftError):
        gate.wait(1, 60)
    assert sum(timer.pauses) <= 2


def test_a_pause_holds_everybody_back_and_is_written_down() -> None:
    timer, note = Time(), Note()
    gate = throttle(timer, ahead=500)
    gate.board = note
    gate.pause(7)
    gate.pause(3)  # ends before the other one
    gate.wait(1, 99)
    assert (timer.pauses, note.written) == ([7], [1_507])


def test_what_others_wrote_is_kept_too_and_looked_at_once_a_second() -> None:
    timer, note = Time(), Note()
    gate = throttle(timer)
    gate.board = note
    for _ in range(10):
        gate.wait(1, 99)
    assert note.looks == 1
    note.until = timer.now + 20
    timer.now += 1
    gate.wait(1, 99)
    assert (timer.pauses, note.looks) == ([19], 3)  # and once more, when it was over
    note.until = timer.now + 1e9  # a clock that is wrong
    timer.now += 1
    gate.wait(1, MAX_PAUSE)
    assert timer.pauses[1:] == [MAX_PAUSE]
    timer.now += 1
    gate.wait(1, 0)


def test_pauses_are_shared_through_the_folder_of_the_run(tmp_path: Path) -> None:
    first, second = (SharedPause(Staging.at(str(tmp_path))) for _ in range(2))
    assert first.read() == 0
    first.write(100)
    second.write(50)
    assert (first.read(), second.read()) == (100, 100)
    (tmp_path / "pause.json").write_text("nonsense")
    assert first.read() == 0
    (tmp_path / "file").touch()
    SharedPause(Staging.at(str(tmp_path / "file"))).write(100)  # which cannot be, and stops nobody


def test_over_http_the_rate_is_kept_by_all_connections_together() -> None:
    with serving(script(200)) as server:
        settings = SegmentSettings(write_key=KEY, batch_api=server.url, connections=8, requests_per_second=40)
        begin = time.monotonic()
        with Segment(settings) as segment:
            assert len(dict(deliver_several(((n, BODY) for n in range(70)), segment, 8))) == 70
        took = time.monotonic() - begin
    assert 0.7 <= took < 2  # 40 at once, and the other 30 at the rate


def test_over_http_one_answer_pauses_two_clients_that_share_a_run(tmp_path: Path) -> None:
    asked = threading.Event()
    paused: list[float] = []

    def answer(_: Request) -> Reply:
        if not asked.is_set():
            asked.set()
            paused.append(time.monotonic())
            return Reply(429, {"Retry-After": "2"})
        return Reply(200)

    arrived: list[float] = []

    def deliver() -> None:
        with Segment(SegmentSettings(write_key=KEY, batch_api=server.url)) as segment:
            segment.share_pauses(SharedPause(Staging.at(str(tmp_path))))
            for number in range(12):
                assert segment.deliver(BODY).delivered == 3
                arrived.append(time.monotonic() - paused[0])
                time.sleep(0.2 if number < 8 else 0)

    with serving(answer) as server:
        clients = [threading.Thread(target=deliver) for _ in range(2)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
    # The other one may look a second later; then it keeps still as well.
    assert not [at for at in arrived if 1.3 < at < 1.9]
    assert len(arrived) == 24
