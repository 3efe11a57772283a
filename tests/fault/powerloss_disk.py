"""A disk that remembers what was asked of it, and what of that a power cut may take back.

`Recorder` stands in for `durable.os_calls`: it passes every call on and notes those that change the disk. `Disk`
plays the notes back and knows what is durable: bytes and length of a file after its fsync, names after the fsync of
their folder, and nothing else. docs/design/powerloss.md has the model and what it leaves out.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlver.storage import durable

FILE, FOLDER, LINK = "file", "folder", "link"


class Node:
    """A file, folder or symbolic link, whatever it is called just now."""

    __slots__ = ("kind", "mode", "names", "text")

    def __init__(self, kind: str, mode: int = 0o600, text: str = "") -> None:
        self.kind, self.mode, self.text = kind, mode, text
        self.names: dict[str, Node] = {}  # of a folder, as a running system sees it


Set = tuple[Node, str, Node | None]  # in this folder, this name leads there; None: nowhere any more


@dataclass(frozen=True)
class Event:
    """One change. `sets` are names, `data` is appended to `node`; `act` is what was running."""

    what: str  # write, mode, fsync, failed, names, given, ack
    node: Node | None = None
    sets: tuple[Set, ...] = ()
    data: bytes = b""
    mode: int = 0
    note: Any = None

    @property
    def changes(self) -> bool:
        """Whether a cut after it leaves other states than a cut before it."""
        return self.what in ("write", "names", "ack")


class Recorder:
    """Passes calls on to `durable.os_calls` and writes down what they change below `root`.

    The `fail_at`-th fsync (from 1) fails with EIO, as of a disk that could not write; `failed` tells whether it
    happened. Folders called `cache` are left to SQLite: `caches` holds what was in them after each event.
    """

    def __init__(self, root: Path, fail_at: int | None = None) -> None:
        self.root, self.top = root, Node(FOLDER)
        self.events: list[Event] = []
        self.caches: list[dict[str, bytes]] = []
        self.fsyncs, self.failed = 0, False
        self._fail_at = fail_at
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
            self.fsyncs += 1
            if self.fsyncs == self._fail_at:
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

    # -- notes ---------------------------------------------------------------------------------

    def ack(self, note: Any) -> None:
        """Note that an operation was acknowledged."""
        self._note(Event("ack", note=note))

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

    def _walk(self, folder: Path, node: Node) -> Iterator[tuple[Path, Node]]:
        yield folder, node
        for name, below in [*node.names.items()]:
            if below.kind == FOLDER:
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


@dataclass
class Change:
    """Names that are not durable yet. A rename sets two at once: the new one, then the old one to nothing."""

    number: int
    sets: list[Set]
    never: bool = False  # an fsync has failed: no later one makes it durable


@dataclass
class Disk:
    """What is durable after some events, and what is not."""

    data: dict[Node, bytearray] = field(default_factory=dict)  # as a running system reads it
    synced: dict[Node, bytes] = field(default_factory=dict)
    modes: dict[Node, int] = field(default_factory=dict)
    names: dict[Node, dict[str, tuple[int, Node | None]]] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)
    dropped: set[Node] = field(default_factory=set)  # files whose bytes the system has given up, and calls clean
    number: int = 0

    @classmethod
    def after(cls, events: list[Event]) -> Disk:
        """Return the disk after all of these."""
        disk = cls()
        for event in events:
            disk.apply(event)
        return disk

    def apply(self, event: Event) -> None:
        """Let one event happen."""
        self.number += 1
        node = event.node
        if event.what == "names":
            self.pending.append(Change(self.number, list(event.sets)))
        elif node is None:
            return
        elif event.what == "write":
            self.data.setdefault(node, bytearray()).extend(event.data)
        elif event.what == "mode":
            self.modes[node] = event.mode
        elif event.what == "given":
            self.data[node], self.synced[node] = bytearray(event.data), event.data
            self._keep(event.sets[0], self.number)
        elif event.what == "fsync" and node.kind == FOLDER:
            self._sync_folder(node)
        elif event.what == "fsync" and node not in self.dropped:
            self.synced[node] = bytes(self.data.get(node, b""))
        elif event.what == "failed" and node.kind == FOLDER:
            for change in self.pending:
                change.never |= any(folder is node for folder, _, _ in change.sets)
        elif event.what == "failed":
            self.dropped.add(node)

    def _sync_folder(self, folder: Node) -> None:
        """Make its names durable. A name that was moved away never goes before it has arrived elsewhere."""
        for change in self.pending:
            if change.never or all(one[0] is not folder for one in change.sets):
                continue
            last = max(at for at, one in enumerate(change.sets) if one[0] is folder)
            for one in change.sets[: last + 1]:
                self._keep(one, change.number)
            del change.sets[: last + 1]
        self.pending = [change for change in self.pending if change.sets]

    def _keep(self, one: Set, number: int) -> None:
        folder, name, node = one
        names = self.names.setdefault(folder, {})
        if names.get(name, (0, None))[0] < number:
            names[name] = number, node

    def unsynced(self) -> list[Node]:
        """Return the files that may still be found, and of which bytes or length are not durable."""
        found = {node for names in self.names.values() for _, node in names.values()}
        found |= {node for change in self.pending for _, _, node in change.sets}
        return [node for node, data in self.data.items() if node in found and self.synced.get(node) != data]
