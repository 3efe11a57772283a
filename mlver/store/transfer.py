"""Moving objects from one store to another: only what is missing, and nothing that was not checked on its way.

A large pack that is wanted almost whole is copied as it is, under its name; from all others the wanted
frames go into new packs. A pack shows up in the target when every object in it has been hashed. So a
transfer that was cut short has moved whole packs or nothing, and does not move them again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import field

from blake3 import blake3

from mlver.errors import Collected, Damaged
from mlver.frozen import frozen
from mlver.objects.ids import BlobId, ObjectId
from mlver.storage.base import Storage
from mlver.store.arrival import Arrival
from mlver.store.blob import copy_chunks
from mlver.store.frames import FRAME_BYTES, HEADER_BYTES, LIST, NAMES, TYPES, names, type_of
from mlver.store.object_store import ObjectStore
from mlver.store.pack import (
    FOLDER,
    FOOTER_BYTES,
    PACK_HEADER,
    Location,
    Row,
    open_frame,
    pack_key,
    parse_footer,
    parse_rows,
    read_rows,
)
from mlver.store.packwriter import Frame
from mlver.store.session import StoreSession

Progress = Callable[[int], None]
_RUN, _RAW_RUN = 8 << 20, 32 << 20  # bytes checked at once, as they lie in the pack and unpacked
_COPIED_FROM = 4 << 20  # bytes; smaller packs are put together
_NEARLY_ALL = 0.8
_NEW_PACK = 256 << 20  # bytes; what is lost at most when a transfer is cut short
_BLOB, _LIST = TYPES["blob"], TYPES[LIST]


@frozen
class Moved:
    """What was moved: objects by type (`blob` counts chunks too), and bytes as they lie in packs."""

    objects: dict[str, int] = field(default_factory=dict)
    bytes: int = 0


class Transfer:
    """Collects what the target is to have, then moves it. `source` may be anybody's, `target` must be whole."""

    def __init__(self, source: ObjectStore, target: ObjectStore) -> None:
        self.source, self.target = source, target
        self._session = target.session()
        self._wanted: dict[str, dict[tuple[int, bytes], Row]] = {}
        self._asked: set[tuple[int, bytes]] = set()

    @property
    def planned(self) -> Moved:
        """What will be moved."""
        rows = [row for wanted in self._wanted.values() for row in wanted.values()]
        counts = Counter(NAMES[row.type] for row in rows)
        return Moved(dict(sorted(counts.items())), sum(FRAME_BYTES + row.stored for row in rows))

    def add(self, id: ObjectId) -> bool:
        """Ask for an object that is no large blob; False when the target has it. Damaged when the source has not."""
        return self._add(type_of(id), id)

    def add_blob(self, id: BlobId) -> tuple[int, bool]:
        """Ask for the bytes of a file, with all its chunks; Damaged as `add`.

        Return their length, and whether the target lacks any of it.
        """
        chunks = self.source.chunks(id)
        new = (chunks[0][0] != id or len(chunks) > 1) and self._add(_LIST, id)
        for chunk, _ in chunks:
            new |= self._add(_BLOB, chunk)
        return sum(length for _, length in chunks), new

    def add_pack(self, name: str) -> None:
        """Ask for everything in a pack of the source; Damaged when its key table cannot be believed."""
        with _vanishing(name):
            rows = read_rows(self.source.storage, name)[1]
        new = self.target.index.absent(row.id for row in rows)
        for row in rows:
            key = (row.type, row.id)
            if key not in self._asked:
                self._asked.add(key)
                if row.id in new or not self._session.known(*key):
                    self._wanted.setdefault(name, {})[key] = row

    def run(self, progress: Callable[[int, int], None] | None = None) -> Moved:
        """Move it all, durably; raises Damaged, naming it, for what is not as it should be, Collected as a session,
        or when gc removed meanwhile what was to be copied.

        `progress` is called with bytes done and bytes in all.
        """
        moved, done = self.planned, 0

        def tick(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(min(done, moved.bytes), moved.bytes)

        whole = []
        for name, wanted in self._wanted.items():
            with _vanishing(name):
                whole += [name] * self._as_it_is(name, wanted)
        with self._session as session:
            # lists come behind their chunks, so packs without any go first
            for name in sorted(whole, key=lambda name: any(type == _LIST for type, _ in self._wanted[name])):
                with _vanishing(name):
                    copy_pack(self.source, name, self.target, tick)
            session.full = _NEW_PACK
            self._copy_frames(session, [name for name in self._wanted if name not in whole], tick)
            session.finish()
        return moved

    def close(self) -> None:
        """Forget what was asked for. Harmless after `run`."""
        self._session.abort()

    def _add(self, type: int, id: bytes) -> bool:
        key = (type, id)
        if key in self._asked:
            return False
        self._asked.add(key)
        if self._session.known(type, id):
            return False
        place = self.source.place(type, id)
        if place is None:
            raise Damaged(f"missing object {names(type, id)}", hint="mlver fsck")
        self._wanted.setdefault(place.pack, {})[key] = place.row
        return True

    def _as_it_is(self, name: str, wanted: dict[tuple[int, bytes], Row]) -> bool:
        bytes_ = sum(FRAME_BYTES + row.stored for row in wanted.values())
        size = self.source.storage.size(pack_key(name))
        if name in self.target.doomed:  # a pack of that name is on its way out there
            return False
        return size >= _COPIED_FROM and bytes_ >= _NEARLY_ALL * size

    def _copy_frames(self, session: StoreSession, packs: Sequence[str], tick: Progress) -> None:
        storage = self.source.storage
        rows = [(name, row) for name in packs for row in self._wanted[name].values()]
        with _vanishing("of a chunk list"):
            lists = {row.id: _payload(storage, name, row) for name, row in rows if row.type == _LIST}
        arrival = Arrival(lists)
        for name in packs:
            for run in _runs(sorted(self._wanted[name].values(), key=lambda row: row.offset)):
                with _vanishing(name):
                    frames = _frames(storage, name, run)
                for row, frame in frames:
                    data = _opened(name, row, frame)
                    if row.type == _BLOB:
                        arrival.saw(row.id, data)
                    end = HEADER_BYTES + row.stored
                    parts = bytes(frame[:HEADER_BYTES]), frame[HEADER_BYTES:end], bytes(frame[end:])
                    session.append(Frame(row._replace(offset=0), *parts))
                session.settle()
                tick(run[-1].end - run[0].offset)
        arrival.finish(lambda id, chunks: check_blob(self.source, self.target, id, chunks))


def copy_pack(source: ObjectStore, name: str, target: ObjectStore, progress: Progress) -> None:
    """Copy a pack as it is, once every byte of it has been checked; Damaged, and nothing copied, otherwise."""
    storage, key = source.storage, pack_key(name)
    size, rows = read_rows(storage, name)
    in_order = sorted(rows, key=lambda row: row.offset)
    table_at = in_order[-1].end if in_order else len(PACK_HEADER)
    _check_tiles(name, in_order)
    arrival = Arrival({row.id: _payload(storage, name, row) for row in rows if row.type == _LIST})
    whole = blake3(PACK_HEADER)
    with target.storage.writer(FOLDER) as writer, ThreadPoolExecutor(3, "mlver-transfer") as pool:
        writer.write(PACK_HEADER)
        for run in _runs(in_order):
            start, end = run[0].offset, run[-1].end
            data = memoryview(storage.read(key, start, end - start))
            hashing = pool.submit(whole.update, data)
            half = len(run) // 2
            parts = [pool.submit(_open_all, name, data, start, part) for part in (run[:half], run[half:])]
            writer.write(data)
            for row, raw in (pair for part in parts for pair in part.result()):
                arrival.saw(row.id, raw)
            hashing.result()
            progress(end - start)
        tail = storage.read(key, table_at)
        whole.update(tail[:-FOOTER_BYTES])
        if whole.hexdigest() != name or _table(tail, size, table_at) != rows:
            raise Damaged(f"pack {name} does not match the hash that is its name", hint="mlver fsck")
        writer.write(tail)
        arrival.finish(lambda id, chunks: check_blob(source, target, id, chunks))
        writer.commit(key)
    target.index.add_pack(name, size, rows)


def check_blob(source: ObjectStore, target: ObjectStore, id: BlobId, chunks: list[tuple[BlobId, int]]) -> None:
    """Raise Damaged unless `chunks`, from whichever store has them, are the blob `id`."""

    def find(chunk: bytes) -> list[Location]:
        return target.index.find(_BLOB, chunk)

    def load(chunk: BlobId) -> bytes:
        with suppress(Damaged):
            return target.get(chunk) if find(chunk) else source.get(chunk)
        return source.get(chunk)

    copy_chunks(id, chunks, find, load, target.storage, lambda _: None)


def _check_tiles(name: str, rows: Sequence[Row]) -> None:
    at = len(PACK_HEADER)
    for row in rows:
        if row.offset != at:
            raise Damaged(f"pack {name} holds what is no object at byte {at}", hint="mlver fsck")
        at = row.end


def _table(tail: bytes, size: int, table_at: int) -> list[Row]:
    at, _, _, _ = parse_footer(tail[-FOOTER_BYTES:], size)
    return parse_rows(tail[:-FOOTER_BYTES], at) if at == table_at else []


def _runs(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Cut rows, sorted by offset, into stretches that lie behind each other and are read at once."""
    run: list[Row] = []
    raw = 0
    for row in rows:
        if run and (row.offset != run[-1].end or row.end - run[0].offset > _RUN or raw + row.raw > _RAW_RUN):
            yield run
            run, raw = [], 0
        run.append(row)
        raw += row.raw
    if run:
        yield run


def _frames(storage: Storage, name: str, run: Sequence[Row]) -> Iterator[tuple[Row, memoryview]]:
    start = run[0].offset
    data = memoryview(storage.read(pack_key(name), start, run[-1].end - start))
    return ((row, data[row.offset - start : row.end - start]) for row in run)


def _open_all(
    name: str, data: memoryview, start: int, rows: Sequence[Row]
) -> list[tuple[Row, bytes | bytearray | memoryview]]:
    """Check the frames of some rows; return the blobs among them, in order."""
    opened = [(row, _opened(name, row, data[row.offset - start : row.end - start])) for row in rows]
    return [pair for pair in opened if pair[0].type == _BLOB]


@contextmanager
def _vanishing(name: str) -> Iterator[None]:
    """Say that a pack of the source is gone meanwhile."""
    try:
        yield
    except KeyError:
        raise Collected(f"pack {name} was removed while it was copied", hint="run the command again") from None


def _payload(storage: Storage, name: str, row: Row) -> bytes:
    return bytes(_opened(name, row, storage.read(pack_key(name), row.offset, row.end - row.offset)))


def _opened(name: str, row: Row, frame: bytes | memoryview) -> bytes | bytearray | memoryview:
    try:
        return open_frame(frame, row)
    except Damaged as error:
        what = f"{names(row.type, row.id)} in {Location(name, row)}"
        raise Damaged(f"{what} is damaged: {error.message}", hint="mlver fsck") from None
