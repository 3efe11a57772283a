"""Which artifacts of a snapshot were made from inputs that are no longer what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlver.objects.commit import Derivation
from mlver.objects.ids import BlobId, DerivationId
from mlver.repo.snapshot import Snapshot

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


def stale_in(repo: Repository, snapshot: Snapshot, recorded: Mapping[str, DerivationId]) -> dict[str, tuple[str, ...]]:
    """Return path -> the inputs that have changed since it was made from them, by path.

    `recorded` says how artifacts were made. Only what is still the very thing that was made counts.
    """
    found: dict[str, tuple[str, ...]] = {}
    for path, id in sorted(recorded.items()):
        if path in snapshot and (because := _changed_inputs(repo, snapshot, path, id)):
            found[path] = because
    return found


def _changed_inputs(repo: Repository, snapshot: Snapshot, path: str, id: DerivationId) -> tuple[str, ...]:
    derivation = repo.store.get_object(Derivation, id)
    made: dict[str, BlobId] = {used.path: used.id for used in derivation.outputs}
    if made.get(path) != snapshot[path].id:
        return ()
    return tuple(
        used.path
        for used in derivation.inputs
        if used.path not in made and (used.path not in snapshot or snapshot[used.path].id != used.id)
    )
