"""Result parts that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime

from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.commit import Commit
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.repository import Repository

# called with (bytes done, bytes in all, what is being done); progress never changes a result
Progress = Callable[[int, int, str], None]


@frozen
class CommitInfo:
    """One commit as lists show it. `refs` are the branches, tags and stages that name it."""

    id: CommitId
    parents: tuple[CommitId, ...]
    author: str
    time: datetime
    message: str
    refs: tuple[str, ...] = ()
    trailers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.split("\n", 1)[0]


@frozen
class FileChange:
    """One artifact that differs. `change` is `added`, `removed`, `modified` or `renamed` (`was` = old path)."""

    path: str
    kind: str
    change: str
    old_id: BlobId | None = None
    new_id: BlobId | None = None
    old_size: int | None = None
    new_size: int | None = None
    was: str | None = None


@frozen
class MetricDelta:
    """One metric on both sides.

    `verdict` is `better`, `worse`, `same`, `changed` (direction unknown), `new`, `gone`, `unknown`, or
    `incomparable`: other data, another definition, an estimate; then there is no `delta`, and `note` says why.
    A `note` beside another verdict says why the comparison is doubtful. `slice` is empty for everything;
    `dataset` names what it was measured on, `old_n`/`new_n` the sample sizes. `usual` is the size of the move
    as a multiple of how much the metric varied before, None when too little is known of that.
    """

    name: str
    slice: str
    dataset: str | None
    old: Value
    new: Value
    delta: float | None
    verdict: str
    old_n: int | None = None
    new_n: int | None = None
    note: str | None = None
    usual: float | None = None
    estimate: bool = False


def commit_info(id: CommitId, commit: Commit, refs: Mapping[CommitId, tuple[str, ...]]) -> CommitInfo:
    """Return one commit as lists show it."""
    return CommitInfo(id, commit.parents, commit.author, commit.time, commit.message, refs.get(id, ()), commit.trailers)


def refs_by_commit(repo: Repository) -> dict[CommitId, tuple[str, ...]]:
    """Return the names of each commit: `HEAD`, the current branch, other branches, tags, stages (`prod/clinic=C`)."""
    view, found = repo.view, dict[CommitId, list[str]]()
    if view.head:
        found[view.head] = ["HEAD", *([view.branch] if view.branch else [])]
    named = [
        (name, id) for refs in (view.branches, view.tags) for name, id in sorted(refs.items()) if name != view.branch
    ]
    for stage, scopes in sorted(view.stages.items()):
        named += [(f"{stage}/{scope}" if scope else stage, live.commit) for scope, live in sorted(scopes.items())]
    for name, id in named:
        found.setdefault(id, []).append(name)
    return {id: tuple(names) for id, names in found.items()}
