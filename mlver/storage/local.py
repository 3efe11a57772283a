"""Storage on a local disk: a key is a path under a root folder."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from mlver.errors import Conflict, LocalIO
from mlver.storage import durable
from mlver.storage.base import Writer
from mlver.storage.durable import Bytes, NewFile, local_io
from mlver.storage.keys import check_folder, check_key, is_key
from mlver.storage.swap import carry_off, put_down, swap_file, turn

LOCK = "lock"
IMMUTABLE = 0o444
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_T = TypeVar("_T")
_AT_ONCE = 1000  # parts; the system takes 1,024
_Entries = list[tuple[str, bool, bool]]  # key, whether it is a folder, whether it is a regular file
_FOLDER = "a folder"
LINK = "a link"
_THINGS = {stat.S_IFDIR: _FOLDER, stat.S_IFLNK: LINK, stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
_OF_A_STRANGER = (errno.ELOOP, errno.ENXIO, errno.ESPIPE)  # what reading a link, a socket, a pipe ends with
_SWEEP_AFTER = 3600.0  # seconds a temporary file is left alone, however dead it looks


def _opened(path: str, act: Callable[[int], _T]) -> _T:
    fd = durable.os_calls.open(path, _READ)
    try:
        return act(fd)
    finally:
        durable.close_quietly(fd)


class _LocalWriter:
    """A value on its way into one folder of a LocalStorage."""

    def __init__(self, storage: LocalStorage, folder: str) -> None:
        self._storage = storage
        self._prefix = folder + "/" if folder else ""
        self._file = NewFile(storage.folder(folder))
        self.write = self._file.write
        self.tell = self._file.tell
        self.abort = self._file.abort

    def commit(self, key: str) -> None:
        self.create(key)

    def create(self, key: str) -> bool:
        """Like `commit`; False when the key exists already."""
        check_key(key)
        if not key.startswith(self._prefix) or "/" in key[len(self._prefix) :]:
            raise LocalIO(f"cannot write {key}: not in folder {self._prefix or '.'}")
        return self._file.commit(self._storage.path(key), mode=IMMUTABLE, replace=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


class LocalStorage:
    """Bytes under keys in the folder `root`, which is created by the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)
        self._base = f"{root}/"
        self._swept: set[str] = set()

    def path(self, key: str) -> Path:
        """Return the file of a key; Refused when it is no key."""
        return self.root / check_key(key)

    def folder(self, prefix: str) -> Path:
        """Return the folder of a prefix, created if missing."""
        path = self.root / check_folder(prefix)
        durable.make_dirs(path)
        return path

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return self._reading(key, lambda fd: durable.read_range(fd, start, length))

    def read_into(self, key: str, start: int, parts: Sequence[memoryview]) -> int:
        return self._reading(key, lambda fd: _fill(fd, start, parts))

    def _reading(self, key: str, act: Callable[[int], _T]) -> _T:
        path = self._base + check_key(key)
        try:
            return _opened(path, act)
        except _ABSENT:
            raise KeyError(key) from None
        except OSError as error:
            if self.stranger(key):
                raise KeyError(key) from None
            if error.errno not in _OF_A_STRANGER:
                raise local_io(error, path, "read") from error
        try:  # it was replaced meanwhile
            return _opened(path, act)
        except _ABSENT:
            raise KeyError(key) from None
        except OSError as error:
            raise local_io(error, path, "read") from error

    def size(self, key: str) -> int:
        path = self._base + check_key(key)
        try:
            found = durable.os_calls.lstat(path)
        except _ABSENT:
            raise KeyError(key) from None
        except OSError as error:
            raise local_io(error, path, "read") from error
        if not stat.S_ISREG(found.st_mode):
            raise KeyError(key)
        return found.st_size

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except KeyError:
            return False
        return True

    def age(self, key: str) -> float:
        """Return how many seconds ago the value was written, by the clock of the disk; KeyError when absent."""
        try:
            return time.time() - durable.os_calls.lstat(self.path(key)).st_mtime
        except _ABSENT:
            raise KeyError(key) from None
        except OSError as error:
            raise local_io(error, self.path(key), "read") from error

    def list(self, prefix: str) -> Iterator[str]:
        folder = check_folder(prefix)
        for key, is_folder, is_file in self._entries(folder):
            if is_folder and is_key(key):
                yield from self.list(key)
            elif is_file and is_key(key) and key != LOCK:
                yield key

    def strangers(self, prefix: str) -> Iterator[str]:
        """Yield the paths under the folder `prefix` that hold no value and are no temporary files."""
        for key, is_folder, is_file in self._entries(check_folder(prefix)):
            if is_folder and is_key(key):
                yield from self.strangers(key)
            elif not (is_file and is_key(key)) and not key.rpartition("/")[2].startswith(durable.TEMP_PREFIX):
                yield key

    def stranger(self, key: str) -> str | None:
        """Return what stands in the place of a value and is none: `a folder`, `a link`, `a named pipe`; else None."""
        try:
            mode = durable.os_calls.lstat(self._base + check_key(key)).st_mode
        except OSError:  # then it is not known that there is one
            return None
        return None if stat.S_ISREG(mode) else _THINGS.get(stat.S_IFMT(mode), "a special file")

    def set_aside(self, key: str, folder: str) -> bool:
        """Move what stands in the place of a value, and is none, into a folder under a name of its own, durably.

        False, and nothing moved, when there is none (any more). LocalIO.
        """
        path, to = self.path(key), self.folder(folder)
        with turn(self.root / LOCK):
            found = carry_off(path, lambda: self.stranger(key) is not None, swapped=True)
        if found is None:
            return False
        put_down(found, to / f"{key.replace('/', '-')}-{os.urandom(4).hex()}")
        return True

    def writer(self, folder: str) -> Writer:
        if folder not in self._swept:
            self._swept.add(folder)
            self.sweep(folder)
        return _LocalWriter(self, check_folder(folder))

    def create(self, key: str, data: Bytes) -> bool:
        with _LocalWriter(self, check_key(key).rpartition("/")[0]) as writer:
            writer.write(data)
            return writer.create(key)

    def compare_and_swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        path = self.path(key)
        self.folder(key.rpartition("/")[0])

        def read() -> bytes | None:
            try:
                return self.read(key)
            except KeyError:
                return None

        if expected is None and (found := self.stranger(key)) == _FOLDER:  # anything else is replaced
            raise LocalIO(f"cannot write {durable.show(path)}: {found} stands here", hint="mlver repair")
        return swap_file(path, expected, new, read, self.root / LOCK)

    def confirm(self, folder: str) -> None:
        durable.fsync_dir(self.root / check_folder(folder))

    def move(self, key: str, to: str) -> None:
        if not self.exists(key):
            raise KeyError(key)
        self.folder(check_key(to).rpartition("/")[0])
        with turn(self.root / LOCK):
            if self.exists(to):
                raise Conflict(f"cannot move {key}: {to} exists")
            try:
                durable.move(self.path(key), self.path(to))
            except FileNotFoundError:
                raise KeyError(key) from None

    def delete(self, key: str) -> None:
        if not self.exists(key):
            raise KeyError(key)
        try:
            durable.remove(self.path(key))
        except FileNotFoundError:
            raise KeyError(key) from None

    def sweep(self, folder: str, older_than: float = _SWEEP_AFTER) -> int:
        """Remove the temporary files a crash left in one folder; returns how many.

        Only files that no process holds locked and that are older than `older_than` seconds.
        """
        path = self.root / check_folder(folder)
        try:
            with durable.os_calls.scandir(path) as entries:
                names = [entry.name for entry in entries if entry.name.startswith(durable.TEMP_PREFIX)]
        except _ABSENT:
            return 0
        except OSError as error:
            raise local_io(error, path, "list") from error
        return sum(durable.sweep(path / name, older_than) for name in names)

    def _entries(self, folder: str) -> _Entries:
        path = self.root / folder
        start = folder + "/" if folder else ""
        try:
            with durable.os_calls.scandir(path) as entries:
                found = [
                    (start + entry.name, entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False))
                    for entry in entries
                ]
        except _ABSENT:
            return []
        except OSError as error:
            raise local_io(error, path, "list") from error
        # a folder sorts as its keys do, with the slash
        return sorted(found, key=lambda item: item[0] + "/" if item[1] else item[0])


def _fill(fd: int, start: int, parts: Sequence[memoryview]) -> int:
    """Read into `parts` until they are full or the file ends; return how many bytes. Raises OSError."""
    done = first = 0
    head = parts[0] if parts else None  # what of the first part is still to be filled
    while head is not None:
        got = count = durable.os_calls.preadv(fd, [head, *parts[first + 1 : first + _AT_ONCE]], start + done)
        if not got:
            break
        done += got
        while head is not None and count >= len(head):
            count -= len(head)
            first += 1
            head = parts[first] if first < len(parts) else None
        if head is not None:
            head = head[count:]
    return done
