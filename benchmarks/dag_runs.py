"""Runs of the DAG in this process, one for each time on standard input: the end of a data interval, in ISO-8601.

After each it prints the seconds that it took, and the state of the run; at first a 0, when Airflow has started.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime

from sandbox.dag_run import load


def main() -> None:
    """Run the DAG until the input ends; what Airflow prints goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    dag = load()
    print("0 started", file=answers, flush=True)
    for line in sys.stdin:
        end = datetime.fromisoformat(line.strip())
        begin = time.perf_counter()
        run = dag.test(logical_date=end)
        print(f"{time.perf_counter() - begin} {run.state}", file=answers, flush=True)


if __name__ == "__main__":
    main()
