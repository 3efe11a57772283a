"""What gc has given up: which packs nobody may rely on any more, and how what lies in `trash/` can still be read.

docs/design/gc.md has the protocol. The newest operation of gc is the generation that everything written
from then on belongs to: every later operation names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlver.errors import LocalIO, MlverError
from mlver.index.locations import Locations
from mlver.objects.ids import OperationId
from mlver.repo.head import Head, read_head, read_operation, read_slots
from mlver.storage.base import Storage, Writer
from mlver.store.object_store import ObjectStore
from mlver.store.pack import FOLDER, pack_key
from mlver.store.stand_in import Redactions

TRASH = "trash"
_KEY = re.compile(r"trash/(\d{1,9})-([0-9a-f]{64})\.pack")


def collection_of(head: Head) -> OperationId | None:
    """Return the newest operation of gc, as of `head`; None when there was none."""
    return head.id if head.operation.condemned is not None else head.operation.collected


def condemned_at(storage: Storage, head: Head) -> frozenset[str]:
    """Return the packs that nobody may rely on any more, though they may still lie there."""
    if head.operation.condemned is not None:
        return frozenset(head.operation.condemned)
    if head.operation.collected is None:
        return frozenset()
    return frozenset(read_operation(storage, head.operation.collected).condemned or ())


def trash_key(number: int, name: str) -> str:
    """Return where the pack `name` lies when operation `number` has thrown it away."""
    return f"{TRASH}/{number}-{name}.pack"


def in_trash(storage: Storage) -> Iterator[tuple[int, str]]:
    """Yield (number of the operation of gc, pack) of all that lies in the trash, the oldest first."""
    found = [match for key in storage.list(TRASH) if (match := _KEY.fullmatch(key))]
    yield from sorted((int(match[1]), match[2]) for match in found)


def store_over(storage: Storage, cache_file: Path | None, redactions: Redactions = lambda _: {}) -> ObjectStore:
    """Return the objects of a repository; `cache_file` keeps where they lie (None: memory).

    `redactions` says what was removed from it on purpose.
    """

    def condemned() -> frozenset[str]:
        if not any(read_slots(storage)):
            return frozenset()  # a repository in the making
        return condemned_at(storage, read_head(storage))

    def spare() -> ObjectStore | None:
        try:
            if not any(in_trash(storage)):
                return None
            trash = Trash(storage)
            return ObjectStore(trash, Locations.open(None, trash))
        except MlverError:
            return None  # what is asked for is missing, and that is what is to be said

    locations = Locations.open(cache_file, storage)
    return ObjectStore(storage, locations, condemned=condemned, spare=spare, redactions=redactions)


class Trash:
    """The packs in the trash as a storage, under the keys they had. It is only read."""

    def __init__(self, inner: Storage) -> None:
        self.name = inner.name
        self._inner = inner
        self._keys = {pack_key(name): trash_key(number, name) for number, name in in_trash(inner)}

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return self._inner.read(self._keys[key], start, length)

    def read_into(self, key: str, start: int, parts: Sequence[memoryview]) -> int:
        return self._inner.read_into(self._keys[key], start, parts)

    def size(self, key: str) -> int:
        return self._inner.size(self._keys[key])

    def exists(self, key: str) -> bool:
        return key in self._keys and self._inner.exists(self._keys[key])

    def list(self, prefix: str) -> Iterator[str]:
        return iter(sorted(self._keys) if prefix == FOLDER else [])

    def writer(self, folder: str) -> Writer:
        raise _only_read()

    def create(self, key: str, data: bytes) -> bool:
        raise _only_read()

    def compare_and_swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        raise _only_read()

    def confirm(self, folder: str) -> None:
        raise _only_read()

    def move(self, key: str, to: str) -> None:
        raise _only_read()

    def delete(self, key: str) -> None:
        raise _only_read()


def _only_read() -> LocalIO:
    return LocalIO("what lies in the trash is only read")
