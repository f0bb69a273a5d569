"""Quote what Splunk said: on one line, cut, and without what we sent in confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segment_bridge.splunk.redaction import REMOVED, removing

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The most characters of a quotation, and of a text that are looked at.
LONGEST, _LOOKED_AT = 300, 10_000


def quoted(text: str, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> str:
    """Return a text as :func:`clean` does, cut to what an error can hold."""
    text = clean(text, secrets, names)
    return text if len(text) <= LONGEST else text[: LONGEST - len(REMOVED)].rstrip() + REMOVED


def clean(text: str, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> str:
    """Return a text on one line, printable, and without the secrets in any form in which they travel.

    A name, such as the user's, is removed where it is a word of its own; as a part of other words it tells nothing.
    """
    # What is not printable in a secret is a blank in the text by then.
    secrets, names = ({form for one in many for form in (one, on_one_line(one))} for many in (secrets, names))
    remove = removing(secrets, names)
    before, text = "", on_one_line(remove(text[:_LOOKED_AT]))
    while before != text:  # what is left around a secret may be another one
        before, text = text, remove(text)
    return text


def on_one_line(text: str) -> str:
    """Return a text with one blank for whatever is not printable: line ends, controls, marks that reverse text."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
