"""The setting ``tolerated_messages``."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_bridge import tolerance
from segment_bridge.errors import ConfigurationError
from segment_bridge.settings import TOLERATED_MESSAGES, Environment
from segment_bridge.tolerance import Tolerated

ONE = Tolerated("Timed out waiting for peer idx-9.*", "idx-9 holds no audit records")


def test_the_example_can_be_used() -> None:
    assert Environment({TOLERATED_MESSAGES: tolerance.EXAMPLE}).tolerated_messages() == (ONE,)


@pytest.mark.parametrize("variables", [{}, {TOLERATED_MESSAGES: ""}, {TOLERATED_MESSAGES: "[]"}])
def test_by_default_nothing_is_tolerated(variables: dict[str, str]) -> None:
    assert Environment(variables).tolerated_messages() == ()


FEW = "a pattern needs at least 8 characters beside * and blanks"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Timed out*", "JSON is malformed: invalid character (byte 0)"),
        ("[" * 100_000, "Expected `object`, got `array` - at `$[0]`"),
        ('{"pattern": "Timed out*", "reason": "x"}', "Expected `array`, got `object`"),
        ('["Timed out*"]', "Expected `object`, got `str` - at `$[0]`"),
        ('[{"pattern": "Timed out*"}]', "Object missing required field `reason` - at `$[0]`"),
        ('[{"reason": "x"}]', "Object missing required field `pattern` - at `$[0]`"),
        ('[{"pattern": "Timed out*", "reason": ""}]', "Expected `str` of length >= 1 - at `$[0].reason`"),
        ('[{"pattern": "Timed out*", "reason": " "}]', "a reason cannot be blank - at `$[0]`"),
        ('[{"pattern": "Timed out*", "reason": 1}]', "Expected `str`, got `int` - at `$[0].reason`"),
        ('[{"pattern": "Timed out*", "reason": "x", "why": "y"}]', "Object contains unknown field `why` - at `$[0]`"),
        ('[{"pattern": "*", "reason": "x"}]', f"{FEW} - at `$[0]`"),
        ('[{"pattern": "*a b * 1234 5*", "reason": "x"}]', f"{FEW} - at `$[0]`"),
        (
            '[{"pattern": "%s", "reason": "x"}]' % ("x" * 301),
            "Expected `str` of length <= 300 - at `$[0].pattern`",
        ),
        ("[{}]".format(", ".join([tolerance.EXAMPLE[1:-1]] * 101)), "Expected `array` of length <= 100"),
    ],
)
def test_what_cannot_be_used_is_said(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Environment({TOLERATED_MESSAGES: text}).tolerated_messages()
    assert str(caught.value) == f"{TOLERATED_MESSAGES} cannot be used: {told}; write it as {tolerance.EXAMPLE}"


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("timed out waiting", "Timed out  waiting", True),
        ("timed out waiting", "Timed out waiting.", False),
        ("timed out waiting*", "Timed out waiting", True),
        ("*out waiting", "Timed out waiting", True),
        ("timed*wait*ing", "timed out waiting", True),
        ("timed out*out waiting", "timed out waiting", False),
        ("timed*waiting*waiting", "timed out waiting", False),
        ("what? [x] 12345", "what? [x] 12345", True),
        ("what? [x] 12345", "what! x 12345", False),
        ("STRASSE und PLATZ", "straße und platz", True),
        ("*" * 200 + "abcdefgh" + "*" * 92, "a" * 100_000 + "abcdefgh", True),
        ("a*" * 140 + "b" * 20, "a" * 100_000, False),
    ],
)
def test_what_a_pattern_fits(pattern: str, text: str, fits: bool) -> None:
    assert Tolerated(pattern, "x").matches(text) is fits


@given(st.text("ab*", max_size=12), st.text("ab", max_size=12))
def test_a_pattern_means_what_the_shell_means_by_it(pattern: str, text: str) -> None:
    # Eight letters before both, as a pattern needs them.
    as_regex = ".*".join(map(re.escape, f"abababab{pattern}".split("*")))
    fits = re.fullmatch(as_regex, f"abababab{text}") is not None
    assert Tolerated(f"abababab{pattern}", "x").matches(f"abababab{text}") is fits
