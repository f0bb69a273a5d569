"""The bridge's settings under Airflow: one Variable, ``segment_bridge``, that holds a JSON object."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec
from airflow.sdk import Variable

from segment_bridge.errors import ConfigurationError, RetryableError
from segment_bridge.exclusions import Exclusions
from segment_bridge.gate import Limits
from segment_bridge.plan import Resend
from segment_bridge.settings import DEFAULT_MAP_SHRINK_PERCENT, DEFAULT_MAP_STAND_IN_HOURS, IdentityMode
from segment_bridge.tenants import TOOLCHAIN, Tenants
from segment_bridge.tolerance import ToleratedMessages  # noqa: TC001 - msgspec reads the annotations of a Struct
from segment_bridge.window import PERIOD

VARIABLE = "segment_bridge"


class BridgeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the Variable; each of it has a default."""

    #: Where runs keep their files; several machines need a place that all of them see.
    staging: str = "file:///var/lib/segment-bridge"
    #: The member clusters' connections; a later one wins.
    member_connections: tuple[str, ...] = ("kubernetes_member",)
    #: The labels that mark a tenant's namespace, and those that name its space.
    tenant_selectors: tuple[str, ...] = TOOLCHAIN.selectors
    space_labels: tuple[str, ...] = TOOLCHAIN.space_labels
    message_id_prefix: str = ""
    look_back_hours: float = 4
    reach_days: float = 7
    #: Whether a run sends again what earlier ones have sent.
    resend: Resend = Resend.ALWAYS
    identity: IdentityMode = IdentityMode.BRIDGE
    #: By how many percent a map may be smaller than the last good one, and how old that one may be to stand in.
    map_shrink_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = DEFAULT_MAP_SHRINK_PERCENT
    map_stand_in_hours: Annotated[int, msgspec.Meta(ge=0, le=8760)] = DEFAULT_MAP_STAND_IN_HOURS
    #: The namespace of the host cluster in which the maps are published; empty: they are not.
    publish_namespace: str = ""
    least_coverage: float = 0
    #: Messages of Splunk that may pass although they tell of missing results.
    tolerated_messages: ToleratedMessages = ()
    #: Of whose results no events are made: shell patterns of user names, and of namespaces.
    exclude_users: tuple[str, ...] = ()
    exclude_namespaces: tuple[str, ...] = ()
    #: Journeys whose results may all be rejected without that being a problem.
    expect_all_rejected: tuple[str, ...] = ()
    #: How long the files of finished runs stay, and their reports.
    keep_days: float = 7
    keep_reports_days: float = 90

    def __post_init__(self) -> None:
        for name in ("look_back_hours", "reach_days", "keep_days", "keep_reports_days"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} has to be more than 0")
        _ = self.exclusions, self.tenants

    @property
    def look_back(self) -> timedelta:
        """How far a scheduled run reaches back at least."""
        return timedelta(hours=self.look_back_hours)

    @property
    def longest_search(self) -> timedelta:
        """How much one search is asked for: what those of an ordinary run are, and an hour at least."""
        return max(self.look_back, PERIOD)

    @property
    def reach(self) -> timedelta:
        """How far it reaches back at most, where none has succeeded for long."""
        return timedelta(days=self.reach_days)

    @property
    def limits(self) -> Limits:
        """What a new map has to keep to."""
        return Limits(largest_shrink=self.map_shrink_percent, oldest=timedelta(hours=self.map_stand_in_hours))

    @property
    def tenants(self) -> Tenants:
        """How tenants' namespaces are known."""
        return Tenants(self.tenant_selectors, self.space_labels)

    @property
    def exclusions(self) -> Exclusions:
        """Of whose results no events are made."""
        return Exclusions.of(users=self.exclude_users, namespaces=self.exclude_namespaces)

    @property
    def keep_ledger(self) -> timedelta:
        """How long the ledger is kept: as far back as scheduled runs reach, and a day."""
        return max(self.look_back, self.reach) + timedelta(days=1)

    @property
    def keep(self) -> timedelta:
        """How long the files of finished runs stay."""
        return timedelta(days=self.keep_days)

    @property
    def keep_reports(self) -> timedelta:
        """How long their reports stay."""
        return timedelta(days=self.keep_reports_days)


def read() -> BridgeSettings:
    """Read the Variable; raises :class:`ConfigurationError` that says which part of it is wrong.

    Raises :class:`RetryableError` where Airflow has it but cannot give it: that reads as one that is not set, and
    defaults in its place would go unnoticed.
    """
    text = Variable.get(VARIABLE, default=None)
    if text is None:
        if VARIABLE in Variable.keys(prefix=VARIABLE):
            raise RetryableError(f"the Variable {VARIABLE} is set, but cannot be read: try again later")
        text = "{}"
    try:
        return msgspec.json.decode(text, type=BridgeSettings)
    except (ConfigurationError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"the Variable {VARIABLE} cannot be used: {error}") from None


def require_api_server() -> None:
    """Raise what Airflow raises where its API server gives no answer: then *not found* means nothing."""
    len(Variable.keys(prefix=VARIABLE))
