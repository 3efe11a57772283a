"""Files of the work tree that are hashed, or stored, by workers that see the same folder.

A worker names what it read by its stat data. What is believed is looked at here again: a file whose stat data are not
those, because it changed or because the worker sees another folder, is read here as if nobody had been asked.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mlver.errors import MlverError
from mlver.index.stats import Stat
from mlver.objects.ids import BlobId
from mlver.objects.tree import LINK
from mlver.repo.generation import store_over
from mlver.repo.repository import Repository
from mlver.repo.worktree import FileStat, hash_stream, read_stable
from mlver.store.object_store import ObjectStore
from mlver.store.pack import FOLDER

_BYTES: Final = 1 << 30  # in one batch, and so in one pack; a larger file is one of its own
_FILES: Final = 50_000
_SHARES: Final = 4  # batches for each worker, if there is enough
Batch = tuple[str, str, list[str]]  # the work tree, the machine that asks, the paths
Read = Mapping[str, tuple[BlobId, Stat]]


def hash_many(repo: Repository, files: Mapping[str, FileStat]) -> Read:
    """Return ids and stat data of those files that workers have read, to be relied on; the others are to be read."""
    return _asked(repo, _hash_batch, files)


def store_many(repo: Repository, files: Mapping[str, FileStat]) -> tuple[Read, int]:
    """Return the same of files that workers have stored, each batch in packs of its own, and what these packs hold."""
    packs = frozenset(repo.storage.list(FOLDER))
    found = _asked(repo, _store_batch, files)
    if not found:
        return {}, 0
    repo.store.index.refresh()
    written = sum(repo.storage.size(key) for key in repo.storage.list(FOLDER) if key not in packs)
    return {path: read for path, read in found.items() if repo.store.has(read[0])}, written


def _asked(repo: Repository, function: Callable[[Batch], bytes], files: Mapping[str, FileStat]) -> Read:
    jobs = repo.jobs
    files = {path: info for path, info in files.items() if info.type != LINK}
    total = sum(info.size for info in files.values())
    if jobs is None or len(files) < 2 or total < jobs.least:
        return {}  # one file alone keeps every core busy here
    seen = time.time_ns()  # by the clock that the stat cache goes by
    batches = [(str(repo.root), os.uname().nodename, paths) for paths in _batches(files, total, jobs.count)]
    found: dict[str, tuple[BlobId, Stat]] = {}
    for (_, _, paths), answer in zip(batches, jobs.map(function, batches), strict=True):
        found |= _believed(repo.root, answer, frozenset(paths), seen)
    return found


def _batches(files: Mapping[str, FileStat], total: int, count: int) -> Iterator[list[str]]:
    """Yield paths in batches, neighbours together, as large as leaves a few for each worker."""
    most = min(_FILES, -(-len(files) // (_SHARES * count)))
    share = min(_BYTES, -(-total // (_SHARES * count)))
    paths: list[str] = []
    size = 0
    for path, info in files.items():
        if paths and (size + info.size > share or len(paths) >= most):
            yield paths
            paths, size = [], 0
        paths.append(path)
        size += info.size
    if paths:
        yield paths


def _believed(root: Path, answer: bytes, asked: frozenset[str], seen: int) -> dict[str, tuple[BlobId, Stat]]:
    """Return what a worker says of the files it was asked about that are, here and now, as it saw them."""
    found = {}
    try:
        said = json.loads(answer)
    except ValueError:
        return {}
    for path, entry in said.items() if isinstance(said, dict) else ():
        if path not in asked or not _is_entry(entry):
            continue
        try:
            info = os.stat(root / path, follow_symlinks=False)
        except OSError:
            continue
        if entry[1:] == [info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino]:
            blob = BlobId(bytes.fromhex(entry[0]))
            found[path] = (blob, Stat(info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, seen, bytes(blob)))
    return found


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, list)
        and [type(value) for value in entry] == [str, int, int, int, int]
        and len(entry[0]) == 64
        and not set(entry[0]) - set("0123456789abcdef")
    )


def _entry(read: tuple[BlobId, Stat]) -> list[str | int]:
    blob, stat = read
    return [bytes(blob).hex(), stat.size, stat.mtime, stat.ctime, stat.ino]


def _hash_batch(batch: Batch) -> bytes:
    """Hash files, in a worker; one that cannot be read is left out, and said better where it was asked for."""
    root, _, paths = batch
    found = {}
    for path in paths:
        try:
            found[path] = _entry(read_stable(Path(root), path, hash_stream))
        except MlverError:
            continue
    return json.dumps(found).encode()


def _store_batch(batch: Batch) -> bytes:
    """Store files, in a worker: none of them when anything fails, which is said better where it was asked for."""
    root, host, paths = batch
    found = {}
    try:
        with at_work(root, host) as (repo, store), store.session() as session:
            for path in paths:
                found[path] = _entry(read_stable(repo.root, path, lambda stream: session.put_stream(stream)[0]))
            session.finish()
    except MlverError:
        return b"{}"
    return json.dumps(found).encode()


@contextmanager
def at_work(root: str, host: str) -> Iterator[tuple[Repository, ObjectStore]]:
    """Open a repository and its objects in a worker that the machine `host` has asked.

    On another machine the table of places is kept in memory: SQLite is not to be shared over a network.
    """
    with Repository.open(Path(root)) as repo:
        if host == os.uname().nodename:
            yield repo, repo.store
            return
        store = store_over(repo.storage, None, repo.redactions)
        try:
            yield repo, store
        finally:
            store.close()
