"""Carries user journeys from Kubernetes audit logs in Splunk to Segment."""
