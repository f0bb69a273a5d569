from __future__ import annotations

import json
import re
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sandbox.splunk import AuditLog
from sandbox.splunk import syntax as s
from sandbox.splunk.commands import compile_search
from sandbox.splunk.language import parse
from sandbox.splunk.records import Record
from segment_bridge import spl
from segment_bridge.errors import ConfigurationError
from segment_bridge.spl import quoting

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.splunk.values import Value

# The sandbox's parser of SPL was written apart from the library: what it reads back is a second opinion.

#: Text of all kinds, and text made of what means something to SPL, to regular expressions or to a line.
TEXTS = st.text() | st.text(
    st.sampled_from([*"\"'\\|[]`*$^.?(){}=,;:#%_-+ aAnNß", "\n", "\r", "\t", "\0", "\x7f", "\x85", "\ud800", "\u2028"]),
    max_size=8,
)
#: For properties that run whole searches.
SLOW = settings(deadline=None, max_examples=50)
#: What could end its quotes if these were written carelessly.
ATTACKS = [
    '" | delete',
    '\\" | delete',
    "\\",
    '\\\\"',
    '"=="',
    "' OR 'a'='a",
    '" [search index=main | fields x] "',
    "[search index=main]",
    "`macro`",
    "a`comment`b",
    "x\n| delete",
    "x\r| delete",
    'a" OR "b"="b',
    "$token$",
    "a*b",
    "NOT",
    "",
]


def attacked(test: Callable[..., None]) -> Callable[..., None]:
    for attack in ATTACKS:
        test = example(attack)(test)
    return settings(deadline=None)(test)


def unprintable(text: str) -> bool:
    return any(c == "`" or ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in text)


def log(*records: object) -> AuditLog:
    """Return records that lie under ``objectRef``, and are numbered in ``auditID``."""
    lines = [
        json.dumps({"auditID": number, "requestReceivedTimestamp": "2024-05-01T12:00:00Z", "objectRef": part}).encode()
        for number, part in enumerate(records)
    ]
    return AuditLog(tuple(map(Record.parse, lines)))


def found(pipeline: spl.Pipeline, records: AuditLog) -> list[int]:
    """Return the numbers of the records that a search keeps."""
    rows = compile_search(str(pipeline.fields("auditID"))).run(records)
    return [int(str(row["auditID"])) for row in rows]


def evaluated(expression: spl.Expression, record: dict[str, object]) -> Value:
    """Return what an expression makes of a record's ``objectRef``."""
    search = compile_search(str(spl.Pipeline(spl.index("main")).eval(out=expression).fields("out")))
    (row,) = search.run(log(record))
    return row.get("out")


def field(name: str) -> spl.Expression:
    return spl.field(f"objectRef.{name}")


PRINTABLE = TEXTS.map(lambda text: "".join(c for c in text if not unprintable(c)))
#: Text in which the case of letters is beyond doubt, and which does not end a line.
ASCII = st.text(st.sampled_from([*"aAbB.*$^?\\|[](){}+-\"' "]), max_size=6)
#: Names of fields that both languages can write.
NAMED = PRINTABLE.map(lambda text: "".join(c for c in text if c not in "\"'\\*") or "a")
INDEX = s.Comparison("index", "=", ("main",))
ANY = spl.Pipeline(spl.index("main"))


