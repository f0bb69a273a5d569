"""Whose results make no events: load tests, staff, and whoever else a setting names."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segment_bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Patterns in one setting, and characters in one pattern.
MAX_PATTERNS = 500
MAX_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Say of a name whether it is excluded."""

    user: Callable[[str], bool]
    namespace: Callable[[str], bool]

    @classmethod
    def of(cls, *, users: Sequence[str] = (), namespaces: Sequence[str] = ()) -> Exclusions:
        """Take shell patterns (``*``, ``?``, ``[...]``), which match whole names and respect case.

        Raises :class:`ConfigurationError` for a pattern that matches nothing or everything. The message does not
        quote it, as it may hold a user's name.
        """
        return cls(_matcher("exclude_users", users), _matcher("exclude_namespaces", namespaces))


def _matcher(setting: str, patterns: Sequence[str]) -> Callable[[str], bool]:
    if len(patterns) > MAX_PATTERNS:
        raise ConfigurationError(f"{setting} has {len(patterns)} patterns, more than {MAX_PATTERNS}: use wildcards")
    for number, pattern in enumerate(patterns, start=1):
        if flaw := _flaw(pattern):
            raise ConfigurationError(f"{setting}: pattern {number} {flaw}")
    if not patterns:
        return lambda _: False
    match = re.compile("|".join(map(fnmatch.translate, patterns))).match
    return lambda name: match(name) is not None


def _flaw(pattern: str) -> str:
    if not pattern.strip():
        return "is empty: remove it"
    if len(pattern) > MAX_LENGTH:
        return f"has {len(pattern)} characters, more than {MAX_LENGTH}: shorten it with *"
    if pattern != pattern.strip() or not pattern.isprintable():
        return "begins or ends with a blank, or has a control character: no name does, remove it"
    if not pattern.strip("*"):
        return "matches every name: name whom to exclude"
    return ""


#: Excludes nobody.
NOBODY = Exclusions.of()
