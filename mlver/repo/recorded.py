"""Reading how an artifact was made: the paths it names pass the gate like all others, for they may reach a disk."""

from __future__ import annotations

from mlver.errors import Damaged, Refused
from mlver.objects.commit import Commit, Derivation
from mlver.objects.ids import CommitId, DerivationId
from mlver.repo.names import check_path
from mlver.store.object_store import ObjectStore


def read_derivation(store: ObjectStore, id: DerivationId) -> Derivation:
    """Return a derivation; Damaged when it is missing, malformed, or names what may not stand in a tree."""
    derivation = store.get_object(Derivation, id)
    check_paths(id, derivation)
    return derivation


def check_paths(id: DerivationId, derivation: Derivation) -> None:
    """Raise Damaged when a derivation names what may not stand in a tree."""
    try:
        for used in (*derivation.inputs, *derivation.outputs):
            check_path(used.path.removesuffix("/"))  # a folder that is one table
    except Refused as error:
        raise Damaged(f"derivation {id.short} holds a {error.message}", hint="mlver fsck") from None


def check_named(id: CommitId, commit: Commit) -> None:
    """Raise Damaged when a commit says how something was made that may not stand in a tree."""
    try:
        for path in commit.derivations:
            check_path(path.removesuffix("/"))
    except Refused as error:
        raise Damaged(f"commit {id.short} holds a {error.message}", hint="mlver fsck") from None
