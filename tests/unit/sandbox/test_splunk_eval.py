from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.splunk import AuditLog, SplError
from sandbox.splunk.commands import compile_search
from sandbox.splunk.records import Record

if TYPE_CHECKING:
    from sandbox.splunk.values import Value

RECORD: dict[str, Any] = {
    "requestReceivedTimestamp": "2024-05-01T12:00:00Z",
    "verb": "create",
    "code": 200,
    "ten": "10",
    "zero": "007",
    "user.name": "a.b",
    "path": "C:\\dir\\x",
    "url": "https://h/x?a=1?b=2",
    "t": ["NotSucceeded", "Succeeded", "Done"],
    "one": ["only"],
    "json": '{"a":{"b":[{"c":1},{"c":"x"},{"d":null}]},"n":1.50,"t":true,"nil":null}',
    "yes": True,
}
LOG = AuditLog((Record.parse(json.dumps(RECORD).encode()),))


def evaluated(expression: str) -> Value:
    (result,) = compile_search(f"search log_type=audit | eval made={expression} | fields made | fields - _*").run(LOG)
    return result.get("made")


def kept(condition: str) -> bool:
    return len(list(compile_search(f"search log_type=audit | where {condition}").run(LOG))) == 1


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # constants and fields
        ('"text"', "text"),
        (r'"a\"b\\c\d\1"', 'a"b\\c\\d\\1'),
        ('""', ""),
        ("1", 1),
        ("1.5", 1.5),
        ("2.0", 2),
        ("-3", -3),
        ("verb", "create"),
        ("Verb", None),
        ("code", "200"),
        ("'user.name'", "a.b"),
        ("user.name", None),
        ("'t{}'", ["NotSucceeded", "Succeeded", "Done"]),
        ("'one{}'", "only"),
        ("yes", "true"),
        ("nil", None),
        ("null()", None),
        # arithmetic and concatenation
        ("1+2*3", 7),
        ("(1+2)*3", 9),
        ("7/2", 3.5),
        ("6/2", 3),
        ("7%4", 3),
        ("5-3-1", 1),
        ("1/0", None),
        ("1%0", None),
        ("1e308*10", None),
        ("code+1", 201),
        ("verb+1", None),
        ('verb+"d"', "created"),
        ("verb-1", None),
        ("nil+1", None),
        ('verb.":".code', "create:200"),
        ("verb.1+1", None),
        ("verb.nil", None),
        ("0.1+0.2", 0.1 + 0.2),
        # choosing
        ('if(verb=="create","yes","no")', "yes"),
        ('if(nil=="x","yes","no")', "no"),
        ('case(verb="x",1,code=200,2,true(),3)', 2),
        ("case(verb=nil,1)", None),
        ("coalesce(nil,missing,verb,code)", "create"),
        ("coalesce(nil)", None),
        # text
        ('replace(url, "[?].*", "")', "https://h/x"),
        (r'replace("2024-05", "(\d+)-(\d+)", "\2/\1")', "05/2024"),
        (r'replace(path, "\\\\", "/")', "C:/dir/x"),
        ('replace("ab", "(x)?b", "[\\1]")', "a[]"),
        ('replace(verb, "z", "y")', "create"),
        ("replace(nil, verb, verb)", None),
        ('split("a,b,c", ",")', ["a", "b", "c"]),
        ('split("abc", ",")', "abc"),
        ('split("abc", "")', ["a", "b", "c"]),
        ('lower("ÄB")', "äb"),
        ("upper(verb)", "CREATE"),
        ("len(verb)", 6),
        ("len(nil)", None),
        ("substr(verb, 2)", "reate"),
        ("substr(verb, 2, 3)", "rea"),
        ("substr(verb, -2)", "te"),
        ("substr(verb, -9, 2)", "cr"),
        ("tonumber(code)", 200),
        ('tonumber("0x")', None),
        ('tonumber("ff", 16)', 255),
        ('tonumber("fg", 16)', None),
        ("tostring(1+1)", "2"),
        ("tostring(1==1)", "True"),
        # multivalues
        ("mvcount('t{}')", 3),
        ("mvcount(verb)", 1),
        ("mvcount(nil)", None),
        ("mvindex('t{}', 0)", "NotSucceeded"),
        ("mvindex('t{}', -1)", "Done"),
        ("mvindex('t{}', 3)", None),
        ("mvindex('t{}', -4)", None),
        ("mvindex('t{}', 1, 2)", ["Succeeded", "Done"]),
        ("mvindex('t{}', 0, -2)", ["NotSucceeded", "Succeeded"]),
        ("mvindex('t{}', 2, 1)", None),
        ("mvindex('t{}', nil)", None),
        ("mvindex(verb, 0)", "create"),
        ("mvindex(verb, 1)", None),
        ("mvfind('t{}', \"Succeeded\")", 0),
        ("mvfind('t{}', \"^Succeeded$\")", 1),
        ("mvfind('t{}', \"nothing\")", None),
        ('mvfind(verb, "eat")', 0),
        ("mvfind(nil, verb)", None),
        ("mvindex('t{}', mvfind('t{}', \"^Done$\"))", "Done"),
        ("mvfilter('t{}'!=\"Done\")", ["NotSucceeded", "Succeeded"]),
        ("mvfilter(match('t{}', \"^S\") OR 't{}'=\"x\")", "Succeeded"),
        ("mvfilter('t{}'=\"x\")", None),
        ("mvfilter(nil=1)", None),
        ("mvappend(verb, nil, 't{}', 1)", ["create", "NotSucceeded", "Succeeded", "Done", "1"]),
        ("mvappend(nil)", None),
        # JSON
        ('json_object("b", verb, "a", nil, "c", code)', '{"b":"create","a":null,"c":"200"}'),
        ('json_object("whole", 1+1, "half", 1.5)', '{"whole":2,"half":1.5}'),
        ("json_object(\"t\", 't{}')", '{"t":["NotSucceeded","Succeeded","Done"]}'),
        (r'json_object("q", "\"ü/\\")', r'{"q":"\"ü/\\"}'),
        ('json_object("x", isnull(nil))', '{"x":true}'),
        ("json_object()", "{}"),
        ('json_extract(json, "a.b")', '[{"c":1},{"c":"x"},{"d":null}]'),
        ('json_extract(json, "nil")', "null"),
        ('json_extract(json, "n")', 1.5),
        ('json_extract(json, "t")', "true"),
        ('json_extract(json, "a.b.c")', None),
        ('json_extract_exact(json, "a.b")', None),
        ('json_extract_exact(json_object("a.b/c", verb), "a.b/c")', "create"),
        ('json_extract_exact(json, "nil")', "null"),
        ('json_extract_exact(verb, "nil")', None),
        ('json_array_to_mv(json_extract(json, "a.b"))', ['{"c":1}', '{"c":"x"}', '{"d":null}']),
        ('json_array_to_mv("[]")', None),
        ("json_array_to_mv(json)", None),
        ("json_array_to_mv(verb)", None),
        ('mvmap(one, json_extract_exact(one, "c"))', None),
        ("mvmap('t{}', upper('t{}'))", ["NOTSUCCEEDED", "SUCCEEDED", "DONE"]),
        ("mvmap('t{}', if('t{}'==\"Done\", 't{}' . code, null()))", "Done200"),
        ('nullif(verb, "create")', None),
        ('nullif(verb, "update")', "create"),
        ("nullif(verb, nil)", "create"),
        ("nullif(nil, verb)", None),
        ('json_extract(verb, "a")', None),
    ],
)
def test_eval(expression: str, value: Value) -> None:
    assert evaluated(expression) == value


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('verb=="create"', True),
        ('verb="create"', True),
        ('verb=="CREATE"', False),
        ('verb!="update"', True),
        ('"create"==verb', True),
        # numbers and fields that look like numbers; a text constant compares as text
        ("code==200", True),
        ("code==200.0", True),
        ('code=="200"', True),
        ("zero==7", True),
        ('zero=="7"', False),
        ("ten<code", True),
        ('ten<"9"', True),
        ("ten<9", False),
        ("ten>=10 AND ten<=10 AND ten>9", True),
        ('1+1=="2"', True),
        ("verb<5", False),
        # null
        ('nil=="x"', False),
        ('nil!="x"', False),
        ('NOT nil=="x"', False),
        ('NOT verb=="x"', True),
        ("nil==nil", False),
        ('nil=="x" OR verb=="create"', True),
        ('NOT (nil=="x" AND verb=="other")', True),
        ('NOT (nil=="x" AND verb=="create")', False),
        ('nil=="x" XOR verb=="create"', False),
        ('nil IN ("x")', False),
        ('NOT nil IN ("x")', False),
        ("null()", False),
        ("if(isnull(nil), null(), true())", False),
        # AND binds tighter than OR, keywords in any case
        ('verb="create" OR verb="x" AND verb="y"', True),
        ('(verb="create" OR verb="x") AND verb="y"', False),
        ('verb="create" or verb="x"', True),
        ('not verb="x" and code=200', True),
        ('verb="create" xor code=200', False),
        ('verb="create" XOR code=1', True),
        # IN, LIKE, functions
        ('verb IN ("x", "create")', True),
        ('verb in ("x", "y")', False),
        ("code IN (200, 201)", True),
        ('NOT verb IN ("x")', True),
        ('verb LIKE "cr%"', True),
        ('verb like "CR%"', False),
        ('like(verb, "c_eate")', True),
        ('like(verb, "reat")', False),
        ('like("a\nb", "a%b")', True),
        ('like(url, "%?a=1%")', True),
        ('like("axb", "a.b")', False),
        ('like(nil, "%")', False),
        ('match(verb, "eat")', True),
        ('match(verb, "^eat")', False),
        ("isnull(nil) AND isnotnull(verb)", True),
        ('isnull(verb=="x")', False),
        ('isnull(nil=="x")', True),
        ("json_valid(json)", True),
        ("json_valid(verb)", False),
        ("true()", True),
        ("false()", False),
        ('case(verb="create", true(), true(), false())', True),
        # a multivalue: any value is enough
        ("'t{}'==\"Succeeded\"", True),
        ("'t{}'!=\"Succeeded\"", True),
        ("'t{}'==\"Succ\"", False),
    ],
)
def test_where(condition: str, holds: bool) -> None:
    assert kept(condition) is holds


