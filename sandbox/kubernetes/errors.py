"""What can be wrong with a request, as the Status that answers it, or with a folder of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.kubernetes.objects import Resource

#: Kubernetes's word for an HTTP status; 409 and 410 have others besides.
REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    504: "Timeout",
}
_VALIDATION = {
    "Invalid value": "FieldValueInvalid",
    "Required value": "FieldValueRequired",
    "Forbidden": "FieldValueForbidden",
    "Too long": "FieldValueTooLong",
}


class ClustersError(ValueError):
    """A folder or file that does not hold cluster objects; the text names it."""


class StatusError(Exception):
    """A request that fails: its HTTP status, and what the Status object says."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        reason: str | None = None,
        details: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata or {},
            "status": "Failure",
            "message": message,
            "reason": reason or REASONS.get(code, "InternalError"),
            **({"details": details} if details else {}),
            "code": code,
        }


def bad_request(message: str) -> StatusError:
    """Say that the request makes no sense, or needs what is not implemented."""
    return StatusError(400, message)


def not_found(resource: Resource, name: str) -> StatusError:
    """Say that there is no such object."""
    return StatusError(404, f'{resource.qualified} "{name}" not found', details=_details(resource, name))


def already_exists(resource: Resource, name: str) -> StatusError:
    """Say that an object cannot be created a second time."""
    message = f'{resource.qualified} "{name}" already exists'
    return StatusError(409, message, reason="AlreadyExists", details=_details(resource, name))


def conflict(resource: Resource, name: str, why: str) -> StatusError:
    """Say that the object is not the one that the request takes it for."""
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return StatusError(409, message, details=_details(resource, name))


def forbidden(resource: Resource, name: str, why: str) -> StatusError:
    """Say that the object may not be made now."""
    message = f'{resource.qualified} "{name}" is forbidden: {why}'
    return StatusError(403, message, details=_details(resource, name))


def invalid(kind: str, name: str, flaws: Sequence[tuple[str, str]], group: str = "") -> StatusError:
    """Name all that is wrong with an object's values: the field of each, and the flaw in Kubernetes's words."""
    told = [f"{field}: {flaw}" for field, flaw in flaws]
    causes = [{"reason": _VALIDATION[flaw.partition(":")[0]], "message": flaw, "field": field} for field, flaw in flaws]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    return StatusError(
        422,
        f'{kind}{group and "."}{group} "{name}" is invalid: {text}',
        details={"name": name, **({"group": group} if group else {}), "kind": kind, "causes": causes},
    )


def _details(resource: Resource, name: str) -> dict[str, Any]:
    return {"name": name, **({"group": resource.group} if resource.group else {}), "kind": resource.plural}
