"""Fuzz, guided by coverage: ``python -m tests.fuzz [--seconds N] [TARGET]...``, in an environment that has atheris.

What is found lies in ``.sandbox/fuzz/TARGET``: the corpus, and an input for each crash.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".sandbox" / "fuzz"
NAMES = ("stream", "convert", "quoting", "grammar")
#: Seconds that one input may take, bytes that it may have, and megabytes that all may take up.
LIMITS = ("-timeout=20", "-max_len=6000", "-rss_limit_mb=2048")


def fuzz(name: str, options: list[str]) -> None:
    """Fuzz one target in this process, which ends with it."""
    atheris = importlib.import_module("atheris")  # which is in an environment of its own alone

    with atheris.instrument_imports(include=["segment_bridge", "sandbox"]):
        from tests.fuzz.targets import SEEDS, TARGETS, WORDS  # noqa: PLC0415 - not before it can be instrumented

    folder = FOLDER / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f"{json.dumps(word)}\n" for word in WORDS[name]))
    atheris.Setup(
        [name, f"-artifact_prefix={folder}/", f"-dict={words}", *LIMITS, *options, str(corpus)], TARGETS[name]
    )
    atheris.Fuzz()


def main() -> int:
    """Fuzz each target in a process of its own; return 1 if any has failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    names = given.targets or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    options = [f"-max_total_time={given.seconds}", "-print_final_stats=1"]
    if given.alone:
        fuzz(names[0], options)
    failed = []
    for name in names:
        FOLDER.mkdir(parents=True, exist_ok=True)
        log = FOLDER / f"{name}.log"
        with log.open("w") as file:
            command = [sys.executable, "-m", "tests.fuzz", "--alone", "--seconds", str(given.seconds), name]
            code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False).returncode  # noqa: S603 - our own
        said = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("stat::number_of")]
        print(f"{name}: {'failed, see ' + str(log) if code else 'nothing found'}; {' '.join(said)}")  # noqa: T201 - a command
        failed += [name] if code else []
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
