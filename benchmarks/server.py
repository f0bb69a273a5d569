"""Takes requests as Segment does, and answers each after a while; as little work as possible, so that it sets no bound.

``python -m benchmarks.server SECONDS`` prints its port. ``GET /`` returns all bodies since the last one, a line each.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


async def main(latency: float) -> None:
    """Serve until somebody ends the process."""
    bodies: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(_HEAD_END)
                answer = b"{}"
                if head.startswith(b"GET"):
                    answer = b"\n".join(bodies)
                    bodies.clear()
                else:
                    length = _LENGTH.search(head)
                    bodies.append(await reader.readexactly(int(length[1]) if length else 0))
                    await asyncio.sleep(latency)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d%s%s" % (len(answer), _HEAD_END, answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - its output
    await server.serve_forever()


@contextlib.contextmanager
def serving(latency: float) -> Iterator[str]:
    """Run the server in a process of its own, and give its URL."""
    argv = (sys.executable, "-m", "benchmarks.server", str(latency))
    project = Path(__file__).resolve().parent.parent
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=project) as process:  # noqa: S603 - our own
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline() if process.stdout else 0)}/"
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
