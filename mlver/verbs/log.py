"""`log`: the commits that led here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.errors import UsageError
from mlver.objects.commit import Commit
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.history import all_heads, walk
from mlver.repo.project import matches
from mlver.repo.repository import Repository
from mlver.repo.snapshot import changed_paths
from mlver.verbs.common import CommitInfo, commit_info, refs_by_commit


@dataclass(frozen=True)
class LogResult(Result):
    """Commits, newest first. `more` is true when the limit cut the list."""

    schema: ClassVar[str] = "mlver.log/v1"
    commits: tuple[CommitInfo, ...]
    more: bool = False


def log(
    repo: Repository,
    revs: Sequence[str] = (),
    *,
    paths: Sequence[str] = (),
    limit: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    author: str | None = None,
    grep: str | None = None,
    every: bool = False,
) -> LogResult:
    """List commits reachable from `revs` (HEAD; `a..b` too), or from all refs with `every`.

    `paths` keeps commits that changed one of them; `author` and `grep` match case-insensitively
    in the author, and in message and trailers (a ticket, an alert id).
    """
    if limit is not None and limit < 0:
        raise UsageError(f"a limit cannot be negative: {limit}")
    heads, hide = _range(repo, revs, every)
    wanted = [repo.tree_path(path) for path in paths]
    refs = refs_by_commit(repo)
    found: list[CommitInfo] = []
    for id, commit in walk(repo, heads, hide):
        if (since and commit.time < since) or (until and commit.time > until):
            continue
        if not _matches(commit, author, grep) or not (not wanted or _touches(repo, commit, wanted)):
            continue
        if limit is not None and len(found) == limit:
            return LogResult(tuple(found), more=True)
        found.append(commit_info(id, commit, refs))
    return LogResult(tuple(found))


def _range(repo: Repository, revs: Sequence[str], every: bool) -> tuple[list[CommitId], list[CommitId]]:
    heads, hide = (all_heads(repo) if every else []), []
    for rev in revs:
        if ".." in rev and not repo.is_revision(rev):
            first, _, last = rev.partition("..")
            hide.append(repo.resolve(first or "HEAD"))
            heads.append(repo.resolve(last or "HEAD"))
        else:
            heads.append(repo.resolve(rev))
    if not heads and repo.view.head:
        heads = [repo.view.head]
    return heads, hide


def _matches(commit: Commit, author: str | None, grep: str | None) -> bool:
    if author and author.lower() not in commit.author.lower():
        return False
    if not grep:
        return True
    text = "\n".join([commit.message, *(value for values in commit.trailers.values() for value in values)])
    return grep.lower() in text.lower()


def _touches(repo: Repository, commit: Commit, wanted: Sequence[str]) -> bool:
    parent = repo.commit(commit.parents[0]).tree if commit.parents else None
    changed = (path for path, _, _ in changed_paths(repo.store, parent, commit.tree))
    return any(path_wanted == "" or matches(path, path_wanted) for path in changed for path_wanted in wanted)
