"""``python -m tests.faults.forking SOCKET``: fork the command line, once for each request that comes in at the socket.

A request is a line of JSON with arguments, environment and two files for the output. The answer is the process ID on a
line, and at the end the exit status on another.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import kubernetes.client
import kubernetes.config.kube_config
import requests
import rich.console
import rich.progress
import rich.table

from segment_bridge import cli, line, segment, splunk

#: Imported here, each of these need not be imported by those that are forked.
READY = (kubernetes, requests, rich, line, segment, splunk)


def serve(address: str) -> None:
    """Fork until a signal comes; the socket is there once all is ready."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen()
    Path(f"{address}.new").rename(address)
    while True:
        connection, _ = listener.accept()
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            with connection, connection.makefile() as asked:
                _keep(json.loads(asked.readline()), connection)
            os._exit(0)
        connection.close()


def _keep(asked: dict[str, Any], connection: socket.socket) -> None:
    """Fork the command, and tell its process ID and its end."""
    pid = os.fork()
    if not pid:
        connection.close()
        _command(asked)
    connection.sendall(b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _command(asked: dict[str, Any]) -> None:
    """Become the command."""
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    code = 1
    try:
        cli.main(asked["arguments"], prog_name="segment-bridge")
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException as error:  # noqa: BLE001 - the interpreter does the same with what nobody has caught
        sys.excepthook(type(error), error, error.__traceback__)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
