"""What other DAGs read from the bridge's assets."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.models.asset import AssetEvent, AssetModel
from airflow.utils.session import create_session
from sqlalchemy import select

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.airflow.conftest import Airflow, World


def told_by(run_id: str) -> dict[str, dict[str, Any]]:
    """Return the figures that come with a run's assets, by their names."""
    told = select(AssetModel.name, AssetEvent.extra).join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
    with create_session() as session:
        return {one.name: one.extra for one in session.execute(told.where(AssetEvent.source_run_id == run_id))}


def test_each_asset_has_its_figures(
    airflow: Airflow, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = {"staging": (tmp_path / "staging").as_uri(), "resend": "unacknowledged", "reach_days": 9_999}
    settings = json.loads(os.environ["AIRFLOW_VAR_SEGMENT_BRIDGE"]) | own
    monkeypatch.setenv("AIRFLOW_VAR_SEGMENT_BRIDGE", json.dumps(settings))

    # All of the traffic is in the window of both, and the ledger reaches back that far.
    first, second = (
        told_by(airflow.dag.test(logical_date=datetime.fromisoformat(f"2026-01-05T12:00:{second}Z")).run_id)
        for second in (40, 41)
    )
    manifest = world.traffic.manifest
    sent = sum(journey["events"] for journey in manifest["journeys"].values())
    rejected = sum(sum(journey["rejected"].values()) for journey in manifest["journeys"].values())
    assert first["segment_bridge.delivered"] == {"sent": sent, "rejected": rejected, "acknowledged": 0}
    assert second["segment_bridge.delivered"] == {"sent": 0, "rejected": rejected, "acknowledged": sent}
    maps = {
        json.loads(path.read_text())["run"]: json.loads(path.read_text())["maps"]
        for path in (tmp_path / "staging").glob("runs/*/report.json")
    }
    assert len(maps) == 2
    for one in maps.values():
        for name in ("users", "workspaces"):
            figures = {key: one[name][key] for key in ("entries", "skipped", "collisions")}
            assert first[f"segment_bridge.{name}"] == second[f"segment_bridge.{name}"] == figures
