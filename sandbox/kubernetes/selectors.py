"""Label and field selectors: text becomes a test of an object's labels or fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.kubernetes.errors import bad_request
from sandbox.kubernetes.names import is_label_key, is_label_value

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUIREMENT = re.compile(
    r"""\s*
    (?: !\s*(?P<absent>[^\s=!(),<>]+)
      | (?P<key>[^\s=!(),<>]+)
        (?: \s*(?P<operator>==|=|!=)\s*(?P<value>[^\s=!(),<>]*)
          | \s+(?P<set>in|notin)\s*\((?P<values>[^=!()<>]*)\)
        )?
    )
    \s*(?P<comma>,|$)""",
    re.VERBOSE,
)
_FIELD_TERM = re.compile(r"(?P<key>[^=!]+)(?P<operator>==|=|!=)(?P<value>[^=!]*)")
_FIELDS = ("metadata.name", "metadata.namespace")


@dataclass(frozen=True)
class Requirement:
    """A key has one of the values, or, where these are None, is there at all; ``negated``, the contrary."""

    key: str
    values: frozenset[str] | None = None
    negated: bool = False

    def __call__(self, texts: Mapping[str, Any]) -> bool:
        """Test labels or fields."""
        holds = self.key in texts if self.values is None else texts.get(self.key) in self.values
        return holds != self.negated


def parse_label_selector(text: str) -> list[Requirement]:
    """Read the requirements, which must hold together; an empty selector has none."""
    requirements = []
    position, comma = 0, text.strip()
    while comma:
        match = _REQUIREMENT.match(text, position)
        if match is None:
            raise bad_request(f"unable to parse requirement: not a label selector from {text[position:]!r} on")
        requirements.append(_label_requirement(match))
        position, comma = match.end(), match["comma"]
    return requirements


def _label_requirement(match: re.Match[str]) -> Requirement:
    if match["operator"] is not None:
        values, negated = [match["value"]], match["operator"] == "!="
    elif match["set"] is not None:
        values, negated = [value.strip() for value in match["values"].split(",")], match["set"] == "notin"
    else:
        values, negated = None, match["absent"] is not None
    key = match["absent"] or match["key"]
    if not is_label_key(key):
        raise bad_request(f"unable to parse requirement: {key!r} cannot be the key of a label")
    if wrong := [value for value in values or () if not is_label_value(value)]:
        raise bad_request(f"unable to parse requirement: {wrong[0]!r} cannot be the value of a label")
    return Requirement(key, None if values is None else frozenset(values), negated)


def parse_field_selector(text: str) -> list[Requirement]:
    """Read requirements on an object's name and namespace, the only fields implemented."""
    requirements = []
    for term in text.split(",") if text else ():
        match = _FIELD_TERM.fullmatch(term)
        if match is None:
            raise bad_request(f"invalid field selector: {term!r} is not of the form field=value or field!=value")
        if match["key"] not in _FIELDS:
            raise bad_request(f"field label not supported: {match['key']}")
        requirements.append(Requirement(match["key"], frozenset([match["value"]]), match["operator"] == "!="))
    return requirements
