"""The searches of all journeys, one file each, for people to read and for tests to compare with.

``python -m tests.unit.golden.update`` rewrites them.
"""

from __future__ import annotations

from pathlib import Path

from segment_bridge.catalog import JOURNEYS

FOLDER = Path(__file__).parent / "spl"
INDEX = "federated:rh_rhtap_stage_audit"


def texts() -> dict[str, str]:
    """Compile every journey; the keys are the names of the files."""
    return {f"{journey.name}.spl": journey.compile(INDEX) + "\n" for journey in JOURNEYS}


def main() -> None:
    """Write the files, and remove those of journeys that are gone."""
    made = texts()
    FOLDER.mkdir(exist_ok=True)
    for old in set(FOLDER.glob("*.spl")) - {FOLDER / name for name in made}:
        old.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
