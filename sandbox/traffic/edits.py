"""The patches by which people change a component, and what the events that tell of them are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.traffic.objects import REQUEST

if TYPE_CHECKING:
    from random import Random

_ALL = "/metadata/annotations"
_ONE = f"{_ALL}/{REQUEST.replace('/', '~1')}"
_WISHES = ("trigger-pac-build", "trigger-simple-build", "configure-pac", "configure-pac-no-mr", "unconfigure-pac")


def patch(rng: Random) -> tuple[str, object]:
    """Return the name of the event, and the body of the patch."""
    wish, other = rng.sample(_WISHES, 2)
    if rng.randrange(3):
        return f"Component {wish}", rng.choice(_asking(wish, other))
    return "Component patched", rng.choice(_asking_for_nothing(wish))


def _asking(wish: str, other: str) -> tuple[object, ...]:
    """Give bodies that ask the build service for something; of several wishes the last one counts."""
    add = {"op": "add", "path": _ONE, "value": wish}
    before = {"op": "add", "path": _ONE, "value": other}
    replicas = {"op": "replace", "path": "/spec/replicas", "value": 2}
    secret = {"op": "remove", "path": "/spec/secret"}
    return (
        {"metadata": {"annotations": {REQUEST: wish}}},
        {"metadata": {"annotations": {"example.com/note": None, REQUEST: wish}}, "spec": {"replicas": 3}},
        [add],
        [{"value": wish, "path": _ONE, "op": "replace"}],
        [add, replicas],
        [secret, replicas, add],
        [{"op": "test", "path": _ONE, "value": other}, add],
        [add, {"op": "test", "path": _ONE, "value": wish}],
        [before, add],
        [{"op": "remove", "path": _ONE}, add],
        [secret, {"op": "replace", "path": _ALL, "value": {"example.com/note": "", REQUEST: wish}}],
        [before, {"op": "replace", "path": _ALL, "value": {REQUEST: wish}}],
    )


def _asking_for_nothing(wish: str) -> tuple[object, ...]:
    """Give bodies that ask for nothing, or take a wish back."""
    add = {"op": "add", "path": _ONE, "value": wish}
    return (
        {"spec": {"replicas": 3, "secret": None}},
        {"metadata": {"annotations": {REQUEST: None}}},
        {"metadata": {"annotations": {REQUEST: ""}}},
        {"metadata": {"annotations": None, "labels": {REQUEST: wish}}},
        [],
        [{"op": "replace", "path": "/spec/replicas", "value": 2}],
        [{"op": "add", "path": f"{_ONE}-log", "value": wish}],
        [{"op": "test", "path": _ONE, "value": wish}],
        [{"op": "test", "path": _ONE, "value": wish}, {"op": "remove", "path": _ONE}],
        [{"op": "replace", "path": _ONE, "value": None}],
        [add, {"op": "replace", "path": _ONE, "value": ""}],
        [add, {"op": "remove", "path": _ALL}],
        [add, {"op": "replace", "path": _ALL, "value": {"example.com/note": wish}}],
    )
