from __future__ import annotations

import json
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sandbox.splunk import DOCUMENTED, AuditLog, Readings
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


def evaluated(expression: spl.Expression, record: dict[str, object], readings: Readings = DOCUMENTED) -> Value:
    """Return what an expression makes of a record's ``objectRef``."""
    search = compile_search(str(ANY.eval(out=expression).fields("out")), readings=readings)
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
RAW = spl.field("_raw")
MARKED = r"""replace(a, "^([\\t-\\r ]*(['\\[{\"]|[-+]?[.]?[0-9][0-9.,eExX+-]*[\\t-\\r ]*$))", "'\\1")"""


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
        made = spl.index("main") & spl.SearchField("a").equals(value)
        assert parse(str(spl.Pipeline(made))) == (s.Search(s.Logic("AND", (INDEX, term))),)

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
                spl.SearchField(name).equals("x")
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
            quoting.phrase,
            quoting.json_path,
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
            (quoting.eval_field, "_raw", "_raw"),
            (quoting.eval_field, "_Raw", "'_Raw'"),
            (quoting.index_name, "federated:a-b_0", '"federated:a-b_0"'),
            (quoting.new_field, "a_B0", "a_B0"),
            (quoting.phrase, "system:a.b-c", '"system:a.b-c"'),
            (quoting.json_path, "a.b-c._d", "a.b-c._d"),
        ],
    )
    def test_what_is_printed(self, write: Callable[[str], str], given_: str, printed: str) -> None:
        assert write(given_) == printed

    @pytest.mark.parametrize("name", ["", "0a", "_a", "a.b", "a b", "a,b", "a\n", "ä", "a*", "or", "NOT", "Like", "IN"])
    def test_what_is_no_name_for_a_new_field(self, name: str) -> None:
        for write in (
            partial(ANY.eval, **{name: spl.text("")}),
            partial(ANY.fields, name),
            partial(ANY.lookup, name, match=("a", "b"), output=("c", "d")),
            partial(ANY.lookup, "a", match=(name, "b"), output=("c", "d")),
            partial(ANY.lookup, "a", match=("a", "b"), output=("c", name)),
            partial(spl.named, name, spl.text("")),
            partial(ANY.dedup_earliest, spl.Expression(name)),
            partial(ANY.largest, spl.Expression(name), 1),
            partial(ANY.count_by, spl.Expression(name)),
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


class TestPhrases:
    LETTERS = "abcxyzABCXYZ0189"

    @attacked
    @given(TEXTS | st.text(st.sampled_from([*LETTERS, *"._:-"]), max_size=8))
    def test_is_letters_and_digits_joined_by_a_few_marks(self, text: str) -> None:
        whole = text.isascii() and text.strip("._:-") == text and text.translate(str.maketrans("", "", "._:-"))
        if not whole or not whole.isalnum():
            with pytest.raises(ConfigurationError) as caught:
                spl.phrase(text)
            assert str(caught.value) == (
                f"{text!r} is no phrase to search for: it may hold letters, digits and . _ : -"
            )
            return
        made = spl.index("main") & spl.any_phrase(text, "other")
        either: s.Term = s.Logic("OR", (s.Phrase(text), s.Phrase("other")))
        assert parse(str(spl.Pipeline(made))) == (s.Search(s.Logic("AND", (INDEX, either))),)

    @given(st.text(st.sampled_from(LETTERS), min_size=1), st.text(st.sampled_from(LETTERS), min_size=1))
    @SLOW
    def test_finds_whole_words_wherever_they_stand_and_whatever_their_case(self, word: str, more: str) -> None:
        records = log({"a": word.swapcase()}, {word: 1}, {"a": f'{{"{word}":"-"}}'}, {"a": more + "_" + word}, {})
        # The rest of a record holds words of its own, such as auditID and a time.
        assert {0, 1, 2, 3} <= set(found(spl.Pipeline(spl.phrase(word)), records))
        assert found(spl.Pipeline(spl.phrase("q" + word)), log({"a": word}, {"a": f"q{word}{more}"})) == []


class TestJsonPath:
    KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_\-]*", fullmatch=True)
    PARTS = st.lists(
        st.sampled_from(["a", "b{}", "{}", "", "c d", "e/f", "0", "g{0}", "*", "'", '"', "ä", "h\n"]), min_size=1
    )

    @attacked
    @given(TEXTS | PARTS.map(".".join))
    def test_what_is_no_path_of_keys(self, path: str) -> None:
        key = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
        if all(part and part[0] in key and set(part) <= {*key, *"0123456789-"} for part in path.split(".")):
            assert str(spl.json_path(spl.field("_raw"), path)) == f'json_extract(_raw, "{path}")'
            return
        with pytest.raises(ConfigurationError) as caught:
            spl.json_path(spl.field("_raw"), path)
        assert str(caught.value) == (
            f"{path!r} is no path of keys joined by dots: take the elements of a list whole, and keys with dots exactly"
        )

    @given(st.lists(KEYS, min_size=1, max_size=4), st.text())
    @SLOW
    def test_reads_what_lies_there_and_only_there(self, keys: list[str], value: str) -> None:
        inner: object = value
        for key in reversed(keys):
            inner = {key: inner, f"{key}x": "other"}
        assert isinstance(inner, dict)
        path = spl.json_path(RAW, ".".join(("objectRef", *keys)))
        assert evaluated(path, inner) == value
        assert evaluated(path, {f"{'.'.join(keys)}.": value}) is None

    @given(TEXTS.filter(lambda key: not unprintable(key)), st.text())
    @SLOW
    def test_a_member_is_read_by_its_exact_key(self, key: str, value: str) -> None:
        member = spl.json_member(spl.json_path(RAW, "objectRef"), key)
        assert evaluated(member, {f"{key}.": "1", key: value, f"{key}{{}}": "2"}) == value
        assert evaluated(member, {"." + key: value}) is None


