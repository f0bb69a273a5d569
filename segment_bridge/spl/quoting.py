"""Quoting: how fields and values are written in SPL's two languages, and what cannot be written at all.

In ``search`` a field stands in double quotes and ``*`` is a wildcard even inside quoted values; in ``eval``
and ``where`` a field stands in single quotes and text in double quotes. Everything that SPL prints goes
through here, so that no value can end its own quotes.
"""

from __future__ import annotations

import re
import unicodedata

from segment_bridge.errors import ConfigurationError

_INDEX = re.compile(r"(federated:)?[a-z0-9_-]+")
_PHRASE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?")
_JSON_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*")
#: A word of ``eval``'s own is no name.
_BARE_NAME = re.compile(r"(?!(?i:and|or|xor|not|like|in)\Z)[A-Za-z][A-Za-z0-9_]*")
_INTERNAL_NAME = re.compile(r"_[a-z]+")


def index_name(name: str) -> str:
    """Return a quoted index name; refuse what Splunk does not take as one."""
    if not _INDEX.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no index name: it may hold a-z, 0-9, _ and -, and begin with federated: (see SPLUNK_INDEX)"
        )
    return f'"{name}"'


def search_literal(value: str) -> str:
    """Quote a value that stands for itself in ``search``."""
    if "*" in value:
        raise ConfigurationError("a literal * cannot be expressed in a search term: filter with where instead")
    return search_pattern(value)


def search_pattern(value: str) -> str:
    """Quote a value in which ``*`` is a wildcard."""
    return _in_double_quotes(value)


def search_field(name: str) -> str:
    """Quote a field's name for ``search``; there ``*`` would stand for several fields."""
    if "*" in name:
        raise ConfigurationError(f"{name!r} names no single field: a * stands for anything")
    return _without('"', name, '"')


def phrase(text: str) -> str:
    """Quote words that a record's text has to hold; raises for what might be written otherwise in JSON."""
    if not _PHRASE.fullmatch(text):
        raise ConfigurationError(f"{text!r} is no phrase to search for: it may hold letters, digits and . _ : -")
    return f'"{text}"'


def eval_text(value: str) -> str:
    """Quote text for ``eval``; there ``*`` is a character like any other."""
    return _in_double_quotes(value)


def eval_field(name: str) -> str:
    """Quote a field's name for ``eval``: a plain word or ``_raw`` stands bare, everything else in single quotes."""
    bare = _BARE_NAME.fullmatch(name) or _INTERNAL_NAME.fullmatch(name)
    return name if bare else _without("'", name, "'")


def new_field(name: str) -> str:
    """Check a name that the search itself gives to a field."""
    if not _BARE_NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no name for a new field: use letters, digits and _, but no word of eval")
    return name


def json_path(path: str) -> str:
    """Check a path of JSON keys; one that leads into a list would give a list that shares positions with others."""
    if not _JSON_PATH.fullmatch(path):
        raise ConfigurationError(
            f"{path!r} is no path of keys joined by dots: take the elements of a list whole, and keys with dots exactly"
        )
    return path


def _in_double_quotes(value: str) -> str:
    _refuse_control(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _without(quote: str, name: str, wrap: str) -> str:
    _refuse_control(name)
    if not name or quote in name or "\\" in name:
        raise ConfigurationError(
            f"{name!r} is no field name: it is empty, or holds a backslash or its own quote {quote}"
        )
    return f"{wrap}{name}{wrap}"


def _refuse_control(text: str) -> None:
    """Control characters end lines or hide text; a backtick calls a macro, even inside quotes."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text) or "`" in text:
        raise ConfigurationError(f"{text!r} holds a control character or a backtick, which SPL cannot quote")
