from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import fsspec
import msgspec
import pytest
from fsspec.registry import known_implementations

from segment_bridge.errors import ConfigurationError, FatalError, RetryableError
from segment_bridge.staging import Staging
from tests.buckets import bucket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.buckets import Bucket


class Plan(msgspec.Struct):
    name: str
    hours: list[int]


@pytest.fixture(scope="module")
def s3() -> Iterator[Bucket]:
    with bucket() as one:
        yield one


@pytest.fixture(params=["a path", "file://", "memory://", "s3://"])
def staging(
    request: pytest.FixtureRequest, tmp_path: Path, s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Staging]:
    """Open a folder that does not exist yet, of each kind of store."""
    for name, value in s3.settings.items():
        monkeypatch.setenv(name, value)
    if request.param in {"memory://", "s3://"}:
        made = Staging.at(f"{request.param}{s3.name}/{uuid4()}/runs")
        yield made
        made.remove()
    else:
        prefix = "" if request.param == "a path" else "file://"
        yield Staging.at(f"{prefix}{tmp_path}/data/runs")


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def put(staging: Staging, name: str, data: bytes = b"whole") -> None:
    with staging.write(name) as file:
        file.write(data)


def fail(staging: Staging, name: str, error: BaseException) -> None:
    """Write half a file."""
    with staging.write(name) as file:
        file.write(b"half")
        raise error


