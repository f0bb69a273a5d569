"""The DAG where others get the maps: Splunk, to resolve users itself, and readers of ConfigMaps."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import requests

from sandbox.deployment import HOST
from segment_bridge import config_maps
from segment_bridge.catalog import JOURNEYS
from segment_bridge.kubernetes import Cluster
from segment_bridge.settings import KubernetesSettings

if TYPE_CHECKING:
    from tests.airflow.conftest import Airflow, World

VARIABLE = "AIRFLOW_VAR_SEGMENT_BRIDGE"
NAMESPACE = "toolchain-host-operator"
#: The traffic's end, and with it the whole of the traffic in the window.
WHOLE = "2026-01-05T12:00:00.{:06}Z"


def test_searches_that_resolve_users_make_the_same_events_and_maps_are_published(
    airflow: Airflow, world: World
) -> None:
    plain = airflow.run(WHOLE.format(1))
    events = world.sent_to(airflow.segment)
    requests.delete(f"{airflow.segment}/sandbox/events", timeout=60)

    given = {"identity": "splunk_lookup", "publish_namespace": NAMESPACE}
    airflow.environment.setenv(VARIABLE, json.dumps(json.loads(os.environ[VARIABLE]) | given))
    shared = airflow.run(WHOLE.format(2))

    assert (plain.state, shared.state) == ("success", "success")
    assert (plain.report["plan"]["identity"], shared.report["plan"]["identity"]) == ("bridge", "splunk_lookup")
    assert shared.report["journeys"] == plain.report["journeys"]
    due = world.traffic.manifest["journeys"]
    assert {name: one["sent"] for name, one in shared.report["journeys"].items()} == {
        journey.name: due[journey.title]["events"] for journey in JOURNEYS
    }
    assert world.sent_to(airflow.segment) == events

    settings = KubernetesSettings(host_context=HOST, member_contexts=(), kubeconfig=world.addresses["kubeconfig"])
    cluster = Cluster.from_context(settings, HOST)
    assert config_maps.read(cluster, NAMESPACE, "uid-map") == world.traffic.manifest["users"]
    assert config_maps.read(cluster, NAMESPACE, "ws-map") == world.traffic.manifest["workspaces"]
