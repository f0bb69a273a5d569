"""Runs a program and prints on standard error, as JSON, what it took.

A process of its own, and a small one: Linux counts into a program's largest memory that of the process it came from.
"""

import json
import os
import subprocess
import sys
import time

begin = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL)  # noqa: S603 - a benchmark's own
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - begin
took = {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss * 1024 / 1_000_000}
print(json.dumps(took), file=sys.stderr)  # noqa: T201 - its output
sys.exit(os.waitstatus_to_exitcode(status))
