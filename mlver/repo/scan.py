"""Looking at the work tree: which files each folder has, and which of them must be read to know what they hold.

A folder is compared as a whole: the names in it and the packed stat data of its files with what the cache has. Only
where a byte differs are names judged and files told apart, so a tree in which nothing changed costs no object per file.
"""

from __future__ import annotations

import os
import stat as statmod
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter, methodcaller
from pathlib import Path
from typing import Final, NamedTuple

from mlver.errors import LocalIO, Refused
from mlver.index.stats import STAT_BYTES, UNPROVEN, FolderRow, Stat, id_at, pack, unpack
from mlver.objects.ids import ID_BYTES, BlobId
from mlver.objects.tree import BLOB, EXECUTABLE, LINK
from mlver.repo.ignore import Ignore
from mlver.repo.names import MAX_DEPTH, check_name
from mlver.storage.looking import exists, listed

_PASSED, _PASSED_FOLDER, _FILE, _FOLDER = range(4)  # marks; those of folders are odd
_FOLDERS: Final = bytes(n & 1 for n in range(256))
_ENVIRONMENT = "pyvenv.cfg"
_SPECIAL = {
    statmod.S_IFIFO: "a pipe (FIFO)",
    statmod.S_IFSOCK: "a socket",
    statmod.S_IFCHR: "a device",
    statmod.S_IFBLK: "a device",
}
_name = attrgetter("name")
_is_folder = methodcaller("is_dir", follow_symlinks=False)
_stat = methodcaller("stat", follow_symlinks=False)
_fields = attrgetter("st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")
Entries = list[os.DirEntry[str]]
Load = Callable[[str], FolderRow | None]


@dataclass(frozen=True, slots=True)
class FileStat:
    """Stat data of one file; times in ns."""

    type: str
    size: int
    mtime: int
    ctime: int
    ino: int


class Found(NamedTuple):
    """What a file holds, and what proves that from now on. `kind` is what its bytes mean, if that was found out."""

    blob: BlobId
    stat: Stat | None
    kind: str = ""


Identified = Found | tuple[BlobId, Stat | None]


