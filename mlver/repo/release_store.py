"""Releases on disk: the servable artifacts of a commit, written out once and never changed.

    .mlver/releases/.store/<name>/...      the files, read-only
    .mlver/releases/.store/<name>.json     what they must be, and their stat data when they were whole

A release is named by its content, so two commits that serve the same files share one.
"""

from __future__ import annotations

import contextlib
import os
import stat as statmod
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlver.errors import Damaged, LocalIO, MlverError, OutcomeUnknown, UsageError
from mlver.frozen import frozen
from mlver.objects.encoding import dump_canonical, load_plain
from mlver.objects.ids import BlobId, ObjectId
from mlver.objects.redaction import Tombstone
from mlver.objects.tree import BLOB, EXECUTABLE, LINK
from mlver.repo.materialise import RELEASE_MODES, Progress, write_artifacts
from mlver.repo.snapshot import Artifact, Snapshot
from mlver.repo.worktree import hash_stream, link_text, open_regular
from mlver.storage import durable
from mlver.storage.looking import exists, names_in
from mlver.storage.swap import carry_off, put_down, turn

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

LOCK = "lock"  # of the folder of releases: those who change it take turns
_NAME_LENGTH = 16  # hex digits; the manifest holds the whole id


class ReleaseId(ObjectId):
    """The servable artifacts of a commit: their paths, types and bytes."""

    type_name = "release"
    context = "mlver 1 release"


@frozen
class Release:
    """What a stage serves of a commit, sorted by path.

    `named` is the name it got before some of it was redacted; it keeps that.
    """

    artifacts: tuple[Artifact, ...]
    named: str | None = None

    @cached_property
    def id(self) -> ReleaseId:
        """Hash of the canonical JSON of [path, type, blob id] of each artifact."""
        return ReleaseId.of(dump_canonical([[a.path, a.type, a.id.hex()] for a in self.artifacts]))

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.named or self.id.hex()[:_NAME_LENGTH]

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(artifact.size for artifact in self.artifacts)


def release_of(snapshot: Snapshot, stage: str) -> Release:
    """Return what `stage` serves of a commit, as that commit's own mlver.toml says."""
    project = snapshot.project
    served = (a for path, a in snapshot.artifacts.items() if project.serves(stage, path, a.kind))
    return Release(tuple(sorted(served, key=lambda artifact: artifact.path.encode())))


def as_served(repo: Repository, snapshot: Snapshot, stage: str, name: str | None) -> Release:
    """Return what `stage` serves of a commit under a name: without what was redacted since."""
    release, gone = release_of(snapshot, stage), repo.redactions()
    if not gone:
        return release
    left = tuple(a for a in release.artifacts if (found := gone.get(a.id)) is None or found.replacement is not None)
    put_in = {tombstone.replacement for tombstone in gone.values()}
    if left == release.artifacts and not any(artifact.id in put_in for artifact in left):
        return release
    return Release(left, name)


def redacted_in(repo: Repository, release: Release) -> Tombstone | None:
    """Return what a release would lack, because it was redacted: the first such file; None when all is there."""
    gone = repo.redactions()
    found = (gone.get(artifact.id) for artifact in release.artifacts) if gone else ()
    return next((one for one in found if one is not None and one.replacement is None), None)


def store_folder(repo: Repository) -> Path:
    """Return the folder that holds all releases."""
    return repo.dot / "releases" / ".store"


def is_whole(repo: Repository, release: Release) -> bool:
    """Whether the release is on disk and untouched since it was verified. Compares stat data, reads no file."""
    manifest = _read_manifest(repo, release)
    if manifest is None:
        return False
    folder = store_folder(repo) / release.name
    found = dict(_walk(folder))
    return found.keys() == manifest.keys() and all(_stat_row(found[path]) == manifest[path] for path in manifest)


def ensure(repo: Repository, release: Release, progress: Progress | None = None) -> int:
    """Make sure the release is on disk, whole; return how many bytes had to be written.

    Nothing is believed: stat data that do not match the manifest lead to reading the files, files
    that do not match their ids to setting the folder aside in quarantine and writing it again.
    Raises Damaged when the store cannot give what is missing.
    """
    if is_whole(repo, release):
        return 0
    store = store_folder(repo)
    durable.make_dirs(store)
    with turn(store / LOCK):
        if files_match(repo, release):
            _write_manifest(repo, release)
            return 0
    temp = store / (durable.TEMP_PREFIX + os.urandom(8).hex())
    try:
        durable.make_dirs(temp)
        files = release.artifacts
        written = write_artifacts(repo.store, files, temp, modes=RELEASE_MODES, sync=True, progress=progress)
        with turn(store / LOCK):
            _publish(repo, release, temp)
    except OutcomeUnknown as error:  # known well enough: nobody is served from here yet
        raise LocalIO(f"the release was not written: {error.message}", hint="try again") from error
    finally:
        with contextlib.suppress(FileNotFoundError, MlverError):
            durable.remove_tree(temp)
    return written


