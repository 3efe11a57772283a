"""Repositories for gc: big files of their own bytes, and ways to look at what is left."""

from __future__ import annotations

import random
from pathlib import Path

from mlver.objects.ids import CommitId
from mlver.repo.repository import Repository
from mlver.store.pack import list_packs, pack_key
from mlver.verbs.branch import delete_ref, set_ref
from mlver.verbs.fsck import fsck
from mlver.verbs.switch import switch
from tests.kit import Bench


def noise(seed: int, size: int = 30_000) -> bytes:
    """Return bytes that do not compress, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def experiment(bench: Bench, name: str, seed: int) -> CommitId:
    """Commit a model of its own on a branch of its own, off main, and go back to main."""
    set_ref(bench.repo, "branch", name, "main")
    switch(bench.repo, name)
    bench.write("models/m.bin", noise(seed))
    id = bench.commit(f"try {name}")
    switch(bench.repo, "main")
    return id


def drop(bench: Bench, *names: str) -> None:
    """Delete branches."""
    for name in names:
        delete_ref(bench.repo, "branch", name)


def pack_bytes(repo: Repository) -> int:
    """Bytes of all packs, without the trash."""
    return sum(repo.storage.size(pack_key(name)) for name in list_packs(repo.storage))


def sound(root: Path) -> bool:
    """Whether fsck finds nothing."""
    with Repository.open(root, actor="ana") as repo:
        return fsck(repo).ok
