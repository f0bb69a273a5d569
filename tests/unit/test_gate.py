from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from segment_bridge.errors import ConfigurationError
from segment_bridge.gate import Accept, Admitted, LastGood, Limits, Refuse, UseLastGood, admit, judge, read_last_good
from segment_bridge.identity import IdentityMap
from segment_bridge.staging import Staging

if TYPE_CHECKING:
    from pathlib import Path

    from segment_bridge.gate import Verdict

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EMPTY = "it is empty, as there are no UserSignups"
HALVED = "it has 50 entries where the last good one has 100, which is more than 20 % fewer"


def made(size: int, unusable: int = 0) -> IdentityMap:
    entries = {f"user-{number}": f"id-{number}" for number in range(size)}
    return IdentityMap(entries, skipped=unusable, unusable=unusable, empty="" if size else "there are no UserSignups")


@pytest.mark.parametrize(
    ("new", "last_size", "last_age", "limits", "verdict"),
    [
        (made(1), None, None, Limits(), Accept()),
        (made(100), 100, HOUR, Limits(), Accept()),
        (made(80), 100, HOUR, Limits(), Accept()),
        (made(300), 100, 90 * HOUR, Limits(), Accept()),
        (made(29), 36, HOUR, Limits(), Accept()),
        (
            made(28),
            36,
            HOUR,
            Limits(),
            UseLastGood(
                "it has 28 entries where the last good one has 36, which is more than 20 % fewer; "
                "the last good map, 1.0 h old, stands in"
            ),
        ),
        (made(79), 100, HOUR, Limits(largest_shrink=21), Accept()),
        (made(50), 100, HOUR, Limits(), UseLastGood(f"{HALVED}; the last good map, 1.0 h old, stands in")),
        (made(50), 100, 24 * HOUR, Limits(), UseLastGood(f"{HALVED}; the last good map, 24.0 h old, stands in")),
        (
            made(50),
            100,
            25 * HOUR,
            Limits(),
            Refuse(f"{HALVED}, and the last good map is 25.0 h old, more than 24.0 h"),
        ),
        (
            made(50),
            100,
            25 * HOUR,
            Limits(oldest=48 * HOUR),
            UseLastGood(f"{HALVED}; the last good map, 25.0 h old, stands in"),
        ),
        (
            made(0),
            100,
            HOUR,
            Limits(largest_shrink=100),
            UseLastGood(f"{EMPTY}; the last good map, 1.0 h old, stands in"),
        ),
        (made(0), None, None, Limits(), Refuse(f"{EMPTY}, and there is no last good map to stand in")),
        (
            made(50, unusable=30),
            100,
            HOUR,
            Limits(),
            UseLastGood(
                f"{HALVED} (30 are left out for an ID that identifies nobody); the last good map, 1.0 h old, stands in"
            ),
        ),
    ],
)
def test_verdict(
    new: IdentityMap, last_size: int | None, last_age: timedelta | None, limits: Limits, verdict: Verdict
) -> None:
    assert judge(new, last_size=last_size, last_age=last_age, limits=limits) == verdict


def test_a_good_map_is_kept_and_stands_in_for_a_bad_one_as_long_as_it_is_young(tmp_path: Path) -> None:
    root = Staging.at(str(tmp_path))
    good = made(100)
    kept = LastGood(made_at=NOW, run="one", entries=dict(good.entries))

    assert admit(root, "users", good, run="one", now=NOW, limits=Limits()) == Admitted(good.entries, Accept())
    assert read_last_good(root, "users") == kept
    assert read_last_good(root, "workspaces") is None

    reason = f"{HALVED}; the last good map, 3.0 h old, stands in"
    later = NOW + 3 * HOUR
    assert admit(root, "users", made(50), run="two", now=later, limits=Limits()) == Admitted(
        good.entries, UseLastGood(reason)
    )
    assert read_last_good(root, "users") == kept

    with pytest.raises(ConfigurationError) as refused:
        admit(root, "users", made(50), run="three", now=NOW + 25 * HOUR, limits=Limits())
    assert str(refused.value) == (
        f"the map of users is refused: {HALVED}, and the last good map is 25.0 h old, more than 24.0 h. "
        "Check the clusters, and that the credentials may see all objects; "
        f"if the map is right, remove {(tmp_path / 'last-good/users.json').as_uri()}"
    )
    assert read_last_good(root, "users") == kept

    grown = made(200)
    assert admit(root, "users", grown, run="four", now=later, limits=Limits()) == Admitted(grown.entries, Accept())
    assert read_last_good(root, "users") == LastGood(made_at=later, run="four", entries=dict(grown.entries))


def test_what_is_shown_of_a_map_names_nobody(tmp_path: Path) -> None:
    admitted = admit(Staging.at(str(tmp_path)), "users", made(1), run="one", now=NOW, limits=Limits())
    assert repr(admitted) == "Admitted(verdict=Accept())"
