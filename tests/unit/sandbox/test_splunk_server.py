from __future__ import annotations

import base64
import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
import requests
import uvicorn
from splunklib import binding, client

from sandbox.splunk import AuditLog, create_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EPOCH = 1714564800  # 2024-05-01T12:00:00Z
OK = {"search": "search verb=*", "output_mode": "json", "preview": "false"}
UNAUTHENTICATED = {"messages": [{"type": "WARN", "text": "call not properly authenticated"}]}


def event(number: int) -> dict[str, str]:
    second = f"2024-05-01T12:00:{number:02}.250000Z"
    return {"auditID": f"a-{number}", "requestReceivedTimestamp": second, "verb": "create"}


@contextmanager
def serving(log: AuditLog) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(log), log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path: Path = tmp_path_factory.mktemp("splunk") / "audit.log"
    path.write_text("".join(json.dumps(event(number)) + "\n" for number in range(5)), encoding="utf-8")
    with serving(AuditLog.from_files([path])) as address:
        yield address


def connect(url: str, **credentials: str) -> client.Service:
    host, port = url.removeprefix("http://").split(":")
    return client.connect(scheme="http", host=host, port=int(port), owner="nobody", app="any-app", **credentials)


def export(service: client.Service, search: str, **parameters: str) -> list[Any]:
    body = service.jobs.export(search, output_mode="json", **({"preview": "false"} | parameters))
    try:
        return [json.loads(line) for line in body.read().splitlines()]
    finally:
        body.close()


def post(url: str, path: str = "/services/search/v2/jobs/export", **parameters: str) -> requests.Response:
    return requests.post(url + path, data=parameters, headers={"Authorization": "Bearer changeme"}, timeout=10)


def times(url: str, **window: str) -> list[str]:
    rows = post(url, **OK | {"search": "search verb=create | fields auditID | fields - _*"}, **window).text.splitlines()
    return [json.loads(row)["result"]["auditID"] for row in rows if "result" in row]


@pytest.mark.parametrize(
    "credentials",
    [
        {"username": "admin", "password": "changeme"},
        {"splunkToken": "changeme"},
        {"username": "admin", "password": "changeme", "basic": "1"},
    ],
    ids=["session", "bearer", "basic"],
)
def test_the_sdk_logs_in_and_searches(url: str, credentials: dict[str, str]) -> None:
    rows = export(connect(url, **credentials), "search verb=create | fields auditID | fields - _*")
    assert rows == [
        {"preview": False, "offset": 0, "result": {"auditID": "a-4"}},
        {"preview": False, "offset": 1, "result": {"auditID": "a-3"}},
        {"preview": False, "offset": 2, "result": {"auditID": "a-2"}},
        {"preview": False, "offset": 3, "result": {"auditID": "a-1"}},
        {"preview": False, "offset": 4, "lastrow": True, "result": {"auditID": "a-0"}},
    ]


def test_the_sdk_takes_the_server_for_a_modern_splunk(url: str) -> None:
    service = connect(url, username="admin", password="changeme")
    assert (service.splunk_version, service.info["product_type"], service.disable_v2_api) == (
        (10, 0, 1),
        "enterprise",
        False,
    )


def test_server_info_in_json(url: str) -> None:
    answer = requests.get(
        f"{url}/services/server/info?output_mode=json", headers={"Authorization": "Bearer changeme"}, timeout=10
    )
    assert answer.json()["entry"][0]["content"]["version"] == "10.0.1"


def test_the_sdk_is_told_of_a_wrong_password(url: str) -> None:
    with pytest.raises(binding.AuthenticationError) as caught:
        connect(url, username="admin", password="wrong")
    assert caught.value.status == 401
    message = ET.fromstring(caught.value.body).find("./messages/msg")  # noqa: S314 - our own stand-in's answer
    assert message is not None
    assert (message.attrib, message.text) == (
        {"type": "WARN", "code": "incorrect_username_or_password"},
        "Login failed",
    )


