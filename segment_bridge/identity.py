"""Who an event belongs to: two maps made from cluster objects, and the rules that read them.

The user map leads from cluster user names to SSO IDs, the workspace map from namespaces to workspaces; a
workspace is named after its owner's cluster user name. Names and IDs are identifiers: they stay as they stand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from segment_bridge.errors import ConfigurationError
from segment_bridge.events import Identity, Reason
from segment_bridge.exclusions import NOBODY, Exclusions
from segment_bridge.tenants import TOOLCHAIN, Tenants

if TYPE_CHECKING:
    from collections.abc import Iterable

_GROUP = "toolchain.dev.openshift.com"
_SSO_ID = f"{_GROUP}/sso-user-id"
_STATE = f"{_GROUP}/state"
#: What stands in the place of an ID and names nobody.
_PLACEHOLDERS = frozenset({"null", "none", "nil", "undefined", "unknown", "anonymous", "n/a", "0"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: Characters of an ID, of which Amplitude removes shorter ones.
_SHORTEST_ID = 5


@dataclass(frozen=True, slots=True)
class IdentityMap:
    """A map and how it came about.

    ``skipped`` counts the objects left out because they lack a part of an entry, and of these ``unusable`` those that
    have an ID which identifies nobody; ``collisions`` the complete objects whose name another object claimed as well.
    """

    entries: Mapping[str, str] = field(repr=False)
    skipped: int = 0
    collisions: int = 0
    unusable: int = 0
    #: Why there are no entries, where there are none.
    empty: str = ""


@dataclass(frozen=True)
class Maps:
    """Both maps, and who is excluded; fulfils :class:`segment_bridge.events.Identities`."""

    users: Mapping[str, str] = field(repr=False)
    workspaces: Mapping[str, str] = field(repr=False)
    exclusions: Exclusions = field(default=NOBODY, repr=False)

    def resolve(self, namespace: str | None, user: str | None) -> Identity | Reason:
        """Return both IDs, or why there are none; an unknown user is not replaced by the owner.

        Where no user is named, the event is the owner's, and so an excluded owner excludes it.
        """
        if user is not None and self.exclusions.user(user):
            return Reason.EXCLUDED
        owner = self._owner(namespace)
        if isinstance(owner, Reason):
            return owner
        if user is None and self.exclusions.user(owner):
            return Reason.EXCLUDED
        workspace_id = self.users.get(owner)
        if workspace_id is None:
            return Reason.UNKNOWN_WORKSPACE_OWNER
        user_id = workspace_id if user is None else self.users.get(user)
        return Reason.UNKNOWN_USER if user_id is None else Identity(user_id, workspace_id)

    def resolve_looked_up(self, namespace: str | None, user_id: str | None) -> Identity | Reason:
        """Do the same where only the user's ID is known, if there is one: excluded users are known by theirs."""
        if user_id in self._excluded_ids:
            return Reason.EXCLUDED
        owner = self._owner(namespace)
        if isinstance(owner, Reason):
            return owner
        workspace_id = self.users.get(owner)
        if workspace_id is None:
            return Reason.UNKNOWN_WORKSPACE_OWNER
        return Identity(user_id, workspace_id) if user_id else Reason.UNKNOWN_USER

    def _owner(self, namespace: str | None) -> str | Reason:
        if namespace is None:
            return Reason.UNKNOWN_NAMESPACE
        if self.exclusions.namespace(namespace):
            return Reason.EXCLUDED
        return self.workspaces.get(namespace, Reason.UNKNOWN_NAMESPACE)

    @cached_property
    def _excluded_ids(self) -> frozenset[str]:
        """The IDs of excluded users, but for those that somebody else has as well."""
        excluded: set[str] = set()
        kept: set[str] = set()
        for name, user_id in self.users.items():
            (excluded if self.exclusions.user(name) else kept).add(user_id)
        return frozenset(excluded - kept)


