"""Kubernetes: the objects that identities are made of, and where the maps are published."""

from segment_bridge.kubernetes.client import DEFAULT_KUBECONFIG, MAX_CONFIG_MAP, MAX_RESTARTS, Cluster

__all__ = ["DEFAULT_KUBECONFIG", "MAX_CONFIG_MAP", "MAX_RESTARTS", "Cluster"]
