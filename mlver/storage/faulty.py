"""A storage that fails when it is told to, around any other. For tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

from mlver.errors import LocalIO
from mlver.storage.base import Storage, Writer

_T = TypeVar("_T")
WRITES = ("write", "commit", "create", "compare_and_swap", "move", "delete")


class FaultyStorage:
    """Passes every call on to `inner`, and fails the `at`-th (from 1) call of the chosen `methods`.

    `methods` are names of Storage and Writer methods (`write` and `commit` are the writer's).
    With `after` the call takes effect and its answer is lost; with `dead` every later call of any
    method fails too, as after a crash. `calls` lists the names of all chosen calls made, and
    `fired` tells whether the fault happened: a test must look, or it may test nothing.
    """

    def __init__(
        self,
        inner: Storage,
        at: int | None = None,
        *,
        methods: Collection[str] = WRITES,
        after: bool = False,
        dead: bool = False,
        error: Callable[[], BaseException] = lambda: LocalIO("injected fault"),
    ) -> None:
        self.inner = inner
        self.name = inner.name
        self.calls: list[str] = []
        self.fired = False
        self._at = at
        self._methods = methods
        self._after = after
        self._dead = dead
        self._error = error

    def _call(self, method: str, action: Callable[[], _T]) -> _T:
        if self.fired and self._dead:
            raise self._error()
        if method not in self._methods:
            return action()
        self.calls.append(method)
        if len(self.calls) != self._at:
            return action()
        self.fired = True
        if self._after:
            action()
        raise self._error()

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return self._call("read", lambda: self.inner.read(key, start, length))

    def read_into(self, key: str, start: int, parts: Sequence[memoryview]) -> int:
        return self._call("read", lambda: self.inner.read_into(key, start, parts))

    def size(self, key: str) -> int:
        return self._call("size", lambda: self.inner.size(key))

    def exists(self, key: str) -> bool:
        return self._call("exists", lambda: self.inner.exists(key))

    def list(self, prefix: str) -> Iterator[str]:
        return self._call("list", lambda: self.inner.list(prefix))

    def writer(self, folder: str) -> Writer:
        return self._call("writer", lambda: _FaultyWriter(self, self.inner.writer(folder)))

    def create(self, key: str, data: bytes) -> bool:
        return self._call("create", lambda: self.inner.create(key, data))

    def compare_and_swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        return self._call("compare_and_swap", lambda: self.inner.compare_and_swap(key, expected, new))

    def confirm(self, folder: str) -> None:
        self._call("confirm", lambda: self.inner.confirm(folder))

    def move(self, key: str, to: str) -> None:
        self._call("move", lambda: self.inner.move(key, to))

    def delete(self, key: str) -> None:
        self._call("delete", lambda: self.inner.delete(key))


class _FaultyWriter:
    def __init__(self, storage: FaultyStorage, inner: Writer) -> None:
        self._storage = storage
        self._inner = inner

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._storage._call("write", lambda: self._inner.write(data))

    def tell(self) -> int:
        return self._inner.tell()

    def commit(self, key: str) -> None:
        self._storage._call("commit", lambda: self._inner.commit(key))

    def abort(self) -> None:
        self._inner.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()
