"""Which version of which dataset somebody means."""

from __future__ import annotations

from mlver.errors import UnknownRevision, UsageError
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target
from mlver.repo.worktree import hash_stream, open_regular


def dataset_of(repo: Repository, commit: CommitId, text: str) -> tuple[str, BlobId]:
    """Return path and content id of a dataset: as `PATH@REV` names it, else as it lies here, else as in the commit.

    Raises UsageError when the text names no file, UnknownRevision when there is none of that name.
    """
    target = parse_target(repo, text)
    if target.path is None or target.unit is not None:
        raise UsageError(f"not a dataset: {text}", hint="name a file of the commit or the work tree")
    if target.rev is None and repo.in_work_tree(target.path):
        with open_regular(repo.root, target.path) as stream:
            return target.path, hash_stream(stream)
    snapshot = repo.snapshot(repo.resolve(target.rev) if target.rev else commit)
    if target.path not in snapshot and target.rev is None:
        raise UnknownRevision(f"no dataset {target.path}, neither here nor in {commit.short}", hint="mlver show")
    return target.path, snapshot[target.path].id
