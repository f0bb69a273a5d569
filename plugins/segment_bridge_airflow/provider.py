"""What Airflow knows of this package as a provider: its connection types, and what their forms ask for.

Airflow reads it in each of its processes, by the entry point ``apache_airflow_provider``; it imports nothing.
"""

from __future__ import annotations

from typing import Any

_TEXT = ["string", "null"]
#: The UI of Airflow 3.3 tests a connection that has no port with port 0, which its API then refuses as another place.
_PORT = "{}, which Airflow's Test button needs"


def get_provider_info() -> dict[str, Any]:
    """Return what ``airflow/provider_info.schema.json`` describes."""
    return {
        "package-name": "segment-bridge",
        "name": "segment-bridge",
        "description": "Carries user journeys from Kubernetes audit logs in Splunk to Segment",
        "connection-types": [_SPLUNK, _SEGMENT],
    }


_SPLUNK = {
    "connection-type": "splunk",
    "hook-class-name": "segment_bridge_airflow.hooks.SplunkHook",
    "hook-name": "Splunk",
    "ui-field-behaviour": {
        "hidden-fields": ["extra"],
        "relabeling": {"schema": "Scheme", "password": "Password or token"},
        "placeholders": {
            "host": "splunk.example.com, or a whole URL",
            "port": _PORT.format(8089),
            "schema": "https",
            "login": "a user's name; empty for a token",
            "password": "the user's password, or a token instead of both",
        },
    },
    "conn-fields": {
        "app": {
            "label": "App",
            "description": "The app to search in; search, if empty.",
            "schema": {"type": _TEXT},
        },
        "index": {
            "label": "Index",
            "description": "The index of the audit records; searches need it.",
            "schema": {"type": _TEXT},
        },
        "sourcetype": {
            "label": "Sourcetype",
            "description": "The sourcetype of the audit records; it spares Splunk most of the others.",
            "schema": {"type": _TEXT},
        },
        "search_fields": {
            "label": "Search fields",
            "description": "Further fixed terms of every search, as host=api-*,source=audit.",
            "schema": {"type": _TEXT},
        },
        "ca_file": {
            "label": "CA file",
            "description": (
                "Path, on the workers, of a PEM file of the authority that signed Splunk's certificate; "
                "those of the workers' environment, or the system's, if empty."
            ),
            "schema": {"type": _TEXT},
        },
        "verify": {
            "label": "Verify certificate",
            "description": "If off, whoever answers at the address gets the credentials.",
            "schema": {"type": ["boolean", "null"], "default": True},
        },
    },
}

_SEGMENT = {
    "connection-type": "segment",
    "hook-class-name": "segment_bridge_airflow.hooks.SegmentHook",
    "hook-name": "Segment",
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "login", "extra"],
        "relabeling": {"password": "Write key", "host": "Batch endpoint"},
        "placeholders": {
            "host": "only if it is none of Segment's own: https://...",
            "port": _PORT.format(443),
            "password": "the source's, as Segment shows it",
        },
    },
    "conn-fields": {
        "region": {
            "label": "Region",
            "description": "Where the workspace is. It counts only if no batch endpoint is given.",
            "schema": {
                "type": _TEXT,
                "enum": ["us", "eu"],
                "values_display": {"us": "US (api.segment.io)", "eu": "EU (events.eu1.segmentapis.com)"},
                "default": "us",
            },
        },
        "ca_file": {
            "label": "CA file",
            "description": (
                "Path, on the workers, of a PEM file of the authority that signed the endpoint's certificate; "
                "those of the workers' environment, or the public ones, if empty."
            ),
            "schema": {"type": _TEXT},
        },
        "connections": {
            "label": "Connections",
            "description": "Of each task, at once; 4, if empty.",
            "schema": {"type": ["integer", "null"], "minimum": 1},
        },
        "requests_per_second": {
            "label": "Requests per second",
            "description": "Of all tasks together, at most; 100, if empty.",
            "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
        },
        "events_per_second": {
            "label": "Events per second",
            "description": "Of all tasks together, at most; as many as there are, if empty.",
            "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
        },
    },
}
