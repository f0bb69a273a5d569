"""The machine that the line runs on: its disk, its kernel, and another run beside it."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
import time
from datetime import datetime
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.accounts import read_report, require_books
from tests.faults.conftest import WINDOW
from tests.faults.hold import Hold
from tests.faults.proxy import PATIENCE, Answer
from tests.faults.world import searching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.conftest import Line
    from tests.faults.proxy import Wire

#: What lets a process believe in another time.
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
SMALL, OTHER = "application-events", "release-done"


class Disk:
    """A small filesystem in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)  # noqa: S603, S607 - our own


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    one = Disk(tmp_path / "disk")
    if not one.mount("size=1m"):
        pytest.skip("mounting a small disk takes rights that are not there")
    yield one
    one.unmount()


@pytest.mark.parametrize("size", [4, 64, 512, 1024], ids="staging full after {} KiB".format)
def test_staging_full(line: Line, disk: Disk, size: int) -> None:
    disk.mount(f"remount,size={size}k")
    line.staging = disk.folder / "staging"
    line.run()
    assert "No space left on device" in line.said
    assert list(disk.folder.rglob("*.part")) == []
    disk.mount("remount,size=16m")
    line.check_only(1)
    line.run()
    line.check()


def test_staging_full_in_mid_delivery(line: Line, disk: Disk) -> None:
    disk.mount("remount,size=4m")
    line.staging = disk.folder / "staging"
    hold = Hold(taken=True)
    line.segment.cue(hold, times=1)
    running = line.start()
    hold.wait()
    with pytest.raises(OSError, match="No space left"):
        (disk.folder / "foreign").write_bytes(bytes(2**23))
    hold.let_go()
    line.finish(running)
    assert "No space left on device" in line.said
    line.check_only(1)
    (disk.folder / "foreign").unlink()
    line.run()
    line.check()


@pytest.mark.parametrize("where", ["maps", "deliver"], ids="staging read-only in mid-run, at {}".format)
def test_staging_becomes_read_only_before(line: Line, disk: Disk, where: str) -> None:
    disk.mount("remount,size=16m")
    line.staging = disk.folder / "staging"
    hold = Hold(taken=True)
    (line.kubernetes if where == "maps" else line.segment).cue(hold, times=1)
    running = line.start()
    hold.wait()
    assert disk.mount("remount,ro")
    hold.let_go()
    line.finish(running)
    assert "Read-only file system" in line.said
    line.check_only(2)
    assert disk.mount("remount,rw,size=16m")
    line.run()
    line.check()


def test_staging_read_only_from_the_start(line: Line, disk: Disk) -> None:
    assert disk.mount("remount,ro")
    line.staging = disk.folder / "staging"
    line.run()
    line.check(2, unreached=line.count(), reported=False)
    assert line.said.strip().startswith("segment-bridge: staging refuses plan.json (Read-only file system)")


def test_a_limit_on_files_reached_in_mid_write(line: Line) -> None:
    hold = Hold(half=True)
    line.splunk.cue(hold, applies=searching("component-events"), times=1)
    running = line.start()
    hold.wait()
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
    hold.let_go()
    line.finish(running)
    assert "File too large" in line.said
    line.check_only(1)
    line.run()
    line.check()


@pytest.mark.parametrize(
    "stage", ["maps", "search", "deliver, before taking", "deliver, after taking"], ids="kill -9 in {}".format
)
def test_kill_9_during(line: Line, stage: str) -> None:
    hold = Hold(half=stage == "search", taken=stage.endswith("after taking"))
    proxy = {"maps": line.kubernetes, "search": line.splunk}.get(stage, line.segment)
    proxy.cue(hold, applies=(lambda wire: bool(wire.search)) if stage == "search" else lambda _: True, skip=1)
    _kill(line, hold.wait)
    hold.let_go()
    proxy.clear()
    line.run()
    line.check()


def test_kill_9_in_convert(line: Line) -> None:
    """Let the second of three answers be a pipe that nobody writes to: the line waits there, in mid-conversion."""
    journeys = (SMALL, "component-events", OTHER)
    hold = Hold()
    line.splunk.cue(hold, applies=searching(OTHER), times=1)
    _kill(line, lambda: _block(line, hold, journeys[1], f"batches/{SMALL}/000001.json"), *journeys)
    assert not (line.folders[-1] / "outcomes").exists()
    line.run(*journeys)
    line.check()


def test_kill_9_in_close(line: Line) -> None:
    """Let the answer that is to be counted be such a pipe."""
    hold = Hold(taken=True)
    line.segment.cue(hold, skip=1, times=1)
    _kill(line, lambda: _block(line, hold, SMALL, f"outcomes/{OTHER}/000001.json"), SMALL, OTHER)
    assert not line.report
    line.run(SMALL, OTHER)
    line.check()


def test_two_runs_at_once(line: Line) -> None:
    """Hold the first batch of each until both are there."""
    both = threading.Barrier(2)

    def together(wire: Wire) -> None:
        both.wait(PATIENCE)
        wire.reply(wire.ask())

    line.segment.cue(together, times=2)
    running = [line.start(), line.start()]
    line.finish(running[0])
    assert line.code == 0, line.said
    line.finish(running[1])
    for run in line.folders:
        require_books(read_report(run), line.found)
    assert line.check().resent >= line.count()


@pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime: apt-get install faketime")
@pytest.mark.parametrize("hours", [-5, 5], ids=["a clock five hours behind", "a clock five hours ahead"])
def test_a_clock_that_is_off(line: Line, hours: int) -> None:
    """Let Segment ask for a pause until a moment by its own clock; the next run knows what has been delivered."""
    now = time.time()
    moments = {"Date": formatdate(now, usegmt=True), "Retry-After": formatdate(now + 3, usegmt=True)}
    line.segment.cue(lambda wire: wire.reply(Answer(503, b"", moments)), times=1)
    clock = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": f"{hours:+}h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    began = time.monotonic()
    line.run_apart(**clock, SEGMENT_BRIDGE_RESEND="unacknowledged")
    assert 3 <= time.monotonic() - began < 30
    line.check()
    plan = line.report["plan"]
    assert (plan["span"]["start"], plan["span"]["end"]) == (WINDOW[1], WINDOW[3])
    begun = datetime.fromisoformat(plan["begun"]).timestamp()
    assert abs(begun - now - hours * 3600) < 60, "the clock was not off"
    events = line.report["total"]["events"]
    line.run(SEGMENT_BRIDGE_RESEND="unacknowledged")
    assert (line.code, line.report["total"]["acknowledged"], line.report["total"]["sent"]) == (0, events, 0)


def _kill(line: Line, when: Callable[[], None], *journeys: str) -> None:
    running = line.start(*journeys)
    when()
    running.kill()
    line.finish(running)
    line.check_only(-9)


def _block(line: Line, hold: Hold, journey: str, until: str) -> None:
    """Put a pipe in the place of an answer while a request is held, and wait for what comes before it is read."""
    hold.wait()
    (run,) = line.staging.glob("runs/*")
    answer = run / "results" / f"{journey}.ndjson"
    answer.unlink()
    os.mkfifo(answer)
    hold.let_go()
    deadline = time.monotonic() + PATIENCE
    while not (run / until).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
