"""By which labels a namespace is known to be a tenant's, and whose it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from segment_bridge.errors import ConfigurationError

#: Values in one setting.
MAX_VALUES = 10

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PREFIX = r"(?=[^/]{1,253}/)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*/"
_KEY = f"(?:{_PREFIX})?{_NAME}"


@dataclass(frozen=True, slots=True)
class Tenants:
    """A namespace is a tenant's if one of the selectors finds it; the first space label that it has names its space.

    A selector is ``KEY=VALUE``, or ``KEY`` for any value. Raises :class:`ConfigurationError` for what Kubernetes would
    not take as one.
    """

    selectors: tuple[str, ...] = ("toolchain.dev.openshift.com/type=tenant",)
    space_labels: tuple[str, ...] = ("toolchain.dev.openshift.com/space",)

    def __post_init__(self) -> None:
        _check("tenant_selectors", self.selectors, f"{_KEY}(?:=(?:{_NAME})?)?", "KEY=VALUE or KEY")
        _check("space_labels", self.space_labels, _KEY, "the key of a label")

    def __str__(self) -> str:
        labels = "the label" if len(self.selectors) == 1 else "one of the labels"
        return f"namespaces with {labels} {', '.join(self.selectors)}"


def _check(setting: str, values: tuple[str, ...], syntax: str, wanted: str) -> None:
    if not values:
        raise ConfigurationError(f"{setting} is empty: give at least one value, or leave it out for the default")
    if len(values) > MAX_VALUES:
        raise ConfigurationError(f"{setting} has {len(values)} values: give at most {MAX_VALUES}")
    for number, value in enumerate(values, start=1):
        if not re.fullmatch(syntax, value):
            raise ConfigurationError(f"{setting}: value {number} is not {wanted}, as Kubernetes has them: correct it")


#: Those of the developer sandbox's toolchain.
TOOLCHAIN = Tenants()
