"""Which derivation each artifact of a new commit carries: recorded, carried over or declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlver.objects.commit import Commit, Derivation, Used
from mlver.objects.ids import DerivationId
from mlver.objects.state import View
from mlver.repo.project import Project, matches
from mlver.repo.snapshot import Snapshot
from mlver.store.session import StoreSession

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


def derivations_for(
    repo: Repository,
    session: StoreSession,
    new: Snapshot,
    parent: Commit | None,
    view: View,
    project: Project,
    also: Commit | None = None,
) -> dict[str, DerivationId]:
    """Return path -> derivation for the artifacts of a commit about to be made.

    What `mlver run` or the API recorded holds if the bytes are still those it made; an unchanged
    artifact keeps what it had; a changed one takes what `[lineage]` of mlver.toml declares. What a merge took
    from `also` keeps what it had there.
    """
    found: dict[str, DerivationId] = {}
    known = [commit.derivations for commit in (also, parent) if commit is not None]
    for recorded in (*known, view.pending):
        found |= {path: id for path, id in recorded.items() if path in new and _made(repo, id, new, path)}
    for path in new.artifacts if project.lineage else ():
        if path not in found and (line := project.lineage_of(path)):
            inputs = tuple(
                Used(p, a.id, a.kind)
                for p, a in new.artifacts.items()
                if p != path and any(matches(p, pattern) for pattern in line.inputs)
            )
            output = Used(path, new[path].id, new[path].kind)
            id = session.put_object(Derivation("declared", inputs, (output,), line.command))
            assert isinstance(id, DerivationId)
            found[path] = id
    return dict(sorted(found.items()))


def _made(repo: Repository, id: DerivationId, new: Snapshot, path: str) -> bool:
    derivation = repo.store.get_object(Derivation, id)
    return any(used.path == path and used.id == new[path].id for used in derivation.outputs)


def still_pending(view: View, committed: Mapping[str, DerivationId]) -> dict[str, DerivationId]:
    """Return the recorded runs that the commit did not take up because it left their output out or changed."""
    return {path: id for path, id in view.pending.items() if committed.get(path) != id}
