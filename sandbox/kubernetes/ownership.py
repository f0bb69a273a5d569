"""Who set which field: managedFields, and how server-side apply and plain updates change them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sandbox.kubernetes.errors import StatusError
from sandbox.kubernetes.fields import from_tree, spell, to_tree

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from sandbox.kubernetes.fields import Fields, Path, Record


@dataclass(frozen=True)
class Owner:
    """An entry of managedFields. One manager has an entry for what it applies, and another for what it updates."""

    manager: str
    operation: str
    time: str
    paths: frozenset[Path] = frozenset()
    api_version: str = "v1"

    def is_same(self, other: Owner) -> bool:
        """Tell whether both entries are one, at different times."""
        return (self.manager, self.operation) == (other.manager, other.operation)

    def without(self, paths: AbstractSet[Path]) -> Owner:
        """Return the entry without these fields."""
        return replace(self, paths=self.paths - paths)

    def __str__(self) -> str:
        return f'"{self.manager}"' + (f" using {self.api_version}" if self.operation == "Update" else "")


def read_owners(record: Record) -> list[Owner]:
    """Return the owners of an object's fields."""
    return [
        Owner(
            entry.get("manager", ""),
            entry.get("operation", ""),
            entry.get("time", ""),
            frozenset(from_tree(entry.get("fieldsV1") or {})),
            entry.get("apiVersion", ""),
        )
        for entry in record["metadata"].get("managedFields") or ()
    ]


def write_owners(owners: Iterable[Owner]) -> list[Record]:
    """Return the managedFields."""
    return [
        {
            "manager": owner.manager,
            "operation": owner.operation,
            "apiVersion": owner.api_version,
            "time": owner.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_tree(owner.paths),
        }
        for owner in owners
    ]


def apply(
    live: Fields, owners: list[Owner], applied: Fields, applier: Owner, *, force: bool
) -> tuple[Fields, list[Owner]]:
    """Merge what a manager applies; fields that it applied before and no longer does go, unless others own them.

    Raises StatusError (409) where it would change what others own, unless ``force`` takes that from them.
    """
    applier = replace(applier, paths=frozenset(applied))
    before, others = _split(owners, applier)
    if live and not owners:
        # What nobody is known to own does not fall to the first who applies.
        others = [Owner("before-first-apply", "Update", applier.time, frozenset(live))]
    changed = {path for path, value in applied.items() if live.get(path) != value}
    contested = [(owner, sorted(owner.paths & changed)) for owner in others if owner.paths & changed]
    if contested and not force:
        raise _conflict(contested)
    others = [owner.without(changed) for owner in others]
    kept = frozenset().union(*(owner.paths for owner in others))
    dropped = before.paths - applier.paths - kept if before else frozenset()
    fields = {path: value for path, value in live.items() if path not in dropped} | applied
    if before and before.paths == applier.paths and fields == live:
        applier = before
    return fields, _tidy([*others, applier])


def update(live: Fields | None, owners: list[Owner], fields: Fields, updater: Owner) -> list[Owner]:
    """Return the owners after a manager has replaced the live fields; None stands for an object that is new."""
    if live is not None and not owners:
        # As in Kubernetes, an object that nobody is known to own stays so until somebody applies it.
        return owners
    before, others = _split(owners, updater)
    live = live or {}
    changed = {path for path in live.keys() | fields.keys() if live.get(path) != fields.get(path)}
    if not changed:
        return owners
    mine = (before.paths if before else frozenset()) | changed
    return _tidy([*(owner.without(changed) for owner in others), replace(updater, paths=mine & fields.keys())])


def _split(owners: list[Owner], owner: Owner) -> tuple[Owner | None, list[Owner]]:
    before = next((entry for entry in owners if entry.is_same(owner)), None)
    return before, [entry for entry in owners if not entry.is_same(owner)]


def _tidy(owners: Iterable[Owner]) -> list[Owner]:
    owning = [owner for owner in owners if owner.paths]
    return sorted(owning, key=lambda owner: (owner.operation, owner.time, owner.manager))


def _conflict(contested: list[tuple[Owner, list[Path]]]) -> StatusError:
    told = []
    causes: list[dict[str, Any]] = []
    for owner, paths in contested:
        names = [spell(path) for path in paths]
        one = len(names) == 1
        told.append(f"conflict with {owner}: {names[0]}" if one else f"conflicts with {owner}:" + _bullets(names))
        causes += [
            {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": name} for name in names
        ]
    plural = "conflict" if len(causes) == 1 else "conflicts"
    text = "\n".join(told)
    return StatusError(409, f"Apply failed with {len(causes)} {plural}: {text}", details={"causes": causes})


def _bullets(names: list[str]) -> str:
    return "".join(f"\n- {name}" for name in names)
