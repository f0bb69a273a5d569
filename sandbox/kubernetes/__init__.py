"""A stand-in for the API servers of a host and its member clusters: lists, ConfigMaps and server-side apply."""

from sandbox.kubernetes.clusters import Clusters
from sandbox.kubernetes.errors import ClustersError
from sandbox.kubernetes.kubeconfig import kubeconfig
from sandbox.kubernetes.server import create_app

__all__ = ["Clusters", "ClustersError", "create_app", "kubeconfig"]
