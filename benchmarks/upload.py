"""``segment-bridge upload`` against split, jq and curl, and the floor, over a server that takes its time."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
import time
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.request import urlopen

import msgspec

from benchmarks.harness import Command, Timing, require_equal, run
from benchmarks.inputs import FOLDER, results
from benchmarks.server import serving
from benchmarks.tables import Goal, Table
from segment_bridge.batch import Batch, pack
from segment_bridge.convert import convert
from segment_bridge.events import TrackEvent, from_body, read_head
from segment_bridge.identity import Maps
from segment_bridge.settings import DEFAULT_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

_PEERS = Path(__file__).parent / "peers"
_BATCHES, _LATENCY = 130, 0.05
#: Enough of them for so many batches.
_RESULTS = 200_000
OURS, START = "segment-bridge upload", "segment-bridge upload, without events"
PEER, PEER_AT_ONCE = "split + jq + curl", f"split + jq + curl, {DEFAULT_CONNECTIONS} at once"


def benchmark(rounds: int, _largest: int, without: tuple[str, ...]) -> Table:
    """Measure so many full batches; what arrived is compared before anything counts."""
    given, size = _events()
    with serving(_LATENCY) as url:
        commands = [command for command in _commands(given, url) if "jq" not in without or "jq" not in command.name]
        with TemporaryDirectory() as folder:
            first, *others = (_arrived(one, url, Path(folder)) for one in commands if one.same)
            for other in others:
                require_equal(first, other)
        timings = [Timing(command.name, _BATCHES) for command in commands]
        for _ in range(rounds):
            for command, timing in zip(commands, timings, strict=True):
                timing.runs.append(run(command))
                urlopen(url).close()  # noqa: S310 - forget the bodies
    return Table("upload", timings, list(_goals(timings, _floor(size, rounds))))


def _commands(given: Path, url: str) -> Iterator[Command]:
    bridge = Path(sys.executable).with_name("segment-bridge")
    settings = ("env", "SEGMENT_WRITE_KEY=key", f"SEGMENT_BATCH_API={url}v1/batch")
    yield Command(OURS, (*settings, bridge, "upload"), given)
    yield Command(START, (*settings, bridge, "upload"), same=False)
    if shutil.which("jq") and shutil.which("curl"):
        yield Command(PEER, (_PEERS / "upload.sh", f"{url}v1/batch"), given)
        yield Command(PEER_AT_ONCE, (_PEERS / "upload.sh", f"{url}v1/batch", str(DEFAULT_CONNECTIONS)), given)


def _goals(timings: list[Timing], floor: float) -> Iterator[Goal]:
    ours, start, *others = timings
    for other in others:
        what = f"{other.name}: speed of upload in relation to it, {_BATCHES} full batches"
        yield Goal(what, other.seconds / ours.seconds, least=10.0 if other.name == PEER else None)
    yield Goal("floor of upload, ms: latency x batches / connections + bytes / loopback's speed", floor * 1000)
    what = "time of upload in relation to the floor"
    yield Goal(f"{what}, beyond that of its start", (ours.seconds - start.seconds) / floor, most=1.3)
    yield Goal(f"{what}, its start included", ours.seconds / floor)


def _floor(size: int, rounds: int) -> float:
    return _LATENCY * _BATCHES / DEFAULT_CONNECTIONS + median(_loopback(size) for _ in range(rounds))


def _loopback(size: int) -> float:
    """Return the seconds that so many bytes take from one thread to another."""
    data, received = bytes(size), bytearray(1 << 20)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def read() -> None:
            with server.accept()[0] as connection:
                while connection.recv_into(received):
                    pass

        reader = threading.Thread(target=read)
        reader.start()
        begin = time.perf_counter()
        with socket.create_connection(server.getsockname()) as connection:
            connection.sendall(data)
        reader.join()
    return time.perf_counter() - begin


def _events() -> tuple[Path, int]:
    """Return a file of events that fill so many batches, and the bytes of these; made once and kept."""
    path = FOLDER / f"events-{_BATCHES}.ndjson"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            for packed in islice(_packed(), _BATCHES):
                file.writelines(event + b"\n" for event in from_body(packed.body))
        unfinished.rename(path)
    return path, path.stat().st_size


def _packed() -> Iterator[Batch]:
    given = results(_RESULTS)
    maps = Maps(*(msgspec.json.decode(path.read_bytes()) for path in (given.users, given.workspaces)))
    with given.results.open("rb") as lines:
        yield from pack(made.body for made in convert(lines, maps) if isinstance(made, TrackEvent))


def _arrived(command: Command, url: str, folder: Path) -> Path:
    """Run a command, and write down what the server took of it, in the order of the messageIds."""
    run(command)
    with urlopen(url) as answer:  # noqa: S310 - our own server
        bodies: list[bytes] = answer.read().splitlines()
    events = [event for body in bodies if body for event in from_body(body)]
    path = folder / command.name
    path.write_bytes(b"\n".join(sorted(events, key=lambda event: read_head(bytes(event)).messageId)))
    return path