def get(staging: Staging, name: str) -> bytes:
    with staging.read(name) as file:
        return file.read()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestEveryStore:
    def test_round_trip(self, staging: Staging) -> None:
        put(staging, "results/a.ndjson", b"\x00line\r\n\xff")
        assert get(staging, "results/a.ndjson") == b"\x00line\r\n\xff"

    def test_a_file_appears_whole(self, staging: Staging) -> None:
        with staging.write("a/b.json") as file:
            file.write(b"half")
            file.flush()
            assert not staging.exists("a/b.json")
            assert staging.names("") == []
            with pytest.raises(FatalError):
                get(staging, "a/b.json")
        assert get(staging, "a/b.json") == b"half"
        assert staging.names("") == ["a/b.json"]

    def test_the_old_file_stays_until_the_new_one_is_whole(self, staging: Staging) -> None:
        put(staging, "a.json", b"old and longer")
        with staging.write("a.json") as file:
            file.write(b"new")
            file.flush()
            assert get(staging, "a.json") == b"old and longer"
        assert get(staging, "a.json") == b"new"

    def test_an_error_leaves_no_file(self, staging: Staging) -> None:
        with pytest.raises(KeyboardInterrupt):
            fail(staging, "a/b.json", KeyboardInterrupt())
        assert not staging.exists("a/b.json")
        assert staging.names("") == []

    def test_an_error_leaves_the_old_file(self, staging: Staging) -> None:
        put(staging, "a/b.json", b"old")
        with pytest.raises(OSError, match="No space"):
            fail(staging, "a/b.json", OSError("No space"))
        assert get(staging, "a/b.json") == b"old"
        assert staging.names("") == ["a/b.json"]

    @pytest.mark.parametrize(
        ("number", "kind", "said"),
        [
            (errno.ENOSPC, RetryableError, "staging has not taken a/b.json (No space left on device): make room"),
            (errno.EDQUOT, RetryableError, "staging has not taken a/b.json (Disk quota exceeded): make room"),
            (errno.EROFS, ConfigurationError, "staging refuses a/b.json (Read-only file system): let this user"),
            (errno.EACCES, ConfigurationError, "staging refuses a/b.json (Permission denied): let this user"),
        ],
    )
    def test_no_room_and_no_right(self, staging: Staging, number: int, kind: type[Exception], said: str) -> None:
        with pytest.raises(kind) as caught:
            fail(staging, "a/b.json", OSError(number, os.strerror(number)))
        assert str(caught.value).startswith(said)
        assert staging.names("") == []

    def test_an_empty_file_is_a_file(self, staging: Staging) -> None:
        put(staging, "a.ndjson", b"")
        assert staging.exists("a.ndjson")
        assert get(staging, "a.ndjson") == b""

    def test_a_missing_file(self, staging: Staging) -> None:
        with pytest.raises(FatalError) as caught:
            get(staging, "maps/users.json")
        assert str(caught.value) == "maps/users.json is not staged: the task that makes it has to run (again)"
        with pytest.raises(FatalError):
            staging.read_json("maps/users.json", dict)

    def test_exists(self, staging: Staging) -> None:
        assert not staging.exists("a")
        put(staging, "a/b/c.json")
        assert [staging.exists(name) for name in ("a", "a/b", "a/b/c.json", "a/b/c", "b", "")] == [
            *(True, True, True, False, False, True),
        ]

    def test_names_are_sorted_and_go_to_the_bottom(self, staging: Staging) -> None:
        for name in ("b/2.json", "b/10.json", "b/c/1.json", "b.json", "ab/1.json", "bc/1.json", "b/.hidden"):
            put(staging, name)
        assert staging.names("b") == ["b/10.json", "b/2.json", "b/c/1.json"]
        assert staging.names("") == ["ab/1.json", "b.json", "b/10.json", "b/2.json", "b/c/1.json", "bc/1.json"]
        assert staging.names("missing") == []
        assert [get(staging, name) for name in staging.names("b")] == [b"whole"] * 3

    def test_what_another_worker_writes_is_seen(self, staging: Staging) -> None:
        assert staging.names("a") == []
        other = Staging.at(staging.uri())
        put(other, "a/1.json", b"other")
        assert staging.names("a") == ["a/1.json"]
        assert staging.exists("a/1.json")
        assert get(staging, "a/1.json") == b"other"
        other.remove("a/1.json")
        assert not staging.exists("a/1.json")

    def test_remove(self, staging: Staging) -> None:
        for name in ("a/1.json", "a/b/2.json", "ab/3.json", "c.json"):
            put(staging, name)
        staging.remove("a")
        assert staging.names("") == ["ab/3.json", "c.json"]
        staging.remove("c.json")
        staging.remove("c.json")
        staging.remove("missing/folder")
        assert staging.names("") == ["ab/3.json"]
        staging.remove()
        staging.remove()
        assert staging.names("") == []
        assert not staging.exists("")
        put(staging, "a/1.json")
        assert staging.names("") == ["a/1.json"]

    def test_an_address_is_good_for_any_worker(self, staging: Staging) -> None:
        put(staging, "a/b.json", b"found")
        assert staging.uri("a/b.json") == f"{staging.uri()}/a/b.json"
        assert staging.uri().partition("://")[0] in ("file", "memory", "s3")
        with fsspec.open(staging.uri("a/b.json"), "rb") as file:
            assert file.read() == b"found"

    def test_a_folder_inside(self, staging: Staging) -> None:
        run = staging.folder("manual__2024-05-01T08:00:00+00:00/x y")
        assert run.uri() == f"{staging.uri()}/manual__2024-05-01T08_00_00_00_00_x_y"
        put(run, "a/b.json")
        assert run.names("") == ["a/b.json"]
        assert staging.names("") == ["manual__2024-05-01T08_00_00_00_00_x_y/a/b.json"]
        run.remove()
        assert staging.names("") == []

    def test_json(self, staging: Staging) -> None:
        plan = Plan("zoë", [1, 2])
        staging.write_json("plan.json", plan)
        assert get(staging, "plan.json") == '{"name":"zoë","hours":[1,2]}'.encode()
        assert staging.read_json("plan.json", Plan) == plan

    def test_what_is_no_json_leaves_the_old_file(self, staging: Staging) -> None:
        staging.write_json("plan.json", {"a": 1})
        with pytest.raises(TypeError):
            staging.write_json("plan.json", {"a": object()})
        assert staging.read_json("plan.json", dict) == {"a": 1}


