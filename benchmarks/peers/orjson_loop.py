"""What one writes in an afternoon: orjson and two dicts, and no result kept that was turned away."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

_MAX_EVENT = 32_000
_MAX_ID = 99


def main(users: dict[str, str], workspaces: dict[str, str], names: dict[str, dict[str, str]]) -> None:
    """Convert standard input to standard output."""
    with open(0, "rb", 1 << 18) as lines, open(1, "wb", 1 << 18) as output:
        for line in lines:
            answer = orjson.loads(line)
            if not (result := answer.get("result")) or answer.get("preview"):
                continue
            event = _event(result, users, workspaces, names)
            if event and len(body := orjson.dumps(event)) <= _MAX_EVENT:
                output.write(body + b"\n")


def _event(
    result: dict[str, str], users: dict[str, str], workspaces: dict[str, str], names: dict[str, dict[str, str]]
) -> dict[str, Any] | None:
    workspace = users.get(workspaces.get(result.get("namespace", ""), ""))
    user = users.get(result["userId"]) if "userId" in result else workspace
    if not workspace or not user:
        return None
    if not (name := result.get("event")):
        subject, verb = result["event_subject"], result["event_verb"]
        name = f"{names['subjects'].get(subject, subject)} {names['verbs'].get(verb, verb)}"
    try:
        properties, context = orjson.loads(result["properties"]), orjson.loads(result["context"])
    except orjson.JSONDecodeError:
        return None
    if not isinstance(properties, dict) or not isinstance(context, dict):
        return None
    if not 0 < len(result.get("messageId", "")) <= _MAX_ID or not result.get("timestamp"):
        return None
    properties["workspaceID"] = workspace
    return {
        "messageId": result["messageId"],
        "timestamp": result["timestamp"],
        "namespace": result["namespace"],
        "type": result.get("type", "track"),
        "userId": user,
        "event": name,
        "properties": properties,
        "context": context,
    }


if __name__ == "__main__":
    main(*(orjson.loads(Path(path).read_bytes()) for path in sys.argv[1:]))