def user_map(signups: Iterable[Mapping[str, Any]]) -> IdentityMap:
    """Map ``status.compliantUsername`` to the SSO ID of UserSignups, given as their JSON; in any order.

    The ID is the annotation ``sso-user-id``, else ``spec.identityClaims.userID``: the first of them that identifies
    somebody. Of several signups with one name the approved one wins, then the one created last, then the greater ID in
    the order of code points.
    """
    best: dict[str, tuple[bool, str, str]] = {}
    skipped = unusable = complete = 0
    for signup in signups:
        name = _text(signup, "status", "compliantUsername")
        found = (_text(signup, "metadata", "annotations", _SSO_ID), _text(signup, "spec", "identityClaims", "userID"))
        sso_id = next(filter(_identifies_somebody, found), "")
        if not name or not sso_id:
            skipped += 1
            unusable += bool(name and any(found))
            continue
        complete += 1
        approved = _text(signup, "metadata", "labels", _STATE) == "approved"
        # Kubernetes writes times in UTC with whole seconds and a Z, so that they sort as text.
        claim = (approved, _text(signup, "metadata", "creationTimestamp"), sso_id)
        if name not in best or claim > best[name]:
            best[name] = claim
    entries = {name: sso_id for name, (_, _, sso_id) in best.items()}
    empty = ""
    if skipped and not entries:
        empty = f"all {skipped} UserSignups lack a name or a usable ID"
    elif not entries:
        empty = "there are no UserSignups"
    collisions = complete - len(entries)
    return IdentityMap(entries, skipped=skipped, collisions=collisions, unusable=unusable, empty=empty)


def shared_ids(users: Mapping[str, str]) -> int:
    """Count the IDs that several user names have."""
    return sum(names > 1 for names in Counter(users.values()).values())


def short_ids(users: Mapping[str, str]) -> int:
    """Count the users whose ID is so short that Amplitude removes it."""
    return sum(len(sso_id) < _SHORTEST_ID for sso_id in users.values())


def workspace_map(clusters: Iterable[Iterable[Mapping[str, Any]]], tenants: Tenants = TOOLCHAIN) -> IdentityMap:
    """Map the names of tenant Namespaces to the label of their space; of several clusters a later one wins."""
    entries: dict[str, str] = {}
    skipped = complete = 0
    for namespaces in clusters:
        for namespace in namespaces:
            name = _text(namespace, "metadata", "name")
            labels = (_text(namespace, "metadata", "labels", label) for label in tenants.space_labels)
            space = next(filter(None, labels), "")
            if not name or not space:
                skipped += 1
                continue
            complete += 1
            entries[name] = space
    empty = ""
    if skipped and not entries:
        lacking = " and ".join(tenants.space_labels)
        empty = f"all {skipped} {tenants} lack the label {lacking} (setting space_labels)"
    elif not entries:
        empty = f"there are no {tenants} (setting tenant_selectors)"
    return IdentityMap(entries, skipped=skipped, collisions=complete - len(entries), empty=empty)


def require_usable(map_: IdentityMap, what: str) -> None:
    """Raise :class:`ConfigurationError` for a map without entries: it would turn every result away.

    ``what`` names the map. Asking again would find the same objects, so a person has to look.
    """
    if map_.entries:
        return
    raise ConfigurationError(
        f"the map of {what} is empty, as {map_.empty}: "
        "check that it is the right cluster, and that its credentials may see them"
    )


def to_json(entries: Mapping[str, str]) -> bytes:
    """Write a map as one compact JSON object in UTF-8 with sorted keys."""
    return msgspec.json.encode(dict(entries), order="sorted")


def read_map(data: bytes, what: str) -> dict[str, str]:
    """Read what :func:`to_json` wrote; raises :class:`ConfigurationError` naming the source, ``what``, and the flaw."""
    try:
        entries = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # The error is not chained: a UnicodeDecodeError carries the whole file.
        raise ConfigurationError(f"{what} is not JSON ({error}): give a map as `maps` prints it") from None
    if not isinstance(entries, dict):
        raise ConfigurationError(f"{what} is not a JSON object: give a map as `maps` prints it")
    if wrong := sum(not isinstance(value, str) for value in entries.values()):
        raise ConfigurationError(
            f'{what}: {wrong} of {len(entries)} IDs are not strings: write each in quotes, "7" and not 7'
        )
    if blank := sum(not name.strip() or not value.strip() for name, value in entries.items()):
        raise ConfigurationError(f"{what}: {blank} of {len(entries)} entries have an empty name or ID: remove them")
    return entries


def _identifies_somebody(sso_id: str) -> bool:
    placeholder = sso_id.strip().casefold() in _PLACEHOLDERS
    return bool(sso_id) and not placeholder and not _CONTROL.search(sso_id)


def _text(value: Any, *path: str) -> str:  # noqa: ANN401 - any JSON
    """Return the text at the path, or "" where there is none; a whole number counts as its digits."""
    for key in path:
        if not isinstance(value, Mapping):
            return ""
        value = value.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else ""
