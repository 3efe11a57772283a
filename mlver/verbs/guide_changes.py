"""What changed between two releases, one line a kind, and by whom."""

from __future__ import annotations

from collections.abc import Sequence

from mlver.kinds import registry
from mlver.objects.ids import CommitId
from mlver.repo.repository import Repository
from mlver.repo.since import Since
from mlver.repo.snapshot import changed_paths
from mlver.verbs.common import FileChange
from mlver.verbs.compare import compare_artifact
from mlver.verbs.diff_result import ArtifactDiff
from mlver.verbs.file_changes import file_changes
from mlver.verbs.guide_result import KindChange

_NOT_TOLD = ("alerts", "metrics")
_BY_UNIT = ("rules", "config")
_URGENT = ("association flipped", "runs code when loaded")  # details that are told here, too
_READ_UP_TO = 8 << 20  # bytes of an artifact that is compared by its units: this page must come at once
_UNITS = 4  # named in one line
_ARTIFACTS = 3


def kind_changes(repo: Repository, good: CommitId, bad: CommitId, since: Since) -> tuple[KindChange, ...]:
    """Return what differs between two commits, the most telling kinds first. `since` starts at `bad`."""
    old, new = repo.snapshot(good), repo.snapshot(bad)
    by_kind: dict[str, list[tuple[FileChange, str]]] = {}
    for change in file_changes(old, new):
        if change.kind in _NOT_TOLD:
            continue
        if max(change.old_size or 0, change.new_size or 0) > _READ_UP_TO:
            by_kind.setdefault(change.kind, []).append((change, change.change))
            continue
        artifact = compare_artifact(old, new, change, limit=_UNITS + 1)
        if artifact.change != "rewritten":
            by_kind.setdefault(change.kind, []).append((change, _told(artifact)))
    makers = _makers(repo, good, since)
    found = [_kind_change(repo, kind, told, makers) for kind, told in by_kind.items()]
    return tuple(sorted(found, key=lambda one: registry.get_any(one.kind).order))


def _told(artifact: ArtifactDiff) -> str:
    """Return one artifact's change in a few words: its units where these speak for themselves."""
    if artifact.kind not in _BY_UNIT or not artifact.changes or artifact.change != "modified":
        word = "" if artifact.change == "modified" else f"{artifact.change} "
        said = f": {artifact.summary}" if artifact.summary and not word else ""
        return f"{word}{artifact.path}{said}" + "".join(
            f", {detail.title} ({' '.join(map(str, detail.rows[0][:3]))})"
            for detail in artifact.details
            if detail.title in _URGENT and detail.rows
        )
    texts = []
    for unit in artifact.changes[:_UNITS]:
        if unit.change == "changed" and artifact.kind == "config":
            texts.append(f"{unit.unit} {unit.text_old} → {unit.text_new}")
        else:
            texts.append(f"{unit.unit} {unit.change}")
    left = artifact.units.added + artifact.units.removed + artifact.units.changed - len(texts)
    return ", ".join(texts) + (f" and {left} more" if left else "")


def _kind_change(
    repo: Repository, kind: str, told: Sequence[tuple[FileChange, str]], makers: dict[str, list[CommitId]]
) -> KindChange:
    paths = tuple(change.path for change, _ in told)
    texts = [text for _, text in told[:_ARTIFACTS]]
    left = len(told) - len(texts)
    commits = dict.fromkeys(id for path in paths for id in makers.get(path, ()))
    ordered = tuple(sorted(commits, key=lambda id: (repo.commit(id).time, id)))
    authors = tuple(dict.fromkeys(repo.commit(id).author for id in ordered))
    return KindChange(kind, "; ".join(texts) + (f"; {left} more" if left else ""), paths, authors, ordered)


def _makers(repo: Repository, good: CommitId, since: Since) -> dict[str, list[CommitId]]:
    """Return path -> the commits between that changed it against their first parent."""
    found: dict[str, list[CommitId]] = {}
    for id, commit in since.way(good):
        before = repo.commit(commit.parents[0]).tree if commit.parents else None
        for path, _, _ in changed_paths(repo.store, before, commit.tree):
            found.setdefault(path, []).append(id)
    return found
