"""What Splunk says, and what it means for an answer.

``splunk_messages/known.tsv`` holds real texts; ``more.tsv`` holds others of the same kinds, by which the patterns are
checked that were written for the first.
"""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path

import pytest

from segment_bridge.errors import IncompleteAnswer
from segment_bridge.splunk import Clause, read_results
from segment_bridge.splunk.messages import Rules, Tally
from segment_bridge.splunk.signs import SIGNS
from segment_bridge.tolerance import Tolerated

TABLES = Path(__file__).parent / "splunk_messages"
LAST = b'{"preview":false,"lastrow":true}\n'
WARN_LOST = ("WARN", "Timed out waiting for peer idx-9. Search results might be incomplete!")
LOOKUP = ("ERROR", "Could not load lookup=LOOKUP-dropdowns")
TO_DO = "(see the search's job in Splunk, or tolerated_messages)"


def rows(table: str) -> list[tuple[str, str, str]]:
    with (TABLES / f"{table}.tsv").open(newline="") as file:
        return [(row[0], row[1], row[2]) for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)][1:]


def answer(*messages: tuple[str, str], rules: Rules | None = None) -> Tally:
    """Read an answer without rows, with each of the messages in a line of its own."""
    stream = [json.dumps({"messages": [{"type": level, "text": text}]}).encode() + b"\n" for level, text in messages]
    read = read_results([*stream, LAST], rules)
    assert next(read) == LAST.rstrip()
    with pytest.raises(StopIteration) as ended:
        next(read)
    assert isinstance(ended.value.value, Tally)
    return ended.value.value


def stopped(*messages: tuple[str, str], rules: Rules | None = None) -> IncompleteAnswer:
    with pytest.raises(IncompleteAnswer) as caught:
        answer(*messages, rules=rules)
    return caught.value


