"""Ways in which an export goes wrong, most of them under HTTP 200."""

from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING, Any

from tests.faults.proxy import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.proxy import Wire

    Fault = Callable[[Wire], None]
    Change = Callable[[list[bytes]], list[bytes]]


def message(kind: str, text: str) -> bytes:
    return json.dumps({"messages": [{"type": kind, "text": text}]}).encode() + b"\n"


FATAL = message("FATAL", "The search job has failed due to an error.")
ERROR = message("ERROR", "Error in 'eval' command: the expression is malformed.")
LOST_PEER = message("WARN", "Unable to distribute to peer named idx-3 because peer has status = Down.")
FINALIZED = message("INFO", "Search auto-finalized after time limit (60 seconds) reached.")


def refuse(status: int, text: str = "", **headers: str) -> Fault:
    """Answer with a status, and a message as Splunk words it."""
    body = message("FATAL", text) if text else b""
    return lambda wire: wire.reply(Answer(status, body, {name.replace("_", "-"): headers[name] for name in headers}))


def reset(wire: Wire) -> None:
    """Reset the connection instead of answering."""
    wire.reset()


def reset_in_mid_row(wire: Wire) -> None:
    """Send half of the body, to the middle of a row, and reset the connection."""
    answer = wire.ask()
    wire.reply(Answer(body=answer.body[: _mid_row(answer)]), claimed=len(answer.body))
    wire.reset()


def cut(after: int, framing: str) -> Fault:
    """End the connection in good order after so many lines; negative numbers count from the end."""

    def fault(wire: Wire) -> None:
        answer = wire.ask()
        part = answer.with_lines(*answer.lines[:after])
        if framing == "chunked":
            head = b"HTTP/1.1 200 -\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            wire.send(head + b"%x\r\n%s\r\n" % (len(part.body), part.body))
        else:
            wire.reply(part, framing=framing, claimed=len(answer.body))

    return fault


def cut_in_mid_row(wire: Wire) -> None:
    answer = wire.ask()
    wire.reply(Answer(body=answer.body[: _mid_row(answer)]), framing="close")


def changed(change: Change) -> Fault:
    """Answer with other lines."""

    def fault(wire: Wire) -> None:
        answer = wire.ask()
        wire.reply(answer.with_lines(*change(answer.lines)))

    return fault


def row(number: int, change: Callable[[dict[str, Any]], None]) -> Fault:
    """Change one result."""

    def lines(given: list[bytes]) -> list[bytes]:
        one = json.loads(given[number])
        change(one["result"])
        given[number] = json.dumps(one).encode() + b"\n"
        return given

    return changed(lines)


def previews(lines: list[bytes]) -> list[bytes]:
    """Put a preview of the first rows, with a last row of its own, before the result."""
    rows = [json.loads(line) | {"preview": True} for line in lines[:3]]
    rows[-1]["lastrow"] = True
    return [*(json.dumps(one).encode() + b"\n" for one in rows), *lines]


def never_last(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b'"lastrow":true,', b"") for line in lines]


def keep_alives(seconds: float, pause: float) -> Fault:
    """Send blank lines for a while before the result."""

    def fault(wire: Wire) -> None:
        answer = wire.ask()
        wire.send(b"HTTP/1.1 200 -\r\nConnection: close\r\n\r\n")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            wire.send(b"\n")
            time.sleep(pause)
        wire.send(answer.body)

    return fault


def silence(wire: Wire) -> None:
    """Send half of the result, and then nothing."""
    answer = wire.ask()
    wire.reply(Answer(body=answer.body[: _mid_row(answer)]), claimed=len(answer.body))
    wire.wait()


def gzipped(wire: Wire) -> None:
    """Answer in an encoding that nobody asked for."""
    answer = wire.ask()
    wire.reply(Answer(body=gzip.compress(answer.body), headers={"Content-Encoding": "gzip"}))


def chunk_garbage(wire: Wire) -> None:
    """Announce a chunk whose size is no number, in mid-body."""
    part = wire.ask().lines[0]
    head = b"HTTP/1.1 200 -\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire.send(head + b"%x\r\n%s\r\nzz\r\n" % (len(part), part))


def not_http(wire: Wire) -> None:
    _ = wire.body
    wire.send(b"\x00\x01 this is no HTTP\r\n\r\n")


def _mid_row(answer: Answer) -> int:
    lines = answer.lines
    half = len(lines) // 2
    return sum(map(len, lines[:half])) + len(lines[half]) // 2
