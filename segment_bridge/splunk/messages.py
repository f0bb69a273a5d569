"""What Splunk's messages say about an answer.

The list of signs leans to one side on purpose: a complete answer that is asked for again costs a search, a partial
one that passes costs events.
"""

from __future__ import annotations

import re

import msgspec

from segment_bridge.errors import IncompleteAnswer
from segment_bridge.splunk.clauses import Clause


class Message(msgspec.Struct, gc=False):
    """A message of Splunk; its text may hold names and data, and is never quoted."""

    type: str
    text: str = ""


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


#: What tells of missing results wherever it stands.
_SIGNS = {
    "results may be incomplete": _words(r"incomplete|partial|(?:might|may|could) be missing"),
    "the search was ended early": _words(
        r"(?:auto-?)?finali[sz]ed|cancell?ed|terminated|aborted|killed|crashed|prematurely"
    ),
    "a limit or quota was reached": _words(
        r"quotas?|(?:time|disk|memory|usage|size) limits?|limits? (?:\S+ ){0,5}reached"
        r"|(?:has|have|was) (?:been )?reached|reached (?:\S+ ){0,5}(?:limits?|maximum)"
        r"|exceed(?:s|ed|ing)?|minimum free disk space"
    ),
    "something did not answer in time": _words(r"tim(?:ed|es|e)?[ -]?outs?"),
    "results were left out": _words(r"truncat(?:ed?|es|ing)|skip(?:s|ped|ping)|dropped|discarded|excluded"),
}
#: Where results come from; together with trouble, this tells of missing results as well.
_SOURCES = {
    "trouble with a search peer": _words(r"peers?|indexers?|search heads?"),
    # An index that is named federated:... is no sign of trouble with its provider.
    "trouble with a federated provider": _words(r"federated(?!:)|federation|remote|providers?"),
    "trouble with an index": _words(r"index|indexes|indices|buckets?|rawdata"),
    "trouble with a connection": _words(r"connect(?:ions?|ing)?"),
}
_TROUBLE = _words(
    r"un(?:able|available|reachable|responsive|authori[sz]ed|supported|healthy|searchable)|not|cannot|can't|no such"
    r"|fail(?:s|ed|ing|ures?)?|errors?|down|los[et]|broken|closed|reset|refused|rejected|disconnected|disabled"
    r"|quarantined|corrupt(?:ed|ion)?|missing|invalid|ignor(?:ed?|es|ing)|ended|stopped"
)


def judge(message: Message) -> bool:
    """Say whether a message is a warning that can be passed over; False is one that is no warning.

    Raises :class:`IncompleteAnswer` for errors, and for what tells of missing results.
    """
    match message.type.upper():
        case "DEBUG":
            # It quotes the search, in which any word may stand.
            return False
        case "INFO" | "WARN" | "WARNING" as kind:
            if sign := _sign(message.text):
                raise IncompleteAnswer(Clause.PARTIAL_RESULTS, f"{sign}: see the search's job in Splunk")
            return kind != "INFO"
        case _:
            sign = _sign(message.text) or "the search failed"
            raise IncompleteAnswer(Clause.ERROR_MESSAGE, f"{sign}: see the search's job in Splunk")


def _sign(text: str) -> str:
    signs = _SIGNS | _SOURCES if _TROUBLE.search(text) else _SIGNS
    return next((sign for sign, words in signs.items() if words.search(text)), "")
