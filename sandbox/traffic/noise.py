"""Everything else that an API server is asked: most of an audit log, and nothing that a journey selects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.traffic import objects, texts
from sandbox.traffic.shapes import Call, Resource, audit, failed, person, received, service_account, system, truncated
from sandbox.traffic.values import Record, suffix, time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import msgspec

    from sandbox.traffic.people import Population
    from sandbox.traffic.plan import Plan

_TEKTON = service_account("openshift-pipelines", "tekton-pipelines-controller")
_CHAINS = service_account("openshift-pipelines", "tekton-chains-controller")
_APPLICATION_SERVICE = service_account("application-service", "application-service-controller-manager")
_INTEGRATION = service_account("integration-service", "integration-service-controller-manager")
_BUILD_SERVICE = service_account("build-service", "build-service-controller-manager")
_CONTROLLERS = (
    *(_TEKTON, _CHAINS, _APPLICATION_SERVICE, _INTEGRATION, _BUILD_SERVICE, system("kube-controller-manager")),
    *(system("kube-scheduler"), system("node:worker-1"), system("node:worker-2"), system("apiserver")),
)
_LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview")
_EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
_CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
_SNAPSHOTS = Resource("appstudio.redhat.com", "v1alpha1", "snapshots", "Snapshot")
_READ = (
    *(objects.APPLICATIONS, objects.COMPONENTS, objects.RELEASES, *objects.PIPELINERUNS.values()),
    *(*objects.TASKRUNS.values(), _SNAPSHOTS, _CONFIGMAPS, _LEASES),
    *(Resource("", "v1", "pods", "Pod"), Resource("", "v1", "secrets", "Secret")),
    *(Resource("apps", "v1", "deployments", "Deployment"), Resource("batch", "v1", "jobs", "Job")),
)
_TASKS = ("init", "clone-repository", "build-container", "sast-snyk-check", "clamav-scan", "sbom-json-check")
_LARGE_EVERY = 4_000


class Noise:
    """So many records, spread evenly over the plan's window, each made when it is asked for."""

    def __init__(self, plan: Plan, population: Population, count: int) -> None:
        self._rng = plan.random("noise")
        self._plan = plan
        self._population = population
        self._count = count
        kinds: tuple[tuple[int, Callable[[int], Record]], ...] = (
            (38, self._controller_reads),
            (16, self._person_reads),
            (12, self._lease),
            (8, self._review),
            (5, self._event),
            (3, self._deletecollection),
            (3, self._outside_any_namespace),
            (4, self._build_progress),
            (4, self._task_update),
            (2, self._refused_wish),
            (2, self._component_by_controller),
            (2, self._snapshot),
            (1, self._application_edit),
        )
        self._kinds = tuple(make for weight, make in kinds for _ in range(weight))

    def records(self) -> Iterator[tuple[int, Record]]:
        """Give each record after the time when it was received, in microseconds since the epoch; ends by itself."""
        first, length, count = self._plan.first, self._plan.length, self._count
        for number in range(count):
            low, high = length * number // count, length * (number + 1) // count
            at = first + low + int(self._rng.random() * (high - low))
            large = texts.large_text(number, often=_LARGE_EVERY)
            make = self._kinds[int(self._rng.random() * len(self._kinds))]
            record = make(at) if large is None else self._large_configmap(at, large)
            yield at, record if self._rng.random() > 1 / 12 else received(record)

    def _namespace(self) -> str:
        homes = self._population.homes
        return homes[int(self._rng.random() * len(homes))].namespace

    def _controller_reads(self, at: int) -> Record:
        rng = self._rng
        resource = _READ[int(rng.random() * len(_READ))]
        caller = _CONTROLLERS[int(rng.random() * len(_CONTROLLERS))]
        verb = ("get", "get", "list", "watch")[rng.getrandbits(2)]
        name = f"{resource.plural}-{suffix(rng)}" if verb == "get" else None
        code = 404 if verb == "get" and rng.getrandbits(3) == 0 else 200
        query = "" if verb == "get" else "limit=500&resourceVersion=0"
        return audit(rng, at, caller, Call(verb, resource, self._namespace(), name, code=code, query=query))

    def _person_reads(self, at: int) -> Record:
        rng, people = self._rng, self._population.people
        who = people[int(rng.random() * len(people))]
        resource = _READ[int(rng.random() * len(_READ))]
        verb = ("get", "list", "list", "watch")[rng.getrandbits(2)]
        name = f"{resource.plural}-{suffix(rng)}" if verb == "get" else None
        record = audit(rng, at, person(rng, who), Call(verb, resource, self._namespace(), name))
        return failed(record, 403) if rng.getrandbits(4) == 0 else record

    def _lease(self, at: int) -> Record:
        rng = self._rng
        name = f"worker-{rng.randrange(9)}"
        call = Call("update", _LEASES, "kube-node-lease", name, code=409 if rng.getrandbits(5) == 0 else 200)
        return audit(rng, at, system(f"node:{name}"), call)

    def _review(self, at: int) -> Record:
        about = {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}}
        spec = {"resourceAttributes": {"verb": "create", "resource": "applications"}, "user": "system:anonymous"}
        answer = about | {"spec": spec, "status": {"allowed": False, "reason": None}}
        call = Call(
            "create", _REVIEWS, self._namespace(), None, code=201, request=about | {"spec": spec}, response=answer
        )
        return audit(self._rng, at, system("aggregator"), call)

    def _event(self, at: int) -> Record:
        meta = objects.metadata(self._rng, at, self._namespace(), f"run.{suffix(self._rng)}", labels=None)
        note = {"reason": "Succeeded", "note": "Tasks Completed: 0 (as an event)", "type": "Normal", "series": None}
        answer = {"kind": "Event", "apiVersion": "events.k8s.io/v1", "metadata": meta} | note
        call = Call("create", _EVENTS, meta["namespace"], meta["name"], code=201, request=note, response=answer)
        return audit(self._rng, at, _TEKTON, call)

    def _deletecollection(self, at: int) -> Record:
        resource = _READ[int(self._rng.random() * len(_READ))]
        call = Call("deletecollection", resource, self._namespace(), None, query="labelSelector=pruned%3Dtrue")
        return audit(self._rng, at, service_account("openshift-pipelines", "pruner"), call)

    def _outside_any_namespace(self, at: int) -> Record:
        call = Call("get", _CONFIGMAPS, "", None, code=403 if self._rng.getrandbits(1) else 200)
        record = audit(self._rng, at, system("anonymous"), call)
        del record["objectRef"]
        return record | {"requestURI": self._rng.choice(("/healthz", "/readyz?verbose", "/openapi/v3", "/version"))}

    def _build_progress(self, at: int) -> Record:
        """Make a build on its way, or now and then a test, from its start to its end."""
        rng = self._rng
        test = rng.getrandbits(2) == 0
        done = rng.randrange(9) if test else rng.randrange(1, 9)
        message = f"Tasks Completed: {done} (Failed: 0, Cancelled 0), Incomplete: {9 - done}, Skipped: 0"
        reason = "Completed" if test and done == 8 else "Running"  # noqa: PLR2004 - the last
        status: Record = {
            "conditions": objects.conditions(
                rng, at, type="Succeeded", status="Unknown", reason=reason, message=message
            )
        }
        status |= {"startTime": time(at)} | ({"completionTime": time(at)} if reason == "Completed" else {})
        labels = {objects.BUILD_TYPE: "test" if test else "build", "appstudio.openshift.io/component": "some-part"}
        return self._status_update(at, objects.PIPELINERUNS["v1"], labels, status)

    def _task_update(self, at: int) -> Record:
        rng = self._rng
        state = {"type": "Succeeded", "status": "True", "reason": "Succeeded", "message": "All Steps have completed"}
        status = {
            "conditions": objects.conditions(rng, at, **state),
            "completionTime": time(at),
            "taskResults": [{"name": "CLAIR_SCAN_RESULT", "type": "string", "value": '{"not":"of clair-scan"}'}],
        }
        task = _TASKS[int(rng.random() * len(_TASKS))]
        labels = {"tekton.dev/pipelineTask": task, "appstudio.openshift.io/component": None}
        return self._status_update(at, objects.TASKRUNS["v1beta1"], labels, status)

    def _status_update(self, at: int, resource: Resource, labels: Record, status: Record) -> Record:
        meta = objects.metadata(self._rng, at, self._namespace(), f"run-{suffix(self._rng)}", labels=labels)
        answer = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, "status": status}
        call = Call(
            *("update", resource, meta["namespace"], meta["name"], "status", 200),
            request={"metadata": {"labels": labels}, "status": status},
            response=answer,
        )
        return audit(self._rng, at, _TEKTON, call)

    def _refused_wish(self, at: int) -> Record:
        rng, people = self._rng, self._population.people
        app = objects.application(rng, at, self._namespace(), f"app-{suffix(rng)}")
        call = Call("create", objects.APPLICATIONS, app["metadata"]["namespace"], app["metadata"]["name"], request=app)
        record = audit(rng, at, person(rng, people[int(rng.random() * len(people))]), call)
        return failed(record, rng.choice((403, 404, 409, 422, 500)))

    def _component_by_controller(self, at: int) -> Record:
        """Make a controller's own update; the build service's tell of builds without a pull request."""
        rng = self._rng
        component = objects.component(rng, at, self._namespace(), "some-app", f"some-{suffix(rng)}")
        component["metadata"]["annotations"] = {
            objects.STATUS: '{"simple":{"build-start-time":"now"},"message":"done"}'
        }
        caller = rng.choice((_APPLICATION_SERVICE, _BUILD_SERVICE))
        meta = component["metadata"]
        call = Call(
            "update", objects.COMPONENTS, meta["namespace"], meta["name"], request=component, response=component
        )
        return audit(rng, at, caller, call)

    def _snapshot(self, at: int) -> Record:
        rng = self._rng
        caller = _INTEGRATION if rng.getrandbits(1) else person(rng, self._population.people[0])
        meta = objects.metadata(rng, at, self._namespace(), f"snapshot-{suffix(rng)}", annotations=None)
        answer = {
            "apiVersion": _SNAPSHOTS.api_version,
            "kind": "Snapshot",
            "metadata": meta,
            "spec": {"application": "app"},
        }
        call = Call("create", _SNAPSHOTS, meta["namespace"], meta["name"], code=201, request=answer, response=answer)
        record = audit(rng, at, caller, call)
        return truncated(record) if rng.getrandbits(3) == 0 else record

    def _application_edit(self, at: int) -> Record:
        rng, people = self._rng, self._population.people
        app = objects.application(rng, at, self._namespace(), f"app-{suffix(rng)}")
        verb = rng.choice(("update", "patch", "delete"))
        call = Call(
            verb, objects.APPLICATIONS, app["metadata"]["namespace"], app["metadata"]["name"], request={}, response=app
        )
        return audit(rng, at, person(rng, people[int(rng.random() * len(people))]), call)

    def _large_configmap(self, at: int, text: msgspec.Raw) -> Record:
        meta = objects.metadata(self._rng, at, self._namespace(), "trusted-ca")
        answer = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"ca-bundle.crt": text}}
        call = Call("update", _CONFIGMAPS, meta["namespace"], meta["name"], request={"data": None}, response=answer)
        return audit(self._rng, at, system("kube-controller-manager"), call)
