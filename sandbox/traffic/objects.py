"""The Kubernetes objects that stand in audit records, at the moments of their life that the records show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sandbox.traffic.shapes import Resource
from sandbox.traffic.values import SECOND, Record, digits, suffix, time, uuid

if TYPE_CHECKING:
    from random import Random

APPLICATIONS = Resource("appstudio.redhat.com", "v1alpha1", "applications", "Application")
COMPONENTS = Resource("appstudio.redhat.com", "v1alpha1", "components", "Component")
RELEASES = Resource("appstudio.redhat.com", "v1alpha1", "releases", "Release")
PIPELINERUNS = {
    version: Resource("tekton.dev", version, "pipelineruns", "PipelineRun") for version in ("v1", "v1beta1")
}
TASKRUNS = {version: Resource("tekton.dev", version, "taskruns", "TaskRun") for version in ("v1", "v1beta1")}

REQUEST = "build.appstudio.openshift.io/request"
STATUS = "build.appstudio.openshift.io/status"
BUILD_TYPE = "pipelines.appstudio.openshift.io/type"

SCAN_RESULTS = ("CLAIR_SCAN_RESULT", "SCAN_OUTPUT")
_OTHER_RESULTS: tuple[Record, ...] = (
    {"name": "TEST_OUTPUT", "type": "string", "value": '{"result":"SUCCESS","vulnerabilities":{"critical":99}}'},
    {"name": "IMAGES_PROCESSED", "type": "string"},
    {"name": "IMAGES", "type": "array", "value": ["quay.example.com/acme/a", "quay.example.com/acme/b"]},
    {"name": "IMAGE", "type": "object", "value": {"vulnerabilities": {"critical": 98}}},
)
_FIELDS = msgspec.Raw(
    b'{"f:metadata":{"f:annotations":{".":{},"f:build.appstudio.openshift.io/status":{}},"f:labels":{".":{},'
    b'"f:appstudio.openshift.io/application":{}}},"f:spec":{".":{},"f:application":{},"f:source":{".":{},'
    b'"f:git":{".":{},"f:revision":{},"f:url":{}}}},"f:status":{".":{},"f:conditions":{}}}'
)
_HOSTS = ("https://github.com/acme-{}/{}", "https://gitlab.example.com/acme-{}/{}.git", "https://example.org/æ-{}/{}")
_DECOYS = (("Completed", "not this one"), ("Running", "Tasks Completed: 0 (not this one)"))
_BRANCHES = (
    "main",
    "main",
    "main",
    "release-1.2",
    "feature/größe-測試",
    "weird \"branch\" \\ 'name'",
    "🚀/launch",
    "1.10",
    "1e10",
)


def metadata(rng: Random, at: int, namespace: str, name: str, **more: object) -> Record:
    """Return the metadata of a stored object; ``more`` are its further members, such as labels."""
    return {
        "name": name,
        "namespace": namespace,
        "uid": uuid(rng),
        "resourceVersion": digits(rng, 9),
        "generation": 1,
        "creationTimestamp": time(at),
        "managedFields": [
            {
                "manager": "manager",
                "operation": "Update",
                "apiVersion": "v1",
                "time": time(at),
                "fieldsType": "FieldsV1",
                "fieldsV1": _FIELDS,
            }
        ],
        **more,
    }


def conditions(rng: Random, at: int, **which: object) -> list[Record]:
    """Return status conditions: the given one, and none to two others, which may lack keys that it has."""
    changed = {"lastTransitionTime": time(at)}
    listed: list[Record] = [which | changed]
    for decoy in (f"Not{which['type']}", f"{which['type']}Once"):
        if rng.random() < 1 / 4:
            reason, message = rng.choice(_DECOYS)
            about = {"type": decoy, "status": "False", "reason": reason, "message": message}
            for key in rng.sample(sorted(about), rng.randrange(3)):
                del about[key]
            listed.insert(rng.randrange(len(listed) + 1), about | changed)
    return listed


def application(rng: Random, at: int, namespace: str, name: str) -> Record:
    """Return an Application just created."""
    return {
        "apiVersion": APPLICATIONS.api_version,
        "kind": "Application",
        "metadata": metadata(rng, at, namespace, name, annotations=None),
        "spec": {
            "displayName": f"{name} — « {name.title()} » \u202eedisni\u202c",
            "description": "Prüf\u0301ung ✅\tين\u2028next line",
            "appModelRepository": {"url": ""},
            "gitOpsRepository": {"url": ""},
        },
        "status": {},
    }


def component(rng: Random, at: int, namespace: str, app: str, name: str) -> Record:
    """Return a Component just created; its revision may be null, and its source of the newer shape."""
    url = _HOSTS[rng.randrange(len(_HOSTS))].format(suffix(rng), name)
    revision = None if rng.randrange(6) == 0 else _BRANCHES[rng.randrange(len(_BRANCHES))]
    context = None if rng.randrange(3) == 0 else "./"
    source: Record = {"git": {"url": url, "revision": revision, "context": context}}
    if rng.randrange(4) == 0:
        source = {
            "url": url,
            "versions": [{"name": "v1", "revision": "release-1"}, {"name": "v2", "revision": revision}],
        }
    return {
        "apiVersion": COMPONENTS.api_version,
        "kind": "Component",
        "metadata": metadata(rng, at, namespace, name, annotations={"image.redhat.com/generate": '{"visibility":""}'}),
        "spec": {
            "application": app,
            "componentName": name,
            "containerImage": f"quay.example.com/acme/{namespace}/{name}",
            "replicas": 1,
            "source": source,
            "secret": None,
        },
        "status": {"conditions": conditions(rng, at, type="Created", status="True", reason="OK", message="Created")},
    }


def pipelinerun(rng: Random, at: int, version: str, owner: Record) -> Record:
    """Return a build's PipelineRun just created for a component."""
    name, namespace = owner["metadata"]["name"], owner["metadata"]["namespace"]
    source = owner["spec"]["source"]
    git = source.get("git") or {"url": source["url"], "revision": None}
    sha = f"{rng.getrandbits(160):040x}"
    run = f"{name}-on-push-{suffix(rng)}"
    annotations = {
        "build.appstudio.openshift.io/repo": f"{git['url']}{rng.choice(('', f'?rev={sha}', '?a=1?b=2'))}",
        "build.appstudio.redhat.com/commit_sha": sha,
        "build.appstudio.redhat.com/target_branch": git["revision"] or "main",
        "pipelinesascode.tekton.dev/event-type": rng.choice(("push", "pull_request", "incoming")),
        "pipelinesascode.tekton.dev/git-provider": rng.choice(("github", "gitlab")),
        "pipelinesascode.tekton.dev/log-url": f"https://console.example.com/ns/{namespace}/pipelinerun/{run}",
    }
    if rng.randrange(10) == 0:
        del annotations["pipelinesascode.tekton.dev/event-type"]
    labels = {
        "appstudio.openshift.io/application": owner["spec"]["application"],
        "appstudio.openshift.io/component": name,
        BUILD_TYPE: "build",
    }
    return {
        "apiVersion": f"tekton.dev/{version}",
        "kind": "PipelineRun",
        "metadata": metadata(rng, at, namespace, run, labels=labels, annotations=annotations),
        "spec": {
            "params": [{"name": "git-url", "value": git["url"]}, {"name": "revision", "value": sha}],
            "pipelineRef": {"resolver": "bundles", "params": [{"name": "kind", "value": "pipeline"}]},
            "timeouts": {"pipeline": "1h0m0s"},
        },
    }


