"""Folders in a diff: a table in many files is one artifact, and a folder of a thousand images one line."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from mlver.kinds import registry
from mlver.kinds.recognise import role
from mlver.repo.folders import table_holding
from mlver.repo.project import matches
from mlver.repo.snapshot import Snapshot
from mlver.verbs.common import FileChange
from mlver.verbs.diff_result import ArtifactDiff, UnitChange, UnitCounts
from mlver.verbs.file_changes import file_change, raw_changes, with_renames

MANY: Final = 20  # files of one folder from which on they are counted, not listed
_DEPTH: Final = 2  # data/images/a/1.png and data/images/b/2.png are of one folder, data/audio/3.wav of another
_BY_FILE: Final = {"file", "code", "config"}
_SIGNS: Final = (("added", "+"), ("removed", "-"), ("modified", "~"), ("renamed", "→"))


def artifact_changes(old: Snapshot, new: Snapshot, targets: Collection[str]) -> list[FileChange]:
    """Return the artifacts that differ, those below a folder that is one table as a change of that folder.

    When there are `targets`, only folders that lie below one are taken whole: of a folder, single files may be
    asked for.
    """
    changes = raw_changes(old, new)
    whole: set[str] = set()
    for path in list(changes):
        tables = {folder for side in (old, new) if (folder := table_holding(side, path)) is not None}
        if targets:
            tables = {folder for folder in tables if any(t == "" or matches(folder, t) for t in targets)}
        if tables:
            whole |= tables
            del changes[path]
    folders = (_folder_change(folder, old, new) for folder in sorted(whole))
    return [*with_renames(changes), *folders]


def _folder_change(folder: str, old: Snapshot, new: Snapshot) -> FileChange:
    sides = (side.find(folder) if folder in side.tables else None for side in (old, new))
    return file_change(folder, *sides)


def gathered(changes: Iterable[FileChange], named: Collection[str] = ()) -> tuple[list[FileChange], list[ArtifactDiff]]:
    """Return the changes that stand for themselves, and one entry for each folder in which many files differ.

    Those are files nobody looks into, and texts among data. Artifacts that were `named` stand for themselves.
    """
    groups: dict[str, list[FileChange]] = {}
    alone: list[FileChange] = []
    for change in changes:
        folder = _folder_of(change)
        if folder and change.path not in named:
            groups.setdefault(folder, []).append(change)
        else:
            alone.append(change)
    told = []
    for found in groups.values():
        if len(found) < MANY:
            alone += found
        else:
            told.append(_by_file(found))
    return alone, told


def _folder_of(change: FileChange) -> str | None:
    folders = change.path.split("/")[:-1]
    if not folders or change.kind not in _BY_FILE or change.path.endswith("/"):
        return None
    if change.kind != "file" and role("/".join(folders).lower()) != "data":
        return None
    return "/".join(folders[:_DEPTH]) + "/"


def _by_file(changes: list[FileChange]) -> ArtifactDiff:
    folder = _common_folder([change.path for change in changes])
    counts = {word: sum(change.change == word for change in changes) for word, _ in _SIGNS}
    parts = [f"{sign}{counts[word]}" for word, sign in _SIGNS if counts[word]]
    sizes = [
        sum(size or 0 for size in side)
        for side in ([change.old_size for change in changes], [change.new_size for change in changes])
    ]
    return ArtifactDiff(
        path=folder,
        kind="file",
        change="modified" if counts["modified"] or counts["renamed"] else _one_word(counts),
        summary=f"{' '.join(parts)} file{'s' if len(changes) != 1 else ''}",
        units=UnitCounts(counts["added"], counts["removed"], counts["modified"] + counts["renamed"]),
        changes=tuple(_unit(change, folder) for change in changes),
        counts={f"files_{word}": count for word, count in counts.items()},
        old_size=sizes[0],
        new_size=sizes[1],
    )


def _one_word(counts: dict[str, int]) -> str:
    return "modified" if counts["added"] and counts["removed"] else "added" if counts["added"] else "removed"


def _unit(change: FileChange, folder: str) -> UnitChange:
    kind = registry.get("file")
    sides = [
        None if id is None else {"size": size, "digest": str(id)}
        for id, size in ((change.old_id, change.old_size), (change.new_id, change.new_size))
    ]
    name = change.path[len(folder) :]
    texts = [None if side is None else kind.text(name, side) for side in sides]
    if change.was is not None:
        texts[0] = f"was {change.was}"
    word = {"added": "added", "removed": "removed"}.get(change.change, "changed")
    return UnitChange(name, word, sides[0], sides[1], texts[0], texts[1])


def _common_folder(paths: list[str]) -> str:
    first, last = min(paths).split("/")[:-1], max(paths).split("/")[:-1]
    shared = []
    for a, b in zip(first, last, strict=False):
        if a != b:
            break
        shared.append(a)
    return "/".join(shared) + "/"
