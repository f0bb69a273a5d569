"""What Splunk's messages say about one answer, and which of those that would stop it are tolerated."""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from segment_bridge.errors import IncompleteAnswer
from segment_bridge.splunk import signs
from segment_bridge.splunk.clauses import Clause
from segment_bridge.splunk.quoted import clean, on_one_line, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from segment_bridge.splunk.signs import Sign
    from segment_bridge.tolerance import Tolerated

#: So many messages of one level reach us at most, if nobody has raised max_infocsv_messages in Splunk's limits.conf.
MOST_OF_A_LEVEL = 20

_LEVELS = {"INFO", "WARN", "ERROR", "FATAL"}
#: What is said of a lost peer that is searched again, and when that has succeeded; in the same order.
_LOST = (
    re.compile(r"^a portion of the search ended prematurely\b.*\battempting to recover\b", re.IGNORECASE),
    re.compile(r"^peer (?P<peer>.+)'s search ended prematurely\b.*\battempting to reconnect\b", re.IGNORECASE),
)
_RECOVERED = (
    re.compile(r"^cluster has recovered from premature search termination\b", re.IGNORECASE),
    re.compile(r"^successfully resumed search on (?P<peer>.+?)\.?$", re.IGNORECASE),
)
_Lost = tuple[int, str]

logger = logging.getLogger(__name__)


class Message(msgspec.Struct, gc=False):
    """A message of Splunk; its text may hold names and data."""

    type: str
    text: str = ""


@dataclass(slots=True)
class Tally:
    """The messages of complete answers, as far as somebody has to know of them."""

    #: Warnings and errors that have nothing to do with how complete an answer is.
    passed: int = 0
    tolerated: Counter[Tolerated] = field(default_factory=Counter)
    #: Levels with so many messages that others may not have reached us.
    full: set[str] = field(default_factory=set)

    def add(self, other: Tally) -> None:
        """Add what was counted of another answer."""
        self.passed += other.passed
        self.tolerated += other.tolerated
        self.full |= other.full


@dataclass(frozen=True, slots=True)
class Rules:
    """What may pass, and what may not be quoted: ``secrets`` in any form, ``names`` as words of their own."""

    tolerated: tuple[Tolerated, ...] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    names: frozenset[str] = frozenset()


class MessageCheck:
    """Judges the messages of one answer as they come."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()
        self._tally = Tally()
        self._of_level: Counter[str] = Counter()
        #: What was said of lost peers that are being searched again.
        self._lost: dict[_Lost, IncompleteAnswer] = {}

    def take(self, message: Message) -> None:
        """Judge a message; raises :class:`IncompleteAnswer` if there is no complete answer with it."""
        level = message.type.upper()
        if level == "DEBUG":
            return  # It quotes the search, in which any word may stand.
        level = "WARN" if level == "WARNING" else level if level in _LEVELS else "UNKNOWN"
        self._of_level[level] += 1
        text = on_one_line(message.text)
        sign = signs.find(text)
        if recovered := _found(text, _RECOVERED):
            self._lost.pop(recovered, None)
        if _passes(level, sign):
            self._tally.passed += level != "INFO"
        elif level != "FATAL" and (tolerated := self._tolerating(text)):
            self._tally.tolerated[tolerated] += 1
        elif level != "FATAL" and (lost := _found(text, _LOST)):
            self._lost[lost] = self._error(level, sign, text)
        else:
            raise self._error(level, sign, text)

    def require_recovery(self) -> None:
        """Raise :class:`IncompleteAnswer` if a lost peer has not come back by the end of the answer."""
        for error in self._lost.values():
            raise error

    def finish(self) -> Tally:
        """Log and return what was counted in an answer that is complete."""
        tally = self._tally
        tally.full = {level for level, count in self._of_level.items() if count >= MOST_OF_A_LEVEL}
        if tally.passed:
            logger.warning(
                "Splunk gave %d warnings that tell of no missing results: see the search's job", tally.passed
            )
        for tolerated, count in tally.tolerated.items():
            logger.warning("%s", told(tolerated.pattern, tolerated.reason, count))
        if tally.full:
            logger.warning("%s", crowded(tally.full))
        return tally

    def _tolerating(self, text: str) -> Tolerated | None:
        """Return the first pattern for a message, with the name of its host or without."""
        text = clean(text, self._rules.secrets, self._rules.names)
        texts = {text, signs.without_prefix(text)}
        return next((one for one in self._rules.tolerated if any(map(one.matches, texts))), None)

    def _error(self, level: str, sign: Sign | None, text: str) -> IncompleteAnswer:
        clause = Clause.PARTIAL_RESULTS if level in {"INFO", "WARN"} else Clause.ERROR_MESSAGE
        summary = f"{level}, {sign.name if sign and not sign.harmless else 'the search failed'}"
        text = quoted(text, self._rules.secrets, self._rules.names)
        to_do = "see the search's job in Splunk" + (", or tolerated_messages" if level != "FATAL" else "")
        return IncompleteAnswer(clause, f'{summary}: "{text}" ({to_do})', summary=summary)


def told(pattern: str, reason: str, count: int) -> str:
    """Say how many messages passed by a pattern."""
    return f'tolerated messages of Splunk: {count} as "{pattern}" ({reason})'


def crowded(levels: Iterable[str]) -> str:
    """Say that there may have been more messages of these levels."""
    return (
        f"Splunk gave {MOST_OF_A_LEVEL} or more messages of the level {', '.join(sorted(levels))}, and may have held "
        "back one about missing results: raise max_infocsv_messages in [search_info] of its limits.conf"
    )


def _passes(level: str, sign: Sign | None) -> bool:
    if level in {"INFO", "WARN"}:
        return sign is None or sign.harmless
    return level == "ERROR" and sign is not None and sign.even_as_error


def _found(text: str, patterns: tuple[re.Pattern[str], ...]) -> _Lost | None:
    """Return which pattern a text has, and the peer that it names."""
    text = signs.without_prefix(text)
    for number, pattern in enumerate(patterns):
        if found := pattern.search(text):
            return number, found.groupdict().get("peer", "")
    return None
