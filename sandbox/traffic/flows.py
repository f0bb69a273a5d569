"""What people do in the clusters, from a new application to its release, with the records that tell of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from sandbox.traffic import edits, objects, texts
from sandbox.traffic.journeys import Journey
from sandbox.traffic.recorder import Recorder, call_of
from sandbox.traffic.shapes import service_account
from sandbox.traffic.values import Record, digits, suffix, time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.traffic.journeys import Step
    from sandbox.traffic.shapes import Call, Resource

_PIPELINES_AS_CODE = service_account("openshift-pipelines", "pipelines-as-code-controller")
_TEKTON = service_account("openshift-pipelines", "tekton-pipelines-controller")
_BUILD_SERVICE = service_account("build-service", "build-service-controller-manager")
_RELEASE_SERVICE = service_account("release-service", "release-service-controller-manager")

_APPLY = "fieldManager=kubectl&fieldValidation=Strict&force=false"
#: How builds and releases end: the status of their condition, and its reason.
_ENDS = (
    *(("True", "Completed"), ("True", "Completed"), ("True", "Succeeded"), ("False", "Failed"), ("False", "Failed")),
    *(("False", "Cancelled"), ("False", "PipelineRunTimeout"), ("False", "CouldntGetPipeline")),
)
_RELEASES = (("True", "Succeeded"), ("True", "Succeeded"), ("False", "Failed"), ("False", "Progressing"))

# The sessions, by their number, in which something rare happens: a cycle's length, and the place in it.
_OVERSIZE_BUILD = (23, 2)
_FITTING_BUILD = (23, 14)
_OVERSIZE_RELEASE = (23, 7)
_MANY_FIELDS = (13, 9)
_ON_BEHALF = (11, 4)
_WITHOUT_UID = (19, 5)


class Session(Recorder):
    """One person's work in one workspace."""

    def steps(self) -> Iterator[Step]:
        """Give the session's records in the order of time."""
        name = f"{self._rng.choice(('shop', 'api', 'portal', 'batch'))}-{suffix(self._rng)}"
        app = objects.application(self._rng, self._at, self._where.namespace, name)
        wish = {"metadata": {"name": name}, "spec": app["spec"]}
        yield from self._ask(Journey.APPLICATION, self._creation(objects.APPLICATIONS, app, wish))
        for number in range(self._rng.randrange(1, 3)):
            at = self._later(20, 200)
            component = objects.component(self._rng, at, self._where.namespace, name, f"{name}-part-{number}")
            yield from self._create_component(component)
            yield from self._pull_request(component)
            yield from self._build(component)
            yield from self._edit(component)
        yield from self._release(app)

    def _created(self) -> int:
        return 200 if self._rng.randrange(8) == 0 else 201

    def _creation(self, resource: Resource, stored: Record, wish: Record) -> Call:
        """Let a person create an object: in one of four cases by server-side apply."""
        if self._rng.randrange(4) == 0:
            return call_of("patch", resource, stored, code=201, request=wish, query=_APPLY)
        return call_of("create", resource, stored, code=self._created(), request=wish)

    def _create_component(self, component: Record) -> Iterator[Step]:
        wish = {"metadata": {"name": component["metadata"]["name"]}, "spec": component["spec"]}
        stored = component
        if large := texts.large_text(self._number, often=13):
            annotations = component["metadata"]["annotations"] | {"example.com/export": large}
            stored = component | {"metadata": component["metadata"] | {"annotations": annotations}}
        call = self._creation(objects.COMPONENTS, stored, wish)
        yield from self._ask(Journey.COMPONENT, call, "Component created")

    def _pull_request(self, component: Record) -> Iterator[Step]:
        """Let the build service note the pull request that it opened, mostly more than once."""
        url = f"https://github.com/acme-{self._number}/{component['metadata']['name']}/pull/{digits(self._rng, 3)}"
        pac = {"state": "enabled", "merge-url": url, "configuration-time": time(self._at)}
        text = msgspec.json.encode({"pac": pac, "message": "done ✓"})
        if self._rng.randrange(2):
            text = msgspec.json.format(text, indent=0)
        annotations = component["metadata"]["annotations"]
        caller = _BUILD_SERVICE
        if self._rarely(_ON_BEHALF):
            caller = replace(caller, impersonated={"username": self._who.username})
        component["metadata"]["annotations"] = annotations | {objects.STATUS: text.decode()}
        for _ in range(self._rng.randrange(1, 4)):
            self._later(5, 60)
            updated = self._changed(component)
            call = call_of("update", objects.COMPONENTS, updated, request=updated)
            yield from self._tell(self._about(Journey.PULL_REQUEST, once=url), caller, call)

    def _build(self, component: Record) -> Iterator[Step]:
        version = self._rng.choice(("v1", "v1beta1"))
        resource = objects.PIPELINERUNS[version]
        run = objects.pipelinerun(self._rng, self._later(10, 100), version, component)
        call = call_of("create", resource, run, code=self._created(), request=run | {"metadata": _wished(run)})
        yield from self._tell(self._about(Journey.BUILD_CREATED), _PIPELINES_AS_CODE, call)
        run = self._changed(run, status={"startTime": time(self._later(2, 20))})
        yield from self._start(run, resource)

        scan = objects.clair_scan(self._rng, self._later(60, 400), run)
        call = call_of("update", objects.TASKRUNS[version], scan, subresource="status", request=scan)
        yield from self._tell(self._about(Journey.CLAIR_SCAN), _TEKTON, call)
        yield from self._end(run, resource)

    def _start(self, run: Record, resource: Resource) -> Iterator[Step]:
        """Let a build start, and look so several times while tasks are skipped."""
        meta, tasks = run["metadata"], self._rng.randrange(3, 12)
        once = meta["uid"]
        if self._rarely(_WITHOUT_UID):
            run = run | {"metadata": {key: value for key, value in meta.items() if key != "uid"}}
            once = f"{meta['namespace']}/{meta['name']}"
        for skipped in range(self._rng.randrange(1, 4)):
            self._later(1, 9)
            progress = f"Incomplete: {tasks - skipped}, Skipped: {skipped}"
            message = f"Tasks Completed: 0 (Failed: 0, Cancelled 0), {progress}"
            listed = self._conditions("Succeeded", status="Unknown", reason="Running", message=message)
            running = self._changed(run, status=run["status"] | {"conditions": listed})
            call = call_of("update", resource, running, subresource="status", request=running)
            yield from self._tell(self._about(Journey.BUILD_STARTED, once=once), _TEKTON, call)

    def _end(self, run: Record, resource: Resource) -> Iterator[Step]:
        at = self._later(60, 400)
        oversize = self._rarely(_OVERSIZE_BUILD)
        message = self._rng.choice(texts.MESSAGES)
        if oversize or self._rarely(_FITTING_BUILD):
            message = texts.OVERSIZE if oversize else texts.FITTING
        listed = self._outcome("Succeeded", _ENDS, message)
        run = self._changed(run, status=run["status"] | {"conditions": listed, "completionTime": time(at)})
        if self._rarely(_MANY_FIELDS):
            fields = {"manager": "controller", "operation": "Update", "fieldsV1": texts.FIELDS}
            run["metadata"]["managedFields"] = [fields]
        call = call_of("update", resource, run, subresource="status", request={"status": run["status"]})
        yield from self._tell(self._about(Journey.BUILD_ENDED, oversize=oversize), _TEKTON, call)

    def _edit(self, component: Record) -> Iterator[Step]:
        """Let the person change the component, ask for another build, and sometimes delete it."""
        again = self._changed(component)
        for _ in range(2):
            self._later(10, 120)
            if self._rng.randrange(5):
                event, body = edits.patch(self._rng)
                call = call_of("patch", objects.COMPONENTS, again, request=body)
                yield from self._ask(Journey.COMPONENT, call, event)
            else:
                call = call_of("update", objects.COMPONENTS, again, request=again)
                cut = self._rng.randrange(4) == 0
                yield from self._ask(Journey.COMPONENT, call, "Component updated", cut=cut)
        if self._rng.randrange(3) == 0:
            self._later(10, 120)
            gone = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
            answer = self._rng.choice((gone, again))
            call = call_of("delete", objects.COMPONENTS, again, request={"kind": "DeleteOptions"}, response=answer)
            yield from self._ask(Journey.COMPONENT, call, "Component deleted")

    def _release(self, app: Record) -> Iterator[Step]:
        release = objects.release(self._rng, self._later(20, 200), self._where.namespace, app)
        at = self._later(60, 600)
        oversize = self._rarely(_OVERSIZE_RELEASE)
        message = texts.WIDE if oversize else self._rng.choice(texts.MESSAGES)
        listed = self._outcome("Released", _RELEASES, message)
        outcome = release["status"] | {"conditions": listed, "completionTime": time(at)}
        call = call_of(
            *("patch", objects.RELEASES, self._changed(release, status=outcome)),
            subresource="status",
            request={"status": outcome},
        )
        yield from self._tell(self._about(Journey.RELEASE, oversize=oversize), _RELEASE_SERVICE, call)

    def _outcome(self, type_: str, ends: tuple[tuple[str, str], ...], message: str) -> list[Record]:
        """Return the conditions of something that has ended; now and then one without a reason or a message."""
        status, reason = self._rng.choice(ends)
        members = {"status": status, "reason": reason, "message": message}
        if len(message) < len(texts.WIDE) and self._rng.randrange(6) == 0:
            del members[self._rng.choice(("reason", "message"))]
        return self._conditions(type_, **members)

    def _conditions(self, type_: str, **members: str) -> list[Record]:
        return objects.conditions(self._rng, self._at, type=type_, **members)


def _wished(wanted: Record) -> Record:
    """Return the metadata of an object as its creator sends it."""
    return {key: wanted["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