@pytest.mark.parametrize(
    "expression",
    [
        'verb=="create"',
        "isnull(verb)",
        "NOT true()",
        "if(true(), true(), verb)",
        "if(true(), true(), false())",
        "if(verb, 1, 2)",
        "case(verb)",
        "case(verb, 1)",
        "case()",
        "coalesce()",
        "nosuch(verb)",
        "LOWER(verb)",
        "lower()",
        "lower(verb, verb)",
        "null(verb)",
        'tostring(1, "hex")',
        'json_object("a")',
        'json_object("a", json_object("b", 1))',
        'json_extract(json, "a{0}.b")',
        'json_extract(json, "a.b{}.c")',
        "mvmap(verb)",
        "mvmap(upper(verb), verb)",
        'json_extract(json, "a..b")',
        'json_extract(json, "a", "b")',
        "spath(json)",
        'mvfind(verb, "(")',
        'replace(verb, "(?<name>x)", "y")',
        "mvfilter(verb=code)",
        "mvfilter(true())",
        "isnull(verb)+1",
        "lower(isnull(verb))",
        "1==1==1",
        "verb IN ()",
        "'unfinished",
        '"unfinished',
        "verb verb",
        "1x",
        "a..b",
        "",
        "verb, x",
        "`macro`",
    ],
)
def test_what_is_wrong_or_not_implemented_is_refused(expression: str) -> None:
    with pytest.raises(SplError):
        compile_search(f"search log_type=audit | eval made={expression}")


