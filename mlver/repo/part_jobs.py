"""Parts of partitioned tables that workers compare: for a commit out of the packs, for the work tree its very files.

A worker opens the repository by its path, which has to be the same folder for all of them. A file of the work tree is
hashed before it is read: when it is not the one that was asked about, there is no answer.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import BinaryIO

from mlver.errors import MlverError, NegativeAnswer
from mlver.frozen import frozen
from mlver.kinds import registry
from mlver.kinds.base import Spec, Value
from mlver.kinds.folder import Ask, ByParts, Part, PartTask
from mlver.objects.ids import BlobId
from mlver.objects.result import jsonable
from mlver.objects.tree import LINK
from mlver.repo.file_jobs import at_work
from mlver.repo.folders import parts_of
from mlver.repo.repository import Repository
from mlver.repo.snapshot import BlobSource, Snapshot
from mlver.repo.worktree import hash_stream, open_regular
from mlver.store.object_store import ObjectStore

Address = tuple[str, str, str, int, bool]  # path in the folder, in the tree; hex id; bytes; whether in the work tree


@frozen
class Errand:
    """A task of plain values, for a worker: who asks, which kind is to answer, and what."""

    root: str
    host: str
    kind: str
    what: str
    old: Address | None
    new: Address | None
    specs: tuple[tuple[tuple[str, ...], dict[str, Value]], ...]  # key and options of both sides
    words: dict[str, Value]


def asking(repo: Repository, old: Snapshot, new: Snapshot, path: str, size: int) -> Ask | None:
    """Return what has workers answer about the folder `path` of `size` bytes; None when nobody works for us."""
    jobs, name = repo.jobs, new.find(path).kind
    if jobs is None or size < jobs.least or not isinstance(registry.get_any(name), ByParts):
        return None
    if any(artifact.type == LINK for side in (old, new) for artifact in parts_of(side, path)):
        return None

    def ask(tasks: Sequence[PartTask]) -> Sequence[bytes]:
        host = os.uname().nodename
        errands = [
            Errand(
                str(repo.root), host, name, task.what, _address(old, task.old), _address(new, task.new),
                tuple((spec.key, dict(jsonable(spec.options))) for spec in task.specs), dict(task.words),
            )
            for task in tasks
        ]  # fmt: skip
        return jobs.map(run_errand, errands)

    return ask


def _address(side: Snapshot, part: Part | None) -> Address | None:
    if part is None:
        return None
    return part.path, part.source.path, part.id, part.source.size, side.commit is None


def run_errand(errand: Errand) -> bytes:
    """Answer a task, in a worker; `b""` when the bytes are not to be had here."""
    kind = registry.get_any(errand.kind)
    if not isinstance(kind, ByParts):
        return b""
    try:
        with at_work(errand.root, errand.host) as (repo, store):
            parts = [_part(repo, store, address) for address in (errand.old, errand.new)]
            specs = [Spec(tuple(key), options) for key, options in errand.specs]
            return kind.answer(PartTask(errand.what, parts[0], parts[1], (specs[0], specs[1]), errand.words))
    except MlverError:
        return b""


def _part(repo: Repository, store: ObjectStore, address: Address | None) -> Part | None:
    if address is None:
        return None
    path, full, id, size, at_work_tree = address
    blob = BlobId(bytes.fromhex(id))

    def stored() -> BinaryIO:
        return store.open_blob(blob)

    def file() -> BinaryIO:
        return open_regular(repo.root, full)

    if at_work_tree:
        with file() as stream:
            if hash_stream(stream) != blob:
                raise NegativeAnswer(f"{full} is another file here")
    return Part(path, id, BlobSource(full, size, file if at_work_tree else stored))