class TestElements:
    """Elements of lists, taken whole."""

    LIST = spl.named("list", spl.json_elements(spl.json_path(spl.field("_raw"), "objectRef.list")))
    ELEMENT = st.dictionaries(st.sampled_from(["type", "type.x", "other"]), st.sampled_from(["a", "b", "a "]))
    READINGS = st.sampled_from([DOCUMENTED, DOCUMENTED.having("keep_empty_texts=false", "json_in_mvfilter=false")])

    @given(st.lists(ELEMENT, max_size=5), READINGS)
    @example([{"other": "b"}, {"type": "b", "other": "a"}, {"type": "a"}], DOCUMENTED)
    @SLOW
    def test_those_with_a_value_whatever_others_lack(self, elements: list[dict[str, str]], readings: Readings) -> None:
        those = spl.those(self.LIST, spl.json_member(self.LIST, "type").equals("a"))
        kept = [one for one in elements if one.get("type") == "a"]
        for position in (0, 1, -1):
            text = evaluated(spl.item(those, position), {"list": elements}, readings)
            due = kept[position] if -len(kept) <= position < len(kept) else None
            assert (json.loads(str(text)) if text is not None else None) == due
        assert evaluated(spl.count(self.LIST), {"list": elements}, readings) == (len(elements) or None)

    @given(st.lists(PRINTABLE))
    @SLOW
    def test_texts_stand_for_themselves(self, values: list[str]) -> None:
        assert evaluated(spl.item(self.LIST, 0), {"list": values}) == (values[0] if values else None)

    @pytest.mark.parametrize("other", [{"list": {"a": "b"}}, {"list": "[1]x"}, {"list": None}, {}])
    def test_what_is_no_list_has_none(self, other: dict[str, object]) -> None:
        assert evaluated(self.LIST, other) is None


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
    return spl.SearchField(f"objectRef.{name}").matches("*"), lambda record: name in record


def term_and(one: TermCase, other: TermCase) -> TermCase:
    return one[0] & other[0], lambda record: one[1](record) and other[1](record)


def term_or(one: TermCase, other: TermCase) -> TermCase:
    return one[0] | other[0], lambda record: one[1](record) or other[1](record)


