"""Which texts Kubernetes takes as names, labels and keys, and how it writes times."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_NAME = re.compile(rf"{_DNS_LABEL}(\.{_DNS_LABEL})*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_CONFIG_MAP_KEY = re.compile(r"[-._a-zA-Z0-9]+")

_LONGEST_DNS_NAME = 253
_LONGEST_LABEL = 63


def is_object_name(text: str) -> bool:
    """Tell whether the text is a DNS name, as most objects' names must be."""
    return len(text) <= _LONGEST_DNS_NAME and _DNS_NAME.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """Tell whether the text can be the key of a label or an annotation."""
    prefix, slash, name = text.rpartition("/")
    return (not slash or is_object_name(prefix)) and name != "" and is_label_value(name)


def is_label_value(text: str) -> bool:
    """Tell whether the text can be the value of a label; the empty one can."""
    return text == "" or (len(text) <= _LONGEST_LABEL and _QUALIFIED.fullmatch(text) is not None)


def is_config_map_key(text: str) -> bool:
    """Tell whether the text can be a key of a ConfigMap's data."""
    return (
        len(text) <= _LONGEST_DNS_NAME
        and _CONFIG_MAP_KEY.fullmatch(text) is not None
        and text != "."
        and not text.startswith("..")
    )


def timestamp(seconds: float) -> str:
    """Write a time, in seconds since the epoch, as Kubernetes does."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