class TestQuoting:
    @attacked
    @given(TEXTS)
    def test_text_in_eval(self, value: str) -> None:
        if unprintable(value):
            with pytest.raises(ConfigurationError, match=r"which SPL cannot quote$"):
                spl.text(value)
            return
        text = s.Text(value)
        made = ANY.where(spl.field("a").equals(value)).eval(
            b=spl.text(value), c=spl.json_object(**{value: spl.text(value)})
        )
        assert parse(str(made)) == (
            s.Search(INDEX),
            s.Where(s.Binary(s.Field("a"), "==", text)),
            s.Eval((("b", text), ("c", s.Call("json_object", (text, text))))),
        )
        assert evaluated(spl.text(value), {}) == value
        assert json.loads(str(evaluated(spl.json_object(**{value: field("a")}), {"a": value}))) == {value: value}

    @attacked
    @given(TEXTS)
    def test_a_literal_in_search(self, value: str) -> None:
        if unprintable(value) or "*" in value:
            with pytest.raises(ConfigurationError):
                spl.SearchField("a").equals(value)
            return
        term = s.Comparison("a", "=", (value,))
        made = spl.index("main") & spl.SearchField("a").equals(value) & ~spl.SearchField("a").equals(value)
        assert parse(str(spl.Pipeline(made))) == (s.Search(s.Logic("AND", (INDEX, term, s.Negation(term)))),)

    @attacked
    @given(TEXTS)
    def test_a_pattern_in_search(self, value: str) -> None:
        if unprintable(value):
            with pytest.raises(ConfigurationError, match=r"which SPL cannot quote$"):
                spl.SearchField("a").matches(value)
            return
        made = spl.index("main") & spl.SearchField("a").matches(value)
        assert parse(str(spl.Pipeline(made))) == (s.Search(s.Logic("AND", (INDEX, s.Comparison("a", "=", (value,))))),)

    @attacked
    @given(TEXTS)
    def test_a_field_in_search(self, name: str) -> None:
        if not name or unprintable(name) or set('"\\*') & set(name):
            with pytest.raises(ConfigurationError):
                spl.SearchField(name).present()
            return
        made = spl.index("main") & spl.SearchField(name).equals("x")
        assert parse(str(spl.Pipeline(made))) == (s.Search(s.Logic("AND", (INDEX, s.Comparison(name, "=", ("x",))))),)

    @attacked
    @given(
        TEXTS | st.sampled_from(["and", "Or", "NOT", "xor", "Like", "in", "android", "true", "null", "case", "_time"])
    )
    def test_a_field_in_eval(self, name: str) -> None:
        if not name or unprintable(name) or set("'\\") & set(name):
            with pytest.raises(ConfigurationError, match=r"is no field name: |which SPL cannot quote$"):
                spl.field(name)
            return
        made = ANY.where(spl.is_not_null(spl.field(name))).eval(b=spl.field(name))
        assert parse(str(made)) == (
            s.Search(INDEX),
            s.Where(s.Call("isnotnull", (s.Field(name),))),
            s.Eval((("b", s.Field(name)),)),
        )
        assert spl.field(name).fields == {name}

    @given(name=NAMED, value=PRINTABLE, other=PRINTABLE)
    @example(name="a.b{}.c/d", value="x", other="X")
    @SLOW
    def test_a_search_finds_the_value_in_the_field(self, name: str, value: str, other: str) -> None:
        records = log({name: value}, {name: other}, {f"{name}'": value}, {})
        exact = [0, 1] if value == other else [0]
        assert found(ANY.where(field(name).equals(value)), records) == exact
        if "*" not in value:
            loose = [0, 1] if value.lower() == other.lower() else [0]
            assert found(spl.Pipeline(spl.SearchField(f"objectRef.{name}").equals(value)), records) == loose

    @given(st.lists(PRINTABLE.map(lambda part: part.replace("*", "")), min_size=1, max_size=4), PRINTABLE)
    @SLOW
    def test_a_star_in_a_pattern_stands_for_anything(self, parts: list[str], between: str) -> None:
        records = log({"a": between.join(parts)}, {"a": f"{between.join(parts)}!"}, {})
        term = spl.SearchField("objectRef.a").matches("*".join(parts))
        # A pattern that ends in a star may well take the exclamation mark too.
        assert found(spl.Pipeline(term), records) in ([0], [0, 1])
        if len(parts) == 1:
            assert found(spl.Pipeline(term), records) == [0]

    @pytest.mark.parametrize("value", ["a`b", "`", "a\nb", "\t", "\x00", "\x7f", "\x85", "\ud800"])
    @pytest.mark.parametrize(
        "write",
        [
            quoting.eval_text,
            quoting.search_literal,
            quoting.search_pattern,
            quoting.search_field,
            quoting.eval_field,
            quoting.new_field,
            quoting.index_name,
        ],
    )
    def test_what_cannot_be_written_anywhere(self, write: Callable[[str], str], value: str) -> None:
        with pytest.raises(ConfigurationError):
            write(value)

    @pytest.mark.parametrize(
        ("write", "given_", "printed"),
        [
            (quoting.eval_text, 'a"b\\c*', '"a\\"b\\\\c*"'),
            (quoting.search_literal, 'a"b\\c', '"a\\"b\\\\c"'),
            (quoting.search_pattern, 'a"*\\', '"a\\"*\\\\"'),
            (quoting.search_field, "a{}.b/c", '"a{}.b/c"'),
            (quoting.eval_field, "a{}.b/c", "'a{}.b/c'"),
            (quoting.eval_field, "userAgent", "userAgent"),
            (quoting.eval_field, "not", "'not'"),
            (quoting.eval_field, "_time", "'_time'"),
            (quoting.index_name, "federated:a-b_0", '"federated:a-b_0"'),
            (quoting.new_field, "a_B0", "a_B0"),
        ],
    )
    def test_what_is_printed(self, write: Callable[[str], str], given_: str, printed: str) -> None:
        assert write(given_) == printed

    @pytest.mark.parametrize("name", ["", "0a", "_a", "a.b", "a b", "a,b", "a\n", "ä", "a*", "or", "NOT", "Like", "IN"])
    def test_what_is_no_name_for_a_new_field(self, name: str) -> None:
        for write in (
            partial(ANY.eval, **{name: spl.text("")}),
            partial(ANY.fields, name),
            partial(ANY.dedup_earliest, name),
            partial(ANY.spath, source=name, path="a", output="a"),
            partial(ANY.spath, source="a", path="a", output=name),
        ):
            with pytest.raises(ConfigurationError) as caught:
                write()
            assert str(caught.value) == (
                f"{name!r} is no name for a new field: use letters, digits and _, but no word of eval"
            )

    @given(TEXTS | st.from_regex(r"(federated:)?[a-z0-9_\-]+\n?", fullmatch=True))
    @SLOW
    def test_an_index(self, name: str) -> None:
        rest = name.removeprefix("federated:")
        if rest and set(rest) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-"):
            assert parse(f"search {spl.index(name)}") == (s.Search(s.Comparison("index", "=", (name,))),)
        else:
            with pytest.raises(ConfigurationError) as caught:
                spl.index(name)
            assert str(caught.value) == (
                f"{name!r} is no index name: it may hold a-z, 0-9, _ and -, "
                "and begin with federated: (see SPLUNK_INDEX)"
            )


