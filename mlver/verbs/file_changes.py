"""Which artifacts differ between two snapshots, by their ids alone: nothing is read."""

from __future__ import annotations

from dataclasses import replace

from mlver.repo.snapshot import Artifact, Snapshot
from mlver.verbs.common import FileChange


def file_changes(old: Snapshot, new: Snapshot) -> list[FileChange]:
    """Return the artifacts that differ, by path. A removed and an added one of the same bytes are one rename."""
    return with_renames(raw_changes(old, new))


def raw_changes(old: Snapshot, new: Snapshot) -> dict[str, FileChange]:
    """Return the artifacts that differ, by path, without looking for renames."""
    changes: dict[str, FileChange] = {}
    for path in sorted(old.artifacts.keys() | new.artifacts.keys()):
        a, b = old.artifacts.get(path), new.artifacts.get(path)
        if a and b and (a.id, a.type, a.kind) == (b.id, b.type, b.kind):
            continue
        changes[path] = file_change(path, a, b)
    return changes


def file_change(path: str, a: Artifact | None, b: Artifact | None) -> FileChange:
    """Return what became of one artifact, which one side at least has."""
    one = b or a
    assert one is not None
    return FileChange(
        path=path,
        kind=one.kind,
        change="modified" if a and b else "added" if b else "removed",
        old_id=a.id if a else None,
        new_id=b.id if b else None,
        old_size=a.size if a else None,
        new_size=b.size if b else None,
    )


def with_renames(changes: dict[str, FileChange]) -> list[FileChange]:
    """Return the changes, a removed and an added artifact of the same bytes as one rename."""
    changes = dict(changes)
    gone = {c.old_id: c for c in changes.values() if c.change == "removed" and c.old_size}
    for change in list(changes.values()):
        source = gone.pop(change.new_id, None) if change.change == "added" else None
        if source:
            del changes[source.path]
            changes[change.path] = replace(
                change, change="renamed", was=source.path, old_id=source.old_id, old_size=source.old_size
            )
    return list(changes.values())
