"""Who works in the clusters, and where: people with their sign-ups, and the namespaces of their workspaces.

Every so many people one is a special case for a bridge. The cases go round in cycles of different lengths, so
that each appears in a crowd of any size above some dozens, and they meet in ever other combinations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sandbox.traffic.values import digits, uuid

if TYPE_CHECKING:
    from random import Random

    from sandbox.traffic.plan import Plan

_SIGNUPS = (
    *("annotation", "annotation", "claim", "annotation", "neither", "annotation", "older but approved"),
    *("annotation", "no cluster user", "annotation", "both", "annotation", "no signup", "annotation", "newer"),
    *("annotation", "banned", "annotation", "deactivated", *("annotation",) * 6),
)
_UNMAPPED = ("neither", "no cluster user", "no signup")
_HOMES = (
    *("ordinary", "ordinary", "no space", "ordinary", "moved here", "ordinary", "moved away", "ordinary"),
    *("not of a tenant", "ordinary", "deleted", *("ordinary",) * 13),
)
_ODD_NAMES = (
    *("ops@example.com", "anna of the hill", "4711", 'say "cheese"', "back\\slash\\name", "名無しの権兵衛", "it's me"),
    *("שלום", "00042", "🚀 launch crew", "e\u0301tude", "per%cent_under", "{curly}", "pipe|tick`comma,", "ÅNGSTRÖM"),
)
_ODD_NAME_EVERY = 6
_ODD_IDS = 12
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "islet", "juniper")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Signup:
    """What decides about a UserSignup; ``age`` in days."""

    state: str
    annotation: str | None = None
    claim: str | None = None
    compliant: bool = True
    age: int = 200


@dataclass(frozen=True, slots=True)
class Person:
    """A cluster user; ``user_id`` is what the user ID map has to give, None where it must have no entry."""

    username: str
    user_id: str | None = None
    signups: tuple[Signup, ...] = ()


@dataclass(frozen=True, slots=True)
class Workspace:
    """A namespace; ``owner`` is whom the workspace map has to give, None where it must have no entry.

    ``labels`` are the deciding ones (type and space) in the first and in the second member cluster; None where the
    cluster has no such namespace.
    """

    namespace: str
    owner: Person | None
    labels: tuple[dict[str, str] | None, dict[str, str] | None]


class Population:
    """Everybody, and where each of them is at home; whose name cannot name a namespace is a neighbour's guest."""

    def __init__(self, plan: Plan) -> None:
        rng = plan.random("people")
        self.people = tuple(_person(rng, number) for number in range(plan.users))

    @cached_property
    def homes(self) -> tuple[Workspace, ...]:
        """The home of each person, in the order of the people."""
        homes: list[Workspace] = []
        owners = 0
        for person in self.people:
            if _NAMESPACE.fullmatch(person.username):
                homes.append(_workspace(person, owners, homes[-1] if homes else None))
                owners += 1
            else:
                homes.append(homes[-1])
        return tuple(homes)

    @property
    def user_ids(self) -> dict[str, str]:
        """The user ID map that a bridge has to make."""
        return {person.username: person.user_id for person in self.people if person.user_id is not None}

    @property
    def spaces(self) -> dict[str, str]:
        """The workspace map that a bridge has to make."""
        return {home.namespace: home.owner.username for home in self.homes if home.owner is not None}


def _person(rng: Random, number: int) -> Person:
    first, second = _user_id(rng, number), digits(rng, 8)
    signups, user_id = _signups(_SIGNUPS[number % len(_SIGNUPS)], first, second)
    return Person(_username(number), user_id, signups)


def _username(number: int) -> str:
    odd, place = divmod(number, _ODD_NAME_EVERY)
    if place != _ODD_NAME_EVERY // 2:
        return f"{_WORDS[number % len(_WORDS)]}-{_WORDS[number // 3 % len(_WORDS)]}-{number}"
    again, which = divmod(odd, len(_ODD_NAMES))
    return f"{_ODD_NAMES[which]}{again}" if again else _ODD_NAMES[which]


def _user_id(rng: Random, number: int) -> str:
    """IDs are identifiers: to take one of these for a number would change it."""
    kinds = {1: f"{number + 6:03d}", 3: digits(rng, 30), 5: uuid(rng)}
    return kinds.get(number % _ODD_IDS, digits(rng, 8))


def _signups(case: str, user_id: str, other: str) -> tuple[tuple[Signup, ...], str | None]:
    """Return a person's sign-ups in the order of the list, and the ID that they give."""
    cases: dict[str, tuple[Signup, ...]] = {
        "annotation": (Signup("approved", annotation=user_id),),
        "claim": (Signup("approved", claim=user_id),),
        "both": (Signup("approved", annotation=user_id, claim=other),),
        "banned": (Signup("banned", annotation=user_id),),
        "deactivated": (Signup("deactivated", annotation=user_id),),
        "older but approved": (
            Signup("approved", annotation=user_id),
            Signup("deactivated", annotation=other, age=20),
        ),
        "newer": (Signup("approved", claim=user_id, age=20), Signup("approved", annotation=other)),
        "neither": (Signup("approved"),),
        "no cluster user": (Signup("pending", annotation=user_id, compliant=False),),
        "no signup": (),
    }
    return cases[case], None if case in _UNMAPPED else user_id


def _workspace(person: Person, number: int, before: Workspace | None) -> Workspace:
    namespace = f"{person.username}-tenant"
    tenant = {"toolchain.dev.openshift.com/type": "tenant"}
    mine = tenant | {"toolchain.dev.openshift.com/space": person.username}
    match _HOMES[number % len(_HOMES)]:
        case "no space":
            return Workspace(namespace, None, (tenant, None))
        case "moved here" if before is not None:
            theirs = tenant | {"toolchain.dev.openshift.com/space": before.namespace.removesuffix("-tenant")}
            return Workspace(namespace, person, (theirs, mine))
        case "moved away":
            departed = Person(f"departed-{number}")
            theirs = tenant | {"toolchain.dev.openshift.com/space": departed.username}
            return Workspace(namespace, departed, (mine, theirs))
        case "not of a tenant":
            return Workspace(namespace, None, (None, mine | {"toolchain.dev.openshift.com/type": "pool"}))
        case "deleted":
            return Workspace(namespace, None, (None, None))
    return Workspace(namespace, person, (None, mine) if number % 2 else (mine, None))