class TestExactRegex:
    @given(text=TEXTS, other=TEXTS, more=TEXTS.filter(lambda more: more not in ("", "\n")))
    @example(text="Succeeded", other="succeeded", more="\n\n")
    @example(text="a.b", other="a-b", more=" ")
    @example(text="a\n", other="a", more="x")
    @example(text="a|b", other="a", more="|")
    def test_finds_the_whole_text_and_nothing_else(self, text: str, other: str, more: str) -> None:
        finds = re.compile(quoting.exact_regex(text)).search
        assert finds(text)
        assert not finds(text + more)
        assert not finds(more + text)
        assert (finds(other) is not None) == (other in (text, text + "\n"))

    @given(TEXTS)
    def test_means_the_same_in_pcre(self, text: str) -> None:
        # Python and PCRE agree on these constructs, and on a backslash before what is neither letter nor digit.
        inside = re.fullmatch(r"\^(.*)\$", quoting.exact_regex(text), re.DOTALL)
        assert inside
        assert re.fullmatch(r"(\\[^a-zA-Z0-9]|[^\\.^$|?*+(){}\[\]])*", inside[1], re.DOTALL)

    @given(st.lists(PRINTABLE, max_size=4), PRINTABLE)
    @example(["NotSucceeded", "SucceededNot", "Succeeded"], "Succeeded")
    @SLOW
    def test_position_in_a_list(self, values: list[str], value: str) -> None:
        position = evaluated(spl.position_of(field("a{}"), value), {"a": values})
        assert position == (values.index(value) if value in values else None)


Truth: TypeAlias = bool | None
Record_: TypeAlias = dict[str, str]
#: A condition, and what it says of a record.
TermCase: TypeAlias = "tuple[spl.Term, Callable[[Record_], bool]]"
ExpressionCase: TypeAlias = "tuple[spl.Expression, Callable[[Record_], Truth]]"

NAMES = ("a", "b", "c")
VALUES = ("x", "y")
#: Every record in which each of three fields has one of two values, or is missing.
RECORDS = [
    {name: value for name, value in zip(NAMES, values, strict=True) if value is not None}
    for values in product((*VALUES, None), repeat=len(NAMES))
]
LOG = log(*RECORDS)


