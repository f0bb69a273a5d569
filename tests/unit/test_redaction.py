from __future__ import annotations

import base64
import html
import json
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_bridge.splunk.redaction import removing

if TYPE_CHECKING:
    from collections.abc import Callable


def in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


#: How a text may be written by whoever sends it back.
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": in_json,
    "JSON in Unicode": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with slashes escaped": lambda text: in_json(text).replace("/", "\\/"),
    "JSON in JSON": lambda text: in_json(in_json(text)),
    "URL": quote,
    "URL without slashes": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "URL in small letters": lambda text: quote(text, safe="").lower() if text == text.lower() else quote(text),
    "URL in URL": lambda text: quote(quote(text)),
    "JSON in URL": lambda text: quote(in_json(text)),
    "URL in JSON": lambda text: in_json(quote(text)),
    "HTML": html.escape,
    "HTML in HTML": lambda text: html.escape(html.escape(text)),
    "HTML by numbers": lambda text: re.sub(r"[^A-Za-z0-9]", lambda found: f"&#{ord(found[0])};", text),
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="|."), min_size=1, max_size=20)


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(secret=TEXTS)
def test_a_secret_is_taken_out_however_it_is_written(spelling: str, secret: str) -> None:
    written = SPELLINGS[spelling](secret)
    assert removing([secret])(f"||{written}||") == "||...||"
    assert removing([], [secret])(f"||{written}||") == "||...||"


@given(
    before=st.binary(),
    secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=9, max_size=30),
    after=st.binary(),
)
def test_so_is_base64_wherever_the_secret_stands_in_it(before: bytes, secret: str, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(before + secret.encode() + after).decode()
        told = removing([secret])(encoded)
        assert "..." in told
        # But for padding, and a letter or two in which bits of the secret are mixed with others.
        assert len(told.replace("...", "")) <= len(encode(before + after)) + 6
        assert removing([secret])(quote(encoded, safe="")) != quote(encoded, safe="")


@given(text=st.text(), secrets=st.lists(TEXTS, max_size=3), names=st.lists(TEXTS, max_size=2))
def test_no_secret_is_left(text: str, secrets: list[str], names: list[str]) -> None:
    told = removing(secrets, names)(text)
    # What was put in is made of dots.
    assert [secret for secret in secrets if secret in told] == []


def test_a_name_is_kept_within_a_word() -> None:
    assert removing([], ["ann"])("ann cannot, says 'ann'; ann_1") == "... cannot, says '...'; ann_1"


@pytest.mark.parametrize("empty", [[], [""]])
def test_nothing_is_taken_out_where_nothing_is_private(empty: list[str]) -> None:
    assert removing(empty, empty)("a text") == "a text"


def test_a_text_of_backslashes_is_soon_read() -> None:
    begun = time.monotonic()
    assert removing(['\\/"' * 5])("\\" * 65_536) == "\\" * 65_536
    assert time.monotonic() - begun < 30
