"""The bridge's settings for the stand-ins, as environment variables: under an Airflow of one's own, and by hand."""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.splunk.server import PASSWORD, USERNAME

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).resolve().parent.parent
DAG = "segment_bridge"
#: The stand-in serves its records under any index; one has to be named.
INDEX = "audit"
HOST = "host"
MEMBERS = ("member-1", "member-2")
#: The settings of the library's command line; here they must not come from the caller's environment.
_FOREIGN = ("AIRFLOW", "SPLUNK_", "SEGMENT_", "KUBECONFIG", "HOST_CONTEXT", "MEMBER_CONTEXTS")


def environment(
    home: Path, addresses: Mapping[str, str], settings: Mapping[str, object] | None = None
) -> dict[str, str]:
    """Return the environment of Airflow's processes.

    ``addresses`` is what ``serve`` prints, ``settings`` what the Variable of the bridge has beside the necessary.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    kubeconfig = addresses["kubeconfig"]
    members = {f"kubernetes_{member.replace('-', '_')}": member for member in MEMBERS}
    connections = {
        "splunk_default": {
            "conn_type": "splunk",
            "host": addresses["splunk"],
            "login": USERNAME,
            "password": PASSWORD,
            "extra": {"index": INDEX},
        },
        "segment_default": {
            "conn_type": "segment",
            "host": addresses["segment"],
            "password": "a-write-key",
        },
        "kubernetes_host": _cluster(kubeconfig, HOST),
        **{name: _cluster(kubeconfig, context) for name, context in members.items()},
    }
    return {
        **own,
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()},
        "AIRFLOW_VAR_SEGMENT_BRIDGE": json.dumps(
            {"staging": (home / "staging").as_uri(), "member_connections": [*members], **(settings or {})}
        ),
        # The stand-ins are on this machine, wherever the way to the internet leads.
        "no_proxy": "127.0.0.1",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        # The forms of connections have a Test button only where it is asked for.
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API_AUTH__JWT_SECRET": _secret(home),
        # SQLite's own patience ends after 5 s, which is too little where several processes write.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "sandbox.deployment.SQLITE",
        "PYTHONPATH": str(PROJECT),
        # Where Airflow's own processes look for the command that starts them.
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
    }


def command_line(addresses: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of ``segment-bridge`` for the stand-ins at these addresses, if need be without Segment."""
    segment = {"SEGMENT_BATCH_API": f"{addresses['segment']}/v1/batch"} if "segment" in addresses else {}
    return {
        "SPLUNK_API_URL": addresses["splunk"],
        "SPLUNK_USERNAME": USERNAME,
        "SPLUNK_PASSWORD": PASSWORD,
        "SPLUNK_INDEX": INDEX,
        "KUBECONFIG": addresses["kubeconfig"],
        "HOST_CONTEXT": HOST,
        "MEMBER_CONTEXTS": ",".join(MEMBERS),
        "SEGMENT_WRITE_KEY": "a-write-key",
        **segment,
    }


#: Seconds that one of Airflow's processes waits for another's transaction.
SQLITE = {"timeout": 60}


def _cluster(kubeconfig: str, context: str) -> dict[str, object]:
    return {"conn_type": "kubernetes", "extra": {"kube_config_path": kubeconfig, "cluster_context": context}}


def _secret(home: Path) -> str:
    """Return what the processes sign their tokens with; the same for all that share a home."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "jwt-secret"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
    return file.read_text()
