"""Which files of the work tree the store has to have for a commit, and has.

Whoever says that a file is unchanged has not said that its bytes are stored: `status` only hashes, and packs get lost.
So a commit asks for all of them, but only once: the answer is kept with the folder, and holds until a pack is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mlver.errors import Redacted
from mlver.kinds.registry import HEAD_BYTES
from mlver.objects.ids import BlobId
from mlver.objects.tree import LINK
from mlver.repo.listing import Listing, node_at
from mlver.repo.scan import FileStat, Folder, Identified, Scan
from mlver.repo.snapshot import Snapshot
from mlver.store.chunking import WHOLE
from mlver.store.session import StoreSession

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


def doubt_unstored(repo: Repository, found: Scan, before: Snapshot, session: StoreSession) -> None:
    """Let those files be read again of which the bytes are not in the store; `before` is HEAD."""
    mark = repo.store.index.mark()
    doubted = [folder for folder in found.folders.values() if folder.count and (not mark or folder.stored != mark)]
    known = {folder.path: folder.known() for folder in doubted}
    lost = repo.store.index.absent(set().union(*known.values()))
    for folder in doubted:
        mine = known[folder.path] - lost
        if mine and (others := mine - _committed(before, folder)):
            lost |= {blob for blob in others if not session.has(blob)}
    for folder in doubted if lost else ():
        folder.doubt(lost)


def _committed(before: Snapshot, folder: Folder) -> set[BlobId]:
    """Return the ids of what HEAD has in a folder."""
    if not isinstance(before.artifacts, Listing):
        return set()
    node = node_at(before.artifacts, folder.path)
    return {artifact.id for artifact in node.files.values()} if node is not None else set()


def note_stored(repo: Repository, found: Scan, mark: bytes) -> None:
    """Remember that the store has all files, as it did while its places had this mark."""
    for folder in found.folders.values():
        if folder.stored != mark and not folder.lacking:
            folder.stored, folder.touched = mark, True
    repo.worktree.keep(found)


def store_small(
    repo: Repository,
    session: StoreSession,
    files: Mapping[str, FileStat],
    tick: Callable[[str], Callable[[int], None] | None],
) -> dict[str, Identified]:
    """Store the small ones among these files; return what was read of each. `tick` as `put_stream` takes it."""
    from mlver.repo.small_files import read_small
    from mlver.store.small import SmallBlobs

    blobs, project = SmallBlobs(session), repo.project()

    def take(path: str, data: bytes) -> BlobId:
        if (told := tick(path)) is not None:
            told(len(data))
        try:
            return blobs.add(data)
        except Redacted as error:
            raise Redacted(f"{path}: {error.message}", hint=error.hint) from None

    small = (path for path, info in files.items() if info.size <= WHOLE and info.type != LINK)
    found = read_small(
        repo.root, small, take, lambda path, data: repo.kind_of(project, path, lambda: data[:HEAD_BYTES])
    )
    blobs.flush()
    return found
