"""Texts and sizes that a careless reader of the log would stumble over."""

from __future__ import annotations

import msgspec

MESSAGES = (
    "Tasks Completed: 8 (Failed: 0, Cancelled 0), Skipped: 3",
    "Tasks Completed: 8 (Failed: 0, Cancelled 0), Skipped: 3",
    "Tasks Completed: 4 (Failed: 1, Cancelled 0), Skipped: 2",
    '"step-build" exited with code 1: open C:\\new\\table: 100 % full; {"json": ["inside"]} <&> $HOME `id`',
    "bâtiment e\u0301chec 🧑‍🚀👩🏽‍💻 試験 \u202eנכשל\u202c ok",
    "1.10",
    '{"exit": 1}',
    "'quoted' at the start",
    "first line\nsecond\tline\r\nU+2028:\u2028U+0085:\x85the end",
)

FITTING = "log line without an end; " * 800  # 20,000 characters: an event may be that large
OVERSIZE = ("x" * 79 + "\n") * 500  # 40,000 characters: no event may be that large
WIDE = "過大な出力" * 2_400  # 12,000 characters, but 36,000 bytes: too large as well

_100_KB = 120_000
_1_MB = 1_050_000


def _text(size: int) -> msgspec.Raw:
    return msgspec.Raw(b'"' + (b'{\\"data\\":\\"' + b"0123456789abcdef" * 62 + b'\\"} ') * (size // 1008) + b'"')


_LARGE = {size: _text(size) for size in (_100_KB, _1_MB)}


def _fields(count: int) -> msgspec.Raw:
    annotations: dict[str, object] = {f"f:example.com/parameter-{number}": {} for number in range(count)}
    return msgspec.Raw(msgspec.json.encode({"f:metadata": {"f:annotations": annotations}}))


#: Managed fields of more than 100 KB, and of more than the 5,000 bytes that Splunk extracts of its own accord.
FIELDS = _fields(3_000)
SOME_FIELDS = _fields(160)


def large_text(number: int, *, often: int) -> msgspec.Raw | None:
    """Return a JSON text for each ``often``th number: mostly somewhat over 100 KB, each fourth one about 1 MB."""
    if number % often != often // 2:
        return None
    return _LARGE[_1_MB if number // often % 4 == 0 else _100_KB]
