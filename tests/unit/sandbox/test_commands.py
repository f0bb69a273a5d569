"""The command line of the stand-ins, as far as it is more than the functions that it calls."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from sandbox.commands import main


@pytest.mark.parametrize("name", ["demo", "up", "down"])
def test_a_folder_may_be_relative(name: str) -> None:
    # Staging is a file: URL, and Airflow's processes run elsewhere: both need the whole path.
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.make_context(name, ["--folder", "made"]).params["folder"] == Path.cwd() / "made"