def remove(repo: Repository, name: str, still: Callable[[], bool]) -> bool:
    """Remove a release from disk if `still` holds when nobody can count on it any more; whether it was removed.

    Its manifest goes first: a folder without one is never trusted.
    """
    store = store_folder(repo)
    if not still():
        return False
    with contextlib.suppress(FileNotFoundError):
        durable.remove(store / f"{name}.json")
    gone = carry_off(store / name, still)
    if gone is None:
        return False
    durable.fsync_dir(store)
    durable.remove_tree(gone.parent)
    return True


def distrust(repo: Repository, release: Release) -> None:
    """Forget that a release was ever found whole: it is read before it is believed again."""
    with contextlib.suppress(FileNotFoundError):
        durable.remove(store_folder(repo) / f"{release.name}.json")


def release_files(repo: Repository, name: str) -> dict[str, BlobId] | None:
    """Return the paths and blobs of a release on disk, as it was written; None when that is not known."""
    try:
        plain = load_plain(durable.read_file(store_folder(repo) / f"{name}.json"))
        return {path: BlobId.parse(blob) for path, blob, *_ in plain["files"]}
    except (FileNotFoundError, LocalIO, Damaged, UsageError, KeyError, TypeError, ValueError, AttributeError):
        return None


def names_on_disk(repo: Repository) -> list[str]:
    """Return the names of all releases on disk."""
    return sorted(name for name in names_in(store_folder(repo)) if len(name) == _NAME_LENGTH and "." not in name)


def _publish(repo: Repository, release: Release, temp: Path) -> None:
    """Rename the new folder to its name. Whatever broken folder stood there goes to quarantine first.

    Between the two renames a link to the broken folder leads nowhere; what it served was damaged
    already, and `settle` takes it from there after a crash.
    """
    target = store_folder(repo) / release.name
    if exists(target):
        if is_whole(repo, release):
            return  # somebody else has just written the same release
        if broken := carry_off(target, lambda: not is_whole(repo, release)):
            quarantine = repo.dot / "quarantine"
            durable.make_dirs(quarantine)
            put_down(broken, quarantine / f"release-{release.name}-{os.urandom(4).hex()}")
    try:
        durable.move(temp, target)
    except LocalIO:
        if not files_match(repo, release):
            raise
    _write_manifest(repo, release)


def files_match(repo: Repository, release: Release) -> bool:
    """Read every file of a release on disk; whether they are those it names and no others."""
    folder = store_folder(repo) / release.name
    if not folder.is_dir() or folder.is_symlink():
        return False
    found = dict(_walk(folder))
    wanted = {artifact.path: artifact for artifact in release.artifacts}
    return found.keys() == wanted.keys() and all(_file_matches(folder, a, found[path]) for path, a in wanted.items())


def _file_matches(folder: Path, artifact: Artifact, info: os.stat_result) -> bool:
    if _type(info) != artifact.type:
        return False
    if artifact.type == LINK:
        return BlobId.of(link_text(folder, artifact.path)) == artifact.id
    if info.st_size != artifact.size:
        return False
    try:
        with open_regular(folder, artifact.path) as stream:
            return hash_stream(stream) == artifact.id
    except MlverError:
        return False


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every name below `folder` that is no folder, with its stat data; no link is followed."""
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            with os.scandir(folder / prefix) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(prefix + entry.name + "/")
                    else:
                        yield prefix + entry.name, entry.stat(follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            continue


def _type(info: os.stat_result) -> str | None:
    if statmod.S_ISLNK(info.st_mode):
        return LINK
    if not statmod.S_ISREG(info.st_mode):
        return None
    return EXECUTABLE if info.st_mode & 0o100 else BLOB


def _stat_row(info: os.stat_result) -> list[Any]:
    return [_type(info), info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino]


def _write_manifest(repo: Repository, release: Release) -> None:
    folder = store_folder(repo) / release.name
    found = dict(_walk(folder))
    files = [[a.path, a.id.hex(), *_stat_row(found[a.path])] for a in release.artifacts]
    plain = {"release": release.id.hex(), "files": files}
    with contextlib.suppress(OutcomeUnknown):  # a manifest that a power cut takes back is made again
        durable.write_file(folder.with_name(f"{release.name}.json"), dump_canonical(plain) + b"\n")


def _read_manifest(repo: Repository, release: Release) -> dict[str, list[Any]] | None:
    """Return path -> stat data of the release when it was last verified; None when that is not known."""
    try:
        plain = load_plain(durable.read_file(store_folder(repo) / f"{release.name}.json"))
        rows = {path: (blob, row) for path, blob, *row in plain["files"]}
        wanted = {artifact.path: artifact for artifact in release.artifacts}
        same = rows.keys() == wanted.keys() and all(
            blob == wanted[path].id.hex() and row[0] == wanted[path].type for path, (blob, row) in rows.items()
        )
        trusted = same and plain["release"] == release.id.hex()
    except (FileNotFoundError, LocalIO, Damaged, KeyError, TypeError, ValueError, IndexError):
        return None
    return {path: row for path, (_, row) in rows.items()} if trusted else None
