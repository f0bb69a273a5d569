"""Serves lists of objects page by page as an API server does, from memory, each page after a while.

``python -m benchmarks.cluster SECONDS PATH=FILE ...`` prints its port; a file holds a page a line, the token of the
next one included.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

_TOKEN = re.compile(rb"[?&]continue=(\d+)")
_HEAD_END = b"\r\n\r\n"


async def main(latency: float, lists: dict[bytes, list[bytes]]) -> None:
    """Serve until somebody ends the process."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                target = (await reader.readuntil(_HEAD_END)).split(b" ", 2)[1]
                token = _TOKEN.search(target)
                page = lists[target.partition(b"?")[0]][int(token[1]) if token else 0]
                await asyncio.sleep(latency)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(b"Content-Length: %d%s" % (len(page), _HEAD_END))
                writer.write(page)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - its output
    await server.serve_forever()


if __name__ == "__main__":
    given = (argument.split("=") for argument in sys.argv[2:])
    asyncio.run(main(float(sys.argv[1]), {path.encode(): Path(file).read_bytes().splitlines() for path, file in given}))
