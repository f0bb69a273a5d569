"""Where runs keep their files: a local folder, or any object store that fsspec knows.

Everything that one task hands to another lies here under the run's key; what travels between tasks are names
and counts. A file appears whole or not at all, and on a local disk only its owner can read it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import msgspec

from segment_bridge.errors import ConfigurationError, FatalError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsspec import AbstractFileSystem

T = TypeVar("T")

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Staging:
    """A folder of a filesystem; ``root`` is its path there."""

    filesystem: AbstractFileSystem
    root: str

    @classmethod
    def at(cls, url: str, **options: object) -> Staging:
        """Open the folder at a path or URL; ``options`` are fsspec's for the kind of store.

        Raises :class:`ConfigurationError` for a kind of store that is unknown, or whose library is not installed.
        """
        from fsspec.core import url_to_fs  # noqa: PLC0415 - slow to import, and not every command stages

        try:
            filesystem, root = url_to_fs(url, **options)
        except (ValueError, ImportError) as error:
            raise ConfigurationError(f"staging cannot be opened ({error}): check its URL") from error
        return cls(filesystem, root.rstrip("/"))

    def folder(self, name: str) -> Staging:
        """Return a folder inside; characters that some store does not take in a name become ``_``."""
        return Staging(self.filesystem, self._path(_UNSAFE.sub("_", name)))

    def uri(self, name: str = "") -> str:
        """Name a file so that any worker can find it."""
        return str(self.filesystem.unstrip_protocol(self._path(name)))

    @contextlib.contextmanager
    def write(self, name: str) -> Iterator[IO[bytes]]:
        """Write a file; it takes its name when the block ends well, and never exists when it does not.

        Raises :class:`RetryableError` where there is no room, and :class:`ConfigurationError` where there is no right.
        """
        path = self._path(name)
        folder = Path(path).parent if self._is_local else None
        with _changing(name):
            if folder:
                _make_private_folders(folder)
            handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    yield file
                if folder:
                    Path(temporary).replace(path)
                else:
                    with self._asking(name):
                        self.filesystem.put_file(temporary, path)
            finally:
                Path(temporary).unlink(missing_ok=True)

    @contextlib.contextmanager
    def read(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file for reading.

        Raises :class:`FatalError` if it was never staged, and :class:`ConfigurationError` where there is no right.
        """
        try:
            with self._asking(name):
                file = self.filesystem.open(self._path(name), "rb")
        except FileNotFoundError:
            raise FatalError(f"{name} is not staged: the task that makes it has to run (again)") from None
        except PermissionError:
            raise ConfigurationError(f"staging refuses {self._path(name)}: let this user read it") from None
        with file:
            yield file

    def exists(self, name: str) -> bool:
        """Say whether the file, or a folder of this name, is there."""
        self.filesystem.invalidate_cache()
        with self._asking(name):
            return bool(self.filesystem.exists(self._path(name)))

    def folders(self) -> list[str]:
        """List the names of the folders that are right inside, sorted."""
        self.filesystem.invalidate_cache()
        with contextlib.suppress(FileNotFoundError), self._asking(self.root):
            entries = self.filesystem.ls(self.root, detail=True)
            inside = (entry["name"].rstrip("/") for entry in entries if entry["type"] == "directory")
            return sorted(path.rpartition("/")[2] for path in inside)
        return []

    def names(self, folder: str = "", *, unfinished: bool = False) -> list[str]:
        """List the files below a folder, sorted; those that a killed process left half written only if asked."""
        self.filesystem.invalidate_cache()
        with contextlib.suppress(FileNotFoundError), self._asking(folder or self.root):
            paths = self.filesystem.find(self._path(folder))
            names = (path.removeprefix(self.root).lstrip("/") for path in paths)
            return sorted(name for name in names if unfinished or not name.rpartition("/")[2].startswith("."))
        return []

    def remove(self, name: str = "") -> None:
        """Remove a file, or a folder with all that it holds, if it is there."""
        with _changing(name), contextlib.suppress(FileNotFoundError), self._asking(name):
            self.filesystem.rm(self._path(name), recursive=True)

    def write_json(self, name: str, document: object) -> None:
        """Write one value as JSON."""
        with self.write(name) as file:
            file.write(msgspec.json.encode(document))

    def read_json(self, name: str, kind: type[T]) -> T:
        """Read one value of this type from JSON; raises :class:`FatalError` for a file that holds none."""
        with self.read(name) as file:
            data = file.read()
        try:
            return msgspec.json.decode(data, type=kind)
        except (ValueError, RecursionError):
            raise FatalError(f"{name} is damaged in staging: the task that makes it has to run again") from None

    @property
    def _is_local(self) -> bool:
        return "file" in _protocols(self.filesystem)

    @contextlib.contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        """Turn what the library of an object store raises, which may be anything, into the error that says what to do.

        Not so what it raises as Python does for files, but for a refusal: that has no file's mode behind it.
        """
        try:
            yield
        except PermissionError:
            if self._is_local:
                raise
            raise ConfigurationError(
                f"staging refuses {name or self.root}: let its credentials list, read, write and delete there"
            ) from None
        except OSError:
            raise
        except Exception as error:
            if self._is_local:
                raise
            # Nor is the error chained or quoted: its text can hold whole requests.
            raise RetryableError(
                f"staging gave no answer for {name or self.root} ({type(error).__name__}): "
                "check its URL, its credentials and its endpoint, or try again later"
            ) from None

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root


@contextlib.contextmanager
def _changing(name: str) -> Iterator[None]:
    """Turn what keeps a file from being changed into the error that says what to do."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise ConfigurationError(f"staging refuses {name} ({why}): let this user write there") from None
        if error.errno is None and isinstance(error, FileNotFoundError):
            raise ConfigurationError(
                f"there is no place in staging for {name}: check its URL, and its bucket"
            ) from None
        if error.errno is None:
            raise  # no filesystem's
        raise RetryableError(f"staging has not taken {name} ({why}): make room there, and try again") from None


def _protocols(filesystem: AbstractFileSystem) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _make_private_folders(folder: Path) -> None:
    """Make the folders that are missing, readable for their owner alone."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