def clair_scan(rng: Random, at: int, build: Record) -> Record:
    """Return the completed TaskRun of a build's vulnerability scan."""
    version = build["apiVersion"].removeprefix("tekton.dev/")
    run, namespace = build["metadata"]["name"], build["metadata"]["namespace"]
    counts = {"critical": rng.randrange(3), "high": rng.randrange(9), "medium": rng.randrange(40), "low": 7}
    if rng.randrange(8) == 0:
        del counts["low"]
    report = msgspec.json.encode({"vulnerabilities": counts, "unpatched_vulnerabilities": {"critical": 0}}).decode()
    results: list[Record] = [{"name": rng.choice(SCAN_RESULTS), "type": "string", "value": report}]
    for other in _OTHER_RESULTS:
        if rng.randrange(2):
            results.insert(rng.randrange(len(results) + 1), other)
    succeeded = {"type": "Succeeded", "status": "True", "reason": "Succeeded", "message": "All Steps have completed"}
    labels = build["metadata"]["labels"] | {"tekton.dev/pipelineTask": "clair-scan", "tekton.dev/pipelineRun": run}
    owner = {"apiVersion": build["apiVersion"], "kind": "PipelineRun", "name": run, "uid": build["metadata"]["uid"]}
    return {
        "apiVersion": build["apiVersion"],
        "kind": "TaskRun",
        "metadata": metadata(rng, at, namespace, f"{run}-clair-scan", labels=labels, ownerReferences=[owner]),
        "spec": {"serviceAccountName": "appstudio-pipeline", "timeout": "1h0m0s"},
        "status": {
            "conditions": conditions(rng, at, **succeeded),
            "startTime": time(at - 40 * SECOND),
            "completionTime": time(at),
            "podName": f"{run}-clair-scan-pod",
            "results" if version == "v1" else "taskResults": results,
        },
    }


def release(rng: Random, at: int, namespace: str, app: Record) -> Record:
    """Return a Release in progress; newer ones have no owner but a label, and now and then one has neither."""
    name = app["metadata"]["name"]
    owner = {"apiVersion": app["apiVersion"], "kind": app["kind"], "name": name, "uid": app["metadata"]["uid"]}
    foreign = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "tenants", "uid": uuid(rng)}
    label = {"labels": {"appstudio.openshift.io/application": name}}
    whose: Record = rng.choice(
        (
            {"ownerReferences": [owner]},
            {"ownerReferences": [foreign, {"kind": "Application", "name": "of-no-group"}, owner]},
            label | {"ownerReferences": [foreign]},
            label,
            {},
        )
    )
    return {
        "apiVersion": RELEASES.api_version,
        "kind": "Release",
        "metadata": metadata(rng, at, namespace, f"{name}-{suffix(rng)}", **whose),
        "spec": {"releasePlan": f"{name}-to-production", "snapshot": f"{name}-{suffix(rng)}"},
        "status": {"startTime": time(at)},
    }
