"""Questions to a real Splunk whose answers no document gives, or on which every search depends.

Ten small searches at most: most ask functions over a row of their own, one looks at the largest records of the window.
What is answered can be pasted into an issue as a table: it holds nothing of anybody's records.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from segment_bridge import large_records, spl
from segment_bridge.catalog.source import records_of
from segment_bridge.errors import BridgeError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from segment_bridge.settings import Source
    from segment_bridge.splunk import Splunk
    from segment_bridge.window import Window


class Said(StrEnum):
    """What a Splunk says to a question."""

    YES = "yes"
    NO = "no"
    DIFFERS = "differs"
    NOT_ASKED = "not asked"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A question and its answer; where searches need a yes, any other answer is a failure."""

    question: str
    said: Said
    seen: str = ""
    needed: bool = False

    @property
    def fails(self) -> bool:
        """Whether searches cannot be trusted."""
        return self.needed and self.said in (Said.NO, Said.DIFFERS)


@dataclass(frozen=True)
class _Question:
    """A field of a search, and the values of it that mean yes and no; any other one differs."""

    field: str
    text: str
    yes: str
    no: tuple[str, ...] = ()
    needed: bool = False

    def answer(self, row: Mapping[str, Any]) -> Answer:
        value = row.get(self.field, "")
        seen = " and ".join(map(str, value)) if isinstance(value, list) else str(value)
        said = Said.YES if seen == self.yes else Said.NO if seen in self.no else Said.DIFFERS
        return Answer(question=self.text, said=said, seen=seen or "no value", needed=self.needed)


@dataclass(frozen=True)
class _Asked:
    """A search over a row of its own, and what is read from it; where it is refused, the answer to all of it is no."""

    evals: tuple[str, ...]
    questions: tuple[_Question, ...]

    @property
    def spl(self) -> str:
        fields = ",".join(question.field for question in self.questions)
        return "\n| ".join(("| makeresults", *self.evals, f"fields {fields}", "fields - _*"))


_LISTED = r'eval j="{\"l\":[{\"t\":\"a\"},{\"t\":\"b.c\",\"v\":\"1.10\"},{\"v\":\"x\"}],\"one\":[{\"t\":\"b.c\"}]}"'
_ASKED = (
    _Asked(
        (
            r'eval j="{\"a.b/c\":\"x\",\"n\":null,\"t\":true,\"big\":9007199254740993,\"e\":[\"\",\"y\"]}"',
            'eval exact=json_extract_exact(j, "a.b/c"), json_null=coalesce(json_extract(j, "n"), "no value")',
            'eval yes=json_extract(j, "t"), big=json_extract(j, "big")',
            'eval empties=mvcount(json_array_to_mv(json_extract(j, "e")))',
        ),
        (
            _Question("exact", "JSON functions read keys with dots exactly", "x", needed=True),
            _Question("json_null", "JSON functions give the text null for a JSON null", "null", ("no value",)),
            _Question("yes", "JSON functions give true in small letters", "true", ("True", "1")),
            _Question("big", "JSON functions keep whole numbers beyond 2^53", "9007199254740993"),
            _Question("empties", "Empty texts in arrays are values", "2", ("1",)),
        ),
    ),
    _Asked(
        (
            _LISTED,
            'eval several=json_array_to_mv(json_extract(j, "l")), single=json_array_to_mv(json_extract(j, "one"))',
            'eval chosen=mvindex(mvmap(several, if(json_extract_exact(several, "t")=="b.c", several, null())), 0)',
            'eval of_several=json_extract_exact(chosen, "v")',
            'eval alone=mvindex(mvmap(single, if(json_extract_exact(single, "t")=="b.c", single, null())), -1)',
            'eval of_one=json_extract_exact(alone, "t")',
        ),
        (
            _Question("of_several", "mvmap takes one element of a list by a key inside it", "1.10", needed=True),
            _Question("of_one", "mvmap does so in a list of one", "b.c", needed=True),
        ),
    ),
    _Asked(
        (
            _LISTED,
            'eval several=json_array_to_mv(json_extract(j, "l"))',
            'eval filtered=mvcount(mvfilter(json_extract_exact(several, "t")=="b.c"))',
        ),
        (_Question("filtered", "JSON functions work inside mvfilter", "1"),),
    ),
    _Asked(
        (
            r'eval version="1.10", power="1e10", nested=json_extract("{\"o\":{\"k\":1}}", "o")',
            r"""eval marked=replace("007", "^([0-9]+)$", "'\\1")""",
            'eval as_text=json_object("v", version), as_power=json_object("v", power)',
            'eval as_object=json_object("o", nested), as_marked=json_object("v", marked)',
        ),
        (
            _Question("as_text", "json_object keeps the text 1.10 a text", '{"v":"1.10"}', ('{"v":1.10}', '{"v":1.1}')),
            _Question("as_power", "json_object keeps the text 1e10 a text", '{"v":"1e10"}', ('{"v":1e10}',)),
            _Question("as_object", "json_object nests JSON that a JSON function made", '{"o":{"k":1}}'),
            _Question("as_marked", "json_object keeps a marked text a text", """{"v":"'007"}""", needed=True),
        ),
    ),
    _Asked(
        (
            r'eval _raw="{\"n\":null,\"t\":true,\"e\":[\"\",\"y\"],\"v\":\"1.10\"}"',
            "spath",
            "eval raw_null=coalesce(n, \"no value\"), raw_true=t, raw_empties=mvcount('e{}'), raw_text=v",
        ),
        (
            _Question("raw_null", "A JSON null is extracted as the text null", "null", ("no value",)),
            _Question("raw_true", "true is extracted in small letters", "true", ("True", "1")),
            _Question("raw_empties", "Empty texts in arrays are extracted", "2", ("1",)),
            _Question("raw_text", "The text 1.10 is extracted as it stands", "1.10", ("1.1",)),
        ),
    ),
)
#: Half a megabyte in one value, and another one behind it.
_LARGE = _Asked(
    (
        'eval filler="sixteen letters."',
        *(5 * ["eval filler=filler . filler . filler . filler . filler . filler . filler . filler"]),
        r'eval _raw="{\"filler\":\"" . filler . "\",\"last\":\"found\"}"',
        'eval by_path=json_extract(_raw, "last")',
    ),
    (_Question("by_path", "An explicit path reads behind half a megabyte", "found", needed=True),),
)
_NOT_ASKED = (
    "allow_partial_results=false is honoured by exports",
    "Lookups with local=true work on a federated index",
    "Times of indexing (index_earliest, index_latest) hold on a federated index",
)


