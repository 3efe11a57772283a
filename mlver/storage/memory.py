"""Storage in memory, for tests and for looking at a repository without a disk. Strict about its callers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from mlver.errors import Conflict, LocalIO
from mlver.storage.base import Writer
from mlver.storage.keys import check_folder, check_key


class MemoryStorage:
    """Bytes under keys in a dict. All methods are safe to call from several threads."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self._values: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        value = self._values[check_key(key)]
        return value[start:] if length is None else value[start : start + length]

    def read_into(self, key: str, start: int, parts: Sequence[memoryview]) -> int:
        value, at = memoryview(self._values[check_key(key)])[start:], 0
        for part in parts:
            piece = value[at : at + len(part)]
            part[: len(piece)] = piece
            at += len(piece)
        return at

    def size(self, key: str) -> int:
        return len(self._values[check_key(key)])

    def exists(self, key: str) -> bool:
        return check_key(key) in self._values

    def list(self, prefix: str) -> Iterator[str]:
        folder = check_folder(prefix)
        start = folder + "/" if folder else ""
        with self._lock:
            keys = sorted(key for key in self._values if key.startswith(start))
        return iter(keys)

    def writer(self, folder: str) -> Writer:
        return _MemoryWriter(self, check_folder(folder))

    def create(self, key: str, data: bytes) -> bool:
        check_key(key)
        with self._lock:
            if key in self._values:
                return False
            self._values[key] = bytes(data)
            return True

    def compare_and_swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        check_key(key)
        with self._lock:
            if self._values.get(key) != expected:
                return False
            self._values[key] = bytes(new)
            return True

    def confirm(self, folder: str) -> None:
        check_folder(folder)

    def move(self, key: str, to: str) -> None:
        check_key(to)
        with self._lock:
            if to in self._values and check_key(key) in self._values:
                raise Conflict(f"cannot move {key}: {to} exists")
            self._values[to] = self._values.pop(check_key(key))

    def delete(self, key: str) -> None:
        with self._lock:
            del self._values[check_key(key)]


class _MemoryWriter:
    def __init__(self, storage: MemoryStorage, folder: str) -> None:
        self._storage = storage
        self._prefix = folder + "/" if folder else ""
        self._data: bytearray | None = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._open().extend(data)

    def tell(self) -> int:
        return len(self._open())

    def commit(self, key: str) -> None:
        check_key(key)
        if not key.startswith(self._prefix) or "/" in key[len(self._prefix) :]:
            raise LocalIO(f"cannot write {key}: not in folder {self._prefix or '.'}")
        self._storage.create(key, bytes(self._open()))
        self._data = None

    def abort(self) -> None:
        self._data = None

    def _open(self) -> bytearray:
        if self._data is None:
            raise LocalIO(f"cannot write in {self._storage.name}: the value is closed")
        return self._data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()
