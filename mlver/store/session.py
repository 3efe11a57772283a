"""Writing objects: everything new goes into one pack, which becomes visible at the end or never."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, overload

from mlver.errors import Collected, LocalIO, Redacted, Refused
from mlver.objects.commit import Commit, Derivation, Environment
from mlver.objects.encoding import encode
from mlver.objects.ids import BlobId, CommitId, DerivationId, EnvironmentId, FactBatchId, ObjectId, TreeId
from mlver.objects.state import FactBatch
from mlver.objects.tree import Tree
from mlver.storage.base import Storage
from mlver.storage.memory import MemoryStorage
from mlver.store.chunking import WHOLE, fill
from mlver.store.frames import MAX_OBJECT, TYPES, Bytes, type_of
from mlver.store.pack import FOLDER, Location, pack_key
from mlver.store.packwriter import Frame, PackWriter, make_frame
from mlver.store.stream import store_stream
from mlver.store.vouched import Vouched

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from mlver.store.object_store import ObjectStore

PACK_TARGET = 2 << 30  # a pack that has grown past this many bytes is closed and the next begun
_BLOB = TYPES["blob"]
_ID_OF: dict[type, type[ObjectId]] = {
    Tree: TreeId,
    Commit: CommitId,
    Environment: EnvironmentId,
    Derivation: DerivationId,
    FactBatch: FactBatchId,
}


class StoreSession:
    """Collects objects. Use it in a `with` block and end with `finish()`; leaving without it drops them.

    What is stored already is not written again, and when nothing is new no pack is made.
    One thread at a time.
    """

    def __init__(self, store: ObjectStore, *, rehearsed: bool = False) -> None:
        self._place: Storage = MemoryStorage() if rehearsed else store.storage
        self.store = store
        self.objects = 0  # new objects so far
        self.written = 0  # bytes of finished packs
        self.full = PACK_TARGET  # bytes after which a pack is closed and the next begun
        self._seen: set[tuple[int, bytes]] = set()
        self._relied: set[str] = set()  # packs that hold what was therefore not written
        self._vouched = Vouched(store.storage)
        self._packs: list[str] = []
        self._writer: PackWriter | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._reading: ThreadPoolExecutor | None = None
        self.buffers: list[memoryview] = []  # that one stream has left for the next
        self._closed = False

    @overload
    def put_object(self, value: Tree) -> TreeId: ...
    @overload
    def put_object(self, value: Commit) -> CommitId: ...
    @overload
    def put_object(self, value: Environment) -> EnvironmentId: ...
    @overload
    def put_object(self, value: Derivation) -> DerivationId: ...
    @overload
    def put_object(self, value: FactBatch) -> FactBatchId: ...
    def put_object(self, value: Tree | Commit | Environment | Derivation | FactBatch) -> ObjectId:
        """Store a value and return its id. Refused when it is larger than the format allows."""
        data = encode(value)
        id = _ID_OF[type(value)].of(data)
        if len(data) > MAX_OBJECT:
            raise Refused(f"{id.type_name} {id.short} has {len(data)} bytes, more than {MAX_OBJECT}")
        self._put(type_of(id), id, data)
        return id

    def put_bytes(self, data: bytes) -> BlobId:
        """Store the bytes of a file and return their id; Redacted when they were removed on purpose."""
        if len(data) > WHOLE:
            return store_stream(self, io.BytesIO(data), b"", None)[0]
        id = BlobId.of(data)
        self.refuse_redacted(id)
        self._put(_BLOB, id, data)
        return id

    def refuse_redacted(self, id: BlobId) -> None:
        """Raise Redacted when these very bytes were removed on purpose: they do not come back by accident."""
        if tombstone := self.store.redacted(id):
            left = tombstone.replacement is not None
            hint = "mlver restore PATH lays out what is left of it" if left else "remove the file, or do not store it"
            raise Redacted(f"these bytes {'hold' if left else 'were'} {tombstone.words}", hint=hint)

    def put_stream(self, stream: BinaryIO, progress: Callable[[int], None] | None = None) -> tuple[BlobId, int]:
        """Store all that is left in `stream`; returns its id and length. Memory use is constant.

        `progress` is called with the number of bytes just read, from the calling thread.
        """
        head = bytearray(WHOLE + 1)
        size = fill(stream, memoryview(head))
        if size > WHOLE:
            return store_stream(self, stream, bytes(head), progress)
        if progress is not None:
            progress(size)
        return self.put_bytes(bytes(head[:size])), size

    def has(self, id: ObjectId) -> bool:
        """Whether the object is stored, with all chunks of a large blob, or was put here already."""
        return (type_of(id), id) in self._seen or self.store.has(id, deep=True, sure=False)

    def finish(self) -> tuple[str, ...]:
        """Make all of it durable and visible; returns the names of the new packs, none when nothing was new.

        Collected when a pack that holds an object which was therefore not written has vanished meanwhile.
        """
        made = self._writer is not None
        self._close_pack()
        self._end()
        for name in self._relied:
            if not self.store.storage.exists(pack_key(name)):
                self.store.index.refresh()
                raise Collected(f"pack {name} was removed while this was written", hint="run the command again")
        if self._relied and not made:  # else the new pack made the names of all of them durable
            self.store.storage.confirm(FOLDER)
        return tuple(self._packs)

    def abort(self) -> None:
        """Drop what is not in a finished pack. Harmless after `finish`."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abort()
        self._end()

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The worker threads of this session."""
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # slow to load, and seldom needed

            self._pool = ThreadPoolExecutor(min(8, 1 + (os.cpu_count() or 2)), "mlver-store")
        return self._pool

    @property
    def reading(self) -> ThreadPoolExecutor:
        """The one thread in which streams are read ahead."""
        if self._reading is None:
            from concurrent.futures import ThreadPoolExecutor

            self._reading = ThreadPoolExecutor(1, "mlver-read")
        return self._reading

    def known(self, type: int, id: bytes, places: Iterable[Location] | None = None) -> bool:
        """Whether an object need not be written: put here already, or found in a pack just now.

        `places` is what the index says of it, if that was asked already.
        """
        key = (type, id)
        if key in self._seen:
            return True
        for place in self.store.index.find(type, id) if places is None else places:
            if place.pack not in self.store.doomed and self._vouched.holds(place):
                self._relied.add(place.pack)
                self._seen.add(key)
                return True
        return False

    def append(self, frame: Frame) -> None:
        """Write a frame, unless its object was put here already."""
        key = (frame.row.type, frame.row.id)
        if key in self._seen:
            return
        if self._closed:
            raise LocalIO("the store session is closed")
        if self._writer is None:
            self._writer = PackWriter(self._place, self.store.doomed)
        self._writer.append(frame)
        self._seen.add(key)
        self.objects += 1

    def settle(self) -> None:
        """Let go of the payloads of all frames appended so far; begin a new pack when this one is full."""
        if self._writer is not None:
            self._writer.flush()
            if self._writer.size >= self.full:
                self._close_pack()

    def _put(self, type: int, id: bytes, data: Bytes) -> None:
        if not self.known(type, id):
            self.append(make_frame(type, id, data))
            if self._writer is not None and self._writer.size >= self.full:
                self._close_pack()

    def _close_pack(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            packed = writer.finish()
        finally:
            writer.abort()
        self._packs.append(packed.name)
        self.written += packed.size
        self.store.index.add_pack(packed.name, packed.size, packed.rows)

    def _end(self) -> None:
        self._closed = True
        pools, self._pool, self._reading = (self._pool, self._reading), None, None
        for pool in pools:
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()