def tolerating(*patterns: str, secrets: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> Rules:
    return Rules(tuple(Tolerated(one, "we know it") for one in patterns), frozenset(secrets), frozenset(names))


@pytest.mark.parametrize(("level", "text", "verdict"), rows("known") + rows("more"))
@pytest.mark.parametrize("prefix", ["", "[idx-1.example.com] ", "Search peer idx-1 has the following message: "])
def test_what_a_message_means(level: str, text: str, verdict: str, prefix: str) -> None:
    message = (level, prefix + text)
    if verdict == "complete":
        answer(message)
    else:
        assert verdict in {"incomplete", "maybe"}
        error = stopped(message)
        assert error.clause == (Clause.PARTIAL_RESULTS if level in {"INFO", "WARN"} else Clause.ERROR_MESSAGE)
        assert error.summary in {f"{level}, {name}" for name in ("the search failed", *(one.name for one in SIGNS))}


def test_the_tables_have_all_verdicts_at_all_levels() -> None:
    assert {len(rows(table)) for table in ("known", "more")} == {67, 175}
    assert {verdict for _, _, verdict in rows("known")} == {verdict for _, _, verdict in rows("more")}
    assert {level for level, _, _ in rows("known")} == {level for level, _, _ in rows("more")}


@pytest.mark.parametrize("name", ["partial", "timed_out", "quota-exceeded", "results_truncated", "finalized"])
def test_a_name_of_an_object_means_nothing(name: str) -> None:
    answer(
        ("ERROR", f"Could not load lookup=LOOKUP-{name}"),
        ("ERROR", f"The lookup table '{name}' does not exist or is not available."),
        ("WARN", f"The event type '{name}' does not exist or is deactivated."),
        ("INFO", f"Field extractor name={name} is unusually slow (max single event time=1152ms)"),
    )


def test_what_stops_an_answer_is_quoted_and_summed_up() -> None:
    error = stopped(LOOKUP, WARN_LOST, ("FATAL", "later"))
    assert str(error) == f'incomplete answer (partial_results): WARN, results may be missing: "{WARN_LOST[1]}" {TO_DO}'
    assert error.summary == "WARN, results may be missing"


def test_a_fatal_message_has_no_way_around_it() -> None:
    error = stopped(("FATAL", "Unknown search command 'x'."), rules=tolerating("*Unknown search command*"))
    assert str(error) == (
        "incomplete answer (error_message): FATAL, the search failed: \"Unknown search command 'x'.\" "
        "(see the search's job in Splunk)"
    )


def test_a_level_that_nobody_knows_is_not_repeated() -> None:
    error = stopped(("ann@example.com", "x"))
    assert error.summary == "UNKNOWN, the search failed"
    assert "ann@example.com" not in str(error)


# Tolerated messages


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        (WARN_LOST[1], 2),
        ("timed OUT waiting  for peer idx-9.*", 2),
        ("*peer idx-9*", 2),
        ("[sh-1] Timed out waiting for peer*", 1),
    ],
)
def test_a_message_that_is_named_passes_and_is_counted(
    pattern: str, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    rules = tolerating("something else entirely", pattern, "*waiting for peer*")
    with caplog.at_level(logging.WARNING):
        tally = answer(LOOKUP, WARN_LOST, ("WARN", f"[sh-1] {WARN_LOST[1]}"), rules=rules)
    tolerated = {pattern: count} | ({"*waiting for peer*": 1} if count == 1 else {})
    assert {one.pattern: number for one, number in tally.tolerated.items()} == tolerated
    assert (tally.passed, tally.full) == (1, set())
    assert sorted(caplog.messages) == sorted(
        [
            "Splunk gave 1 warnings that tell of no missing results: see the search's job",
            *(f'tolerated messages of Splunk: {number} as "{one}" (we know it)' for one, number in tolerated.items()),
        ]
    )


def test_an_error_that_is_named_passes_as_well() -> None:
    error = ("ERROR", "Bundle replication to peer named 'idx-1' at https://idx-1:8089 failed.")
    assert stopped(error).summary == "ERROR, a search peer is in trouble"
    tally = answer(error, rules=tolerating("Bundle replication to peer named *"))
    assert [*tally.tolerated.values()] == [1]


def test_a_pattern_is_compared_with_what_an_error_shows() -> None:
    error = ("WARN", "Search results might be incomplete for ann, who has s3cr3t-word")
    shown = "Search results might be incomplete for ..., who has ..."
    private = {"secrets": ("s3cr3t-word",), "names": ("ann",)}
    assert f'"{shown}"' in str(stopped(error, rules=tolerating(**private)))
    assert [*answer(error, rules=tolerating(shown, **private)).tolerated.values()] == [1]


# Lost peers that come back

PEER = "Peer idx-{}'s search ended prematurely. Attempting to reconnect and resume."
BACK = "Successfully resumed search on idx-{}."
CLUSTER = "A portion of the search ended prematurely due to failure for indexer: {}. Attempting to recover the search."
RECOVERED = "Cluster has recovered from premature search termination on peer(s)."


@pytest.mark.parametrize("level", ["WARN", "ERROR"])
def test_a_lost_peer_that_is_searched_again_is_no_loss(level: str) -> None:
    answer((level, PEER.format(1)), (level, PEER.format(2)), ("INFO", BACK.format(2)), ("INFO", BACK.format(1)))
    answer((level, f"[sh-1] {CLUSTER.format('idx-1')}"), (level, CLUSTER.format("idx-2")), ("INFO", RECOVERED))
    # A stream may repeat what it has said.
    answer((level, PEER.format(1)), (level, PEER.format(1)), ("INFO", BACK.format(1)))


@pytest.mark.parametrize(
    "messages",
    [
        [("ERROR", PEER.format(1))],
        [("ERROR", PEER.format(1)), ("INFO", BACK.format(2))],
        [("INFO", BACK.format(1)), ("ERROR", PEER.format(1))],
        [("ERROR", PEER.format(1)), ("INFO", RECOVERED)],
        [("ERROR", CLUSTER.format("idx-1")), ("INFO", BACK.format(1))],
        [("ERROR", PEER.format(1)), ("INFO", BACK.format(1)), ("ERROR", PEER.format(1))],
        [("FATAL", PEER.format(1)), ("INFO", BACK.format(1))],
    ],
)
def test_a_lost_peer_that_does_not_come_back_is_a_loss(messages: list[tuple[str, str]]) -> None:
    error = stopped(*messages)
    level = next(level for level, _ in messages if level != "INFO")
    assert (error.clause, error.summary) == (Clause.ERROR_MESSAGE, f"{level}, the search was ended early")


# As many messages as Splunk passes on


@pytest.mark.parametrize(("count", "full"), [(19, set()), (20, {"ERROR"})])
def test_twenty_messages_of_one_level_may_not_be_all(
    count: int, full: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert answer(*[LOOKUP] * count, *[("DEBUG", "x")] * 30).full == full
    told = (
        "Splunk gave 20 or more messages of the level ERROR, and may have held back one about missing results: "
        "raise max_infocsv_messages in [search_info] of its limits.conf"
    )
    assert (told in caplog.messages) == bool(full)
