"""All searches, one file each, for people to read and for tests to compare with.

``python -m tests.unit.golden.update`` rewrites them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segment_bridge.catalog import JOURNEYS, Combined, combine
from segment_bridge.settings import IdentityMode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from segment_bridge.catalog import Search

FOLDER = Path(__file__).parent
INDEX = "federated:rh_rhtap_stage_audit"
COMBINED = [search for search in combine(JOURNEYS) if isinstance(search, Combined)]


def texts() -> dict[str, str]:
    """Compile every search; the keys are the paths of the files. With a lookup, those that it changes are enough."""
    made: dict[str, str] = {}
    for folder, searches in (("spl", JOURNEYS), ("spl_combined", COMBINED)):
        made |= _compiled(folder, searches, IdentityMode.BRIDGE)
        naming = [search for search in searches if "userId" in search.compile(INDEX)]
        made |= _compiled(f"{folder}_lookup", naming, IdentityMode.SPLUNK_LOOKUP)
    return made


def _compiled(folder: str, searches: Iterable[Search], identity: IdentityMode) -> dict[str, str]:
    return {f"{folder}/{search.name}.spl": search.compile(INDEX, identity) + "\n" for search in searches}


def main() -> None:
    """Write the files, and remove those of searches that are gone."""
    made = texts()
    for old in set(FOLDER.glob("*/*.spl")) - {FOLDER / name for name in made}:
        old.unlink()
    for name, text in made.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
