"""What a run makes, as assets: other DAGs can be scheduled by them, and read their figures from ``extra``."""

from __future__ import annotations

from airflow.sdk import Asset

USERS = Asset(name="segment_bridge.users", uri="segment-bridge://maps/users")
WORKSPACES = Asset(name="segment_bridge.workspaces", uri="segment-bridge://maps/workspaces")
DELIVERED = Asset(name="segment_bridge.delivered", uri="segment-bridge://events/delivered")
