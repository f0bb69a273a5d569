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
#: A word of ``eval``'s own is no name.
_BARE_NAME = re.compile(r"(?!(?i:and|or|xor|not|like|in)\Z)[A-Za-z][A-Za-z0-9_]*")


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


def eval_text(value: str) -> str:
    """Quote text for ``eval``; there ``*`` is a character like any other."""
    return _in_double_quotes(value)


def eval_field(name: str) -> str:
    """Quote a field's name for ``eval``: a plain word stands bare, everything else in single quotes."""
    return name if _BARE_NAME.fullmatch(name) else _without("'", name, "'")


def new_field(name: str) -> str:
    """Check a name that the search itself gives to a field."""
    if not _BARE_NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no name for a new field: use letters, digits and _, but no word of eval")
    return name


def exact_regex(text: str) -> str:
    """Return a regular expression that finds nothing but the whole text, or that and one line end."""
    return f"^{re.escape(text)}$"


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
