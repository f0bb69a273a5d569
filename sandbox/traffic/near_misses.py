"""Records that no journey selects although they lack almost nothing: copies of a signal with one thing changed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

import msgspec

from sandbox.traffic.journeys import Journey
from sandbox.traffic.objects import BUILD_TYPE, REQUEST, SCAN_RESULTS, STATUS
from sandbox.traffic.shapes import failed, truncated
from sandbox.traffic.values import SECOND, Record, microtime, uuid

Change: TypeAlias = Callable[[Random, Record], None]

_VERB = ("verb",)
_CODE = ("responseStatus", "code")
_GROUP = ("objectRef", "apiGroup")
_RESOURCE = ("objectRef", "resource")
_SUBRESOURCE = ("objectRef", "subresource")
_VERSION = ("responseObject", "metadata", "resourceVersion")
_LABELS = ("responseObject", "metadata", "labels")
_ANNOTATIONS = ("responseObject", "metadata", "annotations")
_OBJECT_STATUS = ("responseObject", "status")


def near_miss(rng: Random, at: int, journey: Journey, record: Record) -> Record:
    """Return a record of another request, received at ``at``, that the journey just does not select."""
    copy: Record = msgspec.json.decode(msgspec.json.encode(record))
    copy |= {"auditID": uuid(rng), "requestReceivedTimestamp": microtime(at), "stageTimestamp": microtime(at + SECOND)}
    if journey is Journey.PULL_REQUEST:
        copy.pop("impersonatedUser", None)  # or it would be a request of that person
    changes = _CHANGES[journey] + _ANY
    which = rng.randrange(len(changes) + 1)
    if which == len(changes):
        return failed(copy, rng.choice((403, 404, 409, 422, 500)))
    changes[which](rng, copy)
    return copy


def _parent(record: Record, path: tuple[str, ...]) -> Record:
    for key in path[:-1]:
        record = record.setdefault(key, {})
    return record


def _put(path: tuple[str, ...], *values: object) -> Change:
    def change(rng: Random, record: Record) -> None:
        _parent(record, path)[path[-1]] = rng.choice(values)

    return change


def _drop(*path: str) -> Change:
    def change(_: Random, record: Record) -> None:
        _parent(record, path).pop(path[-1], None)

    return change


def _in_list(path: tuple[str, ...], key: str, value: str, **values: tuple[str, ...]) -> Change:
    """Change the members of those list elements whose ``key`` has this value."""

    def change(rng: Random, record: Record) -> None:
        for element in _parent(record, path).get(path[-1], ()):
            if element.get(key) == value:
                element.update({member: rng.choice(choices) for member, choices in values.items()})

    return change


def _condition(type_: str, **values: tuple[str, ...]) -> Change:
    return _in_list((*_OBJECT_STATUS, "conditions"), "type", type_, **values)


def _without_scan_result(rng: Random, record: Record) -> None:
    names = ("OLD_CLAIR_SCAN_RESULT_1", "SCAN_RESULT", "SCAN_OUTPUT_1")
    for results in ("results", "taskResults"):
        for name in SCAN_RESULTS:
            _in_list((*_OBJECT_STATUS, results), "name", name, name=names)(rng, record)


def _by_the_system(_: Random, record: Record) -> None:
    record.pop("impersonatedUser", None)
    account = "system:serviceaccount:application-service:application-service-controller-manager"
    record["user"] = {"username": account, "groups": ["system:serviceaccounts", "system:authenticated"]}


def _dry_run(rng: Random, record: Record) -> None:
    path = record["requestURI"].partition("?")[0]
    queries = ("dryRun=All", "dryRun=All&fieldManager=kubectl", "fieldManager=kubectl&dryRun=All")
    record["requestURI"] = f"{path}?{rng.choice(queries)}"


def _dry_delete(_: Random, record: Record) -> None:
    options = {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "dryRun": ["All"]}
    record |= {"verb": "delete", "requestObject": options}


def _not_stored(rng: Random, record: Record) -> None:
    """Make it a creation without a resource version, by the verb create or by server-side apply."""
    record["verb"] = rng.choice(("create", "patch"))
    record["responseStatus"]["code"] = 201
    _drop(*_VERSION)(rng, record)


def _applied_again(_: Random, record: Record) -> None:
    """Make it a server-side apply of an object that there was."""
    record["verb"] = "patch"
    record["responseStatus"]["code"] = 200


def _truncated(_: Random, record: Record) -> None:
    cut = truncated(record)
    record.clear()
    record |= cut


def _created_truncated(rng: Random, record: Record) -> None:
    record["verb"] = "create"
    _truncated(rng, record)


def _pac(state: Any) -> str:  # noqa: ANN401 - any JSON value
    return msgspec.json.encode({"pac": state, "message": "done"}).decode()


#: What keeps a record out of any journey.
_ANY: tuple[Change, ...] = (_dry_run,)
_ELSEWHERE = (
    _put(_GROUP, "appstudio.example.com", "results.tekton.dev"),
    _put(_RESOURCE, "snapshots", "customruns"),
)
_SUBRESOURCES = (_drop(*_SUBRESOURCE), _put(_SUBRESOURCE, "scale", None))
_NOT_A_BUILD = (
    _put((*_LABELS, BUILD_TYPE), "test", "Build", "prebuild"),
    _drop(*_LABELS, BUILD_TYPE),
)
_NOT_DONE = _drop(*_OBJECT_STATUS, "completionTime")
_NOT_THE_SUCCEEDED = _condition("Succeeded", type=("NotSucceeded", "SucceededOnce"))
_NOT_OK = _put(_CODE, 201, 202, 409, 500)
_NOT_CREATED = _put(_CODE, 202, 409, 500)
_ENABLED = {"state": "enabled", "merge-url": "https://github.com/acme/unwanted/pull/1"}

_CHANGES: dict[Journey, tuple[Change, ...]] = {
    Journey.APPLICATION: (
        *(*_ELSEWHERE, _put(_VERB, "update", "delete", "get"), _NOT_CREATED, _by_the_system),
        *(_drop(*_VERSION), _applied_again, _truncated),
    ),
    Journey.COMPONENT: (
        *(*_ELSEWHERE, _put(_VERB, "get", "list", "watch", "deletecollection"), _NOT_CREATED, _by_the_system),
        *(_not_stored, _not_stored, _dry_delete, _created_truncated),
    ),
    Journey.BUILD_CREATED: (
        *(*_ELSEWHERE, _put(_VERB, "get", "patch"), _NOT_CREATED, *_NOT_A_BUILD),
        *(_drop(*_VERSION), _truncated),
    ),
    Journey.BUILD_STARTED: (
        *(*_ELSEWHERE, _put(_VERB, "patch", "get"), _NOT_OK, *_SUBRESOURCES, *_NOT_A_BUILD, _drop(*_VERSION)),
        *(_drop(*_OBJECT_STATUS, "startTime"), _NOT_THE_SUCCEEDED),
        _condition("Succeeded", status=("True", "False", "unknown")),
        _condition("Succeeded", reason=("Pending", "Started", "ResolvingTaskRef")),
        _condition(
            "Succeeded",
            message=(
                "Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 3, Skipped: 0",
                "Tasks Completed: 10 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 0",
                "All Tasks Completed: 0 (Failed: 0, Cancelled 0)",
                "Tasks Completed: 0",
            ),
        ),
    ),
    Journey.CLAIR_SCAN: (
        *(*_ELSEWHERE, _put(_VERB, "patch", "get"), _NOT_OK, *_SUBRESOURCES, _NOT_DONE, _NOT_THE_SUCCEEDED),
        _put(("requestObject", "metadata", "labels", "tekton.dev/pipelineTask"), "clamav-scan", "clair-scan-2"),
        _drop("requestObject", "metadata", "labels", "tekton.dev/pipelineTask"),
        _condition("Succeeded", reason=("Failed", "TaskRunTimeout", "TaskRunCancelled")),
        _condition("Succeeded", status=("False", "Unknown")),
        _without_scan_result,
    ),
    Journey.BUILD_ENDED: (
        *(*_ELSEWHERE, _put(_VERB, "patch", "get"), _NOT_OK, *_SUBRESOURCES, *_NOT_A_BUILD, _drop(*_VERSION)),
        *(_NOT_DONE, _NOT_THE_SUCCEEDED, _truncated),
        _condition("Succeeded", status=("Unknown", "true", "")),
    ),
    Journey.RELEASE: (
        *(*_ELSEWHERE, _put(_VERB, "update", "get"), _NOT_OK, *_SUBRESOURCES, _drop(*_VERSION), _NOT_DONE),
        _condition("Released", type=("NotReleased", "ReleasedOnce", "PreReleased")),
        _condition("Released", status=("Unknown", "false", "")),
        _truncated,
    ),
    Journey.PULL_REQUEST: (
        *(*_ELSEWHERE, _put(_VERB, "patch", "get"), _NOT_OK, _truncated),
        _put(
            ("user", "username"),
            "system:serviceaccount:build-service:build-service-controller-manager-2",
            "system:serviceaccount:build-service:default",
        ),
        _drop(*_ANNOTATIONS, STATUS),
        _put((*_ANNOTATIONS, REQUEST), "configure-pac"),
        _put(
            (*_ANNOTATIONS, STATUS),
            _pac(_ENABLED | {"state": "disabled"}),
            _pac(_ENABLED | {"state": "error", "error-message": "74: Access to the repository is denied"}),
            _pac({"state": "enabled"}),  # of which pull request?
            '{"simple":{"state":"enabled","merge-url":"https://github.com/acme/unwanted/pull/2"}}',
            '{"pac":{"state":"enabled","merge-url":"https://github.com/acme/cut-sh',
            "null, says pac",
        ),
    ),
}