def ask(splunk: Splunk, source: Source, window: Window) -> Iterator[Answer]:
    """Ask all questions; raises :class:`ConfigurationError` where Splunk cannot be asked at all."""
    for asked in _ASKED:
        yield from _answers(splunk, asked, window)
    began = time.monotonic()
    for answer in _answers(splunk, _LARGE, window):
        yield msgspec.structs.replace(answer, seen=f"{answer.seen}, in {time.monotonic() - began:.1f} s")
    yield from _about_records(splunk, source, window)
    for question in _NOT_ASKED:
        yield Answer(question=question, said=Said.NOT_ASKED)


def table(answers: list[Answer], version: str) -> str:
    """Write the answers as a Markdown table."""
    head = (f"Splunk {_cell(version) or '(no version)'}", "answer", "needed", "seen")
    rows = [(one.question, one.said, "yes" if one.needed else "", _cell(one.seen)) for one in answers]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def _cell(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:120]).replace("|", "\\|")


def _answers(splunk: Splunk, asked: _Asked, window: Window) -> Iterator[Answer]:
    try:
        rows = [_decode(line).result for line in splunk.search(asked.spl, window)]
    except ConfigurationError:
        raise
    except BridgeError:
        for question in asked.questions:
            yield Answer(question=question.text, said=Said.NO, seen="the search was refused", needed=question.needed)
        return
    for question in asked.questions:
        yield question.answer(next(filter(None, rows), {}))


def _twice(splunk: Splunk, source: Source, window: Window) -> Answer:
    """Ask how often one field is extracted: twice by INDEXED_EXTRACTIONS=json beside KV_MODE=json."""
    question = "Each field is extracted once"
    search = str(records_of(source).head(1).eval(times=spl.count(spl.field("auditID"))).fields("times"))
    rows = [row for line in splunk.search(search, window) if (row := _decode(line).result)]
    if not rows or "times" not in rows[0]:
        return Answer(question=question, said=Said.NOT_ASKED, seen="no record with an auditID")
    times = str(rows[0]["times"])
    return Answer(question=question, said=Said.YES if times == "1" else Said.NO, seen=f"{times} times")


def _about_records(splunk: Splunk, source: Source, window: Window) -> Iterator[Answer]:
    by_path, by_itself = "Explicit paths read the whole of the largest records", "Automatic extraction does so as well"
    try:
        seen = large_records.look(splunk, source, window)
    except ConfigurationError:
        raise
    except BridgeError:
        yield Answer(question=by_path, said=Said.NO, seen="the search was refused", needed=True)
        return
    if not seen.records:
        told = f"no record is larger than {large_records.EXTRACTED} bytes"
        yield from (Answer(question=question, said=Said.NOT_ASKED, seen=told) for question in (by_path, by_itself))
        return
    told = f"{seen.records} of up to {seen.largest} bytes"
    yield _twice(splunk, source, window)
    yield Answer(question=by_path, said=Said.NO if seen.unread else Said.YES, seen=told, needed=True)
    yield Answer(question=by_itself, said=Said.NO if seen.unextracted else Said.YES, seen=told)


class _Line(msgspec.Struct):
    result: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Line).decode
