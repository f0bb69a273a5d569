"""The small values that records and objects are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from random import Random

Record: TypeAlias = dict[str, Any]
"""A JSON object; parts that never change may be ``msgspec.Raw``."""

SECOND = 1_000_000  # microseconds


@lru_cache(maxsize=1024)
def _to_seconds(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def microtime(at: int) -> str:
    """Write microseconds since the epoch as Kubernetes' MicroTime."""
    seconds, micros = divmod(at, SECOND)
    return f"{_to_seconds(seconds)}.{micros:06d}Z"


def time(at: int) -> str:
    """Write microseconds since the epoch as Kubernetes' Time, which has whole seconds."""
    return f"{_to_seconds(at // SECOND)}Z"


def uuid(rng: Random) -> str:
    """Return a random UUID (version 4)."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def suffix(rng: Random) -> str:
    """Return five characters, as ``generateName`` appends them."""
    return f"{rng.getrandbits(25):05x}"[-5:]


def digits(rng: Random, count: int) -> str:
    """Return a number of so many digits, the first not zero."""
    return str(rng.randrange(10 ** (count - 1), 10**count))
