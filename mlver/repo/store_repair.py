"""Mending the objects: what is good in damaged packs, and what other places hold of the rest, goes into new packs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from blake3 import blake3

from mlver.errors import Damaged, LocalIO, RemoteError
from mlver.frozen import frozen
from mlver.objects.ids import ID_TYPES, BlobId, ObjectId
from mlver.repo.harm import Harm
from mlver.repo.whole import children
from mlver.store.compact import FULL_PACK, Key
from mlver.store.frames import LIST, NAMES, TYPES, Bytes, parse_list, type_of
from mlver.store.object_store import ObjectStore, StoreReport
from mlver.store.pack import Location, Row, read_object
from mlver.store.packwriter import Frame, PackWriter
from mlver.store.rescue import Patience, candidates, frame_of, rescue, search

_BLOB, _LIST = TYPES["blob"], TYPES[LIST]
_GONE = (Damaged, KeyError, LocalIO, RemoteError)  # what reading one copy may end with: there may be others


@frozen
class Source:
    """Another place that holds objects. `name` is for people."""

    name: str
    store: ObjectStore


class StoreRepair:
    """Collects the frames that belong into new packs. With `dry_run` nothing is written.

    `kept` counts objects carried over as they were, `mended` those made right without a copy, `taken` those copied
    from each source; `gone` are those of damaged packs that no way led to.
    """

    def __init__(
        self,
        store: ObjectStore,
        report: StoreReport,
        harm: Harm,
        sources: Sequence[Source],
        patience: Patience,
        *,
        dry_run: bool = False,
    ) -> None:
        self.kept, self.mended = 0, list[ObjectId]()
        self.taken: dict[str, list[ObjectId]] = {source.name: [] for source in sources}
        self.packs: list[str] = []
        self._store, self._report, self._harm = store, report, harm
        self._sources, self._patience, self._dry_run = sources, patience, dry_run
        self._damaged = report.damaged
        self._have: dict[Key, Callable[[], Bytes]] = {}  # in the new packs, and how to read it now
        self._broken: dict[Key, list[tuple[str, Row]]] = {}  # frames that are not right as they lie
        self._writer: PackWriter | None = None

    @property
    def gone(self) -> list[ObjectId]:
        """What was in damaged packs and could not be brought back."""
        return [_id(key) for key in self._broken if not self._is_whole(key)]

    def run(self, wanted: Sequence[ObjectId]) -> None:
        """Bring together what is left and what is `wanted`; the new packs are durable and visible in the end."""
        try:
            for name in self._damaged:
                self._carry_over(name)
            for id in wanted:
                self._fetch(id)
            for key, places in self._broken.items():
                if not self._is_whole(key):
                    self._search(key, places)
            for id in wanted:  # lists whose chunks were found since
                self._fetch(id)
            self._finish()
        finally:
            if self._writer is not None:
                self._writer.abort()

    def returns(self, id: ObjectId) -> bool:
        """Whether an object is, or would be, whole now."""
        key = (type_of(id), bytes(id))
        return self._is_whole(key) or (key[0] == _BLOB and self._is_whole((_LIST, key[1])))

    # -- what is left in damaged packs ---------------------------------------------------------

    def _carry_over(self, name: str) -> None:
        storage = self._store.storage
        for row in candidates(storage, name):
            key = (row.type, row.id)
            place = self._report.sound.get(key)
            if key in self._have or self._elsewhere(key):
                continue
            try:
                frame, as_it_was = rescue(storage, name, row)
            except Damaged:
                if place is None:
                    self._broken.setdefault(key, []).append((name, row))
                continue
            if as_it_was and place is None and row.type == _LIST and BlobId(row.id) in self._report.lost:
                self._broken.setdefault(key, []).append((name, row))  # a list of something else
                continue
            self._append(frame)
            if as_it_was:
                self.kept += 1
                self._have[key] = _reader(self._store, Location(name, row))
            else:
                self._add_mended(key, frame)

    def _elsewhere(self, key: Key) -> bool:
        """Whether a pack that stays holds the object, sound."""
        for place in self._store.index.find(*key):
            if place.pack not in self._damaged and place.pack not in self._store.doomed:
                with suppress(*_GONE):
                    read_object(self._store.storage, place)
                    return True
        return False

    def _search(self, key: Key, places: Sequence[tuple[str, Row]]) -> None:
        for name, row in places:
            with suppress(*_GONE):
                frame = search(self._store.storage, name, row, self._patience)
                self._append(frame)
                self._add_mended(key, frame)
                return

    def _add_mended(self, key: Key, frame: Frame) -> None:
        from mlver.store.codec import decode

        self.mended.append(_id(key))
        self._have[key] = lambda: decode(frame.row.codec, frame.payload, frame.row.raw)

    # -- what others have ----------------------------------------------------------------------

    def _fetch(self, wanted: ObjectId) -> None:
        """Take an object that is not whole here, and what hangs on it, from wherever it is."""
        pending, seen = [wanted], set[ObjectId]()
        while pending:
            id = pending.pop()
            if id in seen:
                continue
            seen.add(id)
            if type(id) is BlobId:
                self._fetch_blob(id)
            elif not self._is_whole((type_of(id), bytes(id))):
                source = self._take((type_of(id), bytes(id)))
                if source is not None:
                    with suppress(*_GONE):
                        pending += children(source.store, id)

    def _fetch_blob(self, id: BlobId) -> None:
        blob, listed = (_BLOB, bytes(id)), (_LIST, bytes(id))
        if self._is_whole(blob) or self._is_redacted(id):
            return
        if self._is_whole(listed):
            for chunk, _ in parse_list(bytes(self._read(listed))):
                if not self._is_whole((_BLOB, bytes(chunk))):
                    self._take((_BLOB, bytes(chunk)))
        elif self._take(blob) is None:
            self._take_list(id)

    def _is_redacted(self, id: BlobId) -> bool:
        """Whether a blob was removed on purpose, here or where it could be copied from: it does not come back."""
        return any(store.redacted(id) is not None for store in (self._store, *(one.store for one in self._sources)))

    def _take_list(self, id: BlobId) -> None:
        """Take a chunk list and its chunks. It is believed when the chunks together are the blob."""
        for source in self._sources:
            for place in source.store.index.find(_LIST, id):
                with suppress(*_GONE):
                    frame = frame_of(source.store.storage, place.pack, place.row)
                    hasher = blake3()
                    for chunk, _ in parse_list(bytes(frame.payload)):
                        key = (_BLOB, bytes(chunk))
                        if not self._is_whole(key) and self._take(key) is None:
                            raise Damaged(f"chunk {chunk} is nowhere")
                        hasher.update(self._read(key))
                    if hasher.digest() != id:
                        continue
                    self._append(frame)
                    self._have[_LIST, bytes(id)] = lambda data=bytes(frame.payload): data  # type: ignore[misc]
                    self.taken[source.name].append(id)
                    return

    def _take(self, key: Key) -> Source | None:
        """Copy one object that is right from the first source that has it; return that."""
        for source in self._sources:
            for place in source.store.index.find(*key):
                with suppress(*_GONE):
                    frame = frame_of(source.store.storage, place.pack, place.row)
                    self._append(frame)
                    self._have[key] = _reader(source.store, place)
                    self.taken[source.name].append(_id(key))
                    return source
        return None

    # -- both ----------------------------------------------------------------------------------

    def _is_whole(self, key: Key) -> bool:
        return key in self._have or key in self._report.sound

    def _read(self, key: Key) -> Bytes:
        if key in self._have:
            return self._have[key]()
        return read_object(self._store.storage, self._report.sound[key])

    def _append(self, frame: Frame) -> None:
        if self._dry_run:
            return
        taken = self._store.doomed | self._damaged.keys()
        self._writer = self._writer or PackWriter(self._store.storage, taken=taken)
        self._writer.append(frame)
        if self._writer.size >= FULL_PACK:
            self._finish()

    def _finish(self) -> None:
        if self._writer is not None:
            packed = self._writer.finish()
            self._writer = None
            self._store.index.add_pack(packed.name, packed.size, packed.rows)
            self.packs.append(packed.name)


def _reader(store: ObjectStore, place: Location) -> Callable[[], Bytes]:
    return lambda: read_object(store.storage, place)


def _id(key: Key) -> ObjectId:
    return BlobId(key[1]) if key[0] == _LIST else ID_TYPES[NAMES[key[0]]](key[1])
