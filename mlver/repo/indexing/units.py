"""Changed units as rows: of every commit against its first parent, each version of a file read once."""

from __future__ import annotations

import json
from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Any

from mlver.errors import Damaged
from mlver.index.history.database import HistoryIndex
from mlver.kinds import registry
from mlver.kinds.base import MISSING, Delta, Kind, Spec, Units, Unreadable, Value
from mlver.objects.ids import BlobId, CommitId, TreeId
from mlver.objects.tree import Entry
from mlver.repo.indexing.commits import changed_files
from mlver.repo.indexing.versions import Versions, json_text

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

LARGEST = 8 << 20  # bytes of a file whose units are compared
LISTED = 200  # units of one artifact that one commit lists
LONGEST = 1000  # characters of a value
_KEPT = 64 << 20  # bytes of files whose units are kept in memory

_Row = tuple[Any, ...]


class UnitRows:
    """Adds what changed inside the artifacts of a commit."""

    def __init__(self, repo: Repository, index: HistoryIndex, versions: Versions) -> None:
        self._repo, self._index, self._versions = repo, index, versions
        self._units: OrderedDict[tuple[str, str, BlobId, str], tuple[int, Units | str]] = OrderedDict()
        self._size = 0

    def waiting(self, most: int) -> list[str]:
        """Return commits whose units are not in yet, oldest first."""
        query = "SELECT id FROM commits WHERE NOT _compared ORDER BY number LIMIT ?"
        return [row[0] for row in self._index.select(query, (most,))]

    def add(self, name: str) -> None:
        """Compare one commit with its first parent. What is damaged is noted, and tried again the next time."""
        self._index.run("DELETE FROM units_changed WHERE commit_id = ?", (name,))
        whole = True
        id = CommitId.parse(name)
        commit = self._repo.commit(id)
        parent = self._repo.commit(commit.parents[0]).tree if commit.parents else None
        for path, (was, old, new) in sorted(changed_files(self._repo, commit).items()):
            if was:
                continue
            rows: list[_Row] = []
            counts, note = None, None
            try:
                rows, counts = self._compare(path, old, new, parent, commit.tree)
            except Unreadable as reason:
                note = str(reason)
            except Damaged as error:
                note, whole = error.message, False
            listed = None if counts is None else int(sum(counts) == len(rows))
            statement = (
                "UPDATE changes SET units_added = ?, units_removed = ?, units_changed = ?, listed = ?, note = ? "
                "WHERE commit_id = ? AND path = ?"
            )
            self._index.run(statement, (*(counts or (None, None, None)), listed, note, name, path))
            one = new or old
            assert one is not None
            self._index.insert("units_changed", [(name, path, one.kind, *row) for row in rows])
        if whole:
            self._index.run("UPDATE commits SET _compared = 1 WHERE id = ?", (name,))

    def _compare(
        self, path: str, old: Entry | None, new: Entry | None, parent: TreeId | None, tree: TreeId
    ) -> tuple[list[_Row], tuple[int, int, int]]:
        if max(entry.size for entry in (old, new) if entry) > LARGEST:
            raise Unreadable(f"larger than {LARGEST >> 20} MiB")
        if old and new and old.kind != new.kind:
            raise Unreadable(f"kind changed from {old.kind} to {new.kind}")
        one_side = new or old
        assert one_side is not None
        before = self._read(path, old, parent) if old and parent else None
        after = self._read(path, new, tree) if new else None
        if before is None or after is None:
            one = before if after is None else after
            assert one is not None
            keys = list(islice(one.keys(), LISTED))
            delta = Delta(removed=keys) if after is None else Delta(added=keys)
            counts = (0, len(one), 0) if after is None else (len(one), 0, 0)
        else:
            delta = before.delta(after)
            counts = len(delta.added), len(delta.removed), len(delta.changed)
        kind = registry.get_any(one_side.kind)
        return list(islice(_rows(kind, before, after, delta), LISTED)), counts

    def _read(self, path: str, entry: Entry, tree: TreeId) -> Units:
        """Return the units of one version; Unreadable."""
        spec = self._versions.spec(tree, path, entry.kind)
        key = (path, entry.kind, BlobId(entry.id), _spec_text(spec))
        if key not in self._units:
            try:
                source = self._versions.source(path, BlobId(entry.id), entry.size)
                found: Units | str = registry.get_any(entry.kind).units(source, spec)
            except Unreadable as reason:
                found = str(reason)
            self._units[key] = (entry.size, found)
            self._size += entry.size
            while self._size > _KEPT and len(self._units) > 2:
                self._size -= self._units.popitem(last=False)[1][0]
        self._units.move_to_end(key)
        units = self._units[key][1]
        if isinstance(units, str):
            raise Unreadable(units)
        return units


def _rows(kind: Kind, old: Units | None, new: Units | None, delta: Delta):  # type: ignore[no-untyped-def]
    """Yield (unit, change, old, new, cut): losses first, as a diff shows them."""
    for key in delta.removed:
        yield _row(key, "removed", old.get(key) if old is not None else MISSING, MISSING)
    for key in delta.changed:
        assert old is not None and new is not None
        yield _row(key, "changed", *kind.difference(old.get(key), new.get(key)))
    for key in delta.added:
        yield _row(key, "added", MISSING, new.get(key) if new is not None else MISSING)


def _row(key: str, change: str, old: Value, new: Value) -> _Row:
    texts = [None if value is MISSING else json_text(value) for value in (old, new)]
    cut = any(text is not None and len(text) > LONGEST for text in texts)
    return (key, change, *(_short(text) for text in texts), int(cut))


def _short(text: str | None) -> str | None:
    """Return a JSON text; of one that is too long its beginning, as a JSON text in turn."""
    return text if text is None or len(text) <= LONGEST else json.dumps(text[:LONGEST], ensure_ascii=False)


def _spec_text(spec: Spec) -> str:
    return json_text({"key": spec.key, "options": spec.options})
