"""A commit in a few lines for people who were not there: who, when, why, and what it changed."""

from __future__ import annotations

from collections.abc import Sequence

from mlver.kinds.base import Unreadable
from mlver.objects.ids import CommitId
from mlver.repo.history import all_heads, walk
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Snapshot
from mlver.verbs.common import FileChange
from mlver.verbs.compare import compare_artifact
from mlver.verbs.diff_result import ArtifactDiff, UnitChange
from mlver.verbs.file_changes import file_changes
from mlver.verbs.incident_result import CommitStory
from mlver.verbs.message import WARNING_TITLE, association_words

_BY_UNIT = ("rules", "config")
_NOT_TOLD = ("alerts", "metrics")
_URGENT = (WARNING_TITLE, "runs code when loaded")
_UNITS, _LONGEST = 4, 200


def commit_story(
    repo: Repository, id: CommitId, *, path: str | None = None, unit: str | None = None, said: str = "", by: str = ""
) -> CommitStory:
    """Return one commit and what it changed, of `path` and `unit` alone if they are named."""
    commit = repo.commit(id)
    part = None if path is None else path if unit is None else f"{path}#{unit}"
    lines = changed_lines(repo, id, path, unit)
    missing = None if lines or part is None else f"{id.short} did not change {part}"
    return CommitStory(
        id,
        commit.subject,
        commit.author,
        commit.time,
        commit.why,
        commit.trailers.get("ticket", ()),
        tuple(lines),
        part,
        said,
        by,
        missing,
    )


def lost_story(part: str, said: str, by: str) -> CommitStory:
    """Return a cause of which no commit could be found."""
    return CommitStory(None, "", "", None, "", (), (), part, said, by, f"no commit was found that changed {part}")


def changed_lines(repo: Repository, id: CommitId, path: str | None = None, unit: str | None = None) -> list[str]:
    """Return what a commit changed against its first parent, a line per unit or artifact."""
    parents = repo.commit(id).parents
    old = repo.snapshot(parents[0]) if parents else Snapshot({}, lambda a: repo.store.open_blob(a.id))
    new = repo.snapshot(id)
    lines: list[str] = []
    for change in file_changes(old, new):
        if path is not None and path not in (change.path, change.was):
            continue
        if path is None and (change.kind in _NOT_TOLD or (not parents and change.kind not in _BY_UNIT)):
            continue
        lines += _told(old, new, change, unit)
    return lines


def last_changed(
    repo: Repository, path: str, unit: str | None, heads: Sequence[CommitId], hide: Sequence[CommitId] = ()
) -> CommitId | None:
    """Return the newest commit among `heads` and before (not in `hide`) that changed a part, None when none did."""
    for id, _ in walk(repo, heads or all_heads(repo), hide):
        if changed_lines(repo, id, path, unit):
            return id
    return None


def _told(old: Snapshot, new: Snapshot, change: FileChange, unit: str | None) -> list[str]:
    try:
        artifact = compare_artifact(old, new, change, limit=_UNITS, only=[unit] if unit else [])
    except Unreadable:
        return [f"{change.path} {change.change}"]
    if unit is not None:
        return [_unit_line(change.path, one) for one in artifact.changes]
    if artifact.change == "rewritten":
        return []
    if artifact.kind in _BY_UNIT and artifact.change == "modified" and artifact.changes:
        lines = [_unit_line(change.path, one) for one in artifact.changes]
        left = artifact.units.added + artifact.units.removed + artifact.units.changed - len(lines)
        return [*lines, *([f"{change.path}: {left} more"] if left > 0 else [])]
    return [_cut(_whole(artifact))]


def _whole(artifact: ArtifactDiff) -> str:
    text = f"{artifact.path}: {artifact.summary}" if artifact.summary else f"{artifact.path} {artifact.change}"
    for detail in artifact.details:
        if detail.title in _URGENT and detail.rows:
            first = detail.rows[0]
            said = association_words(first) if detail.title == WARNING_TITLE else " ".join(map(_short, first))
            text += f"; {detail.title}: {said}"
    return text


def _unit_line(path: str, one: UnitChange) -> str:
    name = f"{path}#{one.unit}"
    if one.change == "changed":
        return _cut(f"{name}: {one.text_old} → {one.text_new}")
    return _cut(f"{name} {one.change}: {one.text_old if one.change == 'removed' else one.text_new}")


def _short(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
