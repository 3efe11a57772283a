"""A tree: one folder, a list of entries sorted by the UTF-8 bytes of their names."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from mlver.frozen import frozen
from mlver.objects.ids import BlobId, TreeId

BLOB, EXECUTABLE, LINK, TREE = "blob", "exec", "link", "tree"
FILE_TYPES = (BLOB, EXECUTABLE, LINK)


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder.

    `type` is `blob`, `exec` (a blob with the execute bit), `link` (a blob whose bytes are the
    link's text) or `tree`. `kind` is what mlver took the bytes to mean, empty for a tree.
    `size` counts bytes: of the blob, or of everything below the tree.
    """

    name: str
    type: str
    kind: str
    id: BlobId | TreeId
    size: int

    def to_row(self) -> list[Any]:
        return [self.name, self.type, self.kind, self.id.hex(), self.size]

    @classmethod
    def from_row(cls, row: list[Any]) -> Self:
        name, type_, kind, text, size = row
        if not (isinstance(name, str) and isinstance(kind, str) and type(size) is int and size >= 0):
            raise TypeError("malformed tree entry")
        if type_ == TREE:
            return cls(name, type_, kind, TreeId.parse(text), size)
        if type_ not in FILE_TYPES:
            raise ValueError(f"unknown entry type {type_!r}")
        return cls(name, type_, kind, BlobId.parse(text), size)


@frozen
class Tree:
    """One folder. Entries are sorted, names unique and each passed by the path gate."""

    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        names = [entry.name.encode() for entry in self.entries]
        if any(a >= b for a, b in pairwise(names)):
            raise ValueError("tree entries are not sorted and unique")
