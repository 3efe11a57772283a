"""Counts every call that Python code makes on files below one folder, and breaks one of them.

Two nets over each other: `durable.os_calls`, by which the store reads and writes, and `os`, `io.open` and the
streams they give, by which all else looks at the work tree, releases and folders. What C code does by itself is not
seen: SQLite (tests/fault/caches.py breaks it) and programs of the user.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mlver.storage import durable
from mlver.testing import Killed

SHORT = "short"  # what is read or written is half of what was asked for
Fault = int | str | type[Killed] | Callable[[], None]

_NAMES = (
    "open", "stat", "lstat", "scandir", "listdir", "readlink", "mkdir", "rmdir", "rename", "replace", "unlink",
    "remove", "link", "symlink", "chmod", "utime", "truncate", "fstat", "read", "pread", "preadv", "write", "fsync",
    "fchmod", "statvfs", "access", "ftruncate",
)  # fmt: skip
TRANSFERS = ("pread", "preadv", "read", "write")
_DYING = ("close",)  # done in any case: a process that dies closes its files


class Calls:
    """The calls made so far: `log` has the name and path of each that counts; `fired` is the one that was broken."""

    def __init__(
        self, below: Path, at: int | None, fail: Fault, only: tuple[str, ...] | None, file: Path | None
    ) -> None:
        self.log: list[tuple[str, str]] = []
        self.fired: tuple[str, str] | None = None
        self._below = str(below)
        self._at, self._fail, self._only, self._file = at, fail, only, str(file) if file else None
        self._real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in _NAMES}
        self._open, self._fdopen = io.open, os.fdopen

    def wrapped(self, name: str, real: Callable[..., Any], *, every: bool = False) -> Callable[..., Any]:
        """Return `real`, counted where it is about a path below the folder, or with `every` always."""

        def call(*args: Any, **more: Any) -> Any:
            path = self._path(args, more)
            if not (every or path.startswith(self._below)):
                return real(*args, **more)
            if name == "scandir":
                return self.count(name, path, lambda: _Listing(self, real(*args, **more)))
            short = (lambda: self._half(name, real, args)) if name in TRANSFERS else None
            return self.count(name, path, lambda: real(*args, **more), short)

        return call

    def count(self, name: str, path: str, call: Callable[[], Any], short: Callable[[], Any] | None = None) -> Any:
        """Make one call, or break it. `short` does half of it, where that is possible."""
        if self.fired and self._fail is Killed:
            return self._die(name, call)
        if (self._only is not None and name not in self._only) or self._file not in (None, path):
            return call()
        self.log.append((name, path))
        if len(self.log) != self._at:
            return call()
        self.fired = (name, path)
        if callable(self._fail) and self._fail is not Killed:
            self._fail()  # of which the log has nothing: what it does is not counted again
            return call()
        if isinstance(self._fail, int):
            name in _DYING and call()  # the system closes a file also where it says that it failed
            raise OSError(self._fail, os.strerror(self._fail), path)
        if self._fail == SHORT:
            assert short is not None, name
            return short()
        return self._die(name, call)

    def _die(self, name: str, call: Callable[[], Any]) -> Any:
        if name in _DYING:
            call()
        raise Killed(f"at call {self._at}: {name}")

    def _half(self, name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if name == "write":
            return real(args[0], memoryview(args[1])[: max(1, len(args[1]) // 2)])
        if name == "preadv":
            whole = sum(map(len, args[1]))
            return real(args[0], _first(args[1], max(1, whole // 2)), *args[2:])
        return real(args[0], max(1, args[1] // 2), *args[2:])

    def _path(self, args: tuple[Any, ...], more: dict[str, Any]) -> str:
        first = args[0] if args else more.get("path", ".")
        if isinstance(first, int):
            return self._of(first)
        path = os.fsdecode(first)
        folder = more.get("dir_fd") or more.get("src_dir_fd")
        return f"{self._of(folder)}/{path}" if folder is not None and not os.path.isabs(path) else path

    def _of(self, fd: int) -> str:
        try:
            return str(self._real["readlink"](f"/proc/self/fd/{fd}"))
        except OSError:
            return "closed"

    def open(self, file: Any, mode: str = "r", buffering: int = -1, *args: Any, **more: Any) -> Any:
        """Stand in for `io.open`: streams of files below the folder count what they read and write."""
        path = self._of(file) if isinstance(file, int) else os.fsdecode(file)
        if not path.startswith(self._below) or more.get("opener"):
            return self._open(file, mode, buffering, *args, **more)
        plain = mode.replace("t", "").replace("b", "") or "r"
        raw = self.count("open", path, lambda: _Stream(self, path, file, plain))
        if buffering == 0:
            return raw
        writes, reads = set(plain) & set("wax+"), set(plain) & set("r+")
        buffered = (io.BufferedRandom if writes and reads else io.BufferedWriter if writes else io.BufferedReader)(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *args, **more)

    def fdopen(self, fd: int, mode: str = "r", buffering: int = -1, *args: Any, **more: Any) -> Any:
        """Stand in for `os.fdopen`, which makes no call by itself."""
        path = self._of(fd)
        if not path.startswith(self._below) or "b" not in mode or set(mode) & set("wax+"):
            return self._fdopen(fd, mode, buffering, *args, **more)
        raw = _Stream(self, path, fd, "r")
        return raw if buffering == 0 else io.BufferedReader(raw)


def _first(parts: Sequence[memoryview], count: int) -> list[memoryview]:
    """Return the first bytes of what is to be filled."""
    found = []
    for part in parts:
        found.append(part[:count])
        count -= len(found[-1])
    return found


class _Stream(io.FileIO):
    """A file whose reads and writes count."""

    def __init__(self, calls: Calls, path: str, file: Any, mode: str) -> None:
        super().__init__(file, mode)
        self._calls, self._path = calls, path

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return self.readall()
        into = super().read
        return bytes(self._calls.count("read", self._path, lambda: into(size), lambda: into(max(1, size // 2))))

    def readall(self) -> bytes:
        return bytes(self._calls.count("readall", self._path, super().readall))

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        half = view[: max(1, len(view) // 2)]
        into = super().readinto
        return int(self._calls.count("read", self._path, lambda: into(view), lambda: into(half)) or 0)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        half = view[: max(1, len(view) // 2)]
        into = super().write
        return int(self._calls.count("write", self._path, lambda: into(view), lambda: into(half)))


class _Listing:
    """What `scandir` gives; the stat of an entry counts."""

    def __init__(self, calls: Calls, real: Any) -> None:
        self._calls, self._real = calls, real

    def __iter__(self) -> Iterator[Any]:
        return (_Entry(self._calls, entry) for entry in self._real)

    def __enter__(self) -> _Listing:
        return self

    def __exit__(self, *_: object) -> None:
        self._real.close()

    def __next__(self) -> Any:
        return _Entry(self._calls, next(self._real))

    def close(self) -> None:
        self._real.close()


class _Entry:
    def __init__(self, calls: Calls, real: os.DirEntry[str]) -> None:
        self._calls, self._real = calls, real
        self.name, self.path = real.name, real.path
        self.is_dir, self.is_file, self.is_symlink, self.inode = real.is_dir, real.is_file, real.is_symlink, real.inode

    def __fspath__(self) -> str:
        return os.fspath(self._real)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        made = lambda: self._real.stat(follow_symlinks=follow_symlinks)  # noqa: E731
        info: os.stat_result = self._calls.count("stat", str(self.path), made)
        return info


class _OsCalls:
    """What stands in for `durable.os_calls`; its functions are the real ones, so nothing counts twice."""

    def __init__(self, calls: Calls, real: Any) -> None:
        self._calls, self._real = calls, real

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._calls.wrapped(name, getattr(self._real, name), every=True)


@contextmanager
def broken_calls(
    below: Path,
    at: int | None = None,
    fail: Fault = 0,
    only: tuple[str, ...] | None = None,
    file: Path | None = None,
) -> Iterator[Calls]:
    """Break the `at`-th call (from 1; None: none) made within the block, of those named in `only`, on `file`.

    `fail` is an errno to raise; SHORT, to do half of a read or write; Killed: then all later calls fail too; or what
    somebody else does just before the call.
    """
    calls = Calls(below, at, fail, only, file)
    real = durable.os_calls
    durable.os_calls = _OsCalls(calls, real)  # type: ignore[assignment]
    changes: dict[str, Any] = {name: calls.wrapped(name, function) for name, function in calls._real.items()}
    try:
        with (
            patch.multiple(os, fdopen=calls.fdopen, **changes),
            patch("io.open", calls.open),
            patch("builtins.open", calls.open),
        ):
            yield calls
    finally:
        durable.os_calls = real
