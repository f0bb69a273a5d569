"""Reads an export stream with the bridge's reader; with ``print`` it shows the results."""

import sys

import msgspec

from segment_bridge.splunk.stream import read_results

CHUNK = 1 << 18


class _Line(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw()


with open(0, "rb", 0) as body:
    results = read_results(iter(lambda: body.read(CHUNK), b""))
    if sys.argv[1:] == ["print"]:
        sys.stdout.buffer.writelines(bytes(msgspec.json.decode(line, type=_Line).result) + b"\n" for line in results)
    else:
        for _ in results:
            pass
