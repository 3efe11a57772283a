"""Names for commits: each means one thing, so that a revision can never be ambiguous."""

from __future__ import annotations

from mlver.errors import Refused, UsageError
from mlver.objects.ids import CommitId
from mlver.objects.state import View
from mlver.repo.names import check_ref

BRANCH, TAG, STAGE = "branch", "tag", "stage"
_LAST_GOOD = "last-good"  # what `rollback --to` takes for a target
_ALL = "all"  # the folder of the release that serves everyone


def check_free(view: View, type: str, name: str) -> str:
    """Return `name` if a branch, tag or stage may be called so; it may be one of that type already.

    Raises UsageError for a malformed name, Refused when the name would mean two things.
    """
    check_ref(name, type)
    if name == _LAST_GOOD:
        raise UsageError(f"not a valid {type} name: {name!r} is what rollback --to understands")
    for other, taken in ((BRANCH, view.branches), (TAG, view.tags), (STAGE, view.stages)):
        if other != type and name in taken:
            raise Refused(f"{name} is a {other}", hint=f"a {type} needs another name, or revisions become ambiguous")
    first = name.partition("/")[0]
    if first in view.remotes:
        raise Refused(f"{name} reads like a branch of the remote {first}", hint="choose another name")
    if type != STAGE and first in view.stages:
        raise Refused(f"{name} reads like a scope of the stage {first}", hint="choose another name")
    if type == STAGE:
        _check_stage(view, name)
    return name


def _check_stage(view: View, name: str) -> None:
    if "/" in name:
        raise UsageError(f"not a valid stage name: {name!r}", hint="a stage has no / in its name; a scope follows it")
    for other in view.stages:
        if other != name and other.casefold() == name.casefold():
            raise Refused(f"there is a stage {other} already", hint=f"write it {other}")
    for type, taken in ((BRANCH, view.branches), (TAG, view.tags)):
        if below := next((ref for ref in taken if ref.startswith(name + "/")), None):
            raise Refused(f"the {type} {below} would read like a scope of the stage {name}", hint="choose another name")


def check_remote(name: str) -> str:
    """Return `name` if another repository may be called so; UsageError otherwise."""
    if "/" in check_ref(name, "remote"):
        raise UsageError(f"not a valid remote name: {name!r}", hint="a remote has no / in its name")
    return name


def check_remote_free(view: View, name: str) -> str:
    """Return `name` if a remote may be called so beside the branches, tags and stages there are.

    Raises UsageError for a malformed name, Refused when revisions would become ambiguous.
    """
    check_remote(name)
    for type, taken in ((BRANCH, view.branches), (TAG, view.tags), (STAGE, view.stages)):
        if found := next((ref for ref in taken if ref == name or ref.startswith(name + "/")), None):
            raise Refused(f"the {type} {found} would read like a branch of the remote {name}", hint="choose another")
    return name


def remote_branches(view: View) -> dict[str, CommitId]:
    """Return the branches of other repositories as they were last seen, by the name they have here: `origin/main`."""
    return {f"{name}/{branch}": id for name, seen in view.remotes.items() for branch, id in seen.branches.items()}


def check_scope(scope: str) -> str:
    """Return `scope` (such as `clinic=C`, empty for everyone) if it can be one; UsageError otherwise."""
    if scope:
        check_ref(scope, "scope")
        if "/" in scope or scope.casefold() == _ALL:
            raise UsageError(f"not a valid scope: {scope!r}", hint="write it like clinic=C")
    return scope
