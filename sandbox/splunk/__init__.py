"""A stand-in for Splunk: its REST search API with a real interpreter of SPL, over Kubernetes audit-log files."""

from sandbox.splunk.errors import AuditLogError, SplError
from sandbox.splunk.readings import DOCUMENTED, Readings
from sandbox.splunk.records import AuditLog
from sandbox.splunk.server import create_app

__all__ = ["DOCUMENTED", "AuditLog", "AuditLogError", "Readings", "SplError", "create_app"]
