"""A storage that belongs to somebody else: its trouble is the remote's, not the local disk's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

from mlver.errors import LocalIO, RemoteError
from mlver.storage.base import Storage, Writer

_T = TypeVar("_T")


class Elsewhere:
    """Passes every call on to `inner`; what it raises as LocalIO comes out as RemoteError."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner
        self.name = inner.name

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return _told(lambda: self.inner.read(key, start, length))

    def read_into(self, key: str, start: int, parts: Sequence[memoryview]) -> int:
        return _told(lambda: self.inner.read_into(key, start, parts))

    def size(self, key: str) -> int:
        return _told(lambda: self.inner.size(key))

    def exists(self, key: str) -> bool:
        return _told(lambda: self.inner.exists(key))

    def list(self, prefix: str) -> Iterator[str]:
        return iter(_told(lambda: [*self.inner.list(prefix)]))

    def writer(self, folder: str) -> Writer:
        return _Writer(_told(lambda: self.inner.writer(folder)))

    def create(self, key: str, data: bytes) -> bool:
        return _told(lambda: self.inner.create(key, data))

    def compare_and_swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        return _told(lambda: self.inner.compare_and_swap(key, expected, new))

    def confirm(self, folder: str) -> None:
        _told(lambda: self.inner.confirm(folder))

    def move(self, key: str, to: str) -> None:
        _told(lambda: self.inner.move(key, to))

    def delete(self, key: str) -> None:
        _told(lambda: self.inner.delete(key))


class _Writer:
    def __init__(self, inner: Writer) -> None:
        self._inner = inner

    def write(self, data: bytes | bytearray | memoryview) -> None:
        _told(lambda: self._inner.write(data))

    def tell(self) -> int:
        return self._inner.tell()

    def commit(self, key: str) -> None:
        _told(lambda: self._inner.commit(key))

    def abort(self) -> None:
        self._inner.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


def _told(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except LocalIO as error:
        raise RemoteError(error.message, hint=error.hint) from error