@pytest.mark.parametrize("condition", ["verb", '"text"', "1", "lower(verb)", "verb AND code=1", "if(true(),1,2)", ""])
def test_a_value_is_no_condition(condition: str) -> None:
    with pytest.raises(SplError):
        compile_search(f"search log_type=audit | where {condition}")


@pytest.mark.parametrize(
    "expression",
    ["lower('t{}')", "'t{}'.verb", 'replace(verb, "(e)", "\\2")', "substr(verb, 0)", "substr(verb, 1, verb)"],
)
def test_what_shows_only_on_a_row_is_refused_there(expression: str) -> None:
    with pytest.raises(SplError):
        evaluated(expression)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(SplError, match=r"^The search is nested too deeply\.$"):
        compile_search(f"search log_type=audit | where {'NOT ' * 5000} verb=1")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="`")))
def test_quoted_text_compares_equal_to_itself(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    record = json.dumps({"requestReceivedTimestamp": "2024-05-01T12:00:00Z", "v": value}).encode()
    search = f'search log_type=audit | where v=="{escaped}" | eval made="{escaped}" | fields made | fields - _*'
    assert list(compile_search(search).run(AuditLog((Record.parse(record),)))) == [{"made": value}]


WORDS = st.sampled_from(
    r"""search where eval spath fields dedup sortby path input as like if x 'a.b' "t" 1 ( ) = == AND OR NOT IN
    | , + - . * {} \ " """.split()  # noqa: SIM905 - thirty words read better as one line than as thirty
)


@given(st.lists(WORDS).map(" ".join) | st.text())
def test_garbage_raises_nothing_but_an_spl_error(text: str) -> None:
    for search in (text, f"search {text}", f"search x=1 | where {text}", f"search x=1 | eval y={text}"):
        try:
            compile_search(search)
        except SplError as error:
            assert str(error)  # noqa: PT017 - whether it raises at all depends on the text
