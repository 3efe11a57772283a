"""A folder as one artifact: its files are its parts.

A folder of kind `data` is one table over all its parts; of any other it is a map of files, by path.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import BinaryIO, Final, TypeAlias
from urllib.parse import unquote

from mlver.frozen import frozen
from mlver.kinds.base import Comparison, Delta, Source, Spec, Units, Unreadable, Value, count_line

_LEVEL: Final = re.compile(r"([A-Za-z_][\w.-]*)=(.+)")
Identity: TypeAlias = tuple[str, tuple[tuple[str, str | None], ...]]
_NOTHING: Final = "__HIVE_DEFAULT_PARTITION__"  # what Hive, Spark and Arrow write for null


@frozen
class Part:
    """One file of a folder: its path below the folder, the hex id of its bytes, the bytes."""

    path: str
    id: str
    source: Source

    @property
    def identity(self) -> Identity:
        """What makes two parts hold the same rows: their bytes, and the columns their path stands for."""
        return self.id, tuple(path_values(self.path).items())


@frozen
class FolderSource:
    """The files below `path`, which ends in `/`.

    `same` are parts that need not be read, because the other side of a comparison has them too.
    """

    path: str
    parts: tuple[Part, ...]
    same: tuple[Part, ...] = ()

    @property
    def size(self) -> int:
        """The bytes of all parts together."""
        return sum(part.source.size for part in (*self.parts, *self.same))

    def open(self) -> BinaryIO:
        """Raise Unreadable: only the parts have bytes."""
        raise Unreadable("a folder")


@frozen
class PartTask:
    """A question about the part that stands at one path in one version, or in both; `words` are plain values."""

    what: str
    old: Part | None
    new: Part | None
    specs: tuple[Spec, Spec]
    words: Mapping[str, Value]


Ask: TypeAlias = Callable[[Sequence[PartTask]], Sequence[bytes]]  # the answers, in the order of the tasks


class ByParts:
    """A kind that can compare folders part by part, elsewhere than where the question is asked."""

    def parts_apart(
        self, old: FolderSource, new: FolderSource, specs: tuple[Spec, Spec], ask: Ask, room: int | None = None
    ) -> tuple[Units, Units] | None:
        """Return units that differ as those of the whole folders do; None when that takes reading them whole.

        NoRoom as for `Kind.apart`.
        """
        raise NotImplementedError

    def answer(self, task: PartTask) -> bytes:
        """Answer a task, in another process or on another machine; `b""` when the parts do not allow it."""
        raise NotImplementedError


def without_shared(old: FolderSource, new: FolderSource) -> tuple[FolderSource, FolderSource]:
    """Return both folders with the parts that hold the same rows on both sides set aside.

    Rows are a multiset, so taking equal ones from both sides leaves their difference as it is.
    """
    shared = Counter(part.identity for part in old.parts) & Counter(part.identity for part in new.parts)
    return _set_aside(old, shared), _set_aside(new, shared)


def _set_aside(folder: FolderSource, shared: Counter[Identity]) -> FolderSource:
    left = Counter(shared)
    parts: list[Part] = []
    same: list[Part] = []
    for part in folder.parts:
        if left[part.identity]:
            left[part.identity] -= 1
            same.append(part)
        else:
            parts.append(part)
    return FolderSource(folder.path, tuple(parts), tuple(same))


def path_values(path: str) -> dict[str, str | None]:
    """Return the columns a path stands for: of `year=2024/day=3/p.parquet` year and day, as text; None for null."""
    found: dict[str, str | None] = {}
    for folder in path.split("/")[:-1]:
        if match := _LEVEL.fullmatch(folder):
            value = unquote(match[2])
            found[match[1]] = None if value == _NOTHING else value
    return found


def table_root(path: str) -> str | None:
    """Return the folder above the first `name=value` of a path, with its `/`; None when there is none."""
    if "=" not in path:
        return None
    folders = path.split("/")[:-1]
    depth = next((n for n, name in enumerate(folders) if _LEVEL.fullmatch(name)), 0)
    return "/".join(folders[:depth]) + "/" if depth else None


def is_part(path: str) -> bool:
    """Whether a file below a table's folder holds rows: names with `_` or `.` in front are about the table."""
    return not path.rpartition("/")[2].startswith(("_", "."))


class FileUnits(Units):
    """The files of a folder by path: size and digest, without reading any."""

    def __init__(self, parts: Iterable[Part]) -> None:
        super().__init__({part.path: {"size": part.source.size, "digest": part.id} for part in parts})

    def sizes(self) -> Sequence[int]:
        """The size of each file."""
        return [value["size"] for value in self._items.values()]


def compare_files(delta: Delta, old: Units | None, new: Units | None) -> Comparison:
    """Say how many files came, went and changed."""
    counts: Mapping[str, Value] = {
        "files_added": len(delta.added),
        "files_removed": len(delta.removed),
        "files_changed": len(delta.changed),
    }
    return Comparison(count_line(delta, "file"), counts=counts, same_meaning=not delta and None not in (old, new))
