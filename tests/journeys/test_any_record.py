"""What holds for every text, list of conditions and JSON patch, under each reading that could tell them apart."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.journeys.cases import changed, journeys
from tests.journeys.in_process import SETTINGS, found

Json = dict[str, Any]

EXAMPLES = {journey.title: journey.cases[0].records[0] for journey in journeys()}
RELEASE, COMPONENT = "Release Succeeded or Failed events", "Component events"
READINGS = ((), ("functions_give_null_as_text=false",), ("numbers_from_texts=true",), SETTINGS)


def become(title: str, change: Json) -> list[Json]:
    """Return the events of a journey's example with a change: the same ones under every reading."""
    first, *others = (found([changed(EXAMPLES[title].audit, change)], title, *settings) for settings in READINGS)
    assert others == [first] * len(others)
    return first


TEXTS = st.text() | st.text("0123456789.,eExX+-_ \t\n", max_size=8) | st.text("'\"[]{}:\\ 1a\t", max_size=8)


@given(TEXTS)
@example("-.5")
def test_a_text_arrives_as_it_is(text: str) -> None:
    assume(text != "null")  # which a JSON null may have become
    condition = {"type": "Released", "status": "True", "reason": text, "message": text}
    change = {"objectRef": {"name": text}, "userAgent": text, "responseObject": {"status": {"conditions": [condition]}}}
    properties = {"name": text, "status_reason": text, "status_message": text}
    expected = changed(EXAMPLES[RELEASE].event, {"properties": properties, "context": {"userAgent": text}})
    assert become(RELEASE, change) == [expected]


CONDITION = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(("Released", "Released", "Validated", "NotReleased", "", None)),
        "status": st.sampled_from(("True", "False", "Unknown", "", None)),
        "reason": st.sampled_from(("Succeeded", "Failed", "", None)),
        "message": st.sampled_from(("one", "another", "", None)),
    },
)


@given(st.lists(CONDITION | st.none(), max_size=5))
def test_the_parts_of_a_condition_are_those_of_one_element(conditions: list[Json | None]) -> None:
    of_type = [condition for condition in conditions if condition and condition.get("type") == "Released"]
    expected = []
    if of_type and of_type[0].get("status") in ("True", "False"):
        properties = {f"status_{key}": of_type[0].get(key) for key in ("reason", "message")}
        expected = [changed(EXAMPLES[RELEASE].event, {"properties": properties})]
    assert become(RELEASE, {"responseObject": {"status": {"conditions": conditions}}}) == expected


REQUEST = "build.appstudio.openshift.io/request"
ONE, ALL = "/metadata/annotations/build.appstudio.openshift.io~1request", "/metadata/annotations"
WISH = st.sampled_from(("configure-pac", "trigger-pac-build", "1.10", "", None))
KIND = st.sampled_from(("add", "replace", "test", "remove", "copy", "move"))
OPERATION = (
    st.fixed_dictionaries({"op": KIND, "path": st.just(ONE)}, optional={"value": WISH})
    | st.fixed_dictionaries(
        {"op": KIND, "path": st.just(ALL)},
        optional={"value": st.none() | st.fixed_dictionaries({"a": st.just("b")}, optional={REQUEST: WISH})},
    )
    | st.fixed_dictionaries({"op": KIND}, optional={"path": st.just("/spec/replicas"), "value": WISH})
)


@given(st.lists(OPERATION, max_size=5))
def test_the_last_operation_on_the_annotation_counts(operations: list[Json]) -> None:
    wish = None
    for operation in operations:
        if operation.get("path") in (ONE, ALL) and operation["op"] != "test":
            value = operation.get("value") if operation["op"] in ("add", "replace") else None
            wish = (value or {}).get(REQUEST) if operation["path"] == ALL else value
    change = {"verb": "patch", "responseStatus": {"code": 200}, "requestObject": operations}
    expected = changed(EXAMPLES[COMPONENT].event, {"event": f"Component {wish or 'patched'}"})
    assert become(COMPONENT, change) == [expected]
