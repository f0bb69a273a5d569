"""What is fuzzed: each target takes any bytes, and fails where something that always holds does not.

``SEEDS`` are what the fuzzer starts from; ``KEPT`` are inputs that mattered once, and are tried by the ordinary tests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.splunk import syntax
from sandbox.splunk.commands import compile_search
from sandbox.splunk.errors import SplError
from sandbox.splunk.language import parse
from segment_bridge import spl
from segment_bridge.catalog import JOURNEYS
from segment_bridge.convert import MAX_MESSAGE_ID, convert
from segment_bridge.errors import ConfigurationError, IncompleteAnswer
from segment_bridge.events import MAX_EVENT, Rejection, TrackEvent, from_body, to_body
from segment_bridge.identity import Maps
from segment_bridge.settings import Source
from segment_bridge.spl import quoting
from segment_bridge.splunk import signs
from segment_bridge.splunk.stream import read_results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Target = Callable[[bytes], None]

ROW = (
    b'{"preview":false,"offset":0,"lastrow":true,"result":{"messageId":"m","timestamp":"2024-05-01T09:20:00Z",'
    b'"namespace":"ann-tenant","userId":"ann","event":"e","properties":"{\\"a\\":[1.50,{}]}","context":"{}"}}'
)
MAPS = Maps({"ann": "11111"}, {"ann-tenant": "ann", "ghost-tenant": "ghost"})
_RESULT = {"messageId": "m", "timestamp": "t", "namespace": "ann-tenant", "event": "e"}
_INDEX = spl.index("main")


def stream(data: bytes) -> None:
    """The first byte is the size of the chunks that the others come in."""
    size, body = (data[0] or 1, data[1:]) if data else (1, b"")
    whole = _read([body])
    assert _read([body[at : at + size] for at in range(0, len(body), size)]) == whole
    if whole is None:
        return
    final = []
    for line in body.split(b"\n"):
        if line.strip():
            read: dict[str, Any] = json.loads(line)
            assert not [one for one in read.get("messages") or () if _stops(one["type"].upper(), one.get("text", ""))]
            if not read.get("preview") and ("result" in read or read.get("lastrow")):
                final.append(read)
    assert [json.loads(line) for line in whole] == final
    assert [row["offset"] for row in final if "result" in row] == list(range(sum("result" in row for row in final)))
    assert [bool(row.get("lastrow")) for row in final] == [False] * (len(final) - 1) + [True]


def _stops(level: str, text: str) -> bool:
    """Say of some messages that no answer with them is complete, whatever else stands in them."""
    said = signs.without_prefix(text)
    return level == "FATAL" or (level != "DEBUG" and " incomplete " in said) or (level == "ERROR" and text.isdecimal())


def _read(chunks: list[bytes]) -> list[bytes] | None:
    try:
        return list(read_results(chunks))
    except IncompleteAnswer:
        return None


def converting(data: bytes) -> None:
    """The first byte says whether the others are a line, or the text of properties or of a context."""
    kind, rest = (data[0] % 3, data[1:]) if data else (0, b"")
    if kind:
        part = {1: "properties", 2: "context"}[kind]
        text = rest.decode(errors="replace")
        line = json.dumps({"result": _RESULT | {"properties": "{}", "context": "{}"} | {part: text}}).encode()
    else:
        line = rest
    made = list(convert([line], MAPS))
    assert len(made) == 1 if kind else len(made) <= 1
    for one in made:
        _deeper(20, one)


def _deeper(calls: int, one: TrackEvent | Rejection) -> None:
    """Read what was made again, from calls that are deeper than those that made it."""
    if calls:
        _deeper(calls - 1, one)
    elif isinstance(one, Rejection):
        assert b"\n" not in one.line.replace(one.result, b"")
        assert list(json.loads(one.line)) == ["reason", "result"]
    else:
        assert from_body(to_body([one.body])) == [one.body]
        read = json.loads(one.body)
        assert one.message_id == read["messageId"]
        assert read["userId"] == read["properties"]["workspaceID"] == "11111"
        assert 0 < len(one.message_id) <= MAX_MESSAGE_ID
        assert len(one.body) <= MAX_EVENT
        assert b"\n" not in one.body


def quotes(data: bytes) -> None:
    """Whatever text is written into a search comes back as the same text, and nothing else of the search changes."""
    text = data.decode(errors="surrogateescape")
    index = syntax.Comparison("index", "=", ("main",))
    for made, due in _searches(text, index):
        try:
            search = made()
        except ConfigurationError:
            continue
        assert parse(search) == due, search
    compared = _written(quoting.eval_text, text)
    assert compared is None or compared == syntax.Text(text)
    refused = compared is None
    assert refused == any(c == "`" or ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in text)


def _searches(text: str, index: syntax.Comparison) -> Iterator[tuple[Callable[[], str], tuple[syntax.Command, ...]]]:
    def both(term: Callable[[], spl.Term]) -> Callable[[], str]:
        return lambda: str(spl.Pipeline(_INDEX & term()))

    def searched(field: str, value: str) -> tuple[syntax.Command, ...]:
        return (syntax.Search(syntax.Logic("AND", (index, syntax.Comparison(field, "=", (value,))))),)

    yield both(lambda: spl.SearchField("a").equals(text)), searched("a", text)
    yield both(lambda: spl.SearchField("a").matches(text)), searched("a", text)
    yield both(lambda: spl.SearchField(text).equals("b")), searched(text, "b")
    yield both(lambda: spl.phrase(text)), (syntax.Search(syntax.Logic("AND", (index, syntax.Phrase(text)))),)
    yield (
        lambda: str(spl.Pipeline(_INDEX).where(spl.field(text).equals(text))),
        (syntax.Search(index), syntax.Where(syntax.Binary(syntax.Field(text), "==", syntax.Text(text)))),
    )


def _written(write: Callable[[str], str], text: str) -> syntax.Expression | None:
    try:
        written = write(text)
    except ConfigurationError:
        return None
    _, where = parse(f'search index="main" | where a=={written}')
    assert isinstance(where, syntax.Where)
    assert isinstance(where.condition, syntax.Binary)
    return where.condition.right


def grammar(data: bytes) -> None:
    """The sandbox reads a search or says what is wrong with it; what does not begin as one is put behind one."""
    text = data.decode(errors="surrogateescape")
    if not text.startswith(("search ", "|")):
        text = f'search index="main" | {text}'
    for read in (parse, compile_search):
        try:
            read(text)
        except SplError:
            continue


TARGETS: dict[str, Target] = {"stream": stream, "convert": converting, "quoting": quotes, "grammar": grammar}
SEEDS: dict[str, list[bytes]] = {
    "stream": [
        b"\x40" + ROW + b"\n",
        b'\x07{"preview":true,"offset":0,"result":{}}\n\n{"preview":false,"lastrow":true}\r\n',
        b'\x40{"messages":[{"type":"ERROR","text":"Could not load lookup=LOOKUP-x"}]}\n' + ROW,
        b'\x40{"messages":[{"type":"ERROR","text":"Peer x\'s search ended prematurely. Attempting to reconnect."},'
        b'{"type":"INFO","text":"Successfully resumed search on x."}]}\n' + ROW,
        b'\x01{"messages":[{"type":"WARN","text":"x"}]}\n{"offset":0,"result":{}}\n{"offset":1,"lastrow":true,"result":{}}',
    ],
    "convert": [
        b"\x00" + ROW,
        b'\x01{"a":[1.5,-1e9,"\\ud83d\\ude00"],"b":{"c":null}}',
        b"\x01" + b'{"a":' * 90 + b"1" + b"}" * 90,
        b'\x02{"userAgent":"kubectl"}',
    ],
    "quoting": [b'a"b\\', b"objectRef.name", b"it's", b"a*b?", b'" | delete', "joé".encode()],
    "grammar": [search.compile(Source("main")).encode() for search in JOURNEYS]
    + [
        b"stats count by a, b",
        b"sort 3 -a +b",
        b"rename a AS b",
        b"spath a.b{}",
        b"table a*",
        b"dedup 2 a keepempty=t sortby -b",
        b'search "a-b" OR c',
        b"spath input=a",
    ],
}
_DEEP = [b'{"a":' * depth + b"1" + b"}" * depth for depth in (99, 100, 101, 900, 995, 1_100)]
KEPT: dict[str, list[bytes]] = {
    # Once, an event was made that could not be written, or not be read again out of its batch.
    "convert": [kind + text for kind in (b"\x01", b"\x02") for text in _DEEP]
    + [b'\x00{"result":%s}' % text for text in _DEEP],
    "stream": [b"\x10" + text for text in _DEEP]
    + [b'\x10{"result":%s,"offset":0,"lastrow":true}' % text for text in _DEEP],
    "quoting": [b"", b"\xff", b'\\\\"', b"[search index=main]", b"x\n| delete", "\u2028".encode()],
    "grammar": [
        b"| where " + b"(" * 2_000 + b"1" + b")" * 2_000,
        b'search index="a" | where ' + b"NOT " * 2_000 + b"a",
        b'search index="a" | eval a=' + b"-" * 2_000 + b"1",
        b'search index="a" | where a="\xff"',
        b'search index="a" | dedup 0 a',
        b'search index="a" | sort 999999999 a',
    ],
}
#: The words that a target's texts are made of.
WORDS: dict[str, list[str]] = {
    "stream": [
        *('"preview":', '"offset":', '"lastrow":', '"result":', '"messages":', '"type":', '"FATAL"', "true", "{}"),
        *('"text":', '"ERROR"', '"INFO"', "[host] ", "lookup", "eventtype", "incomplete", "peer", "not", "limit", "'"),
        *("Attempting to recover", "Successfully resumed search on ", "has the following message: ", "preview"),
    ],
    "convert": ['"result":', '"messageId":', '"namespace":', "ann-tenant", '"properties":', '{"a":', "[[[[", "}}}}"],
    "quoting": ['"', "\\", '\\"', "'", "*", "`", "|", "[", "]"],
    "grammar": [
        *("search ", "| where ", "| eval ", "| spath ", "| fields ", "| dedup ", "| sort ", "| head ", "| rename "),
        *("| table ", "| stats count by ", "| lookup ", " OUTPUT ", " sortby ", " AND ", " OR ", " NOT ", " XOR "),
        *(
            " LIKE ",
            " IN (",
            "if(",
            "case(",
            "mvmap(",
            "mvindex(",
            "replace(",
            "json_object(",
            "coalesce(",
            "((((",
            "--",
        ),
        *("json_extract(", "json_extract_exact(", "json_array_to_mv("),
        *("match(", "like(", "len(", "substr(", "split(", "isnull(", "tonumber(", "999999999", "1e999", '"*"', "'a'"),
    ],
}
