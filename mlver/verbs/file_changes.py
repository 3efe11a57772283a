"""Which artifacts differ between two snapshots, by their ids alone: nothing is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlver.repo.listing import changes
from mlver.repo.snapshot import Artifact, Snapshot
from mlver.verbs.common import FileChange


def file_changes(old: Snapshot, new: Snapshot) -> list[FileChange]:
    """Return the artifacts that differ, by path. A removed and an added one of the same bytes are one rename."""
    return with_renames(raw_changes(old, new))


def raw_changes(old: Snapshot, new: Snapshot) -> dict[str, FileChange]:
    """Return the artifacts that differ, by path, without looking for renames."""
    return {path: file_change(path, a, b) for path, a, b in changes(old.artifacts, new.artifacts)}


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


def with_renames(found: Mapping[str, FileChange]) -> list[FileChange]:
    """Return the changes, a removed and an added artifact of the same bytes as one rename."""
    left = dict(found)
    gone = {c.old_id: c for c in left.values() if c.change == "removed" and c.old_size}
    for change in list(left.values()):
        source = gone.pop(change.new_id, None) if change.change == "added" else None
        if source:
            del left[source.path]
            left[change.path] = replace(
                change, change="renamed", was=source.path, old_id=source.old_id, old_size=source.old_size
            )
    return list(left.values())
