"""Repositories to redact in, and a search of every byte they hold."""

from __future__ import annotations

import random
import sqlite3
from contextlib import suppress
from pathlib import Path

import zstandard

from mlver.repo.repository import Repository
from mlver.store.frames import HEADER_BYTES
from mlver.store.pack import list_packs, read_rows
from mlver.verbs.fsck import fsck

MAGIC = b"\x28\xb5\x2f\xfd"


def noise(seed: int, size: int = 30_000) -> bytes:
    """Return bytes that do not compress, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def text(seed: int, lines: int = 900) -> bytes:
    """Return text that compresses, the same for the same seed."""
    chance = random.Random(seed)
    return "".join(f"{chance.randrange(10**9)} {seed} the same words again and again\n" for _ in range(lines)).encode()


def holds(root: Path, needle: bytes) -> list[str]:
    """Return the files below `root` that hold some bytes: as they lie, in a zstd frame, or in a database."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if needle in data or any(needle in piece for piece in _unpacked(data)) or _in_database(path, data, needle):
            found.append(str(path.relative_to(root)))
    return found


def _unpacked(data: bytes) -> list[bytes]:
    found, at = [], data.find(MAGIC)
    while at >= 0:
        with suppress(zstandard.ZstdError):  # the magic by chance
            found.append(zstandard.ZstdDecompressor().decompressobj().decompress(data[at:]))
        at = data.find(MAGIC, at + 1)
    return found


def _in_database(path: Path, data: bytes, needle: bytes) -> bool:
    if not data.startswith(b"SQLite format 3"):
        return False
    with sqlite3.connect(path) as db:
        dumped = "\n".join(db.iterdump())
    return needle.decode(errors="replace") in dumped


def everything(repo: Repository) -> dict[tuple[int, bytes], bytes]:
    """Return every object in the packs, as it lies there."""
    found = {}
    for name in list_packs(repo.storage):
        for row in read_rows(repo.storage, name)[1]:
            data = repo.storage.read(f"packs/{name}.pack", row.offset + HEADER_BYTES, row.stored)
            found[row.type, row.id] = data
    return found


def sound(repo: Repository) -> bool:
    """Whether fsck finds nothing."""
    return fsck(repo).ok
