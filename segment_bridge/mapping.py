"""The maps of a run: made from the clusters, let through a gate, staged, and handed on to others."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from segment_bridge import config_maps, gate, identity, layout
from segment_bridge.errors import BridgeError, RetryableError
from segment_bridge.exclusions import NOBODY
from segment_bridge.gate import Limits
from segment_bridge.plan import Plan
from segment_bridge.report import MapBooks
from segment_bridge.settings import IdentityMode
from segment_bridge.tenants import TOOLCHAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from segment_bridge.exclusions import Exclusions
    from segment_bridge.identity import IdentityMap
    from segment_bridge.kubernetes import Cluster
    from segment_bridge.settings import SplunkSettings
    from segment_bridge.staging import Staging
    from segment_bridge.tenants import Tenants

#: The ConfigMaps in which others find the maps.
CONFIG_MAPS = {layout.USERS: "uid-map", layout.WORKSPACES: "ws-map"}


def map_users(
    root: Staging, key: str, host: Cluster, *, limits: Limits | None = None, last_try: bool = True
) -> MapBooks:
    """Stage the map from user names to SSO IDs.

    Where the cluster cannot be read, or its map does not pass the gate, the last good map stands in, if it is young
    enough; before the ``last_try`` what may succeed later is raised instead.
    """

    def make() -> IdentityMap:
        return identity.user_map(host.user_signups())

    return _stage(root, key, layout.USERS, [host.address], make, limits=limits or Limits(), last_try=last_try)


def map_workspaces(
    root: Staging,
    key: str,
    members: Sequence[Cluster],
    *,
    tenants: Tenants = TOOLCHAIN,
    limits: Limits | None = None,
    last_try: bool = True,
) -> MapBooks:
    """Stage the map from namespaces to workspaces, of all member clusters; a later one wins.

    The last good map stands in as for :func:`map_users`.
    """

    def make() -> IdentityMap:
        return identity.workspace_map((member.tenant_namespaces(tenants) for member in members), tenants)

    source = [member.address for member in members]
    if tenants != TOOLCHAIN:
        source += [*tenants.selectors, *tenants.space_labels]
    return _stage(root, key, layout.WORKSPACES, source, make, limits=limits or Limits(), last_try=last_try)


def read(run: Staging, exclusions: Exclusions = NOBODY) -> identity.Maps:
    """Read both maps of a run."""
    return identity.Maps(_read(run, layout.USERS), _read(run, layout.WORKSPACES), exclusions)


def share_users(run: Staging, settings: Callable[[], SplunkSettings]) -> None:
    """Put the map of users into Splunk, if that is where this run resolves them."""
    if run.read_json(layout.PLAN, Plan).identity is IdentityMode.SPLUNK_LOOKUP:
        from segment_bridge.splunk import KvStore  # noqa: PLC0415 - not every run needs it

        with KvStore(settings()) as store:
            store.publish_users(_read(run, layout.USERS))


def publish(run: Staging, cluster: Cluster, namespace: str) -> list[str]:
    """Publish both maps as ConfigMaps; return the names of those that have changed."""
    return [
        changed
        for name, config_map in CONFIG_MAPS.items()
        for changed in config_maps.publish(cluster, namespace, config_map, _read(run, name))
    ]


def count(name: str, made: IdentityMap, entries: Mapping[str, str]) -> MapBooks:
    """Count what a map was made of, and the ``entries`` that are used, which may be those of the last good one."""
    of_users = name == layout.USERS  # several namespaces of one owner are as it should be
    return MapBooks(
        entries=len(entries),
        skipped=made.skipped,
        collisions=made.collisions,
        unusable_ids=made.unusable,
        shared_ids=identity.shared_ids(entries) if of_users else 0,
        short_ids=identity.short_ids(entries) if of_users else 0,
    )


def _stage(
    root: Staging,
    key: str,
    name: str,
    source: Sequence[str],
    make: Callable[[], IdentityMap],
    *,
    limits: Limits,
    last_try: bool,
) -> MapBooks:
    # Only a map of the same clusters, and of namespaces with the same labels, can be compared with, or stand in.
    digest = sha256("\n".join(source).encode()).hexdigest()[:8]
    now, kept_as = datetime.now(UTC), f"{name}-{digest}"
    try:
        made = make()
    except BridgeError as error:
        if isinstance(error, RetryableError) and not last_try:
            raise
        made = identity.IdentityMap({})
        admitted = gate.stand_in(root, kept_as, reason=str(error), now=now, limits=limits)
        if admitted is None:
            raise
    else:
        admitted = gate.admit(root, kept_as, made, run=key, now=now, limits=limits)
    books = count(name, made, admitted.entries)
    if isinstance(admitted.verdict, gate.UseLastGood):
        books = msgspec.structs.replace(books, stands_in=admitted.verdict.reason)
    run = layout.run_of(root, key)
    with run.write(layout.map_file(name)) as file:
        file.write(identity.to_json(admitted.entries))
    run.write_json(layout.map_summary(name), books)
    return books


def _read(run: Staging, name: str) -> dict[str, str]:
    with run.read(layout.map_file(name)) as file:
        return identity.read_map(file.read(), layout.map_file(name))