class TestLocalDisk:
    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], indirect=True, ids=oct)
    def test_only_the_owner_can_read(self, tmp_path: Path, umask: int) -> None:
        root = tmp_path / "data" / "runs"
        staging = Staging.at(str(root)).folder("one")
        with staging.write("a/b/c.json") as file:
            assert [mode(path) for path in (root / "one" / "a" / "b").iterdir()] == [0o600]
            file.write(b"private")
        staging.write_json("a/d.json", {})
        made = {path.relative_to(tmp_path).as_posix(): mode(path) for path in tmp_path.rglob("*")}
        assert made == {
            "data": 0o700,
            "data/runs": 0o700,
            "data/runs/one": 0o700,
            "data/runs/one/a": 0o700,
            "data/runs/one/a/b": 0o700,
            "data/runs/one/a/b/c.json": 0o600,
            "data/runs/one/a/d.json": 0o600,
        }
        assert os.umask(umask) == umask

    def test_a_file_that_others_could_read_becomes_private(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(b"old")
        path.chmod(0o644)
        put(Staging.at(str(tmp_path)), "a.json")
        assert mode(path) == 0o600

    def test_folders_that_were_there_stay_as_they_are(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o755)
        put(Staging.at(str(shared)), "a/b.json")
        assert (mode(shared), mode(shared / "a")) == (0o755, 0o700)

    def test_a_name_changes_its_file_in_one_step(self, tmp_path: Path) -> None:
        staging = Staging.at(str(tmp_path))
        put(staging, "a.json", b"old")
        with staging.read("a.json") as reader:
            put(staging, "a.json", b"new")
            assert reader.read() == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["a.json"]

    def test_no_temporary_file_is_left(self, tmp_path: Path) -> None:
        staging = Staging.at(str(tmp_path))
        with pytest.raises(OSError, match="No space"):
            fail(staging, "b.json", OSError("No space"))
        put(staging, "a.json")
        assert [path.name for path in tmp_path.iterdir()] == ["a.json"]

    def test_a_process_that_is_killed_leaves_the_old_file(self, tmp_path: Path) -> None:
        staging = Staging.at(str(tmp_path))
        put(staging, "a.json", b"old")
        program = (
            "import os, sys; from segment_bridge.staging import Staging\n"
            "with Staging.at(sys.argv[1]).write('a.json') as file:\n"
            "    file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)"
        )
        done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)  # noqa: S603 - our own
        assert done.returncode == -9
        assert get(staging, "a.json") == b"old"
        assert staging.names("") == ["a.json"]

    def test_an_address(self, tmp_path: Path) -> None:
        assert Staging.at(str(tmp_path)).uri("a/b.json") == f"file://{tmp_path}/a/b.json"
        assert Staging.at(f"file://{tmp_path}/").uri() == f"file://{tmp_path}"

    def test_a_relative_path_is_an_absolute_address(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert Staging.at("runs").uri("a.json") == f"file://{tmp_path}/runs/a.json"


class TestObjectStore:
    def test_nothing_is_left_on_the_local_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        staging = Staging.at(f"memory://{uuid4()}")
        with staging.write("a.json") as file:
            file.write(b"x")
            assert [mode(path) for path in tmp_path.iterdir()] == [0o600]
        with pytest.raises(OSError, match="No space"):
            fail(staging, "b.json", OSError("No space"))
        assert list(tmp_path.iterdir()) == []
        assert staging.names("") == ["a.json"]
        staging.remove()

    def test_a_kind_of_store_that_is_unknown(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            Staging.at("nosuch://bucket/runs")
        assert str(caught.value) == "staging cannot be opened (Protocol not known: nosuch): check its URL"

    def test_a_kind_of_store_whose_library_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        known = {"class": "no_such_library.Store", "err": "Install no-such-library"}
        monkeypatch.setitem(known_implementations, "absent", known)
        with pytest.raises(ConfigurationError) as caught:
            Staging.at("absent://bucket/runs")
        assert str(caught.value) == "staging cannot be opened (Install no-such-library): check its URL"

    def test_options_are_for_the_store(self, tmp_path: Path) -> None:
        assert Staging.at(str(tmp_path), auto_mkdir=True).filesystem.auto_mkdir is True
        with pytest.raises(ConfigurationError, match="nosuch"):
            Staging.at("nosuch://bucket", key="k")
