"""Files below a folder that others may change: no name is ever followed through a link.

What is made or removed is named relative to the handle of its folder, and the way to that folder is
walked without following links: by the kernel itself where there is `openat2`, elsewhere by opening
one name at a time with `O_NOFOLLOW`. So a folder that is swapped for a link while we work cannot lead
a write outside of the root.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from mlver.errors import Refused
from mlver.storage import durable
from mlver.storage.durable import NewFile, close_quietly, local_io, show

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_IN_THE_WAY = (errno.ENOTDIR, errno.ELOOP)
# what is then found out, or done, one name at a time: which part it was, and folders that are to be made
_STEP_BY_STEP = (*_IN_THE_WAY, errno.EXDEV, errno.ENAMETOOLONG, errno.ENOSYS, errno.EAGAIN)


class Beneath:
    """Makes, looks at and removes what lies below `root`; paths are relative, with `/` between parts.

    With `sync` everything is fsynced. LocalIO when the disk refuses, Refused when a link or a file
    stands where a folder must be. `root` itself must exist and may be reached through links.
    """

    def __init__(self, root: Path, *, sync: bool = False) -> None:
        self.root = root
        self._sync = sync
        self._open: list[tuple[str, int]] = []  # the folders down to the one used last, with their handles
        self._kernel = True  # until it says that it cannot
        self._last: tuple[list[str], int] | None = None  # the folder it opened last
        self._begun = "", root  # the folder of the file begun last
        try:
            self._root = durable.os_calls.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise local_io(error, root, "open folder") from error

    def close(self) -> None:
        """Release the handles."""
        self._leave(0)
        self._let_go()
        close_quietly(self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def look(self, path: str) -> tuple[str, os.stat_result] | None:
        """Return what stands at `path`, or at the first part of it that is no folder, with its own path."""
        return self._look(path)[0]

    def standing(self, paths: Iterable[str]) -> Iterator[tuple[str, str, os.stat_result]]:
        """Yield those of `paths` for which `look` finds something, with that.

        A folder that is not there is asked for once, not for each path that follows in it.
        """
        gone = None
        for path in paths:
            folder = path.rpartition("/")[0]
            if folder and folder == gone:
                _parts(path)
                continue
            seen, there = self._look(path)
            gone = None if there else folder
            if seen:
                yield path, *seen

    def _look(self, path: str) -> tuple[tuple[str, os.stat_result] | None, bool]:
        """Return what `look` does, and whether there is a folder that `path` would stand in."""
        *folders, name = _parts(path)
        there = False
        try:
            at = self._folder(folders, make=False)
            there = True
            return (path, durable.os_calls.lstat(name, dir_fd=at)), there
        except FileNotFoundError:
            return None, there
        except _Blocked as blocked:
            return (blocked.path, blocked.found), True
        except OSError as error:
            raise local_io(error, self.root / path, "read") from error

    def files(self, path: str) -> list[str]:
        """Return the paths of everything below the folder `path` that is no folder."""
        found, pending = [], [path]
        while pending:
            folder = pending.pop()
            for name in self.names(folder):
                below = f"{folder}/{name}"
                seen = self.look(below)
                if seen and stat.S_ISDIR(seen[1].st_mode):
                    pending.append(below)
                elif seen:
                    found.append(below)
        return sorted(found)

    def names(self, path: str) -> list[str]:
        """Return the names in the folder `path` (empty: the root), sorted."""
        try:
            return sorted(os.listdir(self._folder(_parts(path) if path else [], make=False)))
        except (FileNotFoundError, _Blocked):
            return []
        except OSError as error:
            raise local_io(error, self.root / path, "list") from error

    def free(self) -> int:
        """Return how many bytes there is room for, as the file system says."""
        try:
            found = os.fstatvfs(self._root)
        except OSError as error:
            raise local_io(error, self.root, "read") from error
        return found.f_bavail * found.f_frsize

    def new_file(self, path: str) -> tuple[NewFile, Path]:
        """Begin the file `path`, its parents made; return it with the path to commit it under."""
        folder, _, name = path.rpartition("/")
        if folder != self._begun[0]:
            self._begun = folder, self.root / folder
        at = self._parent(path)
        return NewFile(self._begun[1], sync=self._sync, at=at), self._begun[1] / name

    def make_room(self, path: str) -> None:
        """Make the folders that a file at `path` would stand in. Raises LocalIO."""
        self._parent(path)

    def link(self, path: str, text: str) -> None:
        """Make `path` a symbolic link to `text`, in place of whatever file or link is there."""
        at, name = self._parent(path), path.rpartition("/")[2]
        temp = durable.TEMP_PREFIX + os.urandom(8).hex()
        try:
            durable.os_calls.symlink(text, temp, dir_fd=at)
            durable.os_calls.rename(temp, name, src_dir_fd=at, dst_dir_fd=at)
            if self._sync:
                durable.os_calls.fsync(at)
        except OSError as error:
            with contextlib.suppress(OSError):
                durable.os_calls.unlink(temp, dir_fd=at)
            raise local_io(error, self.root / path, "link") from error

    def remove(self, path: str) -> bool:
        """Remove a file or link; False when it is not there."""
        *folders, name = _parts(path)
        try:
            at = self._folder(folders, make=False)
            durable.os_calls.unlink(name, dir_fd=at)
            if self._sync:
                durable.os_calls.fsync(at)
        except (FileNotFoundError, _Blocked):
            return False
        except OSError as error:
            raise local_io(error, self.root / path, "remove") from error
        return True

    def remove_empty(self, path: str) -> bool:
        """Remove a folder if nothing is in it; whether it is gone."""
        *folders, name = _parts(path)
        try:
            at = self._folder(folders, make=False)
            durable.os_calls.rmdir(name, dir_fd=at)
        except FileNotFoundError:
            return True
        except (_Blocked, OSError):  # not empty, or not ours to remove: it stays
            return False
        return True

    def _parent(self, path: str) -> int:
        *folders, _ = _parts(path)
        try:
            return self._folder(folders, make=True)
        except _Blocked as blocked:
            what = "a symbolic link" if stat.S_ISLNK(blocked.found.st_mode) else "not a folder"
            raise Refused(
                f"cannot write {show(path)}: {show(blocked.path)} is {what}",
                hint="move it away; nothing is written through links",
            ) from None
        except OSError as error:
            raise local_io(error, self.root / path, "write") from error

    def _folder(self, parts: list[str], *, make: bool) -> int:
        """Return the handle of a folder. FileNotFoundError, _Blocked, other OSErrors."""
        if not parts:
            return self._root
        if self._last and self._last[0] == parts:
            return self._last[1]
        if self._kernel:
            try:
                return self._by_kernel(parts)
            except OSError as error:
                if error.errno not in _STEP_BY_STEP and not (make and error.errno == errno.ENOENT):
                    raise
                self._kernel = error.errno != errno.ENOSYS
        return self._walk(parts, make)

    def _by_kernel(self, parts: list[str]) -> int:
        fd = durable.os_calls.open_beneath("/".join(parts), _FOLDER, dir_fd=self._root)
        self._let_go()
        self._last = parts, fd
        return fd

    def _let_go(self) -> None:
        if self._last:
            close_quietly(self._last[1])
            self._last = None

    def _walk(self, parts: list[str], make: bool) -> int:
        """Go down one name at a time, and make folders where `make` says so."""
        common = 0
        while common < min(len(parts), len(self._open)) and self._open[common][0] == parts[common]:
            common += 1
        self._leave(common)
        for depth in range(common, len(parts)):
            above = self._open[-1][1] if self._open else self._root
            self._open.append((parts[depth], self._enter(above, parts, depth, make)))
        return self._open[-1][1]

    def _enter(self, above: int, parts: list[str], depth: int, make: bool) -> int:
        name = parts[depth]
        try:
            return durable.os_calls.open(name, _FOLDER, dir_fd=above)
        except FileNotFoundError:
            if not make:
                raise
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            raise _Blocked("/".join(parts[: depth + 1]), durable.os_calls.lstat(name, dir_fd=above)) from None
        with contextlib.suppress(FileExistsError):  # made by somebody else just now: opened like any other
            durable.os_calls.mkdir(name, dir_fd=above)
        if self._sync:
            durable.os_calls.fsync(above)
        return self._enter(above, parts, depth, make=False)

    def _leave(self, depth: int) -> None:
        while len(self._open) > depth:
            close_quietly(self._open.pop()[1])


class _Blocked(Exception):
    """A part of the path is there and is no folder."""

    def __init__(self, path: str, found: os.stat_result) -> None:
        super().__init__(path)
        self.path = path
        self.found = found


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise Refused(f"not a path below a folder: {path!r}")
    return parts
