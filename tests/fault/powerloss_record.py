"""Writes down every call of mlver that changes the disk: stands in for `durable.os_calls` and passes them on."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mlver.storage import durable
from tests.fault.powerloss_disk import FILE, FOLDER, LINK, Disk, Event, Node, Set

CHANGING = ("fsync", "mkdir", "symlink", "link", "rename", "unlink", "rmdir")  # before or after them, names differ


class Recorder:
    """Passes calls on to `durable.os_calls` and writes down what they change below `root`.

    After `fail_fsync(n)` the n-th fsync from then on (from 1) fails with EIO, as of a disk that could not write;
    `failed` tells whether it happened. Folders called `cache` are left to SQLite: `caches` holds what was in them
    after each event.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.top = root, Node(FOLDER)
        self.events: list[Event] = []
        self.caches: list[dict[str, bytes]] = []
        self.failed = False
        self._fail_in = 0
        self._real = durable.os_calls
        self._fds: dict[int, Node] = {}
        self._lock = threading.RLock()
        self._seen: dict[str, tuple[tuple[int, int], bytes]] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return getattr(self._real, name)  # type: ignore[no-any-return]

    # -- the calls -----------------------------------------------------------------------------

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        with self._lock:
            fd = self._real.open(path, flags, mode, dir_fd=dir_fd)
            place = self._place(path, dir_fd)
            if place is None:
                self._fds.pop(fd, None)
                return fd
            folder, name = place
            node = folder.names.get(name) if name else folder
            if node is None and flags & os.O_CREAT:
                node = Node(FILE, stat.S_IMODE(os.fstat(fd).st_mode))
                self._names((folder, name, node))
            if node is not None:
                self._fds[fd] = node
            return fd

    def open_beneath(self, path: str, flags: int, *, dir_fd: int) -> int:
        with self._lock:
            fd = self._real.open_beneath(path, flags, dir_fd=dir_fd)
            if (node := self._find(path, dir_fd)) is not None:
                self._fds[fd] = node
            return fd

    def close(self, fd: int) -> None:
        with self._lock:
            self._fds.pop(fd, None)
            self._real.close(fd)

    def write(self, fd: int, data: Any) -> int:
        with self._lock:
            done = self._real.write(fd, data)
            if (node := self._fds.get(fd)) is not None:
                self._note(Event("write", node, data=bytes(data[:done])))
            return done

    def fchmod(self, fd: int, mode: int) -> None:
        with self._lock:
            self._real.fchmod(fd, mode)
            if (node := self._fds.get(fd)) is not None:
                self._note(Event("mode", node, mode=mode))

    def fsync(self, fd: int) -> None:
        with self._lock:
            node = self._fds.get(fd)
            self._fail_in -= 1
            if self._fail_in == 0:
                self.failed = True
                if node is not None:
                    self._note(Event("failed", node))
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            if node is not None:  # the disk is a pretence: waiting for the real one would only cost time
                self._note(Event("fsync", node))

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        with self._lock:
            self._real.mkdir(path, mode, dir_fd=dir_fd)
            if place := self._place(path, dir_fd):
                self._names((*place, Node(FOLDER)))

    def symlink(self, text: Any, path: Any, *, dir_fd: int | None = None) -> None:
        with self._lock:
            self._real.symlink(text, path, dir_fd=dir_fd)
            if place := self._place(path, dir_fd):
                self._names((*place, Node(LINK, text=os.fspath(text))))

    def link(self, path: Any, to: Any, *, src_dir_fd: Any = None, dst_dir_fd: Any = None, **words: Any) -> None:
        with self._lock:
            self._real.link(path, to, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, **words)
            if (place := self._place(to, dst_dir_fd)) and (node := self._find(path, src_dir_fd)):
                self._names((*place, node))

    def rename(self, path: Any, to: Any, *, src_dir_fd: Any = None, dst_dir_fd: Any = None) -> None:
        with self._lock:
            self._real.rename(path, to, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            old, new = self._place(path, src_dir_fd), self._place(to, dst_dir_fd)
            node = self._find(path, src_dir_fd)
            if old and new and node:
                self._names((*new, node), (*old, None))

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        with self._lock:
            self._real.unlink(path, dir_fd=dir_fd)
            if (place := self._place(path, dir_fd)) and place[1] in place[0].names:
                self._names((*place, None))

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        with self._lock:
            self._real.rmdir(path, dir_fd=dir_fd)
            if place := self._place(path, dir_fd):
                self._names((*place, None))

    def fail_fsync(self, number: int) -> None:
        """Let the fsync of that number from now on fail."""
        self._fail_in, self.failed = number, False

    # -- notes ---------------------------------------------------------------------------------

    def ack(self, note: Any) -> None:
        """Note that an operation was acknowledged."""
        self._note(Event("ack", note=note))

    def write_back(self, folder: str) -> None:
        """Note that the system has written all of a work tree to disk by itself, as it does after half a minute."""
        for _, node in self._walk(self.root, self.top.names[folder], without=".mlver"):
            for below in (node, *node.names.values()):
                if below.kind == FILE or below is node:
                    self._note(Event("fsync", below))

    def check(self) -> None:
        """Assert that the disk holds what was recorded: no change went past this recorder."""
        for folder, node in self._walk(self.root, self.top):
            found = {name for name in os.listdir(folder) if not _is_cache(folder / name)}
            assert found == node.names.keys(), f"{folder}: {found ^ node.names.keys()} went past the recorder"
        disk = Disk.after(self.events)
        for folder, node in self._walk(self.root, self.top):
            for name, below in node.names.items():
                same = below.kind != FILE or (folder / name).read_bytes() == bytes(disk.data.get(below, b""))
                assert same, f"the bytes of {folder / name} went past the recorder"

    def adopt(self) -> None:
        """Take files that others wrote below `root` for durable, but for those of mlver's folders: their fsync is ours.

        A file whose bytes are not those that were recorded was changed by others, too.
        """
        contents = {node: bytes(data) for node, data in Disk.after(self.events).data.items()}
        for folder, node in self._walk(self.root, self.top):
            for entry in os.scandir(folder):
                known = node.names.get(entry.name)
                if entry.is_symlink() or _is_cache(Path(entry.path)):
                    continue
                if entry.is_dir():
                    if known is None:
                        self._given(node, entry.name, Node(FOLDER), b"")
                    continue
                data = Path(entry.path).read_bytes()
                if known is None or contents.get(known, b"") != data:
                    self._given(node, entry.name, Node(FILE, stat.S_IMODE(entry.stat().st_mode)), data)

    def _walk(self, folder: Path, node: Node, *, without: str = "") -> Iterator[tuple[Path, Node]]:
        yield folder, node
        for name, below in [*node.names.items()]:
            if below.kind == FOLDER and name != without:
                yield from self._walk(folder / name, below)

    def _given(self, folder: Node, name: str, node: Node, data: bytes) -> None:
        folder.names[name] = node
        self._note(Event("given", node, ((folder, name, node),), data))

    def _names(self, *sets: Set) -> None:
        for folder, name, node in sets:
            if node is None:
                folder.names.pop(name, None)
            else:
                folder.names[name] = node
        self._note(Event("names", sets=sets))

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self.caches.append(self._cached())

    def _cached(self) -> dict[str, bytes]:
        """Return the files SQLite has now, by path; each is read again only when it has changed."""
        found: dict[str, bytes] = {}
        for folder in (self.root / "repo/.mlver/cache", self.root / "hub/cache"):
            if folder.is_dir():
                for entry in os.scandir(folder):
                    info = entry.stat()
                    state = (info.st_mtime_ns, info.st_size)
                    if self._seen.get(entry.path, (None,))[0] != state:
                        self._seen[entry.path] = state, Path(entry.path).read_bytes()
                    found[os.path.relpath(entry.path, self.root)] = self._seen[entry.path][1]
        return found

    # -- names ---------------------------------------------------------------------------------

    def _place(self, path: Any, dir_fd: int | None) -> tuple[Node, str] | None:
        """Return folder and name of a path, the folder and no name for `root`; None outside, and for caches."""
        text, node = os.fspath(path), self.top
        if dir_fd is not None and not os.path.isabs(text):
            if dir_fd not in self._fds:
                return None
            node = self._fds[dir_fd]
        elif text == str(self.root):
            return node, ""
        elif text.startswith(f"{self.root}/"):
            text = text[len(str(self.root)) + 1 :]
        else:
            return None
        *folders, name = text.split("/")
        for part in folders:
            below = node.names.get(part)
            if below is None:
                return None
            node = below
        return node, name

    def _find(self, path: Any, dir_fd: int | None) -> Node | None:
        place = self._place(path, dir_fd)
        return place[0].names.get(place[1]) if place else None


def _is_cache(path: Path) -> bool:
    return path.parent.name == "cache" and path.parent.parent.name in (".mlver", "hub")
