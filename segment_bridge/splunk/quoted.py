"""Quote what Splunk said: on one line, cut, and without what we sent in confidence."""

from __future__ import annotations

import base64
import html
import json
import re
from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The most characters of a quotation, and of a text that are looked at.
LONGEST, _LOOKED_AT = 300, 10_000
_REMOVED = "..."
#: A shorter piece of Base64 could be any word.
_SHORTEST_PIECE = 8
_BESIDE = r"[\w+/-]?"


def quoted(text: str, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> str:
    """Return a text as :func:`clean` does, cut to what an error can hold."""
    text = clean(text, secrets, names)
    return text if len(text) <= LONGEST else text[: LONGEST - len(_REMOVED)].rstrip() + _REMOVED


def clean(text: str, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> str:
    """Return a text on one line, printable, and without the secrets in any form in which they travel.

    A name, such as the user's, is removed where it is a word of its own; as a part of other words it tells nothing.
    """
    text = on_one_line(text[:_LOOKED_AT])
    patterns = [pattern for secret in secrets for pattern in _patterns(secret)]
    patterns += [rf"(?<!\w){re.escape(name)}(?!\w)" for name in map(on_one_line, names) if name]
    if patterns:
        private = re.compile("|".join(sorted(patterns, key=len, reverse=True)), re.IGNORECASE)
        before = ""
        while before != text:  # what is left around a secret may be another one
            before, text = text, private.sub(_REMOVED, text)
    return text


def on_one_line(text: str) -> str:
    """Return a text with one blank for whatever is not printable: line ends, controls, marks that reverse text."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _patterns(secret: str) -> Iterator[str]:
    """Yield patterns for a secret: as it is, and as URLs, JSON, XML and Base64 write it."""
    for text in {secret, secret.strip()} - {""}:
        data = text.encode(errors="surrogatepass")
        written = {text, quote(data), quote(data, safe=""), quote_plus(data), html.escape(text)}
        written |= {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
        written |= {json.dumps(form)[1:-1] for form in written}
        yield from (re.escape(form) for form in map(on_one_line, written) if form not in _REMOVED)
        yield from (f"{_BESIDE}{re.escape(piece)}{_BESIDE}" for piece in _in_base64(data))


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield the letters that some bytes alone decide, wherever they stand in what is encoded."""
    for before, encode in product(range(3), (base64.b64encode, base64.urlsafe_b64encode)):
        encoded = encode(bytes(before) + data).decode().rstrip("=")
        piece = encoded[(0, 2, 3)[before] : len(encoded) - bool((before + len(data)) % 3)]
        if len(piece) >= _SHORTEST_PIECE:
            yield piece
