"""What all DAGs of the bridge have in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

#: The DAG whose runs the others look after.
DAG_ID = "segment_bridge"
TAGS = ["segment-bridge"]
#: The longest that a run of any of them takes.
DAGRUN_TIMEOUT = timedelta(hours=4)
TASKS: dict[str, Any] = {
    "owner": "segment-bridge",
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(hours=1),
}
