"""Builds of mlver that are wrong on purpose: each rig must find the defect it is there for.

Nothing of mlver is changed for them. The first two and the last stand between mlver and the recorder of calls; the
others replace a function while the block lasts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mlver.storage import durable
from mlver.storage.durable import NewFile
from mlver.storage.local import LocalStorage, _LocalWriter
from mlver.store.session import StoreSession


class _Over:
    """Passes calls on to another stand-in."""

    def __init__(self, calls: Any) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._calls, name)


class NoFileSync(_Over):
    """Never waits for the bytes of a file."""

    def fsync(self, fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            self._calls.fsync(fd)


class NoFolderSync(_Over):
    """Never waits for the names in a folder."""

    def fsync(self, fd: int) -> None:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            self._calls.fsync(fd)


class SyncTwice(_Over):
    """Tries an fsync that failed once more, on the same file."""

    def fsync(self, fd: int) -> None:
        try:
            self._calls.fsync(fd)
        except OSError:
            self._calls.fsync(fd)


@contextmanager
def left_behind() -> Iterator[None]:
    """What cannot be written to its end stays where it is."""

    def abort(self: NewFile) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            durable.close_quietly(fd)

    with patch.object(NewFile, "abort", abort):
        yield


@contextmanager
def head_before_pack() -> Iterator[None]:
    """Swap the head first, and make the pack that it needs durable afterwards."""
    waiting: list[tuple[NewFile, LocalStorage, str]] = []
    swap = LocalStorage.compare_and_swap

    def commit(writer: _LocalWriter, key: str) -> None:
        file, storage = writer._file, writer._storage
        writer._file = writer.abort = None  # type: ignore[assignment]
        writer.abort = lambda: None  # type: ignore[method-assign]
        waiting.append((file, storage, key))

    def late(storage: LocalStorage, key: str, expected: bytes | None, new: bytes) -> bool:
        done = swap(storage, key, expected, new)
        while waiting:
            file, where, pack = waiting.pop()
            file.commit(where.path(pack), mode=0o444, replace=False)
        return done

    with patch.object(_LocalWriter, "commit", commit), patch.object(LocalStorage, "compare_and_swap", late):
        yield


@contextmanager
def index_before_pack(*, believed: bool = True) -> Iterator[None]:
    """Tell the index of a pack before it is durable; if it is `believed`, nobody looks whether the pack is there."""

    def close_pack(self: StoreSession) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        name, table = _imagined(writer)
        self.store.index.add_pack(name, table, writer._rows)
        try:
            packed = writer.finish()
        finally:
            writer.abort()
        assert packed.name == name
        self._packs.append(packed.name)
        self.written += packed.size

    def known(self: StoreSession, type: int, id: bytes, *_: Any) -> bool:
        return (type, id) in self._seen or bool(self.store.index.find(type, id))

    with ExitStack() as stack:
        stack.enter_context(patch.object(StoreSession, "_close_pack", close_pack))
        if believed:
            stack.enter_context(patch.object(StoreSession, "known", known))
            stack.enter_context(patch("mlver.index.locations._drop", lambda db, name: None))
        yield


def _imagined(writer: Any) -> tuple[str, int]:
    """Return name and size that the pack is going to have."""
    from mlver.store.pack import FOOTER_BYTES

    name, table = writer.named()
    return name, writer.size + len(table) + FOOTER_BYTES


@contextmanager
def unlinked_first() -> Iterator[None]:
    """Replace a file by removing the old one and then naming the new one: a kill in between leaves none."""
    publish = NewFile._publish

    def wrong(self: NewFile, path: str, replace: bool) -> bool:
        if replace and os.path.lexists(self._folder / Path(path).name):
            from mlver.storage import durable

            durable.os_calls.unlink(self._folder / Path(path).name)
        return publish(self, path, replace)

    with patch.object(NewFile, "_publish", wrong):
        yield


@dataclass(frozen=True)
class Defect:
    """A build that is wrong: what stands over the recorder, and what is replaced meanwhile."""

    layer: Callable[[Any], object] | None = None
    patched: Callable[[], AbstractContextManager[None]] = nullcontext


DEFECTS = {
    "no fsync of files": Defect(NoFileSync),
    "no fsync of folders": Defect(NoFolderSync),
    "head before pack": Defect(None, head_before_pack),
    "index before pack": Defect(None, index_before_pack),
    "fsync tried again on the same file": Defect(SyncTwice),
}
