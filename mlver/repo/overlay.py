"""Laying files of a commit over a folder: what has to be written, and what stands in the way.

Restore and switch both go through here. A plan is made, and may be refused, before anything on
disk is touched.
"""

from __future__ import annotations

import os
import stat as statmod
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mlver.errors import Damaged, Refused
from mlver.frozen import frozen
from mlver.objects.ids import BlobId
from mlver.repo.materialise import Progress, remove_paths, write_artifacts
from mlver.repo.names import check_path
from mlver.repo.scan import type_of
from mlver.repo.snapshot import Artifact
from mlver.repo.worktree import FileStat, Scan, WorkTree
from mlver.storage.beneath import Beneath
from mlver.storage.durable import TEMP_PREFIX, show
from mlver.store.chunking import WHOLE
from mlver.store.object_store import ObjectStore

_SHOWN = 5
_SWEEP_AFTER = 3600.0  # seconds; a younger temporary file may be somebody's who is at it


@frozen
class Wish:
    """What one path should hold (`new` None: nothing), and what it holds if nobody worked on it (`base`)."""

    base: Artifact | None
    new: Artifact | None


@frozen
class Step:
    """One file to write or remove; `old_id`, `old_size` are what is there now (None: nothing)."""

    path: str
    new: Artifact | None
    kind: str
    old_id: BlobId | None = None
    old_size: int | None = None


@frozen
class Plan:
    """Steps that bring a folder to where it should be, and the paths whose own content forbids it.

    `blocked` holds (path, blob on disk); it may be overwritten by force. `stuck` holds (path, reason)
    for what is never overwritten.
    """

    steps: tuple[Step, ...]
    blocked: tuple[tuple[Step, BlobId], ...]
    stuck: tuple[tuple[str, str], ...]

    @property
    def bytes(self) -> int:
        """How many bytes will be written."""
        return sum(step.new.size for step in self.steps if step.new)


def make_plan(wishes: Mapping[str, Wish], worktree: WorkTree, seen: Scan | None = None) -> Plan:
    """Compare `wishes` with what is in the work tree. Reads, writes nothing.

    What was just `seen` there need not be read again.
    """
    folder = worktree.root
    found = _look(folder, wishes)
    files = {path: info for path, (at, info) in found.items() if at == path and info is not None}
    ids = worktree.hashes(files, seen)
    steps: list[Step] = []
    blocked: list[tuple[Step, BlobId]] = []
    obstacles: list[tuple[str, str]] = []
    for path, wish in wishes.items():
        either = wish.new or wish.base
        kind = either.kind if either else "file"
        if path in files:
            step = Step(path, wish.new, kind, ids[path], files[path].size)
            if wish.new and (wish.new.id, wish.new.type) == (ids[path], files[path].type):
                continue
            if any(a is not None and a.id == ids[path] for a in (wish.base, wish.new)):
                steps.append(step)
            else:
                blocked.append((step, ids[path]))
        elif path not in found:
            if wish.new:
                steps.append(Step(path, wish.new, kind))
        elif wish.new:
            steps.append(Step(path, wish.new, kind))
            obstacles.append((path, found[path][0]))
    return Plan(tuple(steps), tuple(blocked), tuple(_stuck(folder, obstacles, steps)))


def _look(folder: Path, paths: Mapping[str, Wish]) -> dict[str, tuple[str, FileStat | None]]:
    """Return what stands at, or in the way of, each path; nothing at all for most new ones."""
    found: dict[str, tuple[str, FileStat | None]] = {}
    if not folder.is_dir():
        return found
    with Beneath(folder) as root:
        for path, at, info in root.standing(check_path(path) for path in sorted(paths)):
            found[path] = (at, _file_stat(info) if at == path else None)
    return found


def _file_stat(info: os.stat_result) -> FileStat | None:
    if not (statmod.S_ISLNK(info.st_mode) or statmod.S_ISREG(info.st_mode)):
        return None
    return FileStat(type_of(info.st_mode), info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)


def _stuck(folder: Path, obstacles: Sequence[tuple[str, str]], steps: Sequence[Step]) -> list[tuple[str, str]]:
    """Return the obstacles that do not go away by themselves: a file or folder that the plan removes is none."""
    leaving = {step.path for step in steps if step.new is None}
    stuck: list[tuple[str, str]] = []
    if not obstacles:
        return stuck
    with Beneath(folder) as root:
        for path, at in obstacles:
            if at in leaving:
                continue
            if at != path:
                stuck.append((path, f"{show(at)} is in the way and is no folder"))
            elif not (seen := root.look(path)) or not statmod.S_ISDIR(seen[1].st_mode):
                stuck.append((path, "something that is neither file nor folder stands there"))
            elif kept := [file for file in root.files(path) if file not in leaving]:
                stuck.append((path, f"a folder stands there and holds {show(kept[0])}"))
    return stuck


