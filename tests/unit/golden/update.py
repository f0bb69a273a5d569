"""All searches, one file each, for people to read and for tests to compare with.

``python -m tests.unit.golden.update`` rewrites them.
"""

from __future__ import annotations

from pathlib import Path

from segment_bridge.catalog import JOURNEYS
from segment_bridge.settings import IdentityMode, Source

FOLDER = Path(__file__).parent
SOURCE = Source("your-index")


def texts() -> dict[str, str]:
    """Compile every search; the keys are the paths of the files. With a lookup, those that it changes are enough."""
    made = {f"spl/{journey.name}.spl": journey.compile(SOURCE) for journey in JOURNEYS}
    for journey in JOURNEYS:
        if journey.carries_user:
            made[f"spl_lookup/{journey.name}.spl"] = journey.compile(SOURCE, IdentityMode.SPLUNK_LOOKUP)
    return {name: text + "\n" for name, text in made.items()}


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
