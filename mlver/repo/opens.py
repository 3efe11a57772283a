"""Hearing from the Linux kernel which files are read: inotify(7), through the C library."""

from __future__ import annotations

import os
import select
import struct
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_MODIFY, _CLOSE_NOWRITE, _MOVED_TO, _CREATE = 0x2, 0x10, 0x80, 0x100
_IS_FOLDER, _ONLY_FOLDERS = 0x40000000, 0x01000000
_MASK = _MODIFY | _CLOSE_NOWRITE | _MOVED_TO | _CREATE | _ONLY_FOLDERS
_HEADER = struct.Struct("iIII")
_BUFFER = 1 << 20


@dataclass
class Opens:
    """Tree paths that were read before anybody wrote them, and those that were written (then perhaps read)."""

    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)


@contextmanager
def watch_opens(root: Path, files: Iterable[str]) -> Iterator[Opens]:
    """Collect, until the block ends, which of `files` (tree paths) are read, and what is written beside them.

    The answer is complete when the block has ended. It stays empty where the system has no inotify, or
    no watches left.
    """
    opens = Opens()
    watch = _Watch.start(root, files, opens)
    try:
        yield opens
    finally:
        if watch is not None:
            watch.stop()


class _Watch:
    """A thread that empties the kernel's queue, so that it never overflows."""

    def __init__(self, queue: int, folders: dict[int, str], wanted: frozenset[str], opens: Opens) -> None:
        self._queue, self._folders, self._wanted, self._opens = queue, folders, wanted, opens
        self._stopped, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="mlver opens", daemon=True)
        self._thread.start()

    @classmethod
    def start(cls, root: Path, files: Iterable[str], opens: Opens) -> _Watch | None:
        """Begin to listen, or return None where that is not possible."""
        if not sys.platform.startswith("linux"):
            return None
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        queue = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if queue < 0:
            return None
        wanted, folders = frozenset(files), dict[int, str]()
        for folder in sorted({path.rpartition("/")[0] for path in wanted}):
            number = libc.inotify_add_watch(queue, os.fsencode(root / folder), _MASK)
            if number < 0:  # out of watches, or the folder is gone: half a witness would mislead
                os.close(queue)
                return None
            folders[number] = folder
        return cls(queue, folders, wanted, opens)

    def _listen(self) -> None:
        poll = select.poll()
        for file in (self._queue, self._stopped):
            poll.register(file, select.POLLIN)
        while True:
            ready = [file for file, _ in poll.poll()]
            if self._queue in ready:
                self._take(os.read(self._queue, _BUFFER))
            else:
                return

    def _take(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            watch, mask, _, length = _HEADER.unpack_from(data, at)
            at += _HEADER.size + length
            name = os.fsdecode(data[at - length : at].rstrip(b"\0"))
            folder = self._folders.get(watch)
            if folder is None or mask & _IS_FOLDER:
                continue
            path = f"{folder}/{name}" if folder else name
            if not mask & _CLOSE_NOWRITE:
                self._opens.written.add(path)
            elif path in self._wanted and path not in self._opens.written:
                self._opens.read.add(path)

    def stop(self) -> None:
        """Take what is still queued and end."""
        os.close(self._stop)
        self._thread.join()
        os.close(self._stopped)
        os.close(self._queue)