def refuse_overwriting(plan: Plan, *, force: bool, blocked: Sequence[str], hint: str) -> None:
    """Raise Refused when the plan cannot be carried out; `blocked` names the files with work of their own."""
    if plan.stuck:
        path, reason = plan.stuck[0]
        more = f" (and {len(plan.stuck) - 1} more)" if len(plan.stuck) > 1 else ""
        raise Refused(f"cannot write {show(path)}: {reason}{more}", hint="move it away")
    if blocked and not force:
        shown = ", ".join(map(show, blocked[:_SHOWN]))
        more = f" and {len(blocked) - _SHOWN} more" if len(blocked) > _SHOWN else ""
        raise Refused(f"uncommitted work would be overwritten: {shown}{more}", hint=hint)


def carry_out(
    store: ObjectStore, worktree: WorkTree, steps: Sequence[Step], *, progress: Progress | None = None
) -> tuple[Artifact, ...]:
    """Write and remove in the root of `worktree`, which is told what its files hold then.

    New content comes first, so that a full disk or a broken object costs no file.

    Returns what was left out, because it was redacted; what is there instead goes, as it would have been replaced.
    Damaged, before anything is touched, when an object is missing.
    """
    folder = worktree.root
    out = tuple(step.new for step in steps if step.new and is_gone(store, step.new))
    steps = [replace(step, new=None) if step.new in out else step for step in steps]
    steps = [step for step in steps if step.new or step.old_id]
    _refuse_missing(store, [step.new for step in steps if step.new])
    _sweep(folder, steps)
    gone = [step.path for step in steps if step.new is None]
    new = [step.new for step in steps if step.new]
    early = [path for path in gone if _makes_room(path, new)]
    if early:
        remove_paths(folder, early)
    _drop_empty_folders(folder, new)
    written: dict[str, tuple[BlobId, int]] = {}

    def note(artifact: Artifact, stamp: int) -> None:
        written[artifact.path] = artifact.id, stamp

    write_artifacts(store, new, folder, progress=progress, wrote=note)
    remove_paths(folder, set(gone).difference(early))
    worktree.wrote(written)
    return out


def left_out_of(artifacts: Sequence[Artifact]) -> tuple[str, ...]:
    """Return the paths of what was left out."""
    return tuple(artifact.path for artifact in artifacts)


def is_gone(store: ObjectStore, artifact: Artifact) -> bool:
    """Whether the bytes of an artifact were redacted, and nothing is read in their place."""
    return (found := store.redacted(artifact.id)) is not None and found.replacement is None


def _sweep(folder: Path, steps: Sequence[Step]) -> None:
    """Remove what an earlier run that was cut short left half written in the folders we come to."""
    with Beneath(folder) as root:
        for parent in {step.path.rpartition("/")[0] for step in steps}:
            for name in root.names(parent):
                path = f"{parent}/{name}" if parent else name
                seen = root.look(path) if name.startswith(TEMP_PREFIX) else None
                if seen and statmod.S_ISREG(seen[1].st_mode) and time.time() - seen[1].st_mtime > _SWEEP_AFTER:
                    root.remove(path)


def _refuse_missing(store: ObjectStore, new: Sequence[Artifact]) -> None:
    store.index.refresh()
    needed: dict[bytes, str] = {artifact.id: artifact.path for artifact in new}
    lost = _lost(store, needed)
    for artifact in new:
        if artifact.size > WHOLE and artifact.id not in lost:
            needed |= dict.fromkeys((chunk for chunk, _ in store.chunks(artifact.id)), artifact.path)
    for id in lost or _lost(store, needed):
        raise Damaged(f"{needed[id]}: missing object blob {id.hex()}; nothing was written", hint="mlver fsck")


def _lost(store: ObjectStore, ids: Collection[bytes]) -> set[bytes]:
    lost = store.index.absent(ids)
    return store.index.absent(ids) if lost and store.index.doubt() else lost


def _makes_room(path: str, new: Sequence[Artifact]) -> bool:
    return any(a.path.startswith(path + "/") or path.startswith(a.path + "/") for a in new)


def _drop_empty_folders(folder: Path, new: Sequence[Artifact]) -> None:
    with Beneath(folder) as root:
        for path, at, info in root.standing([artifact.path for artifact in new]):
            if at == path and statmod.S_ISDIR(info.st_mode):
                _remove_folders(root, path)


def _remove_folders(root: Beneath, path: str) -> None:
    for name in root.names(path):
        _remove_folders(root, f"{path}/{name}")
    root.remove_empty(path)
