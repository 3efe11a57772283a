"""Good copies that lie on this very disk: files of the work tree, and of releases that were written out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlver.errors import MlverError
from mlver.index.locations import Locations
from mlver.objects.ids import BlobId
from mlver.repo.harm import Harm
from mlver.repo.release_store import names_on_disk, store_folder
from mlver.repo.store_repair import Source
from mlver.repo.worktree import hash_stream, open_regular
from mlver.storage.memory import MemoryStorage
from mlver.store.object_store import ObjectStore

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

FILES = "files on this disk"
_MOST = 512 << 20  # bytes of files that are held at once


def local_copies(repo: Repository, harm: Harm) -> Source | None:
    """Return the files that are what a hurt artifact should be, cut as the store cuts them; None when there are none.

    A file counts by its bytes: its hash is the id of the blob that is lost. They are held in memory, up to 512 MiB.
    """
    storage, held, done = MemoryStorage(FILES), 0, set[BlobId]()
    store = ObjectStore(storage, Locations.open(None, storage))
    with store.session() as session:
        for one in harm.artifacts:
            if not isinstance(one.id, BlobId) or one.id in done:
                continue
            for folder in _folders(repo):
                size = _size(folder / one.path)
                if size is None or held + size > _MOST or not _matches(folder, one.path, one.id):
                    continue
                with open_regular(folder, one.path) as stream:
                    session.put_stream(stream)
                held += size
                done.add(one.id)
                break
        session.finish()
    return Source(FILES, store) if done else None


def _folders(repo: Repository) -> Iterator[Path]:
    if not repo.bare:
        yield repo.root
    for name in names_on_disk(repo):
        yield store_folder(repo) / name


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except (OSError, ValueError):
        return None


def _matches(folder: Path, path: str, id: BlobId) -> bool:
    try:
        with open_regular(folder, path) as stream:
            return hash_stream(stream) == id
    except MlverError:  # a link, a pipe, gone, not to be read: no copy
        return False
