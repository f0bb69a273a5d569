"""Alerts by e-mail, up to a server that takes them."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import trustme
from aiosmtpd.controller import Controller
from starlette.responses import Response

from sandbox import kubernetes
from sandbox.deployment import environment
from sandbox.serve import serving
from segment_bridge_airflow import watch
from segment_bridge_airflow.alerts import Alert, AlertFailedError, send, send_async

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage

    from aiosmtpd.smtp import SMTP, Envelope, Session
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.airflow.conftest import Airflow, World

ALERT = Alert("segment-bridge: the source is silent", "* 3 < 5 & 6 > 5\n* straße __x__\n\nrun one\n7 found = 7 sent")
OVER = Alert("segment-bridge: runs succeed again", "After 5 failed runs.", cleared=True)
#: A window whose only record is of no journey.
QUIET = "2026-03-01T12:00:{:02}Z"
#: What the traffic's users are always warned of.
SHORT = "the map of users: 3 users with an ID of fewer than 5 characters, which Amplitude removes"


class Server(Controller):
    """A server that takes mail on a free port."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call] # aiosmtpd's


@dataclass
class Mailbox:
    """What the server does with what comes."""

    refuses: bool = False
    arrived: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        if self.refuses:
            return "554 No thanks"
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        self.arrived.append((envelope.mail_from or "", envelope.rcpt_tos, message))
        return "250 Thanks"

    def texts(self) -> list[tuple[str, str, str]]:
        """Return the subject, the kind and the text of each message."""
        return [
            (message["Subject"], message.get_content_type(), message.get_content().replace("\r\n", "\n").rstrip("\n"))
            for _, _, message in self.arrived
        ]


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def told(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = Server(mailbox, hostname="127.0.0.1", port=0)
    server.start()
    connect(monkeypatch, f"mailto://127.0.0.1:{server.port}/oncall@example.com?from=bridge@example.com")
    yield
    server.stop()


@pytest.fixture
def told_in_secret(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    server = Server(mailbox, hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True)
    server.start()
    connect(monkeypatch, f"mailtos://127.0.0.1:{server.port}/oncall@example.com?from=bridge@example.com")
    yield
    server.stop()


def connect(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    connection = {"conn_type": "apprise", "extra": {"config": {"path": path}}}
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENT_BRIDGE_ALERTS", json.dumps(connection))


SENDING = [send, lambda alert: asyncio.run(send_async(alert))]


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("sending", SENDING, ids=["from a task", "from the triggerer"])
def test_an_alert_arrives_as_it_was_said(mailbox: Mailbox, sending: Callable[[Alert], None]) -> None:
    sending(ALERT)
    sending(OVER)
    assert mailbox.texts() == [(one.title, "text/plain", one.body) for one in (ALERT, OVER)]
    assert {(sender, *receivers) for sender, receivers, _ in mailbox.arrived} == {
        ("bridge@example.com", "oncall@example.com")
    }


@pytest.mark.usefixtures("told_in_secret")
def test_an_alert_arrives_over_tls(mailbox: Mailbox) -> None:
    send(ALERT)
    assert mailbox.texts() == [(ALERT.title, "text/plain", ALERT.body)]


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("sending", SENDING, ids=["from a task", "from the triggerer"])
def test_an_alert_that_is_not_taken_is_a_failure(mailbox: Mailbox, sending: Callable[[Alert], None]) -> None:
    mailbox.refuses = True
    with pytest.raises(AlertFailedError) as caught:
        sending(ALERT)
    assert str(caught.value) == (
        f"not every service of the connection segment_bridge_alerts took the alert: {ALERT.title}"
    )


class Clusters:
    """Clusters that can go down."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.down = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (Response(status_code=503) if self.down else self._app)(scope, receive, send)


@pytest.mark.usefixtures("told")
def test_clusters_that_are_down_leave_their_last_good_maps_and_somebody_is_told(
    airflow: Airflow, world: World, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world.traffic.clusters.write(tmp_path / "clusters")
    objects = kubernetes.Clusters.from_folder(tmp_path / "clusters")
    clusters = Clusters(kubernetes.create_app(objects))
    with serving(clusters) as url:
        (tmp_path / "kubeconfig").write_text(kubernetes.kubeconfig(url, objects))
        addresses = world.addresses | {"segment": airflow.segment, "kubeconfig": str(tmp_path / "kubeconfig")}
        for name, value in environment(tmp_path, addresses).items():
            if name.startswith("AIRFLOW_CONN_KUBERNETES"):
                monkeypatch.setenv(name, value)
        good = airflow.run(QUIET.format(51))
        assert (good.state, good.report["alarms"], mailbox.arrived) == ("success", [], [])
        clusters.down = True
        run = airflow.run(QUIET.format(52))

    alarms = [
        f"the map of {name}: cluster {cluster}, asked for {what}, answered 503 Service Unavailable: try again later; "
        "the last good map, 0.0 h old, stands in"
        for name, cluster, what in (
            ("users", "kubernetes_host", "UserSignups"),
            ("workspaces", "kubernetes_member_1", "tenant Namespaces"),
        )
    ]
    assert (run.state, run.report["alarms"], run.report["warnings"]) == ("success", alarms, [*alarms, SHORT])
    assert {name: run.tries[name] for name in ("map_users", "map_workspaces")} == {"map_users": 4, "map_workspaces": 4}
    assert {name: one["entries"] for name, one in run.report["maps"].items()} == {
        name: one["entries"] for name, one in good.report["maps"].items()
    }
    ((subject, kind, text),) = mailbox.texts()
    ends = "0 sent + 0 rejected + 0 undelivered + 0 withheld + 0 acknowledged"
    assert (subject, kind) == ("segment-bridge: a map stands in", "text/plain")
    assert text.splitlines() == [
        *(f"* {alarm}" for alarm in alarms),
        "",
        f"run {run.report['run']}",
        f"0 found = {ends}; 0 batches",
        *(f"warning: {warning}" for warning in (*alarms, SHORT)),
    ]


LOST = "Timed out waiting for peer idx-9, asked by ann@example.com."


def set_variable(monkeypatch: pytest.MonkeyPatch, **settings: object) -> None:
    own = json.loads(os.environ["AIRFLOW_VAR_SEGMENT_BRIDGE"])
    monkeypatch.setenv("AIRFLOW_VAR_SEGMENT_BRIDGE", json.dumps(own | settings))


@pytest.fixture
def lossy(world: World) -> None:
    """Let Splunk lose a peer in the search of one journey, which then finds nothing."""
    world.splunk.broken = b"Build+PipelineRun+started"
    message = json.dumps({"messages": [{"type": "WARN", "text": LOST}]})
    world.splunk.answer = f'{message}\n{{"preview":false,"lastrow":true}}\n'.encode()


@pytest.mark.usefixtures("told", "lossy")
def test_what_splunk_says_is_in_the_log_but_in_no_alert_or_report(
    airflow: Airflow, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    set_variable(monkeypatch, least_coverage=1)
    run = airflow.run("2026-01-05T12:00:53Z")
    problem = "build-pipelinerun-started: no complete answer to its search (WARN, something did not answer in time)"
    assert (run.state, run.report["problems"]) == ("failed", [problem])
    ((subject, _, text),) = mailbox.texts()
    assert subject == "segment-bridge: few users are known"
    assert f"problem: {problem}" in " ".join(text.split())
    home = Path(os.environ["AIRFLOW_HOME"])
    stored = [*home.glob("airflow.db*"), *(path for path in (home / "staging").rglob("*") if path.is_file())]
    assert any(path.name.startswith("airflow.db") for path in stored)
    assert [path for path in stored if b"idx-9" in path.read_bytes()] == []
    assert "idx-9" not in text
    assert f'WARN, something did not answer in time: "{LOST}"' in " ".join("".join(capfd.readouterr()).split())


@pytest.mark.usefixtures("lossy")
def test_what_the_variable_tolerates_is_counted(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"pattern": "Timed out waiting for peer idx-9*", "reason": "idx-9 is a test"}
    set_variable(monkeypatch, tolerated_messages=[named])
    run = airflow.run("2026-01-05T12:00:54Z")
    assert (run.state, run.report["problems"]) == ("success", [])
    assert run.report["tolerated_messages"] == [named | {"count": 1}]


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(("settings", "days"), [('{"reach_days": 2}', 2), ('{"no_such_member": 1}', 7), ("{", 7)])
def test_settings_that_are_wrong_keep_nobody_from_being_told_that_runs_fail(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, settings: str, days: int
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_SEGMENT_BRIDGE", settings)
    monkeypatch.setattr(watch, "_failures_before", lambda _: watch.TOO_MANY - 1)
    run = SimpleNamespace(run_type="scheduled", logical_date=datetime(2026, 1, 5, 12, tzinfo=UTC))
    watch.failed({"dag_run": run})
    ((title, _, text),) = mailbox.texts()
    assert title == "segment-bridge: 5 runs have failed in a row"
    assert f"at most {days} days. If none succeeds before 2026-01-{5 + days:02}T07:00:00Z" in " ".join(text.split())


AGAIN = "segment-bridge: runs succeed again"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
RUN = "scheduled__2026-01-05T12:00:00+00:00"


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("run_type", "state", "said"),
    [
        ("scheduled", "running", "It has not ended"),
        ("scheduled", "queued", "It has not ended"),
        ("scheduled", "failed", "It has failed"),
        ("scheduled", "success", None),
        ("backfill", "running", None),
        ("backfill", "failed", None),
        ("manual", "running", None),
    ],
)
def test_a_scheduled_run_is_late_unless_it_has_succeeded(
    mailbox: Mailbox, run_type: str, state: str, said: str | None
) -> None:
    asyncio.run(watch.late({"dag_run": {"dag_run_id": RUN, "run_type": run_type, "state": state}}))
    body = (
        f"{said}, and has not succeeded within 45 minutes of when it was due to start. "
        "Look at the report of the last run and at its red tasks; docs/airflow.md says what each failure means."
    )
    assert mailbox.texts() == ([(f"segment-bridge: {RUN} is late", "text/plain", body)] if said else [])


def ended(run_type: str, minutes: int) -> SimpleNamespace:
    """Make a run that has ended so long after its hour."""
    end = NOON + timedelta(minutes=minutes)
    return SimpleNamespace(run_type=run_type, run_id=RUN, logical_date=NOON, end_date=end)


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("run", "failures", "titles"),
    [
        (ended("scheduled", 44), 0, []),
        (ended("scheduled", 46), 0, [f"segment-bridge: {RUN} has succeeded"]),
        (ended("scheduled", 5), 1, [AGAIN]),
        (ended("scheduled", 5), 6, [AGAIN]),
        (ended("backfill", 46), 0, []),
        (ended("manual", 46), 6, []),
    ],
)
def test_a_success_says_what_is_over(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, run: SimpleNamespace, failures: int, titles: list[str]
) -> None:
    monkeypatch.setattr(watch, "_failures_before", lambda _: failures)
    watch.succeeded({"dag_run": run})
    assert [subject for subject, _, _ in mailbox.texts()] == titles
