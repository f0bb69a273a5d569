"""Take what was sent in confidence out of a text that comes back, in every form in which it may come back."""

from __future__ import annotations

import base64
import html
import json
import re
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REMOVED = "..."
#: A run of backslashes, however they are escaped: there are more of them in JSON within JSON.
_BACKSLASHES = r"(?:\\|%(?:25)*5C|&(?:amp;)*\#(?:0*92|x0*5C);){1,8}"
#: A shorter piece of Base64 could be any word.
_SHORTEST_PIECE = 8
#: A letter of Base64 that may hold bits of the secret beside it.
_BESIDE = r"[\w+/-]?"


def removing(secrets: Iterable[str], names: Iterable[str] = ()) -> Callable[[str], str]:
    """Return a function that removes secrets from a text wherever they stand, and names where they are whole words.

    Both are found as they are and as JSON, URLs, HTML and Base64 write them.
    """
    patterns = []
    for secret in secrets:
        if secret not in REMOVED:  # which nothing is, too
            patterns.append(_written(secret))
            patterns += [f"{_BESIDE}{_written(piece)}{_BESIDE}" for piece in _in_base64(secret)]
    patterns += [rf"(?<!\w){_written(name)}(?!\w)" for name in names if name not in REMOVED]
    pattern = re.compile("|".join(sorted(patterns, key=len, reverse=True)) or "(?!)", re.IGNORECASE)
    return lambda text: pattern.sub(REMOVED, text)


def _written(text: str) -> str:
    # However many backslashes there are, they match as one run.
    return "".join(map(_character, re.sub(r"\\+", r"\\", text)))


def _character(character: str) -> str:
    """Return a pattern for one character however it is escaped."""
    if character == "\\":
        return _BACKSLASHES
    if character.isascii() and character.isalnum():
        return character  # nobody escapes these
    utf8 = character.encode(errors="surrogatepass")
    utf16 = character.encode("utf-16-be", errors="surrogatepass")
    forms = [
        "".join(f"{_BACKSLASHES}u{utf16[at : at + 2].hex()}" for at in range(0, len(utf16), 2)),
        "".join(f"%(?:25)*{byte:02x}" for byte in utf8),
        rf"&(?:amp;)*\#(?:0*{ord(character)}|x0*{ord(character):x});",
    ]
    if (in_html := html.escape(character)) != character:
        forms.append(in_html.replace("&", "&(?:amp;)*"))
    if character == " ":
        forms.append(r"\+")
    # Last, as others begin with the character itself.
    forms.append(re.escape(character))
    pattern = f"(?:{'|'.join(forms)})"
    in_json = json.dumps(character)[1:-1]
    if len(in_json) == 2:  # noqa: PLR2004 - a backslash and a letter
        return f"(?:{_BACKSLASHES}(?:{re.escape(in_json[1])}|{pattern})|{pattern})"
    # JSON may have a backslash before a slash, too.
    return f"(?:{_BACKSLASHES})?{pattern}" if character == "/" else pattern


def _in_base64(secret: str) -> Iterator[str]:
    """Yield the letters that a secret alone decides, wherever it stands in what is encoded."""
    data = secret.encode(errors="surrogatepass")
    for before, encode in product(range(3), (base64.b64encode, base64.urlsafe_b64encode)):
        encoded = encode(bytes(before) + data).decode().rstrip("=")
        piece = encoded[(0, 2, 3)[before] : len(encoded) - bool((before + len(data)) % 3)]
        if len(piece) >= _SHORTEST_PIECE:
            yield piece
