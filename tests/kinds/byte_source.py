"""Files for kinds to read, made of bytes in memory."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, BinaryIO

from mlver.kinds.base import Comparison, Delta, Kind, Spec, Units


@dataclass(frozen=True)
class ByteSource:
    """A file of the work tree that is only in memory."""

    path: str
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


@dataclass(frozen=True)
class HugeSource:
    """A file too large to be read: opening it fails the test."""

    path: str
    size: int = 100_000_000

    def open(self) -> BinaryIO:
        raise AssertionError(f"{self.path} was opened although it has {self.size} bytes")


def source(path: str, text: str | bytes) -> ByteSource:
    return ByteSource(path, text.encode() if isinstance(text, str) else text)


def units(kind: Kind, path: str, text: str | bytes, **options: Any) -> Units:
    return kind.units(source(path, text), Spec(options=options))


def as_dict(units: Units) -> dict[str, Any]:
    return {key: units.get(key) for key in units.keys()}  # noqa: SIM118 - Units is no mapping


def diff(kind: Kind, path: str, old: str | bytes, new: str | bytes, **options: Any) -> tuple[Delta, Comparison]:
    a, b = units(kind, path, old, **options), units(kind, path, new, **options)
    delta = a.delta(b)
    return delta, kind.compare(a, b, delta)
