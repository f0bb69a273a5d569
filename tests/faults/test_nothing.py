"""Without a fault, everything that is due arrives; and what would be lost, were it lost, shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import splunk_faults
from tests.faults.accounts import account
from tests.faults.proxy import Answer
from tests.faults.world import searching

if TYPE_CHECKING:
    from tests.faults.conftest import Line

JOURNEY = "release-done"


def test_no_fault(line: Line) -> None:
    line.run()
    assert line.check().resent == line.report["total"]["sent"] - line.count()


def test_no_fault_twice(line: Line) -> None:
    line.run()
    line.run()
    assert line.check().resent == 2 * line.report["total"]["sent"] - line.count()


def test_no_fault_in_a_process_that_is_not_forked(line: Line) -> None:
    line.run_apart()
    line.check()


def test_what_segment_says_it_took_and_did_not_is_counted_as_lost(line: Line) -> None:
    line.segment.cue(lambda wire: wire.reply(Answer(200)))
    line.run(JOURNEY)
    assert account(line.due, line.folders[-1], line.world.inbox, line.code).lost == line.count()


def test_a_row_that_splunk_leaves_out_unseen_is_counted_as_lost(line: Line) -> None:
    """A forged last row is beyond what anybody could prove; the accounts here go by the traffic's maker."""

    def shorter(rows: list[bytes]) -> list[bytes]:
        cut = rows[: len(rows) // 2]
        cut[-1] = cut[-1].replace(b'"preview":false,', b'"preview":false,"lastrow":true,')
        return cut

    line.splunk.cue(splunk_faults.changed(shorter), applies=searching(JOURNEY))
    line.run(JOURNEY)
    assert line.code == 0
    assert account(line.due, line.folders[-1], line.world.inbox, line.code).lost > 0