TERMS = st.recursive(
    st.builds(term_leaf, st.sampled_from(NAMES), st.sampled_from(VALUES))
    | st.builds(term_present, st.sampled_from(NAMES)),
    lambda inner: st.builds(term_and, inner, inner) | st.builds(term_or, inner, inner),
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
            (spl.SearchField("a.b{}").equals(""), '"a.b{}"=""'),
            (spl.SearchField("a").matches("*x*"), '"a"="*x*"'),
            (spl.phrase("x-y") & spl.any_phrase("x", "y"), '"x-y" ("x" OR "y")'),
            (A & spl.any_phrase("x"), '"a"="x" "x"'),
            (spl.index("federated:main"), 'index="federated:main"'),
        ],
    )
    def test_what_is_printed(self, term: spl.Term, printed: str) -> None:
        assert str(term) == printed

    def test_a_literal_star(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            spl.SearchField("a").equals("a*b")
        assert str(caught.value) == "a literal * cannot be expressed in a search term: filter with where instead"

    def test_case_does_not_count(self) -> None:
        assert found(spl.Pipeline(spl.SearchField("objectRef.a").equals("X")), log({"a": "x"}, {"A": "x"})) == [0]

    def test_any_value_of_a_list_will_do(self) -> None:
        term = spl.SearchField("objectRef.a{}").equals("y")
        records = log({"a": ["x", "y"]}, {"a": ["x"]}, {"a": []})
        assert found(spl.Pipeline(term), records) == [0]


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
            (spl.item(spl.field("a"), -1), "mvindex(a, -1)"),
            (spl.count(spl.field("a")).is_number(1, 2), "mvcount(a)==1 OR mvcount(a)==2"),
            (spl.length(spl.field("a")).above(7), "len(a)>7"),
            (spl.field("a").matches("x|y$"), 'match(a, "x|y$")'),
            (spl.choose(A, spl.field("a"), spl.null()), 'if(a=="x", a, null())'),
            (spl.null_if(spl.field("a"), "null"), 'nullif(a, "null")'),
            (spl.joined(spl.field("a"), spl.text("/"), spl.field("b")), 'a . "/" . b'),
            (spl.those(spl.field("a"), A | B), 'mvmap(a, if(a=="x" OR b=="x", a, null()))'),
            (spl.json_member(spl.field("a"), "x.y/z"), 'json_extract_exact(a, "x.y/z")'),
            (spl.json_elements(spl.field("a")), "json_array_to_mv(a)"),
            (spl.marked(spl.field("a")), MARKED),
            (spl.json_object(b=spl.field("a"), a=spl.text("x")), 'json_object("b", a, "a", "x")'),
        ],
    )
    def test_what_is_printed(self, expression: spl.Expression, printed: str) -> None:
        assert str(expression) == printed

    def test_fields_are_all_that_are_read(self) -> None:
        expression = spl.case(
            (self.A & ~self.B, spl.coalesce(spl.field("d"), spl.text("e"))),
            (spl.field("f.g").like("h"), spl.item(spl.field("i{}"), 0)),
            (spl.is_not_null(spl.field("l")), spl.cut_before(spl.named("m", spl.field("j{}")), "?")),
        )
        assert spl.json_object(n=expression).fields == {"a", "b", "d", "f.g", "i{}", "j{}", "l"}

    @pytest.mark.parametrize(
        ("expression", "record", "value"),
        [
            (spl.coalesce(field("a"), field("b")), {"a": "1", "b": "2"}, "1"),
            (spl.coalesce(field("a"), field("b")), {"a": None, "b": "2"}, "null"),
            (spl.coalesce(spl.null_if(field("a"), "null"), field("b")), {"a": None, "b": "2"}, "2"),
            (spl.coalesce(field("a"), field("b")), {"a": "", "b": "2"}, ""),
            (spl.coalesce(field("a"), field("b")), {}, None),
            (spl.item(field("a{}"), 0), {"a": ["1", "2"]}, "1"),
            (spl.item(field("a{}"), 1), {"a": ["1", "2"]}, "2"),
            (spl.item(field("a{}"), 2), {"a": ["1", "2"]}, None),
            (spl.item(field("a"), 0), {"a": "1"}, "1"),
            (spl.item(field("a{}"), -1), {"a": ["1", "2"]}, "2"),
            (spl.item(field("a{}"), -3), {"a": ["1", "2"]}, None),
            (spl.count(field("a{}")), {"a": ["1", "2"]}, 2),
            (spl.count(field("a{}")), {"a": []}, None),
            (spl.null_if(field("a"), "null"), {"a": None}, None),
            (spl.null_if(field("a"), "null"), {"a": "nulls"}, "nulls"),
            (spl.joined(field("a"), spl.text("/"), field("b")), {"a": "x", "b": "y"}, "x/y"),
            (spl.joined(field("a"), spl.text("/"), field("b")), {"a": "x"}, None),
            (spl.length(field("a")), {"a": "xyz"}, 3),
            (spl.choose(field("a").equals("x"), field("b"), spl.text("no")), {"a": "x", "b": "y"}, "y"),
            (spl.choose(field("a").equals("x"), field("b"), spl.text("no")), {"b": "y"}, "no"),
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
    KIND = spl.named("kind", spl.field("verb"))

    def test_what_is_printed(self) -> None:
        made = (
            spl.Pipeline(spl.index("main") & spl.SearchField("a").equals("x"))
            .where(spl.field("a").equals("x") | spl.field("b").equals("y"))
            .eval(c=spl.field("a"), d=spl.field("c"))
            .lookup("table", match=("column", "c"), output=("other", "e"))
            .dedup_earliest(self.KIND)
            .largest(spl.named("size", spl.length(RAW)), 5)
            .head(3)
            .fields("c", "size")
        )
        assert str(made) == (
            'search index="main" "a"="x"\n'
            '| where a=="x" OR b=="y"\n'
            "| eval c=a, d=c\n"
            "| lookup local=true table column AS c OUTPUT other AS e\n"
            "| eval kind=verb\n"
            "| dedup kind sortby +_time\n"
            "| eval size=len(_raw)\n"
            "| sort 5 -size\n"
            "| head 3\n"
            "| fields c,size\n"
            "| fields - _*"
        )
        assert str(ANY.count_by(self.KIND)) == 'search index="main"\n| eval kind=verb\n| stats count by kind'

    def test_a_command_leaves_the_pipeline_as_it_was(self) -> None:
        assert str(ANY.where(spl.is_not_null(self.KIND))) == (
            'search index="main"\n| eval kind=verb\n| where isnotnull(kind)'
        )
        assert str(ANY) == 'search index="main"'

    def test_every_command_is_parsed_as_what_it_is(self) -> None:
        made = ANY.dedup_earliest(self.KIND).largest(self.KIND, 2).head(1).count_by(self.KIND).fields("kind", "count")
        assert parse(str(made)) == (
            s.Search(INDEX),
            s.Eval((("kind", s.Field("verb")),)),
            s.Dedup(1, ("kind",), (s.SortKey("_time", descending=False),)),
            s.Sort(2, (s.SortKey("kind", descending=True),)),
            s.Head(1),
            s.StatsCount(("kind",)),
            s.Fields(("kind", "count")),
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
        kind = spl.named("kind", spl.null_if(spl.field("verb"), "null"))
        assert found(ANY.dedup_earliest(kind), AuditLog(tuple(records))) == [1, 2]

    def test_the_largest_values(self) -> None:
        size = spl.named("size", spl.length(field("a")))
        assert found(ANY.largest(size, 2), log({"a": "xx"}, {"a": "x" * 10}, {"a": "xxx"}, {})) == [1, 2]

    def test_nothing_but_the_fields_named(self) -> None:
        search = compile_search(str(ANY.eval(kind=spl.text("k")).fields("kind", "missing")))
        assert list(search.run(log({"a": "x"}))) == [{"kind": "k"}]


class TestNamed:
    """Fields that a search makes, once, before the first command that reads them."""

    A = spl.named("a", spl.field("x"))
    B = spl.named("b", spl.coalesce(A, spl.field("y")))

    def test_what_reads_it_says_what_it_is_made_of(self) -> None:
        assert (str(self.B), sorted(self.B.fields)) == ("b", ["x", "y"])
        both = self.B.equals("1") & self.A.equals("2")
        assert (str(both), [name for name, _ in both.made]) == ('b=="1" AND a=="2"', ["a", "b"])

    def test_each_is_made_once_whatever_reads_it(self) -> None:
        made = (
            ANY.where(spl.field("z").equals("1"))
            .where(self.B.equals("1") & self.A.equals("2"))
            .eval(c=self.A, d=spl.joined(self.A, spl.named("e", self.B)))
            .dedup_earliest(self.B)
        )
        assert str(made) == (
            'search index="main"\n'
            '| where z=="1"\n'
            "| eval a=x, b=coalesce(a, y)\n"
            '| where b=="1" AND a=="2"\n'
            "| eval e=b\n"
            "| eval c=a, d=a . e\n"
            "| dedup b sortby +_time"
        )

    def test_two_of_one_name(self) -> None:
        other = spl.named("a", spl.field("z"))
        for pipeline, condition in (
            (ANY.where(self.A.equals("1")), other.equals("1")),
            (ANY, self.A.equals("1") & other.equals("1")),
            (ANY.dedup_earliest(self.B), spl.is_not_null(other)),
        ):
            with pytest.raises(ConfigurationError) as caught:
                pipeline.where(condition)
            assert str(caught.value) == "a search makes two different fields named a: rename one"

    #: Fields of which each may be made of those before it.
    MADE = st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=6)

    @given(MADE, st.data())
    @SLOW
    def test_any_number_of_them_mean_what_they_are_made_of(self, parts: list[list[int]], data: st.DataObject) -> None:
        fields: list[spl.Expression] = []
        due: list[str] = []
        for number, several in enumerate(parts):
            earlier = [part for part in several if part < number]
            fields.append(spl.named(f"f{number}", spl.joined(field("a"), *(fields[part] for part in earlier))))
            due.append("x" + "".join(due[part] for part in earlier))
        pipeline = ANY
        for read in data.draw(st.lists(st.integers(0, len(parts) - 1), min_size=1, max_size=4)):
            pipeline = pipeline.where(fields[read].equals(due[read]))
        assert found(pipeline, log({"a": "x"}, {"a": "y"})) == [0]
        made = [
            name for command in parse(str(pipeline)) if isinstance(command, s.Eval) for name, _ in command.assignments
        ]
        assert len(made) == len(set(made))
