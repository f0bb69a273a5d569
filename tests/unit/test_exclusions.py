from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_bridge.errors import ConfigurationError
from segment_bridge.exclusions import MAX_LENGTH, MAX_PATTERNS, NOBODY, Exclusions

names = st.text(st.sampled_from(string.ascii_letters + string.digits + "-_.:@/ é"), max_size=20)
texts = st.text(max_size=20)


@pytest.mark.parametrize(
    ("pattern", "matches", "does_not"),
    [
        ("ann", ["ann"], ["Ann", "anna", "joann", "", "ann\n"]),
        ("load-test-*", ["load-test-", "load-test-7", "load-test-a\nb"], ["load-test", "my-load-test-7"]),
        ("*-bot", ["ci-bot", "-bot"], ["ci-bots"]),
        ("*test*", ["test", "a-test-b"], ["tes-t"]),
        ("CN=Joe?Doe*", ["CN=Joe Doe,OU=staff", "CN=Joe Doe"], ["CN=JoeDoe"]),
        ("user-[12]", ["user-1", "user-2"], ["user-3", "user-12"]),
        ("a.b", ["a.b"], ["axb"]),
        ("kube:admin", ["kube:admin"], ["kube:admin2"]),
    ],
)
def test_a_pattern_matches_whole_names(pattern: str, matches: list[str], does_not: list[str]) -> None:
    both = Exclusions.of(users=[pattern]), Exclusions.of(namespaces=[pattern])
    for is_excluded in (both[0].user, both[1].namespace):
        assert [name for name in matches if not is_excluded(name)] == []
        assert [name for name in does_not if is_excluded(name)] == []
    for is_excluded in (both[0].namespace, both[1].user):
        assert [name for name in matches if is_excluded(name)] == []


def test_any_of_several_patterns_is_enough() -> None:
    exclusions = Exclusions.of(users=["ann", "bob*"])
    assert [name for name in ("ann", "bobby", "annbob", "carl") if exclusions.user(name)] == ["ann", "bobby"]


@given(texts, texts)
def test_nobody_is_excluded_by_default(user: str, namespace: str) -> None:
    assert not NOBODY.user(user)
    assert not NOBODY.namespace(namespace)


@given(names.filter(lambda name: name and name == name.strip()), texts, texts)
def test_a_name_is_its_own_pattern_and_a_star_stands_for_any_text(name: str, before: str, after: str) -> None:
    assert Exclusions.of(users=[name]).user(name)
    assert Exclusions.of(users=[f"*{name}*"]).user(before + name + after)
    assert Exclusions.of(users=[name]).user(before + name + after) is (not before and not after)


@given(st.lists(texts, max_size=3), texts)
def test_whatever_is_given_either_works_or_is_a_clear_error(patterns: list[str], name: str) -> None:
    fine = all(pattern.strip() == pattern and pattern.isprintable() and pattern.strip("*") for pattern in patterns)
    with contextlib.nullcontext() if fine else pytest.raises(ConfigurationError, match=r"^exclude_users: pattern "):
        Exclusions.of(users=patterns).user(name)


def test_many_stars_take_no_time() -> None:
    assert not Exclusions.of(users=["*a" * 127 + "b"]).user("a" * 100_000)


EDGE = "begins or ends with a blank, or has a control character: no name does, remove it"


@pytest.mark.parametrize(
    ("patterns", "told"),
    [
        (["ann", ""], "exclude_namespaces: pattern 2 is empty: remove it"),
        (["*"], "exclude_namespaces: pattern 1 matches every name: name whom to exclude"),
        (["***"], "exclude_namespaces: pattern 1 matches every name: name whom to exclude"),
        (["ann "], f"exclude_namespaces: pattern 1 {EDGE}"),
        (["a\x00b"], f"exclude_namespaces: pattern 1 {EDGE}"),
        (
            ["x" * (MAX_LENGTH + 1)],
            "exclude_namespaces: pattern 1 has 257 characters, more than 256: shorten it with *",
        ),
        (["x"] * (MAX_PATTERNS + 1), "exclude_namespaces has 501 patterns, more than 500: use wildcards"),
    ],
)
def test_what_is_wrong_is_said_without_the_pattern(patterns: list[str], told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Exclusions.of(namespaces=patterns)
    assert str(caught.value) == told