def term_leaf(name: str, value: str) -> TermCase:
    return spl.SearchField(f"objectRef.{name}").equals(value), lambda record: record.get(name) == value


def term_present(name: str) -> TermCase:
    return spl.SearchField(f"objectRef.{name}").present(), lambda record: name in record


def term_and(one: TermCase, other: TermCase) -> TermCase:
    return one[0] & other[0], lambda record: one[1](record) and other[1](record)


def term_or(one: TermCase, other: TermCase) -> TermCase:
    return one[0] | other[0], lambda record: one[1](record) or other[1](record)


def term_not(one: TermCase) -> TermCase:
    return ~one[0], lambda record: not one[1](record)


TERMS = st.recursive(
    st.builds(term_leaf, st.sampled_from(NAMES), st.sampled_from(VALUES))
    | st.builds(term_present, st.sampled_from(NAMES)),
    lambda inner: st.builds(term_and, inner, inner) | st.builds(term_or, inner, inner) | st.builds(term_not, inner),
    max_leaves=12,
)


def kleene_and(*truths: Truth) -> Truth:
    return False if False in truths else None if None in truths else True


def kleene_not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def expression_leaf(name: str, value: str) -> ExpressionCase:
    return field(name).equals(value), lambda record: None if name not in record else record[name] == value


def expression_present(name: str) -> ExpressionCase:
    return spl.is_not_null(field(name)), lambda record: name in record


def expression_like(name: str, pattern: str) -> ExpressionCase:
    """Take a pattern that is a value or takes any."""
    return field(name).like(pattern), lambda record: None if name not in record else pattern in ("%", record[name])


def expression_one_of(name: str) -> ExpressionCase:
    return field(name).one_of(*VALUES), lambda record: True if name in record else None


def expression_and(one: ExpressionCase, other: ExpressionCase) -> ExpressionCase:
    return one[0] & other[0], lambda record: kleene_and(one[1](record), other[1](record))


def expression_or(one: ExpressionCase, other: ExpressionCase) -> ExpressionCase:
    return one[0] | other[0], lambda record: kleene_not(
        kleene_and(kleene_not(one[1](record)), kleene_not(other[1](record)))
    )


def expression_not(one: ExpressionCase) -> ExpressionCase:
    return ~one[0], lambda record: kleene_not(one[1](record))


EXPRESSIONS = st.recursive(
    st.builds(expression_leaf, st.sampled_from(NAMES), st.sampled_from(VALUES))
    | st.builds(expression_like, st.sampled_from(NAMES), st.sampled_from(("%", *VALUES)))
    | st.builds(expression_present, st.sampled_from(NAMES))
    | st.builds(expression_one_of, st.sampled_from(NAMES)),
    lambda inner: (
        st.builds(expression_and, inner, inner)
        | st.builds(expression_or, inner, inner)
        | st.builds(expression_not, inner)
    ),
    max_leaves=12,
)


