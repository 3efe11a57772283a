"""`log`: the commits that led here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from itertools import islice
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds import registry
from mlver.objects.commit import Commit
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.graph import Reached
from mlver.repo.history import all_heads, walk
from mlver.repo.milestones import chosen, milestones
from mlver.repo.path_changes import PathChanges
from mlver.repo.project import matches
from mlver.repo.repository import Repository
from mlver.repo.signing import Judge, Seal
from mlver.repo.snapshot import changed_paths
from mlver.verbs.common import CommitInfo, commit_info, refs_by_commit

_MANY = 30  # commits above which a brief list is cut
_BRIEF = 9  # commits then shown, and one line says how many were not
_NEWEST = 2
_CHECKED = 30  # signatures: each takes some hundredths of a second


@frozen
class LogResult(Result):
    """Commits, newest first. `more` is true when the limit cut the list.

    `left` counts those left out of a `brief` list, `milestones` says why of those that are in it: `was live`,
    `tagged` or `noted`, by id. `signed` says what the signatures of those that have one are worth, by id; of a long
    list those of the newest are checked.
    """

    schema: ClassVar[str] = "mlver.log/v1"
    commits: tuple[CommitInfo, ...]
    more: bool = False
    left: int = 0
    milestones: Mapping[str, str] = field(default_factory=dict)
    signed: Mapping[str, Seal] = field(default_factory=dict)


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
    ticket: str | None = None,
    kind: str | None = None,
    every: bool = False,
    brief: bool = False,
) -> LogResult:
    """List commits reachable from `revs` (HEAD; `a..b` too), or from all refs with `every`.

    `paths` keeps commits that changed one of them, `kind` those that changed an artifact of that kind; `author`
    and `grep` match case-insensitively in the author, and in message and trailers (a ticket, an alert id), `ticket`
    is a whole one. `brief` cuts a list of more than thirty to the newest and those that were live, are tagged or
    noted, nine in all.
    """
    if limit is not None and limit < 0:
        raise UsageError(f"a limit cannot be negative: {limit}")
    if kind is not None and not registry.exists(kind):
        raise UsageError(f"no kind is named {kind!r}", hint=f"kinds: {', '.join(registry.names())}")
    heads, hide = _range(repo, revs, every)
    wanted = [repo.tree_path(path) for path in paths]
    refs = refs_by_commit(repo)

    def keep(id: CommitId) -> bool:
        commit = repo.commit(id)
        if (since and commit.time < since) or (until and commit.time > until):
            return False
        return _matches(commit, author, grep) and _has_ticket(commit, ticket)

    if brief and not wanted and not kind and not any((limit, since, until, author, grep, ticket)):
        reached, hidden = repo.graph.reach(heads), repo.graph.reach(hide)
        if reached.beyond(hidden) > _MANY and not hide:
            return _brief(repo, reached, heads, refs)
    most = None if limit is None else limit + 1  # one more says that there are more
    if wanted and not kind:
        reached, hidden = repo.graph.reach(heads), repo.graph.reach(hide)
        ids = PathChanges(repo).commits(reached, hidden, wanted, keep, most)
    else:
        every_one = (id for id, commit in walk(repo, heads, hide) if keep(id))
        if kind:
            every_one = (id for id in every_one if _touches(repo, repo.commit(id), wanted or [""], kind))
        ids = list(islice(every_one, most))
    found = [commit_info(id, repo.commit(id), refs) for id in ids[:limit]]
    return LogResult(tuple(found), more=limit is not None and len(ids) > limit, signed=_signed(repo, found))


def _brief(
    repo: Repository, reached: Reached, heads: Sequence[CommitId], refs: Mapping[CommitId, tuple[str, ...]]
) -> LogResult:
    """The newest and the milestones of a long history."""
    known = milestones(repo)
    newest = [id for id, _ in islice(walk(repo, heads), _NEWEST)]
    shown = [commit_info(id, repo.commit(id), refs) for id in chosen(known, reached, newest, _BRIEF)]
    why = {commit.id.hex(): known[commit.id] for commit in shown if commit.id in known}
    return LogResult(tuple(shown), left=len(reached) - len(shown), milestones=why, signed=_signed(repo, shown))


def _signed(repo: Repository, commits: Sequence[CommitInfo]) -> dict[str, Seal]:
    judge = Judge(repo, most=_CHECKED)
    seals = ((commit.id.hex(), judge.known(commit.id)) for commit in commits)
    return {id: seal for id, seal in seals if seal is not None}


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


def _has_ticket(commit: Commit, ticket: str | None) -> bool:
    known = {text.strip().lower() for text in commit.trailers.get("ticket", ())}
    return ticket is None or ticket.strip().lower() in known


def _touches(repo: Repository, commit: Commit, wanted: Sequence[str], kind: str) -> bool:
    parent = repo.commit(commit.parents[0]).tree if commit.parents else None
    return any(
        any(one == "" or matches(path, one) for one in wanted)
        for path, old, new in changed_paths(repo.store, parent, commit.tree)
        if kind in (entry.kind for entry in (old, new) if entry is not None)
    )
