"""The audit log: records by time, and rows, which are records on their way through a search.

A record's line is kept as it is. Its small members are decoded when it is loaded, its large ones (the request
and response objects) only for the rows whose search asks for something in them.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.splunk import json_path
from sandbox.splunk.cutoff import seen as cutoff_members
from sandbox.splunk.errors import AuditLogError
from sandbox.splunk.readings import DOCUMENTED
from sandbox.splunk.values import Value, single, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal
    from pathlib import Path

    from sandbox.splunk.readings import Readings

_LARGE = 512  # bytes of a member's JSON text
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_timestamp = msgspec.json.Decoder(datetime).decode


@dataclass(frozen=True, slots=True)
class Record:
    """One audit event: its ``requestReceivedTimestamp`` in microseconds since the epoch, and its JSON line."""

    time: int
    line: bytes
    members: dict[str, Any]
    added: dict[str, Any]

    @classmethod
    def parse(cls, line: bytes) -> Record:
        """Read one line; raise ValueError, or RecursionError for absurd nesting, if it is no audit event."""
        raw = _members(line)
        members = {key: _decode(value) for key, value in raw.items()}
        time = _timestamp(raw.get("requestReceivedTimestamp", b""))
        if time.tzinfo is None:
            raise ValueError(time)
        # The collector's addition, which is no part of the record's text.
        added = {} if "log_type" in members else {"log_type": "audit"}
        return cls(microseconds(time), line, members, added)


class Row:
    """Named values; those that no command has set are extracted from the record, if the row still has one."""

    __slots__ = ("_extracted", "_lowered", "_readings", "_record", "_values")

    def __init__(self, values: dict[str, Value], record: Record | None = None, readings: Readings = DOCUMENTED) -> None:
        self._values, self._record, self._readings = values, record, readings
        self._extracted: dict[str, Any] | None = None
        self._lowered: str | None = None

    def get(self, name: str) -> Value:
        """Return the value of a field, null where there is none."""
        try:
            return self._values[name]
        except KeyError:
            value = self._values[name] = self._extract(name)
            return value

    def set(self, name: str, value: Value) -> None:
        """Set a field; null removes it."""
        self._values[name] = value

    def lowered(self) -> str:
        """Return the text of the record in small letters."""
        if self._lowered is None:
            self._lowered = text(self.get("_raw") or "").lower()
        return self._lowered

    def all(self) -> dict[str, Value]:
        """Return every field that has a value."""
        extracted = json_path.flatten(self._members(), self._readings)
        fields = {name: self._several(values) for name, values in extracted.items()}
        fields |= {"_raw": self.get("_raw")} | self._values
        return {name: value for name, value in fields.items() if value is not None and value != []}

    def _extract(self, name: str) -> Value:
        if name == "_raw" and self._record:
            return self._record.line.decode()
        return self._several(json_path.extract(self._members(), name, self._readings))

    def _several(self, values: list[str]) -> Value:
        return single(values * 2 if self._readings.extract_twice else values)

    def _members(self) -> dict[str, Any]:
        """Return what automatic extraction sees of the record, and what the collector has added to it."""
        if self._extracted is None:
            record, cutoff = self._record, self._readings.extraction_cutoff
            if record is None:
                self._extracted = {}
            elif cutoff and len(record.line) > cutoff:
                self._extracted = record.added | cutoff_members(record.line, cutoff)
            else:
                self._extracted = record.added | record.members
        return self._extracted


@dataclass(frozen=True)
class AuditLog:
    """Records, newest first; those of one instant in the order of their files."""

    records: tuple[Record, ...]
    _ages: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.records, key=lambda record: -record.time))
        object.__setattr__(self, "records", ordered)
        object.__setattr__(self, "_ages", tuple(-record.time for record in ordered))

    @classmethod
    def from_files(cls, paths: Iterable[Path]) -> AuditLog:
        """Read audit-log files: an ``audit.k8s.io/v1`` Event a line, blank lines skipped; raise AuditLogError."""
        return cls(tuple(record for path in paths for record in _read(path)))

    def rows(
        self, index: str, earliest: Decimal | None, latest: Decimal | None, readings: Readings = DOCUMENTED
    ) -> Iterator[Row]:
        """Give the records of [earliest, latest), in microseconds since the epoch, as rows of an index."""
        newest = 0 if latest is None else bisect_right(self._ages, -latest)
        oldest = None if earliest is None else bisect_right(self._ages, -earliest)
        for record in islice(self.records, newest, oldest):
            yield Row({"_time": _seconds(record.time), "index": index}, record, readings)


def _read(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if stripped := line.strip():
                try:
                    yield Record.parse(stripped)
                except (ValueError, RecursionError) as error:
                    reason = "it is no JSON object with a requestReceivedTimestamp and an offset from UTC"
                    raise AuditLogError(f"{path}, line {number}, is no audit event: {reason}") from error


def _decode(raw: msgspec.Raw) -> Any:  # noqa: ANN401 - any JSON value
    value = json_path.decode(raw)  # the large ones too: what is not well formed must be refused now
    return raw if len(bytes(raw)) > _LARGE else value


def microseconds(time: datetime) -> int:
    """Return an aware time as microseconds since the epoch, exactly."""
    return int(time.replace(microsecond=0).timestamp()) * 1_000_000 + time.microsecond


def _seconds(time: int) -> str:
    return f"{time // 1_000_000}.{time % 1_000_000:06d}".rstrip("0").rstrip(".")
