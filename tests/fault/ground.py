"""A folder that is brought back to how it was after each round; copying it whole would take longer than the round."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from mlver.storage.durable import TEMP_PREFIX

Stamp = tuple[int, int, int, int, int]
_RANDOM = re.compile(re.escape(TEMP_PREFIX) + r"[0-9a-f]+")
_EMPTY = re.compile(r"(^|/)([a-z]+\.)?lock$")  # nothing is ever written to them


class Ground:
    """The folder `place`, made as a copy of `template`."""

    def __init__(self, template: Path, place: Path) -> None:
        self.template, self.place = template, place
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(template, place, symlinks=True)
        self._stamps = dict(_walk(place))

    def changed(self) -> list[str]:
        """The paths that are new, gone or no longer the same file, sorted."""
        now = dict(_walk(self.place))
        return sorted(path for path in now.keys() | self._stamps.keys() if now.get(path) != self._stamps.get(path))

    def digest(self, changed: list[str]) -> str:
        """Return what tells apart two states of the folder, whatever random names are in it.

        Of caches only names and sizes count: what is in them changes with each run.
        """
        hasher = hashlib.blake2b()
        for path in changed:
            if not _EMPTY.search(path):
                hasher.update(f"{_RANDOM.sub('temporary', path)}\0{self._content(path)}\0".encode())
        return hasher.hexdigest()

    def _content(self, path: str) -> str:
        full = self.place / path
        try:
            info = os.lstat(full)
        except FileNotFoundError:
            return "gone"
        if stat.S_ISLNK(info.st_mode):
            return os.readlink(full)
        if stat.S_ISDIR(info.st_mode):
            return "folder"
        if "/cache/" in path:
            return f"{info.st_size} bytes"
        return f"{info.st_mode:o} {hashlib.blake2b(full.read_bytes()).hexdigest()}"

    def keep(self, folder: str) -> None:
        """Let a folder be from now on as it is."""
        shutil.rmtree(self.template / folder)
        shutil.copytree(self.place / folder, self.template / folder, symlinks=True)
        self._stamps = dict(_walk(self.place))

    def reset(self) -> None:
        """Bring everything back."""
        for path in self.changed():  # a folder comes before what is in it
            here, there = self.place / path, self.template / path
            if here.is_dir() and not here.is_symlink():
                if there.is_dir():
                    continue
                shutil.rmtree(here)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                here.unlink()
            if there.is_symlink() or there.is_file():
                here.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(there, here, follow_symlinks=False)
            elif there.is_dir():
                here.mkdir(parents=True, exist_ok=True)
        self._stamps = dict(_walk(self.place))


def _walk(root: Path) -> Iterator[tuple[str, Stamp]]:
    pending = [str(root)]
    start = len(str(root)) + 1
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                info = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    yield entry.path[start:], (info.st_mode, info.st_ino, 0, 0, 0)
                else:
                    times = info.st_mtime_ns, info.st_ctime_ns
                    yield entry.path[start:], (info.st_mode, info.st_ino, info.st_size, *times)
