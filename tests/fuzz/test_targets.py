"""What is fuzzed, tried with what the fuzzer starts from and with what mattered once."""

from __future__ import annotations

import sys

import pytest

from segment_bridge import convert
from segment_bridge.errors import FatalError
from segment_bridge.spl import quoting
from tests.fuzz.__main__ import NAMES
from tests.fuzz.targets import KEPT, SEEDS, TARGETS, WORDS

CASES = [(name, data) for inputs in (SEEDS, KEPT) for name, some in inputs.items() for data in some]


def test_each_target_has_all_that_it_needs() -> None:
    assert tuple(TARGETS) == NAMES
    assert set(TARGETS) == set(SEEDS) == set(WORDS) == set(KEPT)


@pytest.mark.parametrize(("name", "data"), CASES, ids=lambda value: repr(value)[:40])
def test_what_always_holds(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="decoding goes as deep from any calls since Python 3.12")
def test_an_event_that_is_nested_too_deeply_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "MAX_DEPTH", 10_000)
    noticed = 0
    for depth in range(900, 1_000):
        try:
            TARGETS["convert"](b"\x01" + b'{"a":' * depth + b"1" + b"}" * depth)
        except (RecursionError, FatalError, AssertionError):
            noticed += 1
    assert noticed


def test_text_that_ends_its_own_quotes_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quoting, "_in_double_quotes", lambda value: f'"{value}"')
    with pytest.raises(AssertionError):
        TARGETS["quoting"](b'a" OR "b"="b')
