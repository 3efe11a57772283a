"""`branch` and `tag`: names for commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from mlver.errors import Conflict, Refused, UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.state import View
from mlver.repo.refs import BRANCH, TAG, check_free
from mlver.repo.repository import Repository
from mlver.repo.transaction import transact
from mlver.verbs.switch import SwitchResult, switch

__all__ = ["RefInfo", "RefMoved", "RefsResult", "SwitchResult", "delete_ref", "list_refs", "set_ref", "switch"]


@frozen
class RefInfo:
    """One branch or tag. `current` is true for the branch HEAD is on."""

    name: str
    commit: CommitId
    subject: str
    author: str
    time: datetime
    current: bool = False


@frozen
class RefsResult(Result):
    """Branches or tags, sorted by name; `type` is `branch` or `tag`."""

    schema: ClassVar[str] = "mlver.refs/v1"
    type: str
    refs: tuple[RefInfo, ...]


@frozen
class RefMoved(Result):
    """One ref made, moved or deleted (`new` None)."""

    schema: ClassVar[str] = "mlver.ref/v1"
    type: str
    name: str
    old: CommitId | None
    new: CommitId | None


def list_refs(repo: Repository, type: str = BRANCH) -> RefsResult:
    """Return all branches, or all tags."""
    view = repo.refresh()
    refs = []
    for name, id in sorted(_refs(view, type).items()):
        commit = repo.commit(id)
        current = type == BRANCH and name == view.branch
        refs.append(RefInfo(name, id, commit.subject, commit.author, commit.time, current))
    return RefsResult(type, tuple(refs))


def set_ref(repo: Repository, type: str, name: str, rev: str = "HEAD", *, force: bool = False) -> RefMoved:
    """Make a branch or tag at `rev`. Raises Refused when the name is taken and `force` is false."""
    before = _refs(repo.refresh(), type).get(name)
    id = repo.resolve(rev)

    def change(view: View) -> View:
        old = _refs(view, type).get(check_free(view, type, name))
        if old == id:  # also when somebody was faster who wanted the same
            return view
        if old != before:
            raise Conflict(f"{type} {name} was moved meanwhile", hint=f"mlver {type}")
        if type == BRANCH and name == view.branch:
            raise Refused(f"HEAD is on branch {name}: moving it would not move the files", hint="mlver switch first")
        if old is not None and not force:
            raise Refused(f"{type} {name} exists already, at {old.short}", hint=f"mlver {type} -f {name} {rev}")
        return _with_refs(view, type, {**_refs(view, type), name: id})

    transact(repo, f"{type} {name} {rev}", change)
    return RefMoved(type, name, before, id)


def delete_ref(repo: Repository, type: str, name: str) -> RefMoved:
    """Delete a branch or tag; its commits stay reachable through the operation log."""
    deleted: list[CommitId] = []

    def change(view: View) -> View:
        refs = dict(_refs(view, type))
        if name not in refs:
            raise UnknownRevision(f"no {type} {name!r}", hint=f"mlver {type} lists them")
        if type == BRANCH and name == view.branch:
            raise Refused(f"HEAD is on branch {name}", hint="mlver switch to another one first")
        deleted.append(refs.pop(name))
        return _with_refs(view, type, refs)

    transact(repo, f"{type} --delete {name}", change)
    return RefMoved(type, name, deleted[-1], None)


def _refs(view: View, type: str) -> Mapping[str, CommitId]:
    if type not in (BRANCH, TAG):
        raise UsageError(f"not a type of ref: {type!r}", hint="branch or tag")
    return view.branches if type == BRANCH else view.tags


def _with_refs(view: View, type: str, refs: Mapping[str, CommitId]) -> View:
    return replace(view, branches=refs) if type == BRANCH else replace(view, tags=refs)
