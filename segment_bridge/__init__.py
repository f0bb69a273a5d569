"""Carries user journeys from Kubernetes audit logs in Splunk to Segment."""

__version__ = "0.1.0"
