"""The shape of an audit record: who asked what of which resource, and what the API server answered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sandbox.traffic.values import Record, microtime, uuid

if TYPE_CHECKING:
    from random import Random

    from sandbox.traffic.people import Person

_ALLOWED = {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: allowed by RoleBinding"}
_DENIED = {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""}
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",
    "kubectl/v1.31.4 (linux/amd64) kubernetes/a78aa47",
    "oc/4.17.0 (darwin/arm64) kubernetes/6fdacf0",
    'curl/8.9.1 "quoted" \\ and ☃',
)
#: The annotation of a record that the API server has cut because it is too large.
TRUNCATED = "audit.k8s.io/truncated"
_REASONS = {403: "Forbidden", 404: "NotFound", 409: "AlreadyExists", 422: "Invalid", 500: "InternalError"}


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object, as the API names it."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """Group and version as objects state them."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, and on whose behalf; ``impersonated`` False leaves the field out."""

    user: Record
    agent: str
    addresses: tuple[str, ...]
    impersonated: Record | bool | None = False


@dataclass(frozen=True, slots=True)
class Call:
    """One request for one object (or, without a name, a collection), and its outcome."""

    verb: str
    resource: Resource
    namespace: str
    name: str | None
    subresource: str | None = None
    code: int = 200
    request: object = None
    response: Record | None = None
    query: str = ""


def audit(rng: Random, at: int, caller: Caller, call: Call) -> Record:
    """Return the record of a finished request, received at ``at`` (microseconds since the epoch)."""
    resource = call.resource
    record: Record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata" if call.request is None and call.response is None else "RequestResponse",
        "auditID": uuid(rng),
        "stage": "ResponseComplete",
        "requestURI": _uri(call),
        "verb": call.verb,
        "user": caller.user,
    }
    if caller.impersonated is not False:
        record["impersonatedUser"] = caller.impersonated
    record["sourceIPs"] = caller.addresses
    record["userAgent"] = caller.agent
    record["objectRef"] = reference = {"resource": resource.plural, "namespace": call.namespace}
    if call.name is not None:
        reference["name"] = call.name
    if resource.group:
        reference["apiGroup"] = resource.group
    reference["apiVersion"] = resource.version
    if call.subresource is not None:
        reference["subresource"] = call.subresource
    record["responseStatus"] = {"metadata": {}, "code": call.code}
    if call.request is not None:
        record["requestObject"] = call.request
    if call.response is not None:
        record["responseObject"] = call.response
    record["requestReceivedTimestamp"] = microtime(at)
    record["stageTimestamp"] = microtime(at + 2_000 + rng.getrandbits(17))
    record["annotations"] = _ALLOWED
    record["log_type"] = "audit"
    return record


def received(record: Record) -> Record:
    """Return the same request's first stage: there is no response yet, and nothing of the objects."""
    left_out = ("responseStatus", "requestObject", "responseObject", "annotations")
    early = {key: value for key, value in record.items() if key not in left_out}
    return early | {"stage": "RequestReceived", "stageTimestamp": record["requestReceivedTimestamp"]}


def failed(record: Record, code: int) -> Record:
    """Return the same request, refused with an HTTP status of 403, 404, 409, 422 or 500."""
    reason = _REASONS[code]
    status = {"metadata": {}, "status": "Failure", "reason": reason, "code": code}
    answer = {"kind": "Status", "apiVersion": "v1", "message": f"the request was refused: {reason}"} | status
    changes: Record = {"responseStatus": status, "responseObject": answer}
    return record | changes | ({"annotations": _DENIED} if code == 403 else {})  # noqa: PLR2004 - Forbidden


def truncated(record: Record) -> Record:
    """Return the same record as the API server cuts it: without its objects, and with a mark."""
    kept = {key: value for key, value in record.items() if key not in ("requestObject", "responseObject")}
    return kept | {"annotations": record["annotations"] | {TRUNCATED: "true"}}


def enlarged(record: Record, fields: object) -> Record:
    """Return the same record with managed fields before all else in its objects.

    Its keys stand in the order of the alphabet, as some collectors print them, and ``log_type`` comes last.
    """
    made = {key: record[key] for key in sorted(record) if key != "log_type"}
    for key in ("requestObject", "responseObject"):
        if isinstance(part := made.get(key), dict) and "metadata" in part:
            made[key] = part | {"metadata": {"managedFields": [{"fieldsV1": fields}], **part["metadata"]}}
    return made | {"log_type": record["log_type"]}


def _uri(call: Call) -> str:
    resource = call.resource
    uri = f"/apis/{resource.group}" if resource.group else "/api"
    uri = f"{uri}/{resource.version}/namespaces/{call.namespace}/{resource.plural}"
    if call.name is not None and call.verb != "create":
        uri = f"{uri}/{call.name}"
    if call.subresource is not None:
        uri = f"{uri}/{call.subresource}"
    return f"{uri}?{call.query}" if call.query else uri


@lru_cache(maxsize=256)
def service_account(namespace: str, name: str) -> Caller:
    """Return a controller with its own account."""
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    user = {"username": f"system:serviceaccount:{namespace}:{name}", "groups": groups}
    return Caller(user, f"{name}/v0.0.0 (linux/amd64) kubernetes/$Format", ("10.128.4.17",))


@lru_cache(maxsize=64)
def system(name: str) -> Caller:
    """Return a part of the control plane: ``kube-controller-manager``, ``node:worker-1``, ..."""
    user = {"username": f"system:{name}", "groups": ["system:authenticated"]}
    return Caller(user, f"{name.partition(':')[0]}/v1.30.7 (linux/amd64) kubernetes/0a1b2c3", ("10.0.147.9",))


def person(rng: Random, who: Person) -> Caller:
    """Return a person's request: by the proxy that impersonates, as themselves, or by an administrator (``--as``)."""
    agent = _AGENTS[rng.randrange(len(_AGENTS))]
    address = f"203.0.113.{rng.randrange(256)}"
    way = rng.randrange(8)
    on_behalf = {"username": who.username, "groups": ["system:authenticated"]}
    if way >= 4:  # noqa: PLR2004 - half of the requests
        proxy = service_account("toolchain-member-operator", "toolchaincluster-host")
        return Caller(proxy.user, agent, (address, "10.131.0.2"), on_behalf)
    if way == 0:
        return Caller({"username": "cluster-admin", "groups": ["system:masters"]}, agent, (address,), on_behalf)
    user = {
        "username": who.username,
        "uid": uuid(rng),
        "groups": ["system:authenticated:oauth", "system:authenticated"],
        "extra": {"scopes.authorization.openshift.io": ["user:full"]} if way == 1 else None,
    }
    return Caller(user, agent, (address,), None if way == 2 else False)  # noqa: PLR2004 - now and then