def test_login_in_json(url: str) -> None:
    form = {"username": "admin", "password": "changeme", "output_mode": "json"}
    key = requests.post(f"{url}/services/auth/login", data=form, timeout=10).json()["sessionKey"]
    answer = requests.post(
        f"{url}/services/search/v2/jobs/export", data=OK, headers={"Authorization": f"Splunk {key}"}, timeout=10
    )
    assert answer.status_code == 200
    wrong = requests.post(f"{url}/services/auth/login", data=form | {"password": "wrong"}, timeout=10)
    assert (wrong.status_code, wrong.json()) == (
        401,
        {"messages": [{"type": "WARN", "code": "incorrect_username_or_password", "text": "Login failed"}]},
    )


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer wrong",
        "Splunk unknown",
        "Splunk changeme",
        "Basic " + base64.b64encode(b"admin:wrong").decode(),
        "Basic ?",
        "Digest changeme",
    ],
)
def test_without_good_credentials(url: str, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = requests.post(f"{url}/services/search/v2/jobs/export", data=OK, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()) == (401, UNAUTHENTICATED)


def test_messages_are_xml_unless_json_is_asked_for(url: str) -> None:
    answer = requests.get(f"{url}/services/server/info", timeout=10)
    message = ET.fromstring(answer.content).find("./messages/msg")  # noqa: S314 - our own stand-in's answer
    assert answer.status_code == 401
    assert message is not None
    assert (message.attrib, message.text) == ({"type": "WARN"}, "call not properly authenticated")


def test_the_stream_letter_by_letter(url: str) -> None:
    search = 'search auditID=a-1 | eval z="ü", list=split("x y", " "), n=1+1 | fields z list n | fields - _*'
    answer = post(url, "/servicesNS/admin/app/search/v2/jobs/export", **OK | {"search": search})
    assert answer.text == ('{"preview":false,"offset":0,"lastrow":true,"result":{"list":["x","y"],"n":"2","z":"ü"}}\n')
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert answer.headers["Connection"] == "close"
    assert answer.headers["Transfer-Encoding"] == "chunked"


def test_an_empty_result(url: str) -> None:
    assert post(url, **OK | {"search": "search verb=nothing"}).text == '{"preview":false,"lastrow":true}\n'


@pytest.mark.parametrize("preview", [{}, {"preview": "true"}, {"preview": "1"}])
def test_previews_come_before_the_result_unless_switched_off(url: str, preview: dict[str, str]) -> None:
    search = "search verb=create | fields auditID | fields - _*"
    parameters = {"search": search, "output_mode": "json", **preview}
    rows = [json.loads(line) for line in post(url, **parameters).text.splitlines()]
    assert [(row["preview"], row["offset"], row.get("lastrow"), row["result"]["auditID"]) for row in rows] == [
        (True, 0, None, "a-4"),
        (True, 1, None, "a-3"),
        (True, 2, True, "a-2"),
        (False, 0, None, "a-4"),
        (False, 1, None, "a-3"),
        (False, 2, None, "a-2"),
        (False, 3, None, "a-1"),
        (False, 4, True, "a-0"),
    ]


def test_earliest_is_inclusive_and_latest_exclusive(url: str) -> None:
    assert times(url, earliest_time=f"{EPOCH + 1}.25", latest_time=f"{EPOCH + 3}.25") == ["a-2", "a-1"]
    assert times(url, earliest_time=f"{EPOCH + 1}.250001", latest_time=f"{EPOCH + 3}.250001") == ["a-3", "a-2"]
    assert times(url, earliest_time="2024-05-01T12:00:03.25Z") == ["a-4", "a-3"]
    assert times(url, latest_time="2024-05-01T14:00:01.250000+02:00") == ["a-0"]
    assert times(url, earliest_time=str(EPOCH + 100)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"search": "verb=create"},
        {"search": ""},
        {"search": "search verb=create | nosuchcommand"},
        {"output_mode": "xml"},
        {"output_mode": "json_rows"},
        {"preview": "perhaps"},
        {"earliest_time": "-4h@h"},
        {"latest_time": "now"},
        {"earliest_time": "2024-05-01T12:00:00"},
        {"earliest_time": str(EPOCH), "latest_time": str(EPOCH)},
        {"segmentation": "full"},
        {"adhoc_search_level": "fast"},
    ],
    ids=repr,
)
def test_what_is_wrong_or_not_implemented_is_a_bad_request(url: str, wrong: dict[str, str]) -> None:
    answer = post(url, **OK | wrong)
    assert answer.status_code == 400
    if wrong.get("output_mode", "json") == "json":
        (message,) = answer.json()["messages"]
        assert message.keys() == {"type", "text"}
        assert (message["type"], len(message["text"]) > 10) == ("FATAL", True)
    else:
        assert ET.fromstring(answer.content).find("./messages/msg") is not None  # noqa: S314 - our own answer


def test_the_sdk_gets_splunks_words_on_bad_spl(url: str) -> None:
    with pytest.raises(binding.HTTPError) as caught:
        export(connect(url, splunkToken="changeme"), "search verb=create | eval x=nosuch(verb)")
    assert caught.value.status == 400
    assert json.loads(caught.value.body) == {
        "messages": [{"type": "FATAL", "text": "The 'nosuch' function is unsupported or undefined."}]
    }


def test_a_parameter_given_twice_and_a_body_that_is_no_form(url: str) -> None:
    headers = {"Authorization": "Bearer changeme"}
    for body in ("search=search+a%3D1&search=search+a%3D2", "no form", b"search=%ff"):
        answer = requests.post(
            f"{url}/services/search/v2/jobs/export?output_mode=json", data=body, headers=headers, timeout=10
        )
        assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/services/search/jobs/export", "/servicesNS/nobody/a/search/jobs/export", "/x"])
def test_the_v1_search_and_all_else_is_not_found(url: str, path: str) -> None:
    answer = post(url, path, **OK)
    assert (answer.status_code, answer.json()) == (404, {"messages": [{"type": "ERROR", "text": "Not Found"}]})
    assert answer.headers["Connection"] == "close"


def test_what_fails_while_the_stream_runs_is_a_message_in_it(url: str) -> None:
    search = 'search auditID=a-1 | eval x=lower(split("A B", " "))'
    assert post(url, **OK | {"search": search}).text == (
        '{"messages":[{"type":"FATAL","text":"A function or operator that takes one value was given several."}]}\n'
    )


def test_what_searches_have_cost(url: str) -> None:
    searches = ['search auditID=a-1 OR auditID=a-2 | where auditID!="a-2"', "search verb=create | head 1", "search a=b"]
    requests.delete(f"{url}/sandbox/searches", timeout=10).raise_for_status()
    for search in searches:
        post(url, **OK | {"search": search}, earliest_time=f"{EPOCH + 1}")
    post(url, **OK | {"search": "search verb=create | nosuchcommand"})
    told = requests.get(f"{url}/sandbox/searches", timeout=10).text.splitlines()
    assert [json.loads(line) for line in told] == [
        {"search": searches[0], "scanned": 4, "matched": 2, "results": 1},
        {"search": searches[1], "scanned": 1, "matched": 1, "results": 1},
        {"search": searches[2], "scanned": 4, "matched": 0, "results": 0},
    ]
