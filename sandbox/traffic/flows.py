"""What people do in the clusters, from a new application to its release, with the records that tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sandbox.traffic import objects, texts
from sandbox.traffic.journeys import Journey, Signal, Step
from sandbox.traffic.near_misses import near_miss
from sandbox.traffic.people import Person
from sandbox.traffic.shapes import Call, Caller, audit, person, received, service_account
from sandbox.traffic.values import SECOND, Record, digits, suffix, time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from sandbox.traffic.people import Workspace
    from sandbox.traffic.shapes import Resource

_PIPELINES_AS_CODE = service_account("openshift-pipelines", "pipelines-as-code-controller")
_TEKTON = service_account("openshift-pipelines", "tekton-pipelines-controller")
_BUILD_SERVICE = service_account("build-service", "build-service-controller-manager")
_RELEASE_SERVICE = service_account("release-service", "release-service-controller-manager")
_SYSTEM_ADMIN = Person("system:admin")

_REQUEST_PATH = "/metadata/annotations/" + objects.REQUEST.replace("/", "~1")
_WISHES = ("trigger-pac-build", "trigger-simple-build", "configure-pac", "configure-pac-no-mr", "unconfigure-pac")

# The sessions, by their number, in which something rare happens: a cycle's length, and the place in it.
_WITHOUT_ID = (37, 11)
_IN_DISGUISE = (17, 16)
_OVERSIZE_BUILD = (23, 2)
_FITTING_BUILD = (23, 14)
_OVERSIZE_RELEASE = (23, 7)
_MANY_FIELDS = (13, 9)


class Session:
    """One person's work in one workspace, beginning at a time in microseconds since the epoch.

    ``number`` counts the sessions of a log.
    """

    def __init__(self, rng: Random, at: int, who: Person, where: Workspace, number: int) -> None:
        self._rng = rng
        self._at = at
        self._who = who
        self._where = where
        self._number = number

    def steps(self) -> Iterator[Step]:
        """Give the session's records in the order of time."""
        name = f"{self._rng.choice(('shop', 'api', 'portal', 'batch'))}-{suffix(self._rng)}"
        app = objects.application(self._rng, self._at, self._where.namespace, name)
        wish = {"metadata": {"name": name}, "spec": app["spec"]}
        code = self._created()
        yield from self._ask(Journey.APPLICATION, _call("create", objects.APPLICATIONS, app, code=code, request=wish))
        for number in range(self._rng.randrange(1, 3)):
            at = self._later(20, 200)
            component = objects.component(self._rng, at, self._where.namespace, name, f"{name}-part-{number}")
            yield from self._create_component(component)
            yield from self._pull_request(component)
            yield from self._build(component)
            yield from self._edit(component)
        yield from self._release(app)

    def _rarely(self, cycle: tuple[int, int]) -> bool:
        length, place = cycle
        return self._number % length == place

    def _created(self) -> int:
        return 200 if self._rng.randrange(8) == 0 else 201

    def _later(self, low: int, high: int) -> int:
        """Let between ``low`` and ``high`` seconds go by."""
        self._at += self._rng.randrange(low * SECOND, high * SECOND)
        return self._at

    def _changed(self, owner: Record, **members: object) -> Record:
        """Return an object at a later moment: with another resource version, and these members."""
        return owner | {"metadata": owner["metadata"] | {"resourceVersion": digits(self._rng, 9)}} | members

    def _tell(self, signal: Signal, caller: Caller, call: Call) -> Iterator[Step]:
        """Give a signal's record, and what comes with it: its first stage, a duplicate, near misses."""
        record = audit(self._rng, self._at, caller, call)
        if signal.journey is Journey.APPLICATION and self._rarely(_WITHOUT_ID):
            del record["auditID"]
        if self._rng.randrange(2):
            yield Step(self._at, received(record))
        step = Step(self._at, record, signal)
        yield step
        if self._rng.randrange(16) == 0:
            yield step
        for _ in range(self._rng.randrange(1, 3)):
            at = self._later(0, 3)
            yield Step(at, near_miss(self._rng, at, signal.journey, record))

    def _ask(self, journey: Journey, call: Call) -> Iterator[Step]:
        """Give the record of a request that the person makes."""
        who, caller = self._who, person(self._rng, self._who)
        if call.verb == "update" and self._rarely(_IN_DISGUISE):
            who = _SYSTEM_ADMIN
            admin = {"username": "cluster-admin", "groups": ["system:masters"]}
            caller = Caller(admin, caller.agent, caller.addresses, {"username": who.username})
        yield from self._tell(Signal(journey, self._where, who), caller, call)

    def _create_component(self, component: Record) -> Iterator[Step]:
        wish = {"metadata": {"name": component["metadata"]["name"]}, "spec": component["spec"]}
        stored = component
        if large := texts.large_text(self._number, often=13):
            annotations = component["metadata"]["annotations"] | {"example.com/export": large}
            stored = component | {"metadata": component["metadata"] | {"annotations": annotations}}
        call = _call("create", objects.COMPONENTS, stored, code=self._created(), request=wish)
        yield from self._ask(Journey.COMPONENT, call)

    def _pull_request(self, component: Record) -> Iterator[Step]:
        """Let the build service note the pull request that it opened, mostly more than once."""
        url = f"https://github.com/acme-{self._number}/{component['metadata']['name']}/pull/{digits(self._rng, 3)}"
        pac = {"state": "enabled", "merge-url": url, "configuration-time": time(self._at)}
        text = msgspec.json.encode({"pac": pac, "message": "done ✓"})
        if self._rng.randrange(2):
            text = msgspec.json.format(text, indent=0)
        annotations = component["metadata"]["annotations"]
        signal = Signal(Journey.PULL_REQUEST, self._where, merge_url=url)
        component["metadata"]["annotations"] = annotations | {objects.STATUS: text.decode()}
        for _ in range(self._rng.randrange(1, 4)):
            self._later(5, 60)
            updated = self._changed(component)
            yield from self._tell(signal, _BUILD_SERVICE, _call("update", objects.COMPONENTS, updated, request=updated))

    def _build(self, component: Record) -> Iterator[Step]:
        version = self._rng.choice(("v1", "v1beta1"))
        resource = objects.PIPELINERUNS[version]
        run = objects.pipelinerun(self._rng, self._later(10, 100), version, component)
        call = _call("create", resource, run, code=self._created(), request=run | {"metadata": _wished(run)})
        yield from self._tell(Signal(Journey.BUILD_CREATED, self._where), _PIPELINES_AS_CODE, call)

        began = time(self._later(2, 20))
        message = f"Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: {self._rng.randrange(3, 12)}, Skipped: 0"
        listed = self._conditions("Succeeded", status="Unknown", reason="Running", message=message)
        run = self._changed(run, status={"conditions": listed, "startTime": began})
        call = _call("update", resource, run, subresource="status", request=run)
        yield from self._tell(Signal(Journey.BUILD_STARTED, self._where), _TEKTON, call)

        scan = objects.clair_scan(self._rng, self._later(60, 400), run)
        call = _call("update", objects.TASKRUNS[version], scan, subresource="status", request=scan)
        yield from self._tell(Signal(Journey.CLAIR_SCAN, self._where), _TEKTON, call)
        yield from self._end(run, resource)

    def _end(self, run: Record, resource: Resource) -> Iterator[Step]:
        at = self._later(60, 400)
        oversize = self._rarely(_OVERSIZE_BUILD)
        message = self._rng.choice(texts.MESSAGES)
        if oversize or self._rarely(_FITTING_BUILD):
            message = texts.OVERSIZE if oversize else texts.FITTING
        status, reason = self._rng.choice((("True", "Completed"), ("True", "Completed"), ("False", "Failed")))
        listed = self._conditions("Succeeded", status=status, reason=reason, message=message)
        run = self._changed(run, status=run["status"] | {"conditions": listed, "completionTime": time(at)})
        if self._rarely(_MANY_FIELDS):
            fields = {"manager": "controller", "operation": "Update", "fieldsV1": msgspec.Raw(texts.FIELDS)}
            run["metadata"]["managedFields"] = [fields]
        call = _call("update", resource, run, subresource="status", request={"status": run["status"]})
        yield from self._tell(Signal(Journey.BUILD_ENDED, self._where, oversize=oversize), _TEKTON, call)

    def _edit(self, component: Record) -> Iterator[Step]:
        """Let the person change the component, ask for another build, and sometimes delete it."""
        wish, again = self._rng.choice(_WISHES), self._changed(component)
        annotations = component["metadata"]["annotations"] | {objects.REQUEST: wish}
        asked = component | {"metadata": again["metadata"] | {"annotations": annotations}}
        add = {"op": self._rng.choice(("add", "replace")), "path": _REQUEST_PATH, "value": wish}
        replicas = {"op": "replace", "path": "/spec/replicas", "value": 2}
        edits = (
            _call("patch", objects.COMPONENTS, asked, request={"metadata": {"annotations": {objects.REQUEST: wish}}}),
            _call("patch", objects.COMPONENTS, asked, request=[add]),
            _call("patch", objects.COMPONENTS, asked, request=[add, replicas]),
            _call("patch", objects.COMPONENTS, asked, request=[replicas, add]),  # only the first one counts
            _call("patch", objects.COMPONENTS, again, request=[replicas]),
            _call("patch", objects.COMPONENTS, again, request={"spec": {"replicas": 3, "secret": None}}),
            _call("update", objects.COMPONENTS, again, request=again),
        )
        for _ in range(2):
            self._later(10, 120)
            yield from self._ask(Journey.COMPONENT, self._rng.choice(edits))
        if self._rng.randrange(3) == 0:
            self._later(10, 120)
            gone = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
            answer = self._rng.choice((gone, again))
            call = _call("delete", objects.COMPONENTS, again, request={"kind": "DeleteOptions"}, response=answer)
            yield from self._ask(Journey.COMPONENT, call)

    def _release(self, app: Record) -> Iterator[Step]:
        release = objects.release(self._rng, self._later(20, 200), self._where.namespace, app)
        at = self._later(60, 600)
        oversize = self._rarely(_OVERSIZE_RELEASE)
        message = texts.WIDE if oversize else self._rng.choice(texts.MESSAGES)
        status, reason = self._rng.choice((("True", "Succeeded"), ("True", "Succeeded"), ("False", "Failed")))
        listed = self._conditions("Released", status=status, reason=reason, message=message)
        outcome = release["status"] | {"conditions": listed, "completionTime": time(at)}
        call = _call(
            *("patch", objects.RELEASES, self._changed(release, status=outcome)),
            subresource="status",
            request={"status": outcome},
        )
        yield from self._tell(Signal(Journey.RELEASE, self._where, oversize=oversize), _RELEASE_SERVICE, call)

    def _conditions(self, type_: str, **members: str) -> list[Record]:
        return objects.conditions(self._rng, self._at, type=type_, **members)


def _call(
    verb: str,
    resource: Resource,
    about: Record,
    *,
    request: object,
    response: Record | None = None,
    code: int = 200,
    subresource: str | None = None,
) -> Call:
    """Return a request about an object, which is also the answer unless there is another one."""
    meta = about["metadata"]
    answer = about if response is None else response
    return Call(verb, resource, meta["namespace"], meta["name"], subresource, code, request, answer)


def _wished(wanted: Record) -> Record:
    """Return the metadata of an object as its creator sends it."""
    return {key: wanted["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
