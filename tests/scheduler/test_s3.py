"""A whole Airflow whose staging lies in S3, and that shares its maps: all of its tasks, each a process of its own.

For `make soak`.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from sandbox import standalone
from sandbox.deployment import DAG, HOST
from segment_bridge import config_maps
from segment_bridge.kubernetes import Cluster
from segment_bridge.settings import KubernetesSettings
from tests.buckets import bucket
from tests.scheduler.conftest import PLAN, Bridge, deployment, free_port, times, written
from tests.scheduler.expected import message_ids

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.buckets import Bucket
    from tests.scheduler.conftest import World

pytestmark = pytest.mark.skipif(
    not os.environ.get("SEGMENT_BRIDGE_SOAK"), reason="another Airflow beside that of the other tests: make soak"
)
START, END = PLAN.start, times(4)[-1]
NAMESPACE = "toolchain-host-operator"


@pytest.fixture
def s3() -> Iterator[Bucket]:
    with bucket() as one:
        yield one


def test_all_tasks_do_with_s3_what_they_do_with_a_folder(world: World, s3: Bucket, tmp_path: Path) -> None:
    chosen = {"staging": s3.url, "identity": "splunk_lookup", "publish_namespace": NAMESPACE}
    settings = deployment(tmp_path, world, **chosen) | s3.settings
    with standalone.running(settings, tmp_path, free_port()) as airflow:
        airflow.await_dag(DAG)
        bridge = Bridge(airflow, tmp_path / "staging")
        bridge.unpause()
        world.forget()
        run = bridge.finished(bridge.trigger(**{"from": written(START), "to": written(END)}))
        tasks = bridge.tasks(run["dag_run_id"])

    assert (run["state"], set(tasks.values())) == ("success", {"success"})
    reports = [json.loads(data) for name, data in s3.files().items() if name.endswith("/report.json")]
    (report,) = (report for report in reports if report["run"] == f"{DAG}__{run['dag_run_id']}")
    assert (report["balanced"], report["problems"], report["total"]["undelivered"]) == (True, [], 0)
    assert set(world.sent()) == message_ids(world, START, END)
    assert not bridge.staging.exists()
    assert report["plan"]["identity"] == "splunk_lookup"
    host = KubernetesSettings(host_context=HOST, member_contexts=(), kubeconfig=world.addresses["kubeconfig"])
    cluster = Cluster.from_context(host, HOST)
    assert config_maps.read(cluster, NAMESPACE, "uid-map") == world.traffic.manifest["users"]
    assert config_maps.read(cluster, NAMESPACE, "ws-map") == world.traffic.manifest["workspaces"]
