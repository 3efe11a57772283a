"""Who changed what since two histories parted: what decides a conflict is the reason behind each side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlver.kinds.base import MISSING, Value, same
from mlver.objects.ids import CommitId
from mlver.repo.history import walk
from mlver.repo.unit_reader import UnitReader

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


def last_changes(
    repo: Repository, reader: UnitReader, side: CommitId, since: CommitId, keys: Iterable[str | None]
) -> dict[str | None, CommitId]:
    """Return key -> the newest commit up to `side`, and not up to `since`, that made it what it is there.

    None as a key is the artifact as a whole, which also answers for keys that are places, such as lines.
    A key that no commit changed has no entry.
    """
    open_keys = list(dict.fromkeys(keys))
    found: dict[str | None, CommitId] = {}
    final = {key: _value(reader, side, key) for key in open_keys}
    for id, commit in walk(repo, [side], hide=[since]):
        if not open_keys:
            break
        if any(reader.blob(parent) == reader.blob(id) for parent in commit.parents):
            continue
        for key in list(open_keys):
            now = _value(reader, id, key)
            if _equal(now, final[key]) and not any(_equal(now, _value(reader, p, key)) for p in commit.parents):
                found[key] = id
                open_keys.remove(key)
    return found


def _value(reader: UnitReader, commit: CommitId, key: str | None) -> Value:
    return reader.value(commit, key) if key is not None else str(reader.blob(commit))


def _equal(a: Value, b: Value) -> bool:
    return a is b if a is MISSING or b is MISSING else same(a, b)
