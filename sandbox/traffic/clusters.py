"""The cluster objects that go with an audit log: UserSignups of the host, Namespaces of host and members."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from sandbox.traffic.values import SECOND, Record, time, uuid

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from sandbox.traffic.people import Person, Population, Signup
    from sandbox.traffic.plan import Plan

_TOOLCHAIN = "toolchain.dev.openshift.com"
_DAY = 86_400 * SECOND
_SYSTEM_NAMESPACES = (
    *("default", "kube-public", "kube-system", "openshift", "openshift-apiserver", "openshift-etcd"),
    *("openshift-ingress", "openshift-monitoring", "openshift-pipelines", "build-service", "release-service"),
)


class Clusters:
    """The objects by cluster (a kubeconfig context) and file name, each a Kubernetes list."""

    def __init__(self, plan: Plan, population: Population) -> None:
        self._plan = plan
        self._population = population

    def lists(self) -> dict[str, dict[str, Record]]:
        """Make every list, the same each time."""
        members = (self._namespaces(0, "toolchain-member-operator"), self._namespaces(1, "toolchain-member-operator"))
        return {
            "host": {
                "usersignups.json": self._signups(),
                "namespaces.json": self._namespaces(None, "toolchain-host-operator"),
            },
            "member-1": {"namespaces.json": members[0]},
            "member-2": {"namespaces.json": members[1]},
        }

    def write(self, folder: Path) -> None:
        """Write a subfolder for each cluster; other files there stay as they are."""
        for cluster, files in self.lists().items():
            (folder / cluster).mkdir(parents=True, exist_ok=True)
            for name, objects in files.items():
                (folder / cluster / name).write_bytes(msgspec.json.format(msgspec.json.encode(objects)) + b"\n")

    def _signups(self) -> Record:
        rng = self._plan.random("signups")
        items = [
            _signup(rng, self._plan.first, person, signup)
            for person in self._population.people
            for signup in person.signups
        ]
        return _list(f"{_TOOLCHAIN}/v1alpha1", "UserSignupList", items)

    def _namespaces(self, member: int | None, operator: str) -> Record:
        rng = self._plan.random("namespaces", member)
        names: dict[str, dict[str, str]] = {name: {} for name in (*_SYSTEM_NAMESPACES, operator)}
        if member is not None:
            homes = {home.namespace: home.labels[member] for home in self._population.homes}
            names |= {name: labels for name, labels in homes.items() if labels is not None}
        items = [_namespace(rng, self._plan.first, name, names[name]) for name in sorted(names)]
        return _list("v1", "List", items)


def _list(api_version: str, kind: str, items: list[Record]) -> Record:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"resourceVersion": "918273645"}, "items": items}


def _signup(rng: Random, now: int, person: Person, signup: Signup) -> Record:
    email = f"{uuid(rng)}@example.com"
    claims = {"sub": uuid(rng), "preferredUsername": person.username, "email": email}
    if signup.claim is not None:
        claims |= {"userID": signup.claim, "accountID": f"{rng.randrange(10**7, 10**8)}"}
    annotations = {f"{_TOOLCHAIN}/last-target-cluster": "member-1"}
    if signup.annotation is not None:
        annotations[f"{_TOOLCHAIN}/sso-user-id"] = signup.annotation
    created = now - signup.age * _DAY - rng.randrange(_DAY)
    complete = {"type": "Complete", "status": "True" if signup.compliant else "False", "reason": None}
    status: Record = {"conditions": [complete | {"lastTransitionTime": time(created + SECOND)}]}
    if signup.compliant:
        status["compliantUsername"] = person.username
    return {
        "apiVersion": f"{_TOOLCHAIN}/v1alpha1",
        "kind": "UserSignup",
        "metadata": {
            "name": uuid(rng),
            "namespace": "toolchain-host-operator",
            "uid": uuid(rng),
            "resourceVersion": f"{rng.randrange(10**6, 10**9)}",
            "generation": 2,
            "creationTimestamp": time(created),
            "labels": {
                f"{_TOOLCHAIN}/state": signup.state,
                f"{_TOOLCHAIN}/email-hash": hashlib.md5(email.encode(), usedforsecurity=False).hexdigest(),
            },
            "annotations": annotations,
        },
        "spec": {"identityClaims": claims, "states": [signup.state]},
        "status": status,
    }


def _namespace(rng: Random, now: int, name: str, labels: dict[str, str]) -> Record:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "uid": uuid(rng),
            "resourceVersion": f"{rng.randrange(10**6, 10**9)}",
            "creationTimestamp": time(now - rng.randrange(30 * _DAY, 300 * _DAY)),
            "labels": {"kubernetes.io/metadata.name": name} | labels,
        },
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
