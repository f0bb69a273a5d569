"""What an error quotes of Splunk: never a secret, whatever its form, and nothing that does not show."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segment_bridge.splunk.quoted import LONGEST, clean, on_one_line, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = 's3cr3t/p+ä"ss wörd&<1>'


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("  Timed out\r\n\tfor\x00 peer\x1b[31m idx-1. ", "Timed out for peer [31m idx-1."),
        ("a\u202eb\u2066c\u200fd\u2028e\ue000f\ud800g\u00adh", "a b c d e f g h"),
        ("für “ann” 名前 🎉", "für “ann” 名前 🎉"),
        ("", ""),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 297 + "..."),
    ],
)
def test_what_is_quoted(said: str, told: str) -> None:
    assert quoted(said) == told


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        SECRET.upper(),
        quote(SECRET),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        html.escape(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(SECRET)[1:-1])[1:-1],
        "".join(f"{letter}\n" if letter == " " else letter for letter in SECRET),
    ],
)
def test_a_secret_is_removed_in_each_form(form: str) -> None:
    assert quoted(f"user ann sent {form}, it says", [SECRET]) == "user ann sent ..., it says"


@pytest.mark.parametrize("before", ["", "a", "ab", "ann:", "Basic: ann:"])
@pytest.mark.parametrize("after", ["", ":", "\n", "abc"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_no_letter_of_base64_remains_that_a_secret_decides(
    before: str, after: str, encode: Callable[[bytes], bytes]
) -> None:
    secrets = {"secret-token-0123456789", "secret-token-9876543210"}
    told = {quoted(encode(f"{before}{secret}{after}".encode()).decode(), secrets) for secret in secrets}
    assert len(told) == 1


def test_a_name_is_removed_as_a_word_alone() -> None:
    assert quoted("ann cannot; Ann, 'ann' anna ann's", names=["ann", ""]) == "... cannot; ..., '...' anna ...'s"


SAID = st.text(max_size=400)
#: What can be seen, but for the dots that stand for a secret.
SHOWN = st.characters(categories=("L", "N", "P", "S"), exclude_characters=".")
SECRETS = st.lists(st.text(min_size=1, max_size=20).filter(lambda text: on_one_line(text).strip(".")), max_size=3)


@given(st.lists(SAID | st.integers(0, 2), max_size=6), SECRETS)
@example(["abab", "cc"], ["ab", "c"])
@example(["a a\x00b b"], ["a b"])
@example([".x.x.x"], [".x"])
def test_whatever_is_said(parts: list[str | int], secrets: list[str]) -> None:
    # Where it says a number, it repeats the secret of that number.
    said = "".join(part if isinstance(part, str) else "".join(secrets[part : part + 1]) for part in parts)
    told = quoted(said, secrets)
    assert len(told) <= LONGEST
    assert told.isprintable()
    assert on_one_line(told) == told
    assert [secret for secret in map(on_one_line, secrets) if secret in told.removesuffix("...")] == []


@given(st.text(SHOWN, min_size=4, max_size=40), st.sampled_from([quote, quote_plus, html.escape]), SAID, SAID)
def test_whatever_is_encoded(secret: str, encode: Callable[[str], str], before: str, after: str) -> None:
    form = encode(secret)
    assert form not in clean(f"{before}{form}{after}", [secret])


@given(SAID, SECRETS, st.lists(st.text(max_size=8), max_size=2))
def test_cleaning_twice_is_cleaning_once(said: str, secrets: list[str], names: list[str]) -> None:
    once = clean(said, secrets, names)
    assert clean(once, secrets, names) == once
