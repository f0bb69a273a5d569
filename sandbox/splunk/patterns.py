"""SPL's three kinds of pattern as Python regular expressions."""

from __future__ import annotations

import re
from functools import lru_cache

from sandbox.splunk.errors import SplError


@lru_cache(maxsize=1024)
def wildcard(pattern: str) -> re.Pattern[str]:
    """``*`` stands for any run of characters; to be used with ``fullmatch``."""
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


@lru_cache(maxsize=1024)
def sql_like(pattern: str) -> re.Pattern[str]:
    """``%`` stands for any run of characters, ``_`` for any one; to be used with ``fullmatch``."""
    wild = {"%": ".*", "_": "."}
    return re.compile("".join(wild.get(character) or re.escape(character) for character in pattern), re.DOTALL)


@lru_cache(maxsize=1024)
def regex(pattern: str) -> re.Pattern[str]:
    """Compile a regular expression; Splunk's are PCRE, and what Python's dialect lacks is an error."""
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise SplError(f"Regex: {error}, or not implemented") from error


BACKREFERENCE = re.compile(r"\\([0-9])")
