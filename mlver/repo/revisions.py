"""Revisions: the ways to name a commit, and targets: the ways to name a part of one.

HEAD  @  BRANCH  TAG  STAGE  STAGE/SCOPE  REMOTE/BRANCH  ID-PREFIX      then any of  ~N  ^N  @{N}  @{TIME}  @TIME
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.errors import MlverError, UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.state import EVERYONE
from mlver.objects.time import parse_when
from mlver.repo.ledger import ledger_of, live_at
from mlver.repo.refs import check_scope, remote_branches

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_STEP = re.compile(r"(?P<base>.*?)(?P<step>~\d*|\^\d*|@\{[^{}]+\}|@\d{4}-\d\d-\d\d[0-9T:.Z+-]*)$", re.DOTALL)
_HEX = re.compile(r"[0-9a-f]{4,64}$")
_LONGEST = 500  # characters of a revision
_DIGITS = 9  # of a number in one


@frozen
class Target:
    """A part of a commit: revision, path and unit, each None when not named."""

    rev: str | None
    path: str | None
    unit: str | None


def resolve(repo: Repository, text: str) -> CommitId:
    """Return the commit that `text` names; UnknownRevision, with what comes close, otherwise."""
    base, steps = text[:_LONGEST], list[str]()
    if text != base:
        raise UnknownRevision(f"unknown revision {text[:80]!r}…", hint="mlver log")
    while (match := _STEP.fullmatch(base)) and match["base"]:
        base = match["base"]
        steps.append(match["step"])
    first = steps.pop()[1:].strip("{}") if steps and steps[-1][0] == "@" else None
    id = _named(repo, base) if first is None else _before(repo, base, first, text)
    for step in reversed(steps):
        if step[0] == "@":
            raise UnknownRevision(f"unknown revision {text!r}: {step} follows names alone", hint="mlver deployed")
        number = _count(step[1:] or "1", text)
        if step[0] == "~":
            for _ in range(number):
                id = _parent(repo, id, 1, text)
        elif number:
            id = _parent(repo, id, number, text)
    return id


def _count(digits: str, text: str) -> int:
    if len(digits) > _DIGITS:
        raise UnknownRevision(f"no such commit: {text}", hint="mlver log")
    return int(digits)


def exists(repo: Repository, text: str) -> bool:
    """Whether `text` names a commit."""
    try:
        resolve(repo, text)
    except UsageError:
        return False
    return True


def _parent(repo: Repository, id: CommitId, number: int, text: str) -> CommitId:
    parents = repo.commit(id).parents
    if number > len(parents):
        raise UnknownRevision(f"no such commit: {text} ({id.short} has {len(parents)} parents)", hint="mlver log")
    return parents[number - 1]


def _named(repo: Repository, text: str) -> CommitId:
    view = repo.view
    if text in ("HEAD", "@"):
        if view.head is None:
            raise UnknownRevision("HEAD: nothing is committed yet", hint="mlver commit")
        return view.head
    found: dict[str, CommitId] = {}
    if text in view.branches:
        found["branch"] = view.branches[text]
    if text in view.tags:
        found["tag"] = view.tags[text]
    stage, _, scope = text.partition("/")
    if stage in view.remotes and scope in view.remotes[stage].branches:
        found["remote branch"] = view.remotes[stage].branches[scope]
    if stage in view.stages and _is_scope(scope) and (live := live_at(view.stages[stage], scope)):
        found["stage"] = live.commit
    if len(set(found.values())) > 1:
        raise UnknownRevision(f"ambiguous revision {text!r}: it is a {' and a '.join(found)}", hint="use the commit id")
    if found:
        return next(iter(found.values()))
    if _HEX.fullmatch(text):
        return _by_prefix(repo, text)
    raise UnknownRevision(f"unknown revision {text[:100]!r}", hint=_suggest(repo, text))


def _is_scope(text: str) -> bool:
    try:
        check_scope(text)
    except UsageError:
        return False
    return True


def _by_prefix(repo: Repository, prefix: str) -> CommitId:
    ids = [CommitId(id) for id in repo.store.index.prefix(prefix, (CommitId.type_name,))]
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise UnknownRevision(f"unknown revision {prefix!r}", hint="mlver log")
    candidates = ", ".join(f"{id.short} ({repo.commit(id).subject[:30]})" for id in ids[:4])
    raise UnknownRevision(f"ambiguous revision {prefix!r}: {candidates}", hint="give more digits")


def _suggest(repo: Repository, text: str) -> str:
    from difflib import get_close_matches

    names = [*repo.view.branches, *repo.view.tags, *repo.view.stages, *remote_branches(repo.view)]
    close = get_close_matches(text, names, n=1)
    return f"did you mean {close[0]}?" if close else "mlver log shows commits, mlver branch shows branches"


def _before(repo: Repository, base: str, step: str, text: str) -> CommitId:
    """Resolve `base@{step}`: the n-th last, or the value at a time, of a stage, a branch or HEAD."""
    stage, _, scope = base.partition("/")
    history = _stage_history(repo, stage, scope) or _ref_history(repo, base)
    if not history:
        raise UnknownRevision(f"no stage or branch {base!r} has a history", hint="mlver deployed")
    if step.isdecimal():
        if _count(step, text) >= len(history):
            raise UnknownRevision(f"{base} has only {len(history)} entries, asked for {text}", hint="mlver op log")
        return history[int(step)][1]
    moment = parse_when(step, repo.now())
    id = next((id for time, id in history if time <= moment), None)
    if id is None:
        raise UnknownRevision(
            f"{base} named nothing at {step}", hint=f"its history begins {history[-1][0]:%Y-%m-%d %H:%MZ}"
        )
    return id


def _stage_history(repo: Repository, stage: str, scope: str) -> list[tuple[datetime, CommitId]]:
    entries = [e for e in ledger_of(repo, stage) if e.scope in (scope, EVERYONE)]
    if scope:
        specific = [e for e in entries if e.scope == scope]
        entries = specific or entries
    return [(e.since, e.live.commit) for e in reversed(entries)]


def _ref_history(repo: Repository, name: str) -> list[tuple[datetime, CommitId]]:
    read: Callable[..., CommitId | None] = (
        (lambda view: view.head)
        if name in ("HEAD", "@")
        else (lambda view: view.branches.get(name) or remote_branches(view).get(name))
    )
    history: list[tuple[datetime, CommitId]] = []
    for _, operation in reversed(list(repo.operations())):
        id = read(operation.view)
        if id is not None and (not history or history[-1][1] != id):
            history.append((operation.time, id))
    return history[::-1]


def parse_target(repo: Repository, text: str) -> Target:
    """Split `PATH`, `PATH#UNIT`, `PATH@REV#UNIT`, `REV:PATH#UNIT` or `REV` into its parts.

    A name that is both an artifact and a revision is taken as the artifact.
    """
    if _is_path(repo, text):
        return Target(None, text, None)
    if "#" in text and (whole := _in_commit(repo, text)):
        return whole
    before, mark, unit = text.partition("#")
    unit_ = unit if mark else None
    if _is_path(repo, before):
        return Target(None, before, unit_)
    rev, colon, path = before.partition(":")
    if "@" in rev and not mark and exists(repo, before):  # the colon is that of a time
        return Target(before, None, None)
    if colon and exists(repo, rev):
        return Target(rev, _clean(repo, path), unit_)
    for at in (i for i, c in enumerate(before) if c == "@" and i):
        if exists(repo, before[at + 1 :]) and not exists(repo, before):
            return Target(before[at + 1 :], _clean(repo, before[:at]), unit_)
    if unit_ is None and exists(repo, before):
        return Target(before, None, None)
    _refuse_lost_revision(repo, before)
    return Target(None, _clean(repo, before), unit_)


def _in_commit(repo: Repository, text: str) -> Target | None:
    """Return `REV:PATH` or `PATH@REV` when the commit has a path of exactly this name, with its `#`."""
    first, colon, rest = text.partition(":")
    path, at, rev = text.rpartition("@")
    for named, where in ((first, rest if colon else ""), (rev, path if at else "")):
        if where and exists(repo, named) and where in repo.snapshot(resolve(repo, named)):
            return Target(named, where, None)
    return None


def _refuse_lost_revision(repo: Repository, text: str) -> None:
    """Raise UnknownRevision for words that can only mean a revision, and name none (or several commits)."""
    rev, colon, path = text.partition(":")
    if colon and _is_path(repo, path):
        resolve(repo, rev)
    path, at, rev = text.rpartition("@")
    if at and _is_path(repo, path):
        resolve(repo, rev)
    match = _STEP.fullmatch(text[:_LONGEST])
    if match and match["base"] and exists(repo, match["base"]):
        resolve(repo, text)
    if _HEX.fullmatch(text) and repo.store.index.prefix(text, (CommitId.type_name,)):
        resolve(repo, text)


def _clean(repo: Repository, path: str) -> str:
    return repo.tree_path(path)


def _is_path(repo: Repository, text: str) -> bool:
    try:
        path = repo.tree_path(text)
        return bool(path) and (repo.in_work_tree(path) or path in repo.head_snapshot().artifacts)
    except (MlverError, OSError, ValueError):
        return False
