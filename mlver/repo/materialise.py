"""Writing artifacts out of the store into a folder: whole and verified, or not at all."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from mlver.errors import Damaged, LocalIO, Refused
from mlver.objects.tree import EXECUTABLE, LINK
from mlver.repo.names import check_path
from mlver.repo.snapshot import Artifact
from mlver.storage import durable
from mlver.storage.beneath import Beneath
from mlver.store.chunking import WHOLE
from mlver.store.frames import Bytes
from mlver.store.object_store import ObjectStore

Progress = Callable[[int, int, str], None]
Wrote = Callable[[Artifact, int], None]  # what was written, and the time it was given, in ns
WORK_MODES = (0o644, 0o755)
RELEASE_MODES = (0o444, 0o555)
_LINK_LIMIT = 4096  # bytes; no system takes a longer link


def write_artifacts(
    store: ObjectStore,
    artifacts: Collection[Artifact],
    folder: Path,
    *,
    modes: tuple[int, int] = WORK_MODES,
    sync: bool = False,
    progress: Progress | None = None,
    wrote: Wrote | None = None,
) -> int:
    """Write `artifacts` below `folder` (which must exist) and return how many bytes that were.

    Each file is streamed from the store, its hash checked as a whole before it appears under its
    name; what stood there before is replaced. `modes` are those of plain and of executable files.
    `wrote` is told of each file that is no link. Parents are made, none is reached through a link.
    Raises Damaged naming what is missing or broken in the store, Refused for names that may not
    reach a disk, LocalIO.
    """
    total, done = sum(artifact.size for artifact in artifacts), 0
    with Beneath(folder, sync=sync) as root:
        refuse_twins(root, [check_path(artifact.path) for artifact in artifacts])
        if total > root.free():
            _refuse_without_room(store, artifacts, root)
        small = store.small_blobs([artifact.id for artifact in artifacts if _is_small(artifact)])
        for artifact in artifacts:
            if artifact.type == LINK:
                root.link(artifact.path, link_target(store, artifact))
            else:
                data = next(small) if _is_small(artifact) else None
                _write_file(store, artifact, data, root, modes, _ticker(progress, done, total, artifact.path), wrote)
            done += artifact.size
            if progress:
                progress(done, total, artifact.path)
    return done


def _is_small(artifact: Artifact) -> bool:
    return artifact.type != LINK and artifact.size <= WHOLE


def _refuse_without_room(store: ObjectStore, artifacts: Collection[Artifact], root: Beneath) -> None:
    """Raise LocalIO when the disk cannot hold the files, each beside the one it replaces. Nothing is written yet."""
    free, taken = root.free(), 0
    for artifact in artifacts:
        taken += store.blob_size(artifact.id)  # what a tree says of it may be wrong
        if taken > free:
            raise LocalIO(
                f"cannot write {durable.show(artifact.path)}: the disk is too full: {taken} bytes needed, {free} free",
                hint="make room, or restore less",
            )
        if (seen := root.look(artifact.path)) and seen[0] == artifact.path and stat.S_ISREG(seen[1].st_mode):
            taken -= seen[1].st_size


def _ticker(progress: Progress | None, base: int, total: int, path: str) -> Callable[[int], None] | None:
    return (lambda count: progress(base + count, total, path)) if progress else None


def _write_file(
    store: ObjectStore,
    artifact: Artifact,
    data: Bytes | None,
    root: Beneath,
    modes: tuple[int, int],
    tick: Callable[[int], None] | None,
    wrote: Wrote | None,
) -> None:
    """Write one file: `data`, or what the store has of it."""
    file, full = root.new_file(artifact.path)

    def write(data: Bytes) -> None:
        file.write(data)
        if tick:
            tick(file.tell())

    with file:
        try:
            if data is None:
                store.copy_blob(artifact.id, write)
            else:
                write(data)
        except Damaged as error:
            raise Damaged(f"{artifact.path}: {error.message}", hint=error.hint) from None
        stamp = file.stamp() if wrote else 0
        file.commit(full, mode=modes[artifact.type == EXECUTABLE])
    if wrote:
        wrote(artifact, stamp)


def link_target(store: ObjectStore, artifact: Artifact) -> str:
    """Return the text of a stored symbolic link; Refused when no system could hold it."""
    if artifact.size > _LINK_LIMIT:
        raise Refused(f"{artifact.path}: a link of {artifact.size} bytes")
    text = store.get(artifact.id)
    if not text or b"\0" in text or len(text) > _LINK_LIMIT:
        raise Refused(f"{artifact.path}: not the text of a link")
    return os.fsdecode(text)


def remove_paths(folder: Path, paths: Iterable[str]) -> None:
    """Remove files below `folder`, and the folders that this leaves empty. What is gone already is fine."""
    doomed = sorted(paths)
    with Beneath(folder) as root:
        for path in doomed:
            root.remove(check_path(path))
        parents = {parent for path in doomed for parent in _parents(path)}
        for parent in sorted(parents, key=lambda p: -p.count("/")):
            root.remove_empty(parent)


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]


# -- names that one file system tells apart and another does not ---------------------------------


def refuse_twins(
    root: Beneath, paths: Iterable[str], folds: Callable[[Beneath], tuple[bool, bool]] | None = None
) -> None:
    """Raise Refused, naming both, when two of `paths` would be one file on the file system of `root`.

    `folds` answers whether it ignores case and whether it ignores Unicode form; without it, the
    file system itself is tried, and only when there are names that could fall together.
    """
    paths = list(paths)
    if not _twins(paths, case=True, form=True):
        return
    case, form = (folds or probe_folding)(root)
    if (case or form) and (pair := _twins(paths, case=case, form=form)):
        raise Refused(
            f"{durable.show(pair[0])} and {durable.show(pair[1])} are one name on the file system of {root.root}",
            hint="rename one of them where both can exist",
        )


def _twins(paths: Iterable[str], *, case: bool, form: bool) -> tuple[str, str] | None:
    def fold(name: str) -> str:
        if name.isascii():
            return name.lower() if case else name
        name = unicodedata.normalize("NFD", name) if form else name
        name = name.casefold() if case else name
        return unicodedata.normalize("NFD", name) if form else name

    seen: dict[str, str] = {}
    known: set[str] = set()
    for path in paths:
        for part in (*_parents(path), path):
            if part in known:
                continue
            known.add(part)
            if (other := seen.setdefault(fold(part), part)) != part:
                return other, part
    return None


def probe_folding(root: Beneath) -> tuple[bool, bool]:
    """Return whether the file system below `root` ignores case, and Unicode form, by making a file there."""
    name = durable.TEMP_PREFIX + "probe-\u00e9"
    file, full = root.new_file(name)
    with file:
        file.commit(full)
    try:
        case = root.look(name.replace("probe", "PROBE")) is not None
        form = root.look(unicodedata.normalize("NFD", name)) is not None
    finally:
        root.remove(name)
    return case, form
