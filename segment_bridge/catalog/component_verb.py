"""What a request did to a component: ``create``, what a patch asks the build service for, or the verb."""

from __future__ import annotations

from segment_bridge import spl
from segment_bridge.catalog import record

REQUEST_ANNOTATION = "build.appstudio.openshift.io/request"
#: The same in a JSON patch, as a JSON pointer, and all annotations.
_ONE = "/metadata/annotations/" + REQUEST_ANNOTATION.replace("/", "~1")
_ALL = "/metadata/annotations"

_VERB = record.part(record.VERB)
_PATCH = _VERB.equals("patch")
#: A patch that is answered with 201 has created its object, as server-side apply does.
CREATED = _VERB.equals("create") | (_PATCH & record.part(record.RESPONSE_CODE).is_number(201))


def _asked_by_json_patch() -> spl.Expression:
    """Read what the last operation that changes the annotation puts there; only ``add`` and ``replace`` put something.

    The operation may be one on all annotations.
    """
    body = record.part("requestObject")
    operations = spl.named("operations", spl.json_elements(spl.choose(body.like("[%"), body, spl.null())))
    path, kind = (spl.json_member(operations, key) for key in ("path", "op"))
    changes = spl.those(operations, path.one_of(_ONE, _ALL) & ~kind.equals("test"))
    operation = spl.named("operation", spl.item(changes, -1))
    value = spl.json_member(operation, "value")
    path, kind = (spl.json_member(operation, key) for key in ("path", "op"))
    puts = kind.one_of("add", "replace")
    one, of_all = puts & path.equals(_ONE), puts & path.equals(_ALL)
    return spl.case((one, value), (of_all, spl.json_member(value, REQUEST_ANNOTATION)))


def _asked() -> spl.Expression:
    """Read what a patch of any kind asks for; an empty value asks for nothing, nor does a null, which removes one."""
    merged = record.annotation(REQUEST_ANNOTATION, of="requestObject")
    return spl.null_if(record.not_json_null(spl.coalesce(_asked_by_json_patch(), merged)), "")


COMPONENT_VERB = spl.coalesce(spl.case((CREATED, spl.text("create")), (_PATCH, _asked())), _VERB)
