"""Artifacts that belong together: what one commit holds as one working whole."""

from __future__ import annotations

from collections.abc import Container, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlver.objects.commit import Derivation
from mlver.objects.ids import BlobId
from mlver.repo.history import all_heads, walk
from mlver.repo.listing import Node, of_kind
from mlver.repo.overlay import Wish, make_plan
from mlver.repo.snapshot import Snapshot, find_in_tree

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

# Each of these can be harmless alone and wrong beside another commit's: a model brings its own fill
# values, a rule leans on a threshold in a config.
BUNDLE = ("model", "rules", "config")
_LOOK_BACK = 2000  # commits


def partners(
    repo: Repository, snapshot: Snapshot, chosen: Container[str], beside: Mapping[str, Node] = MappingProxyType({})
) -> tuple[str, ...]:
    """Return the partners of `chosen` in a commit's `snapshot` that are otherwise in the work tree (or missing).

    Partners are the models, rules and configs of one commit, and the inputs and outputs of one derivation.
    """
    assert snapshot.commit is not None
    together = {artifact.path for artifact in of_kind(snapshot.artifacts, *BUNDLE, beside=beside)}
    wanted = set(together) if any(path in chosen for path in together) else set()
    for id in set(repo.commit(snapshot.commit).derivations.values()):
        derivation = repo.store.get_object(Derivation, id)
        group = {
            used.path
            for used in (*derivation.inputs, *derivation.outputs)
            if used.path in snapshot and snapshot[used.path].id == used.id
        }
        if any(path in chosen for path in group):
            wanted |= group
    wishes = {path: Wish(None, snapshot[path]) for path in sorted(wanted) if path not in chosen}
    plan = make_plan(wishes, repo.worktree)
    return tuple(sorted([step.path for step in plan.steps] + [step.path for step, _ in plan.blocked]))


def is_committed(repo: Repository, path: str, blob: BlobId) -> bool:
    """Whether a commit that is reachable by name holds these very bytes at `path`, so that they can't be lost."""
    trees = set()
    for count, (_, commit) in enumerate(walk(repo, all_heads(repo))):
        if commit.tree not in trees:
            trees.add(commit.tree)
            found = find_in_tree(repo.store, commit.tree, path)
            if found is not None and found.id == blob:
                return True
        if count > _LOOK_BACK:
            break
    return False


def kinds_of(snapshot: Snapshot, leaving_out: str) -> str:
    """Return the bundle's kinds in a snapshot but one, as words: `model, config`."""
    present = {a.kind for a in snapshot.artifacts.values()}
    return ", ".join(kind for kind in BUNDLE if kind in present and kind != leaving_out)
