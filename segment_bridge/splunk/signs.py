"""What Splunk's messages mean for an answer: known patterns, of which the first that a text matches decides.

Splunk's level decides little: it tells of lost peers at INFO, and of a broken lookup that no search of ours uses at
ERROR. The patterns come from the texts that Splunk ships (``messages.conf``) and from what people report.

Where no pattern matches, a warning passes and an error does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from segment_bridge.settings import DEFAULT_USER_LOOKUP


@dataclass(frozen=True, slots=True)
class Sign:
    """A known pattern: its name, which holds no data, and whether an answer with such a message can be complete."""

    name: str
    pattern: re.Pattern[str]
    harmless: bool = False
    #: Whether this holds for messages of the level ERROR as well.
    even_as_error: bool = False


def _missing(name: str, *patterns: str) -> Sign:
    """Make a sign of missing results."""
    return Sign(name, _any_of(patterns))


def _harmless(name: str, *patterns: str, even_as_error: bool = False) -> Sign:
    """Make a sign of a message that has nothing to do with how complete an answer is, whatever its words."""
    return Sign(name, _any_of(patterns), harmless=True, even_as_error=even_as_error)


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_SOME_WORDS = r"(?:\S{1,99} ){0,8}"
_RECORDS = r"\b(?:results?|events?|records?|rows?|data|datasets?|buckets?|peers?|providers?|index(?:es)?)"
#: Where results come from; an index that is named federated:... is no sign of trouble with its provider.
_SOURCES = {
    "a search peer is in trouble": r"peers?|indexers?|search ?heads?|clusters?",
    "a federated provider is in trouble": r"federated(?!:)|federation|remote|providers?",
    "an index is in trouble": r"index|indexes|indices|buckets?|rawdata|tsidx",
    "a connection is in trouble": r"connect(?:ions?|ing)?|https?",
}
_TROUBLE = (
    r"un(?:able|available|reachable|responsive|authori[sz]ed|supported|healthy|searchable|successful|readable|known)"
    r"|in(?:compatible|valid)|not|cannot|can't|no such|fail(?:s|ed|ing|ures?)?|errors?|problems?|down|los[et]|broken"
    r"|closed|reset|refused|rejected|disconnected|disabled|deactivated|quarantined|blacklisted|corrupt(?:ed|ion)?|missing"
    r"|ignor(?:ed?|es|ing)|ended|stopped|shut ?down|waiting|(?:status|code|http)[ =:]{1,3}[45]\d\d"
)


def _in_trouble(source: str) -> str:
    """Return a pattern for a text that names a source and trouble, in either order."""
    return rf"^(?=.*\b(?:{source})\b)(?=.*\b(?:{_TROUBLE})\b)"


#: What may stand before a text: the host that says it, or the peer that has said it.
_PREFIX = re.compile(r"^(?:\[[^\]]{1,255}\]:? ?|search (?:peer|head) \S+ has the following message: )+", re.IGNORECASE)
#: Names of objects, in which any word may stand: in quotes, and after an equals sign.
_NAMES = re.compile(
    rf"""(?<!\w)(['"])(?!{DEFAULT_USER_LOOKUP})[^\s'"]+\1|(\b(?:lookup|name)=)(?!{DEFAULT_USER_LOOKUP})\S+""",
    re.IGNORECASE,
)


def find(text: str) -> Sign | None:
    """Return the first sign that a text on one line has."""
    text = _NAMES.sub(lambda name: f"{name[2] or ''}'...'", without_prefix(text))
    return next((sign for sign in SIGNS if sign.pattern.search(text)), None)


def without_prefix(text: str) -> str:
    """Return a text without the name of the host that says it."""
    return _PREFIX.sub("", text)


SIGNS: tuple[Sign, ...] = (
    # What says so in plain words decides first.
    _missing(
        "results may be missing",
        r"\b(?:incomplete|partial)\b",
        r"\b(?:might|may|could) be missing\b",
        r"\bgaps in (?:this|the) data\b",
        r"\bnot (?:be )?(?:fully )?searchable\b",
    ),
    _missing(
        "the search was ended early",
        r"\b(?:(?:auto-?)?finali[sz]ed|cancell?ed|terminated|aborted|killed|crashed|prematurely)\b",
        r"\bdid not exit cleanly\b",
        r"\bsearch (?:\w+ ){0,3}(?:stopped|interrupted)\b",
    ),
    _missing("the lookup of users is in trouble", rf"\b{DEFAULT_USER_LOOKUP}"),
    # What sounds like trouble, and is about something else.
    _harmless(
        "a lookup is in trouble",
        # Not one that a command asks for or that has met a limit, not that of a host's name, and no lost peer.
        r"^(?!.*(?:\berror in '|\blookup commands?\b|\bsearch (?:\w+ )?(?:failed|execute)|capacity|limit|exceed"
        r"|\breached\b|\b(?:dns|host ?name|address) lookup|\bpeers?\b(?! \(path)|\bindexers?\b))(?=.*\blookups?\b)",
        r"^corrupt csv header\b",
        even_as_error=True,
    ),
    _harmless(
        "an event type, a tag or a saved search does not exist",
        r"^(?:the )?(?:event ?type|tag|saved ?search)\b.*\b(?:not exist|disabled|deactivated)\b",
        r"^found no existing required (?:event ?types|tags)\b",
        even_as_error=True,
    ),
    _harmless("events of the same second may be in any order", r"\bin sub-second order\b", even_as_error=True),
    _harmless(
        "a field is not there, or not extracted as configured",
        r"^(?:specified )?field(?:\(s\)|s)?\b.*\b(?:missing|not exist)\b",
        r"^no (?:matching|qualifying) fields exist\b",
        r"\btransform(?:_name=|s? ')",
        r"^invalid tokenizer\b",
    ),
    _harmless(
        "something is slow",
        r"\bunusually slow\b",
        r"\btook longer than expected\b",
        r"\bexpect slower\b",
        r"\bsuboptimal search performance\b",
        r"\bhigher than recommended\b",
        r"\bnot (?:be )?optimized\b",
    ),
    _harmless(
        "the knowledge bundle is large",
        r"^knowledge bundle\b",
        r"^the current bundle\b",
        r"^search bundle throttling\b",
    ),
    _harmless(
        "a license warns",
        r"^(?!.*(?:\bdisabled(?! after)|\brestrict|\bexpired\b|\binvalid\b))(?=.*\blicens)",
        r"^daily indexing volume limit exceeded\b",
    ),
    _harmless(
        "scheduled searches are in trouble",
        r"\bscheduler\b",
        r"^this scheduled search\b",
        r"\bsearches skipped\b.*\bover the last\b",
        r"\borphaned searches\b",
    ),
    _harmless("a limit is near", r"\bapproaching the maximum\b"),
    _harmless("it is about previews", r"\bpreviews?\b"),
    _harmless(
        "a cluster is maintained",
        r"\brolling upgrade mode\b",
        r"\bfrom rolling restart entirely\b",
        r"^a rolling restart was initiated\b",
        r"\bconfiguration replication\b",
        r"\b(?:pushing|pulling) configurations\b",
        r"\bbucket replication errors\b",
    ),
    _harmless(
        "indexing is delayed",
        r"\bindexing of internal audit events\b",
        r"\bprocessor has paused (?:the )?data flow\b",
    ),
    _harmless("real-time searches are limited", r"\breal-time search\b"),
    _harmless("the search is worded in an old way", r"\bdeprecated\b", r"^multiple renames\b"),
    _harmless("a lost peer was searched again", r"^cluster has recovered from\b", r"^successfully resumed search on\b"),
    # What tells of missing results by its words.
    _missing("messages were left out", r"\blog messages in info\.csv\b", r"\bjob info file\b"),
    _missing("the search was run again", r"\bthe search has been run again\b"),
    _missing(
        "a limit or quota was reached",
        r"\bquotas?\b",
        r"\b(?:time|disk|memory|usage|size|concurrency) limits?\b",
        rf"\blimits? {_SOME_WORDS}reached\b",
        r"\b(?:has|have|was) (?:been )?reached\b",
        rf"\breached {_SOME_WORDS}(?:limits?|maximum)\b",
        r"\bexceed(?:s|ed|ing)?\b",
        r"\bminimum free disk space\b",
        r"\bout of memory\b",
        r"\btoo many (?:results|events)\b",
    ),
    _missing("something did not answer in time", r"\btim(?:ed|es|e)?[ -]?outs?\b", r"\btoo slow\b"),
    _missing(
        "results were left out",
        r"\btruncat(?:ed?|es|ing)\b",
        r"\bskip(?:s|ped|ping)?\b",
        r"\b(?:dropped|discarded|excluded|omitted)\b",
        r"\bremoved from (?:the )?search\b",
        r"\bonly the first\b",
        r"\busing only first\b",
        r"\bnot all (?:results|events)\b",
        r"\brestricting results\b",
        r"\btime ?(?:range|window|span)\b.*\b(?:restrict|limit|trimm|reduc|shorten|narrow|adjust)",
        rf"{_RECORDS}\b {_SOME_WORDS}ignored\b",
        rf"\bignoring {_SOME_WORDS}{_RECORDS}\b",
    ),
    _missing(
        "results may be wrong",
        r"\bincorrect\b",
        r"\bnot be (?:completely )?accurate\b",
        r"\bcorrupt",
        r"\berrors? (?:\w+ )?while (?:fetching|reading|retrieving|receiving|streaming) (?:results|events)\b",
    ),
    _missing(
        "the search was not run",
        r"\b(?:not|cannot|can't|unable to|failed to)(?: be)?(?: \w+){0,2} "
        r"(?:run(?:ning)?|execut\w+|dispatch\w*|sent|sending)\b",
        r"\b(?:deferred|queued)\b",
        r"\bsearch (?:\w+ ){0,4}(?:disabled|restrictions)\b|\bsearch restrictions\b",
        r"\bdetention\b",
        r"\bkv ?store\b.*\bmaintenance\b",
        r"\bnot match any (?:events|search peer)\b",
    ),
    _missing(
        "a right is missing",
        r"\bpermissions?\b",
        r"\bprivileges?\b",
        r"\bnot have access\b",
        r"\blicense (?:has |is )?expired\b",
    ),
    *(_missing(name, _in_trouble(source)) for name, source in _SOURCES.items()),
)
