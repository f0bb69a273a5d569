"""What can be wrong with a search, or with an audit log."""

from __future__ import annotations


class SplError(Exception):
    """SPL that is wrong, or that the stand-in does not implement; the text goes into Splunk's FATAL message."""


class AuditLogError(ValueError):
    """A file that is no audit log; the text names file and line."""
