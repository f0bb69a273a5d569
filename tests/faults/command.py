"""The command line in processes of their own, forked from one that has imported all that it needs.

That spares each run most of a second; what is forked is in :mod:`tests.faults.forking`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROJECT = Path(__file__).resolve().parents[2]
_PATIENCE = 60.0


@dataclass
class Running:
    """A command that runs; its output goes into files."""

    pid: int
    out: Path
    err: Path
    _socket: socket.socket

    def wait(self) -> int:
        """Wait for the command's end, and return its exit status, negative if a signal ended it."""
        with self._socket, self._socket.makefile() as told:
            return int(told.readline())

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


class Commands:
    """Starts commands."""

    def __init__(self, address: str) -> None:
        self._address = address

    def start(self, arguments: list[str], environment: Mapping[str, str], folder: Path) -> Running:
        out, err = (folder / f"{time.monotonic_ns()}.{name}" for name in ("out", "err"))
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_PATIENCE * 3)
        connection.connect(self._address)
        asked = {"arguments": arguments, "environment": dict(environment), "out": str(out), "err": str(err)}
        connection.sendall(json.dumps(asked).encode() + b"\n")
        # Byte by byte: a buffer could hold the exit status already.
        pid = b""
        while not pid.endswith(b"\n"):
            pid += connection.recv(1)
        return Running(int(pid), out, err, connection)


@contextmanager
def commands(folder: Path) -> Iterator[Commands]:
    """Run the process that is forked, with its socket in this folder."""
    address = f"{folder}/commands"
    with subprocess.Popen([sys.executable, "-m", "tests.faults.forking", address], cwd=_PROJECT) as server:  # noqa: S603 - our own
        try:
            deadline = time.monotonic() + _PATIENCE
            while not Path(address).exists():
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield Commands(address)
        finally:
            server.terminate()
