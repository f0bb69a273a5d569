"""Airflow's side of segment-bridge: connections become settings, tasks become one library call each."""
