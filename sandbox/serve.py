"""Run an application on a real socket of the loopback address, in a thread of this process."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

_PATIENCE = 10.0  # seconds, for a start and for an end


@contextmanager
def serving(app: ASGIApp, port: int = 0, certificate: str | None = None) -> Iterator[str]:
    """Serve an application while the block runs, and give its URL; port 0 takes a free one.

    ``certificate`` is a PEM file with a certificate and its key, for HTTPS.
    Raises OSError where the port is taken, and RuntimeError for a server that does not start or end.
    """
    with socket.create_server(("127.0.0.1", port)) as listener:
        config = uvicorn.Config(
            app, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=2, ssl_certfile=certificate
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + _PATIENCE
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("a stand-in does not start")
            time.sleep(0.01)
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_PATIENCE)
        if thread.is_alive():
            raise RuntimeError("a stand-in does not end")