@dataclass(slots=True, eq=False)
class Folder:
    """One folder as it was found: its files in the order in which it lists them.

    `lacking` are those of which nobody knows yet what they hold, `unsure` those that are to be read again next time.
    `found` has kinds that were found out while reading. `tree`, `stored` and `kinds` are as in `FolderRow`, empty where
    they are not known. `before` is the row that the cache has. Without `rules` it is judged anew each time.
    """

    path: str
    rules: bytes
    listing: str
    marks: bytes
    stats: bytes | bytearray
    ids: bytes | bytearray
    before: FolderRow | None
    lacking: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    tree: bytes = b""
    stored: bytes = b""
    kinds: str = ""
    touched: bool = False
    found: dict[int, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of its files."""
        return self._marked(_FILE)

    @property
    def below(self) -> list[str]:
        """The names of the folders in it that count."""
        return self._marked(_FOLDER)

    def _marked(self, mark: int) -> list[str]:
        if mark not in self.marks:
            return []
        return [name for name, one in zip(self.listing.split("/"), self.marks, strict=False) if one == mark]

    @property
    def count(self) -> int:
        """How many files it has."""
        return len(self.stats) // STAT_BYTES

    @property
    def size(self) -> int:
        """How many bytes these have."""
        return sum(array("q", self.stats)[1::5])

    def files(self) -> Iterator[tuple[str, FileStat, BlobId]]:
        """Yield name, stat data and id of each file; the id means nothing where it is lacking."""
        for index, (name, fields) in enumerate(zip(self.names, unpack(self.stats), strict=True)):
            yield name, _file_stat(fields), id_at(self.ids, index)

    def identified(self) -> dict[str, tuple[FileStat, BlobId]]:
        """Return stat data and ids of the files that need not be read, by name."""
        return {name: (info, id) for n, (name, info, id) in enumerate(self.files()) if n not in self.lacking}

    def known(self) -> set[BlobId]:
        """Return the ids of the files that need not be read."""
        return {id_at(self.ids, index) for index in range(self.count) if index not in self.lacking}

    def doubt(self, lost: set[bytes]) -> None:
        """Let files be read of which the store has to have the bytes, and has not."""
        self.lacking |= {index for index in range(self.count) if id_at(self.ids, index) in lost}

    def learn(self, *, tree: bytes, kinds: str) -> None:
        """Take in that its files make `tree`, together with the folders below, and are of these kinds."""
        if (self.tree, self.kinds) != (tree, kinds):
            self.tree, self.kinds, self.touched = tree, kinds, True

    def put(self, index: int, blob: BlobId, stat: Stat | None, kind: str = "") -> None:
        """Take in what was read of one file. Without stat data it is to be read again next time."""
        if kind:
            self.found[index] = kind
        if not self.touched:
            self.stats, self.ids, self.touched = bytearray(self.stats), bytearray(self.ids), True
        self.tree, self.stored, self.kinds = b"", b"", ""
        at = index * STAT_BYTES
        mode = next(unpack(self.stats[at : at + STAT_BYTES]))[0]
        if stat is not None:
            self.stats[at : at + STAT_BYTES] = pack([(mode, stat.size, stat.mtime, stat.ctime, stat.ino)])  # type: ignore[index]
        if stat is None or not stat.settled():
            self.unsure.add(index)
        self.ids[index * ID_BYTES : (index + 1) * ID_BYTES] = blob  # type: ignore[index]
        self.lacking.discard(index)

    def row(self) -> FolderRow:
        """Return what the cache is to know."""
        stats = bytearray(self.stats)
        for index in self.unsure | self.lacking:
            stats[index * STAT_BYTES : (index + 1) * STAT_BYTES] = UNPROVEN
        known = (self.tree, self.stored, self.kinds)
        return FolderRow(self.rules, self.listing, self.marks, bytes(stats), *known, bytes(self.ids))


Unread = tuple[str, Folder, int, FileStat]


class Scan:
    """Folders of the work tree by path (empty, or ending in a slash), and the names a commit would refuse.

    They are all there are, or those below `tops`.
    """

    def __init__(self, tops: Sequence[str] = ("",)) -> None:
        self.tops = tuple(tops)
        self.folders: dict[str, Folder] = {}
        self.odd: list[tuple[str, str]] = []

    @property
    def count(self) -> int:
        """How many files there are."""
        return sum(folder.count for folder in self.folders.values())

    @property
    def size(self) -> int:
        """How many bytes these have."""
        return sum(folder.size for folder in self.folders.values())

    @property
    def files(self) -> dict[str, FileStat]:
        """The stat data of all files, by path, sorted."""
        return {path: info for path, info, _ in self._all()}

    @property
    def ids(self) -> dict[str, BlobId]:
        """The ids of all files, by path, sorted, once they are identified."""
        return {path: id for path, _, id in self._all()}

    def _all(self) -> list[tuple[str, FileStat, BlobId]]:
        return sorted(
            ((folder.path + name, info, id) for folder in self.folders.values() for name, info, id in folder.files()),
            key=lambda one: one[0],
        )

    def unread(self) -> Iterator[Unread]:
        """Yield the files that must be read, each with its folder and its place in it, folder by folder, by name."""
        for path in sorted(path for path, folder in self.folders.items() if folder.lacking):
            folder = self.folders[path]
            names, fields = folder.names, list(unpack(folder.stats))
            for index in sorted(folder.lacking, key=names.__getitem__):
                yield path + names[index], folder, index, _file_stat(fields[index])


def scan(
    root: Path,
    ignore: Ignore,
    *,
    symlinks: str = "refuse",
    load: Load = lambda _: None,
    tops: Sequence[str] = ("",),
    deep: bool = True,
    known: Sequence[str] = (),
) -> Scan:
    """Walk the work tree, or only the folders `tops` (not below them unless `deep`), without following links in it.

    `symlinks` is `refuse`, `store` (their text) or `skip`. `load` gives what is known of a folder. The folders `known`,
    of which it knows something, are looked at by two processes, where there can be two.
    """
    found = Scan(tops if deep else ())  # else of nothing below can be said that it is gone
    top = os.path.join(root, "")
    judge = _Judge(top, ignore, symlinks, found.odd)
    unchanged = _unchanged(top, known, load, judge.rules) if known else ()
    pending = [(path, path.count("/")) for path in tops]
    while pending:
        path, depth = pending.pop()
        row = load(path)
        folder = _known(path, row) if row is not None and path in unchanged else _seen(top, path, depth, row, judge)
        if folder is not None:
            found.folders[path] = folder
            if deep:
                pending += [(f"{path}{name}/", depth + 1) for name in folder.below]
    found.odd.sort()
    return found


def _seen(top: str, path: str, depth: int, row: FolderRow | None, judge: _Judge) -> Folder | None:
    """Return a folder as it is now; None for one that holds a Python environment."""
    with listed(top + path) as entries:
        if row is not None and _as_before(entries, row, judge.rules):
            return _known(path, row)
        if path and any(entry.name == _ENVIRONMENT for entry in entries):
            return None  # keeps site-packages of an oddly named environment out of commits
        folder = judge.folder(path, depth, entries)
    _recognise(folder, row)
    return folder


def _unchanged(top: str, known: Sequence[str], load: Load, rules: bytes) -> Collection[str]:
    from mlver.repo.beside import chosen

    def look(path: str) -> bool:
        with suppress(LocalIO), listed(top + path) as entries:  # it need not be a folder any more, nor be asked for
            return (row := load(path)) is not None and _as_before(entries, row, rules)
        return False

    return chosen(known, look)


def _as_before(entries: Entries, row: FolderRow, rules: bytes) -> bool:
    """Whether a folder is in all as the row has it."""
    if row.rules != rules or row.listing != "/".join(map(_name, entries)):
        return False
    if row.marks.translate(_FOLDERS) != bytes(map(_is_folder, entries)):
        return False
    if row.marks.count(_FILE) != len(entries):
        entries = [entry for entry, mark in zip(entries, row.marks, strict=True) if mark == _FILE]
    try:
        return pack(map(_fields, map(_stat, entries))) == row.stats
    except FileNotFoundError:  # gone since it was listed
        return False


def _known(path: str, row: FolderRow) -> Folder:
    """Return a folder that is as its row has it."""
    known = row.tree, row.stored, row.kinds
    return Folder(path, row.rules, row.listing, row.marks, row.stats, row.ids, row, set(), set(), *known)


class _Judge:
    """Passes each name by what leaves names out and by the gate."""

    def __init__(self, top: str, ignore: Ignore, symlinks: str, odd: list[tuple[str, str]]) -> None:
        self.rules = ignore.mark + symlinks.encode()
        self._top, self._ignore, self._symlinks, self._odd = top, ignore, symlinks, odd

    def folder(self, path: str, depth: int, entries: Entries) -> Folder:
        """Return the folder, nothing known of its files."""
        names, marks, stats, plain = [], bytearray(), [], True
        for entry in entries:
            fields = None
            if entry.is_dir(follow_symlinks=False):
                mark, reason = self._of_folder(entry, path, depth)
            elif self._ignore.file(path + entry.name, entry.name):
                mark, reason = _PASSED, None
            else:
                try:
                    fields = _fields(_stat(entry))
                except FileNotFoundError:
                    continue  # gone since it was listed
                mark, reason = self._of_file(entry.name, depth, fields[0])
                plain &= mark == _FILE  # a link that is passed over may be a file next time
            if reason:
                self._odd.append((path + entry.name, reason))
                plain = False
            if fields is not None and mark == _FILE:
                stats.append(fields)
            names.append(entry.name)
            marks.append(mark)
        rules = self.rules if plain else b""
        return Folder(path, rules, "/".join(names), bytes(marks), bytearray(pack(stats)), b"", None)

    def _of_folder(self, entry: os.DirEntry[str], path: str, depth: int) -> tuple[int, str | None]:
        if self._ignore.folder(path + entry.name, entry.name):
            return _PASSED_FOLDER, None
        if (reason := _refusal(entry.name, depth)) is None:
            return _FOLDER, None
        return _PASSED_FOLDER, None if exists(Path(self._top + path + entry.name, _ENVIRONMENT)) else reason

    def _of_file(self, name: str, depth: int, mode: int) -> tuple[int, str | None]:
        if reason := _refusal(name, depth):
            return _PASSED, reason
        if statmod.S_ISREG(mode):
            return _FILE, None
        if not statmod.S_ISLNK(mode):
            return _PASSED, _SPECIAL.get(statmod.S_IFMT(mode), "not a regular file")
        if self._symlinks == "refuse":
            return _PASSED, "a symbolic link (mlver does not follow links)"
        return (_FILE if self._symlinks == "store" else _PASSED), None


def _recognise(folder: Folder, row: FolderRow | None) -> None:
    """Fill in the ids of files that are as the row has them; the others are lacking."""
    folder.lacking, folder.before, folder.touched = set(range(folder.count)), row, True
    folder.ids = bytearray(ID_BYTES * folder.count)
    if row is None:
        return
    known = _by_name(row)
    for index, name in enumerate(folder.names):
        at = index * STAT_BYTES
        found = known.get(name)
        if found is not None and found[0] == folder.stats[at : at + STAT_BYTES]:
            folder.ids[index * ID_BYTES : (index + 1) * ID_BYTES] = found[1]
            folder.lacking.discard(index)
    folder.stored = row.stored


def _by_name(row: FolderRow) -> dict[str, tuple[bytes, BlobId]]:
    names = [name for name, mark in zip(row.listing.split("/"), row.marks, strict=False) if mark == _FILE]
    pieces = (row.stats[at : at + STAT_BYTES] for at in range(0, len(row.stats), STAT_BYTES))
    return {
        name: (piece, id_at(row.ids, index)) for index, (name, piece) in enumerate(zip(names, pieces, strict=False))
    }


def recalled(row: FolderRow) -> dict[str, tuple[FileStat, BlobId]]:
    """Return what a row says of each file by name: it holds that blob as long as it has these stat data."""
    return {name: (_file_stat(next(unpack(piece))), id) for name, (piece, id) in _by_name(row).items()}


def _refusal(name: str, depth: int) -> str | None:
    try:
        check_name(name)
    except Refused as error:
        return error.message.rpartition(": ")[2]
    return f"deeper than {MAX_DEPTH} folders" if depth >= MAX_DEPTH else None


def type_of(mode: int) -> str:
    """Return the type that a tree gives a file or link of this mode."""
    if statmod.S_ISLNK(mode):
        return LINK
    return EXECUTABLE if mode & 0o100 else BLOB


def _file_stat(fields: tuple[int, int, int, int, int]) -> FileStat:
    mode, size, mtime, ctime, ino = fields
    return FileStat(type_of(mode), size, mtime, ctime, ino)