class TestTerms:
    @given(TERMS)
    @SLOW
    def test_any_tree_means_what_it_says(self, case: TermCase) -> None:
        term, holds = case
        kept = [number for number, record in enumerate(RECORDS) if holds(record)]
        assert found(spl.Pipeline(term), LOG) == kept
        assert found(spl.Pipeline(spl.index("main") & term), LOG) == kept

    A, B, C = (spl.SearchField(name).equals("x") for name in NAMES)

    @pytest.mark.parametrize(
        ("term", "printed"),
        [
            (A & B & C, '"a"="x" "b"="x" "c"="x"'),
            (A & (B & C), '"a"="x" "b"="x" "c"="x"'),
            (A | B | C, '"a"="x" OR "b"="x" OR "c"="x"'),
            (A | B & C, '"a"="x" OR ("b"="x" "c"="x")'),
            ((A | B) & C, '("a"="x" OR "b"="x") "c"="x"'),
            (~A & B, 'NOT "a"="x" "b"="x"'),
            (~(A & B), 'NOT ("a"="x" "b"="x")'),
            (~(A | B), 'NOT ("a"="x" OR "b"="x")'),
            (~A | B, '(NOT "a"="x") OR "b"="x"'),
            (~~A, 'NOT (NOT "a"="x")'),
            (spl.SearchField("a.b{}").one_of("x", "y z", ""), '"a.b{}"="x" OR "a.b{}"="y z" OR "a.b{}"=""'),
            (spl.SearchField("a").one_of("x"), '"a"="x"'),
            (spl.SearchField("a").matches("*x*"), '"a"="*x*"'),
            (spl.SearchField("a").present(), '"a"="*"'),
            (spl.index("federated:main"), 'index="federated:main"'),
        ],
    )
    def test_what_is_printed(self, term: spl.Term, printed: str) -> None:
        assert str(term) == printed

    def test_a_literal_star(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            spl.SearchField("a").one_of("x", "a*b")
        assert str(caught.value) == "a literal * cannot be expressed in a search term: filter with where instead"

    def test_case_does_not_count(self) -> None:
        assert found(spl.Pipeline(spl.SearchField("objectRef.a").equals("X")), log({"a": "x"}, {"A": "x"})) == [0]

    def test_any_value_of_a_list_will_do(self) -> None:
        term = spl.SearchField("objectRef.a{}").equals("y")
        records = log({"a": ["x", "y"]}, {"a": ["x"]}, {"a": []})
        assert found(spl.Pipeline(term), records) == [0]
        assert found(spl.Pipeline(~term), records) == [1, 2]


class TestExpressions:
    @given(EXPRESSIONS)
    @SLOW
    def test_any_tree_means_what_it_says(self, case: ExpressionCase) -> None:
        expression, truth = case
        kept = [number for number, record in enumerate(RECORDS) if truth(record)]
        assert found(ANY.where(expression), LOG) == kept

    @given(EXPRESSIONS, EXPRESSIONS)
    @SLOW
    def test_the_first_true_branch_of_a_case(self, first: ExpressionCase, second: ExpressionCase) -> None:
        taken = spl.case((first[0], spl.text("1")), (second[0], spl.text("2")))
        kept = [number for number, record in enumerate(RECORDS) if not first[1](record) and second[1](record)]
        assert found(ANY.where(taken.equals("2")), LOG) == kept

    A, B, C = (spl.field(name).equals("x") for name in NAMES)

    @pytest.mark.parametrize(
        ("expression", "printed"),
        [
            (A & B & C, 'a=="x" AND b=="x" AND c=="x"'),
            (A & (B & C), 'a=="x" AND b=="x" AND c=="x"'),
            (A | B & C, 'a=="x" OR (b=="x" AND c=="x")'),
            ((A | B) & C, '(a=="x" OR b=="x") AND c=="x"'),
            (~A & B, 'NOT (a=="x") AND b=="x"'),
            (~(A | B), 'NOT (a=="x" OR b=="x")'),
            (~~A, 'NOT (NOT (a=="x"))'),
            (spl.field("a.b").one_of("x", "y"), "'a.b'==\"x\" OR 'a.b'==\"y\""),
            (spl.field("a.b").one_of("x") & A, '\'a.b\'=="x" AND a=="x"'),
            (spl.field("a").like("x%"), 'like(a, "x%")'),
            (spl.is_not_null(spl.field("a{}")), "isnotnull('a{}')"),
            (spl.coalesce(spl.field("a"), spl.text("b")), 'coalesce(a, "b")'),
            (spl.case((A, spl.text("1")), (B | C, spl.field("d"))), 'case(a=="x", "1", b=="x" OR c=="x", d)'),
            (spl.cut_before(spl.field("a"), "?"), 'replace(a, "(?s)[?].*", "")'),
            (spl.item(spl.field("a{}"), 0), "mvindex('a{}', 0)"),
            (spl.item(spl.field("a{}"), spl.field("b")), "mvindex('a{}', b)"),
            (spl.position_of(spl.field("a{}"), "x.y"), "mvfind('a{}', \"^x\\\\.y$\")"),
            (spl.json_object(b=spl.field("a"), a=spl.text("x")), 'json_object("b", a, "a", "x")'),
        ],
    )
    def test_what_is_printed(self, expression: spl.Expression, printed: str) -> None:
        assert str(expression) == printed

    def test_fields_are_all_that_are_read(self) -> None:
        expression = spl.case(
            (self.A & ~self.B, spl.coalesce(spl.field("d"), spl.text("e"))),
            (spl.field("f.g").like("h"), spl.item(spl.field("i{}"), spl.position_of(spl.field("j{}"), "k"))),
            (spl.is_not_null(spl.field("l")), spl.cut_before(spl.field("m"), "?")),
        )
        assert spl.json_object(n=expression).fields == {"a", "b", "d", "f.g", "i{}", "j{}", "l", "m"}

    @pytest.mark.parametrize(
        ("expression", "record", "value"),
        [
            (spl.coalesce(field("a"), field("b")), {"a": "1", "b": "2"}, "1"),
            (spl.coalesce(field("a"), field("b")), {"a": None, "b": "2"}, "2"),
            (spl.coalesce(field("a"), field("b")), {"a": "", "b": "2"}, ""),
            (spl.coalesce(field("a"), field("b")), {}, None),
            (spl.item(field("a{}"), 0), {"a": ["1", "2"]}, "1"),
            (spl.item(field("a{}"), 1), {"a": ["1", "2"]}, "2"),
            (spl.item(field("a{}"), 2), {"a": ["1", "2"]}, None),
            (spl.item(field("a"), 0), {"a": "1"}, "1"),
            (spl.item(field("a{}"), spl.position_of(field("b{}"), "x")), {"a": ["1", "2"], "b": ["x.", "x"]}, "2"),
            (spl.item(field("a{}"), spl.position_of(field("b{}"), "x")), {"a": ["1", "2"], "b": ["X"]}, None),
            (spl.json_object(b=field("a"), c=field("b")), {"a": 'q"\n'}, '{"b":"q\\"\\n","c":null}'),
        ],
    )
    def test_values(self, expression: spl.Expression, record: dict[str, object], value: Value) -> None:
        assert evaluated(expression, record) == value

    @given(st.text())
    @example("https://example.com/a?b?c\nd")
    @SLOW
    def test_cut_before(self, text: str) -> None:
        assert evaluated(spl.cut_before(field("a"), "?"), {"a": text}) == text.partition("?")[0]


class TestPipeline:
    def test_what_is_printed(self) -> None:
        made = (
            spl.Pipeline(spl.index("main") & spl.SearchField("a").present())
            .where(spl.field("a").equals("x") | spl.field("b").equals("y"))
            .eval(c=spl.field("a"), d=spl.field("c"))
            .spath(source="d", path="e.f-g", output="h")
            .dedup_earliest("h")
            .fields("c", "h")
        )
        assert str(made) == (
            'search index="main" "a"="*"\n'
            '| where a=="x" OR b=="y"\n'
            "| eval c=a, d=c\n"
            '| spath input=d path="e.f-g" output=h\n'
            "| dedup h sortby +_time\n"
            "| fields c,h\n"
            "| fields - _*"
        )

    def test_a_command_leaves_the_pipeline_as_it_was(self) -> None:
        assert str(ANY.where(spl.is_not_null(spl.field("a")))) == 'search index="main"\n| where isnotnull(a)'
        assert str(ANY) == 'search index="main"'

    def test_every_command_is_parsed_as_what_it_is(self) -> None:
        made = ANY.spath(source="d", path='e"|f', output="h").dedup_earliest("h").fields("c", "h")
        assert parse(str(made)) == (
            s.Search(INDEX),
            s.Spath("d", 'e"|f', "h"),
            s.Dedup(1, ("h",), (s.SortKey("_time", descending=False),)),
            s.Fields(("c", "h")),
            s.Fields(("_*",), keep=False),
        )

    def test_the_earliest_of_each_value(self) -> None:
        records = [
            Record.parse(
                json.dumps(
                    {"auditID": number, "requestReceivedTimestamp": f"2024-05-01T12:00:0{second}Z", "verb": verb}
                ).encode()
            )
            for number, (second, verb) in enumerate([(3, "x"), (1, "x"), (2, "y"), (4, "y"), (0, None)])
        ]
        made = ANY.eval(kind=spl.field("verb")).dedup_earliest("kind")
        assert found(made, AuditLog(tuple(records))) == [1, 2]

    def test_nothing_but_the_fields_named(self) -> None:
        search = compile_search(str(ANY.eval(kind=spl.text("k")).fields("kind", "missing")))
        assert list(search.run(log({"a": "x"}))) == [{"kind": "k"}]
