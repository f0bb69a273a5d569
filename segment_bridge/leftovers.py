"""Take up what runs have left behind: choose the runs, redrive each, and count its books anew."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from segment_bridge import identity, layout, line
from segment_bridge.errors import ConfigurationError, FatalError, RetryableError
from segment_bridge.exclusions import NOBODY
from segment_bridge.redrive import asks_for_maps, recount, to_be_redriven
from segment_bridge.report import Report
from segment_bridge.tenants import TOOLCHAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from segment_bridge.exclusions import Exclusions
    from segment_bridge.identity import Maps
    from segment_bridge.kubernetes import Cluster
    from segment_bridge.redrive import Redrive, Redriven
    from segment_bridge.runs import Run
    from segment_bridge.staging import Staging
    from segment_bridge.tenants import Tenants
    from segment_bridge.window import Window


def choose(root: Staging, every: list[Run], *, keys: Sequence[str] = (), window: Window | None = None) -> list[Run]:
    """Return the closed runs that were to send: those of these keys, and those of them that overlap the window.

    No keys mean all of them, no window means any. Raises :class:`ConfigurationError` for a key that none of them has.
    """
    closed = {run.folder: run for run in to_be_redriven(every)}
    folders = {layout.run_of(root, key): key for key in keys}
    unknown = [key for folder, key in folders.items() if folder not in closed]
    if unknown:
        raise ConfigurationError(
            f"no closed run that was to send is named {', '.join(unknown)}: the runs' reports tell their names"
        )
    chosen = [closed[folder] for folder in folders or closed]
    return [run for run in chosen if window is None or run.plan.window.overlaps(window)]


def maps_for(chosen: Sequence[Run], make: Callable[[], Maps]) -> Maps | None:
    """Make the maps, if any of these runs has rejections that they may turn into events."""
    return make() if any(map(asks_for_maps, chosen)) else None


def make_maps(
    host: Cluster, members: Sequence[Cluster], tenants: Tenants = TOOLCHAIN, exclusions: Exclusions = NOBODY
) -> Maps:
    """Make both maps of what the clusters hold now; raises :class:`ConfigurationError` for an empty one."""
    users = identity.user_map(host.user_signups())
    workspaces = identity.workspace_map((member.tenant_namespaces(tenants) for member in members), tenants)
    identity.require_usable(users, layout.USERS)
    identity.require_usable(workspaces, layout.WORKSPACES)
    return identity.Maps(users.entries, workspaces.entries, exclusions)


def take_up(root: Staging, redrive: Redrive, chosen: Sequence[Run]) -> Iterator[Redriven]:
    """Redrive one run after the other, and yield what was done with each; its books are right even if that fails."""
    for run in chosen:
        try:
            done = redrive.take_up(run)
        finally:
            # Also where an earlier redrive died before it came to this.
            if redrive.segment and run.folder.names(layout.REDRIVES):
                key = run.folder.read_json(layout.REPORT, Report).run
                recount(run, partial(line.close, root, key))
        yield done


def require_nothing_left(done: Sequence[Redriven]) -> None:
    """Raise :class:`RetryableError` where events are still undelivered, :class:`FatalError` where some were refused."""
    left, refused = sum(one.left for one in done), sum(one.refused for one in done)
    told = f"{left} events are still undelivered, and {refused} were refused by Segment"
    if refused:
        raise FatalError(told)
    if left:
        raise RetryableError(told)
