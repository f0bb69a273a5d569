"""A PostgreSQL of one's own: on SQLite, Airflow creates no backfill while its scheduler writes."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.scheduler.conftest import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Debian keeps them out of everybody's path.
PROGRAMS = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
# The server does not run as root; the package has made a user for it.
_AS_ITS_USER = () if os.getuid() else ("runuser", "-u", "postgres", "--")


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Run the server while the block runs, and give SQLAlchemy's URL of its database."""
    assert PROGRAMS
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        if _AS_ITS_USER:
            shutil.chown(folder, "postgres")
        data = folder / "data"
        made = (PROGRAMS / "initdb", "--pgdata", data, "--username", "airflow", "--auth", "trust", "--no-sync")
        subprocess.run((*_AS_ITS_USER, *made), check=True, capture_output=True, cwd=folder)  # noqa: S603 - a test's own
        server = (PROGRAMS / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-F")
        asked = (PROGRAMS / "pg_isready", "--host", "127.0.0.1", "--port", str(port))
        with subprocess.Popen((*_AS_ITS_USER, *server), stderr=subprocess.DEVNULL, cwd=folder) as process:  # noqa: S603 - as above
            try:
                until(lambda: subprocess.run(asked, check=False, capture_output=True).returncode == 0, 60)  # noqa: S603 - as above
                yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/postgres"
            finally:
                process.terminate()
