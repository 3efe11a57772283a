"""Which commits are experiments. Nobody declares one: a branch, or a run, says enough.

An experiment brought a model or metrics and was made off the main line: on a branch `exp/*` (merged since or not), on
any other branch that is not merged, or by `mlver exp run`. Its idea is what its trailer `idea` says, else the name of
its branch. What it is compared with is the commit of the main line it started from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from mlver.errors import UnknownRevision
from mlver.frozen import frozen
from mlver.objects.commit import Commit
from mlver.objects.ids import CommitId
from mlver.repo.history import all_heads, ancestors, walk
from mlver.repo.metric_history import all_values
from mlver.repo.snapshot import changed_paths
from mlver.repo.verdict_facts import verdicts

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

PREFIX = "exp/"
IDEA, HYPOTHESIS, EXPERIMENT = "idea", "hypothesis", "experiment"  # trailers
_MAIN = ("main", "master", "trunk")
_STAGE = "prod"
_BROUGHT = frozenset({"model", "metrics"})


@frozen
class Experiment:
    """One experiment. `branch` is where it was made, `base` what it is compared with (None: it started from nothing).

    `run` is the name `mlver exp run` gave it, None when it was committed by hand.
    """

    commit: CommitId
    idea: str
    branch: str | None
    base: CommitId | None
    run: str | None
    hypothesis: str | None


class Experiments:
    """The experiments of a repository, found once."""

    def __init__(self, repo: Repository, on: str | None = None) -> None:
        """Find them; with `on` those of one branch. UnknownRevision when there is no such branch."""
        self._repo = repo
        if on is not None and on not in _branches(repo):
            raise UnknownRevision(f"no branch {on}", hint="mlver branch")
        self.main_line = main_line(repo)
        self._born = _born(repo)
        self._main = self._line()
        self._branch = self._claimed(on)
        self._on = on

    def all(self) -> list[Experiment]:
        """Return every experiment, newest first."""
        measured: set[CommitId] = {value.commit for value in all_values(self._repo)}
        judged = verdicts(self._repo).keys()
        found = []
        for id, commit in walk(self._repo, all_heads(self._repo)):
            branch = self._branch.get(id)
            if (self._on and branch != self._on) or len(commit.parents) > 1:
                continue
            if branch is None and EXPERIMENT not in commit.trailers:
                continue
            if id in measured or id in judged or _brings_something(self._repo, commit):
                found.append(self.of(id))
        return found

    def of(self, id: CommitId) -> Experiment:
        """Return any commit as an experiment."""
        trailers, branch = self._repo.commit(id).trailers, self._branch.get(id)
        idea, hypothesis, run = (next(iter(trailers.get(n, ())), None) for n in (IDEA, HYPOTHESIS, EXPERIMENT))
        named = _plain(branch) if branch else self.main_line or "none"
        return Experiment(id, idea or named, branch, self._base(id), run, hypothesis)

    def merged(self, commits: Collection[CommitId]) -> set[CommitId]:
        """Return those of `commits` that a merge into the main line brought: the newest of what it merged."""
        found = set()
        tips = [tip for id in self._main for tip in self._repo.commit(id).parents[1:]]
        head = self._repo.view.branches.get(self.main_line) if self.main_line else None
        tips += [head] if head and head not in self._main else []  # fast-forward: the main line ends in them
        for tip in tips:
            one = next((id for id in _first_parents(self._repo, tip) if id in commits or id in self._main), None)
            found |= {one} & set(commits) if one else set()
        return found

    def _line(self) -> set[CommitId]:
        """Return the commits made on the main line itself: what was merged, or fast-forwarded, is not."""
        tip = self._repo.view.branches.get(self.main_line) if self.main_line else None
        line = set(_first_parents(self._repo, tip)) if tip else set()
        return {id for id in line if not self._born.get(id, "").startswith(PREFIX)}

    def _base(self, id: CommitId) -> CommitId | None:
        parents = self._repo.commit(id).parents
        back = (one for one in _first_parents(self._repo, id) if one in self._main and one != id)
        return next(back, parents[0] if parents else None)

    def _claimed(self, on: str | None) -> dict[CommitId, str]:
        """Return the branch of each commit off the main line: of several the one with the fewest commits of its own."""
        head = self._repo.view.branches.get(self.main_line or "")
        merged = set(ancestors(self._repo, [head] if head else []))
        own: list[tuple[str, list[CommitId]]] = []
        for name, tip in _branches(self._repo).items():
            is_exp = _plain(name) != name or name == on
            if name == self.main_line or not (is_exp or name in self._repo.view.branches):
                continue
            own.append((name, list(ancestors(self._repo, [tip], self._main if is_exp else merged))))
        claimed: dict[CommitId, str] = {}
        for name, ids in sorted(own, key=lambda pair: (len(pair[1]), pair[0] not in self._repo.view.branches, pair[0])):
            for id in ids:
                claimed.setdefault(id, name)
        return claimed | {id: name for id, name in self._born.items() if name.startswith(PREFIX)}


def main_line(repo: Repository) -> str | None:
    """Return the branch that what is live on prod comes from: of several, and before there is any, the main one."""
    names = [name for name in repo.view.branches if not name.startswith(PREFIX)]
    current = repo.view.branch
    names.sort(key=lambda name: (_MAIN.index(name) if name in _MAIN else len(_MAIN), name != current, name))
    live = [one.commit for one in repo.view.stages.get(_STAGE, {}).values()]
    for name in names:
        if live and set(live) & set(ancestors(repo, [repo.view.branches[name]])):
            return name
    return names[0] if names else None


def _branches(repo: Repository) -> dict[str, CommitId]:
    """Return all branches, those of other repositories as `origin/exp/x`."""
    found = dict(repo.view.branches)
    for remote, seen in repo.view.remotes.items():
        for name, id in seen.branches.items():
            if name.startswith(PREFIX) and repo.view.branches.get(name) != id:
                found[f"{remote}/{name}"] = id
    return found


def _plain(branch: str) -> str:
    """Return `features` for `exp/features` and `origin/exp/features`; other names as they are."""
    before, mark, rest = f"/{branch}".partition(f"/{PREFIX}")
    return rest if mark and before.count("/") <= 1 else branch


def _born(repo: Repository) -> dict[CommitId, str]:
    """Return the branch on which each commit was first the head, as this repository saw it."""
    found: dict[CommitId, str] = {}
    for _, operation in repo.operations():  # newest first: the oldest stays
        if operation.view.head and operation.view.branch:
            found[operation.view.head] = operation.view.branch
    return found


def _first_parents(repo: Repository, start: CommitId) -> Iterator[CommitId]:
    current: CommitId | None = start
    while current is not None:
        yield current
        parents = repo.commit(current).parents
        current = parents[0] if parents else None


def _brings_something(repo: Repository, commit: Commit) -> bool:
    parent = repo.commit(commit.parents[0]).tree if commit.parents else None
    changed = changed_paths(repo.store, parent, commit.tree)
    return any(new is not None and new.kind in _BROUGHT for _, _, new in changed)
