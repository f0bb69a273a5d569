"""Messages of Splunk that may pass although they tell of missing results, as the setting ``tolerated_messages``."""

from __future__ import annotations

from typing import Annotated

import msgspec

from segment_bridge.errors import ConfigurationError

#: What the setting looks like, for the error about one that does not.
EXAMPLE = '[{"pattern": "Timed out waiting for peer idx-9.*", "reason": "idx-9 holds no audit records"}]'
#: Characters beside ``*`` that a pattern must have: fewer would match too much.
_FEWEST = 8

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class Tolerated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pattern for whole messages, in which ``*`` stands for any text, and the reason why they may pass."""

    pattern: _Text
    reason: _Text

    def __post_init__(self) -> None:
        if sum(not letter.isspace() for letter in self.pattern.replace("*", "")) < _FEWEST:
            raise ValueError(f"a pattern needs at least {_FEWEST} characters beside * and blanks")
        if not self.reason.strip():
            raise ValueError("a reason cannot be blank")

    def matches(self, text: str) -> bool:
        """Say whether the pattern fits all of the text; the case of letters and the number of blanks do not count."""
        first, *others = _folded(self.pattern).split("*")
        text = _folded(text)
        if not others:
            return text == first
        if not text.startswith(first):
            return False
        *middle, last = others
        at = len(first)
        for part in middle:
            found = text.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        return len(text) - len(last) >= at and text.endswith(last)


#: The whole setting.
ToleratedMessages = Annotated[tuple[Tolerated, ...], msgspec.Meta(max_length=100)]


def read(text: str, name: str) -> tuple[Tolerated, ...]:
    """Read the variable of this name from JSON; raises :class:`ConfigurationError` that says what is wrong."""
    try:
        return msgspec.json.decode(text, type=ToleratedMessages)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name} cannot be used: {error}; write it as {EXAMPLE}") from None


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
