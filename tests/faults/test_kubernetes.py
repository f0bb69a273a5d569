"""The clusters from which the maps come: without whole maps, nothing is sent."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.proxy import Answer, Wire, elsewhere, unbound

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Line

_GROUP = "toolchain.dev.openshift.com"
JOURNEYS = ("application-events", "release-done")


def status(code: int, **headers: str) -> Callable[[Wire], None]:
    body = json.dumps({"kind": "Status", "status": "Failure", "code": code}).encode()
    given = {"Content-Type": "application/json"} | {name.replace("_", "-"): headers[name] for name in headers}
    return lambda wire: wire.reply(Answer(code, body, given))


def paged(wire: Wire) -> None:
    """Answer in pages of five objects, whatever was asked for."""
    wire.reply(wire.ask(wire.path.replace("limit=500", "limit=5")))


def cut_short(wire: Wire) -> None:
    answer = wire.ask()
    wire.reply(Answer(body=answer.body[: len(answer.body) // 2]), claimed=len(answer.body))


def changed(change: Callable[[list[dict[str, Any]]], None]) -> Callable[[Wire], None]:
    """Answer with other objects."""

    def fault(wire: Wire) -> None:
        listed = json.loads(wire.ask().body)
        change(listed["items"])
        wire.reply(Answer(body=json.dumps(listed).encode(), headers={"Content-Type": "application/json"}))

    return fault


def halve(items: list[dict[str, Any]]) -> None:
    del items[::2]


def goes_on(wire: Wire) -> bool:
    return "continue=" in wire.path


def of_users(wire: Wire) -> bool:
    return "usersignups" in wire.path


def of_second_member(wire: Wire) -> bool:
    return wire.path.startswith("/clusters/member-2/")


PASSING = {
    "410 in mid-list": (status(410), goes_on),
    "429 with Retry-After": (status(429, Retry_After="1"), of_users),
    "500": (status(500), of_users),
    "503 from one member": (status(503), of_second_member),
    "reset": (Wire.reset, of_users),
    "cut short": (cut_short, of_users),
    "garbage body": (lambda wire: wire.reply(Answer(body=b"<html>\xff")), of_second_member),
}


@pytest.mark.parametrize(("fault", "applies"), PASSING.values(), ids=[f"{name}, once" for name in PASSING])
def test_what_passes(line: Line, fault: Callable[[Wire], None], applies: Callable[[Wire], bool]) -> None:
    began = time.monotonic()
    line.kubernetes.cue(fault, applies=applies, times=1)
    line.kubernetes.cue(paged)
    line.run(*JOURNEYS)
    line.check()
    assert fault is not PASSING["429 with Retry-After"][0] or time.monotonic() - began >= 1


@pytest.mark.parametrize(
    ("fault", "applies"),
    [case for name, case in PASSING.items() if "Retry-After" not in name],
    ids=[f"{name}, for ever" for name in PASSING if "Retry-After" not in name],
)
def test_what_does_not_pass(line: Line, fault: Callable[[Wire], None], applies: Callable[[Wire], bool]) -> None:
    line.kubernetes.cue(fault, applies=applies)
    line.kubernetes.cue(paged)
    line.run(*JOURNEYS)
    line.check(1, unreached=line.count())


def test_429_for_ever(line: Line) -> None:
    line.kubernetes.cue(status(429), applies=of_users)
    line.run(*JOURNEYS)
    line.check(1, unreached=line.count())


@pytest.mark.parametrize("code", [401, 403, 404], ids="{} from one member".format)
def test_what_a_person_has_to_change(line: Line, code: int) -> None:
    line.kubernetes.cue(status(code), applies=of_second_member)
    line.run(*JOURNEYS)
    line.check(2, unreached=line.count())
    assert f"member-2, asked for tenant Namespaces, answered {code}" in line.said


def test_no_word_from_one_member(line: Line) -> None:
    line.kubernetes.cue(Wire.wait, applies=of_second_member)
    line.run(*JOURNEYS, KUBERNETES_TIMEOUT="0.2")
    line.check(1, unreached=line.count())


def test_no_word_once(line: Line) -> None:
    line.kubernetes.cue(Wire.wait, applies=of_second_member, times=1)
    line.run(*JOURNEYS, KUBERNETES_TIMEOUT="0.5")
    line.check()


@pytest.mark.parametrize("address", [unbound(), elsewhere("member")], ids=["one member is down", "no such host"])
def test_away(line: Line, address: str, tmp_path: Path) -> None:
    """Let the second member be where nobody answers."""
    kubeconfig = Path(line.world.settings["KUBECONFIG"]).read_text()
    (there,) = re.findall(r"\S+/clusters/member-2", kubeconfig)
    (tmp_path / "kubeconfig").write_text(kubeconfig.replace(there, f"{address}/clusters/member-2"))
    line.run(*JOURNEYS, KUBECONFIG=str(tmp_path / "kubeconfig"))
    line.check(1, unreached=line.count())


def test_an_empty_list_of_users(line: Line) -> None:
    line.kubernetes.cue(changed(list.clear), applies=of_users)
    line.run(*JOURNEYS)
    line.check(2, unreached=line.count())
    assert re.search(r"the map of users\S* is .*empty", line.said)


def test_no_tenant_in_any_member(line: Line) -> None:
    line.kubernetes.cue(changed(list.clear), applies=lambda wire: "namespaces?" in wire.path)
    line.run(*JOURNEYS)
    line.check(2, unreached=line.count())
    assert re.search(r"the map of workspaces\S* is .*empty", line.said)


def test_half_of_the_users_after_a_good_run(line: Line) -> None:
    """The map of the run before serves for this one as well."""
    line.run(*JOURNEYS)
    line.check()
    line.forget()
    line.kubernetes.cue(changed(halve), applies=of_users)
    line.run(*JOURNEYS)
    line.check()


def test_a_usersignup_without_annotations(line: Line) -> None:
    name = _busiest(line)

    def strip(items: list[dict[str, Any]]) -> None:
        for item in items:
            if item["status"].get("compliantUsername") == name:
                del item["metadata"]["annotations"]
                item["spec"].pop("identityClaims", None)

    line.kubernetes.cue(changed(strip), applies=of_users)
    line.run(*JOURNEYS)
    due = (one for ids in line.due.values() for one in ids)
    line.check(rejected=sum(name in line.world.people[one] for one in due))


def test_a_name_that_two_signups_claim(line: Line) -> None:
    name = _busiest(line)

    def claim(items: list[dict[str, Any]]) -> None:
        (own,) = (item for item in items if item["status"].get("compliantUsername") == name)
        other = json.loads(json.dumps(own))
        other["metadata"]["annotations"][f"{_GROUP}/sso-user-id"] = "intruder"
        other["metadata"]["labels"][f"{_GROUP}/state"] = "deactivated"
        other["metadata"]["creationTimestamp"] = "2026-01-05T07:59:59Z"
        items.append(other)

    line.kubernetes.cue(changed(claim), applies=of_users)
    line.run(*JOURNEYS)
    line.check()
    assert line.report["maps"]["users"]["collisions"] >= 1
    batches = b"".join(path.read_bytes() for path in line.folders[-1].glob("batches/*/*.json"))
    assert b"intruder" not in batches


def _busiest(line: Line) -> str:
    """Return somebody with one signup, and with events of their own."""
    ids = [one for name in JOURNEYS for one in line.due[name]]
    names = [person for one in ids for person in line.world.people[one]]
    everybody = {person.username: person for person in line.world.traffic._population.people}
    alone = [name for name in names if name in everybody and len(everybody[name].signups) == 1]
    approved = [name for name in alone if everybody[name].signups[0].annotation]
    return max(approved, key=approved.count)
