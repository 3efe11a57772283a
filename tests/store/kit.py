"""Stores to try things on, and bytes that look random and are the same in every run."""

from __future__ import annotations

import io
from pathlib import Path

from blake3 import blake3

from mlver.index.locations import Locations
from mlver.objects.ids import BlobId
from mlver.storage.base import Storage
from mlver.storage.memory import MemoryStorage
from mlver.store.object_store import ObjectStore


def noise(length: int, seed: int = 0) -> bytes:
    """Bytes that do not compress."""
    return blake3(seed.to_bytes(8, "little")).digest(length)


def open_store(storage: Storage | None = None, cache: Path | None = None) -> ObjectStore:
    storage = MemoryStorage() if storage is None else storage
    return ObjectStore(storage, Locations.open(cache, storage))


def put(store: ObjectStore, *contents: bytes) -> list[BlobId]:
    """Store some blobs in one pack."""
    with store.session() as session:
        ids = [session.put_stream(io.BytesIO(content))[0] for content in contents]
        session.finish()
    return ids


def packs(storage: Storage) -> list[str]:
    return list(storage.list("packs"))


def replace(storage: Storage, key: str, data: bytes) -> None:
    """Put other bytes under a key, as a failing disk would."""
    assert storage.compare_and_swap(key, storage.read(key), data)
