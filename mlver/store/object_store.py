"""Content-addressed objects in packs: every read is verified against the id it was asked for."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any, BinaryIO, Protocol, TypeVar

from mlver.errors import Damaged, LocalIO
from mlver.objects.commit import Derivation
from mlver.objects.encoding import decode
from mlver.objects.ids import BlobId, ObjectId
from mlver.objects.redaction import Tombstone
from mlver.objects.tree import Tree
from mlver.storage.base import Storage
from mlver.store.blob import BlobReader, copy_chunks, each_chunk
from mlver.store.frames import LIST, TYPES, Bytes, names, parse_list, type_of
from mlver.store.pack import Location, Row, present, read_object
from mlver.store.runs import Chunks
from mlver.store.session import StoreSession as StoreSession
from mlver.store.stand_in import Redactions, redacted, stand_in, standing_in
from mlver.store.verify import Progress, verify_packs
from mlver.store.verify import StoreReport as StoreReport

_T = TypeVar("_T")
_BLOB, _LIST = TYPES["blob"], TYPES[LIST]
_REFRESHES = 20
_LOOKED_UP = 512  # chunks
_KEPT = 4096  # decoded objects kept in memory
_NAMING_BLOBS = (Tree, Derivation)


class Index(Protocol):
    """Where objects lie. What it says is a hint: every hit is checked against the pack."""

    def find(self, type: int, id: bytes) -> list[Location]:
        """Return the places of an object, none when it is not known."""

    def find_all(self, type: int, ids: Sequence[bytes]) -> dict[bytes, list[Location]]:
        """Return the places of those of many objects that are known."""

    def absent(self, ids: Iterable[bytes]) -> set[bytes]:
        """Return those of these ids that are not known at all."""

    def mark(self) -> bytes:
        """Return a mark that is another one once something that was there is there no more; empty: nobody knows."""

    def prefix(self, hex_prefix: str, types: tuple[str, ...]) -> list[ObjectId]:
        """Return the ids of these types that begin with some hex digits."""

    def add_pack(self, name: str, size: int, rows: list[Row]) -> None:
        """Take in a pack that was just written."""

    def refresh(self) -> bool:
        """Compare with the packs in storage; whether anything had changed."""

    def doubt(self, id: bytes | None = None) -> bool:
        """Compare with all that the packs hold, once; whether anything was wrong, and is not any more.

        Not if it is for the sake of one `id` that the packs have not got either.
        """

    def rebuild(self) -> None:
        """Forget everything and read all packs again."""

    def close(self) -> None:
        """Release files."""


class ObjectStore:
    """The objects of one repository. Reading takes no lock; writing goes through `session`."""

    def __init__(
        self,
        storage: Storage,
        index: Index,
        *,
        condemned: Callable[[], frozenset[str]] = frozenset,
        spare: Callable[[], ObjectStore | None] = lambda: None,
        redactions: Redactions = lambda _: {},
    ) -> None:
        """`condemned` says which packs gc has given up; `spare` is what may still be read, and not relied on.

        `redactions` returns what was removed on purpose; given True it looks at the newest state for that.
        """
        self.storage = storage
        self.index = index
        self.doomed: frozenset[str] = frozenset()  # packs that may be read, and not relied on
        self._condemned, self._spare, self._redactions = condemned, spare, redactions
        self._decoded: dict[ObjectId, Any] = {}
        self._rebuilt = False

    def get(self, id: ObjectId) -> bytes:
        """Return the bytes of an object, verified; a blob is read into memory whole.

        Damaged when it is missing, or when no copy of it is sound; Redacted when it was removed on purpose.
        """
        if type(id) is not BlobId:
            return self._read(type_of(id), id)
        pieces: list[bytes] = []
        self.copy_blob(id, lambda piece: pieces.append(bytes(piece)))
        return b"".join(pieces)

    def get_object(self, cls: type[_T], id: ObjectId) -> _T:
        """Return the Tree, Commit, ... with this id; Damaged when it is missing or not one.

        Blobs of which rows were redacted are named in it by what is read in their place.
        """
        value = self._decoded.get(id)
        if type(value) is not cls:
            try:
                value = decode(cls, self.get(id))
            except Damaged as error:
                if str(id) in error.message:
                    raise
                raise Damaged(f"{id.type_name} {id}: {error.message}", hint="mlver fsck") from None
            if len(self._decoded) >= _KEPT:
                self._decoded.clear()
            self._decoded[id] = value
        redactions = self._redactions(False) if cls in _NAMING_BLOBS else None
        return standing_in(redactions, value) if redactions else value

    def redacted(self, id: BlobId) -> Tombstone | None:
        """Return what is left of a blob that was removed on purpose; None for any other."""
        return self._redactions(False).get(id)

    def has(self, id: ObjectId, *, deep: bool = False, sure: bool = True) -> bool:
        """Whether the object is in a pack: its frame is there, whole in length. Bytes are not read.

        With `deep` the same is asked of every chunk of a large blob. What was redacted is not missed. Who stores
        again what is not there need not be `sure` that it is not.
        """
        if type(id) is BlobId and self.redacted(id) is not None:
            return True
        for _ in self._attempts((lambda: self.index.doubt(id)) if sure else None):
            if self.locate(type_of(id), id) is not None:
                return True
            if type(id) is BlobId and self.locate(_LIST, id) is not None:
                return not deep or all(self.locate(_BLOB, chunk) for chunk, _ in self.chunks(id))
        return False

    def blob_size(self, id: BlobId) -> int:
        """Return the length of a blob in bytes; Damaged when it is missing."""
        return sum(length for _, length in self.chunks(id))

    def open_blob(self, id: BlobId) -> BinaryIO:
        """Return a seekable reader of a blob that reads only the chunks it needs, each verified.

        Damaged when the blob is missing; reads raise it when a chunk is.
        """
        return BlobReader.open(self.chunks(id), self._chunk, self._many)

    def copy_blob(self, id: BlobId, write: Callable[[Any], object]) -> None:
        """Hand the bytes of a blob to `write`, piece by piece; Damaged when they are not what `id` says.

        The hash is known to be right only at the end, so write to a place that can be thrown away. Another thread
        may call `write`, which must not keep what it is given: the memory is used again.
        """
        id = stand_in(self._redactions(False), id)
        chunks = self.chunks(id)
        copy_chunks(id, chunks, self._finder(chunks), self._chunk, self.storage, write)

    def small_blobs(self, ids: Sequence[BlobId]) -> Iterator[Bytes | None]:
        """Yield the bytes of each blob, verified, read with its neighbours; `None` where `copy_blob` is to be asked.

        That is for large blobs, redacted ones, and what is not sound, or not at all, where the index says. Memory
        holds one run; what is yielded is part of it.
        """
        for start in range(0, len(ids), _LOOKED_UP):
            some = ids[start : start + _LOOKED_UP]
            redactions = self._redactions(False)
            known = self.index.find_all(_BLOB, [bytes(id) for id in some if id not in redactions])
            chunks = [(id, known[id][0].row.raw if id in known else 0) for id in some]
            yield from each_chunk(chunks, lambda id: known.get(id, []), lambda _: None, self.storage)  # noqa: B023

    def _finder(self, chunks: Chunks) -> Callable[[bytes], list[Location]]:
        """Return what `copy_chunks` asks for places, in their order; the index is asked for many at once."""
        known: dict[bytes, list[Location]] = {}
        numbers = count()

        def find(id: bytes) -> list[Location]:
            number = next(numbers)
            if number % _LOOKED_UP == 0:
                known.clear()
                asked = [bytes(chunk) for chunk, _ in chunks[number : number + _LOOKED_UP]]
                known.update(self.index.find_all(_BLOB, asked))
            return known.get(id, [])

        return find

    def chunks(self, id: BlobId) -> list[tuple[BlobId, int]]:
        """Return (id, length) of the chunks of a blob, itself alone when it is one; Damaged when missing.

        Redacted when it was removed on purpose and nothing is read in its place.
        """
        id = stand_in(self._redactions(False), id)
        for _ in self._attempts(self._rebuild):
            if place := self._lying(_BLOB, id):
                return [(id, place.row.raw)]
            if self.index.find(_LIST, id):
                return parse_list(self._read(_LIST, id))
        if (spare := self._spare()) is not None:
            return spare.chunks(id)
        if tombstone := self._redactions(True).get(id):  # by somebody else, just now
            raise redacted(tombstone)
        raise _missing(_BLOB, id)

    def parts(self, id: BlobId) -> list[tuple[int, bytes]]:
        """Return type and id of each frame a blob lies in, redacted or not; none when it is not here."""
        found = [(_BLOB, bytes(id))] if self._lying(_BLOB, id) else []
        if self._lying(_LIST, id):
            chunks = parse_list(self._read(_LIST, id))
            found += [(_LIST, bytes(id)), *((_BLOB, bytes(chunk)) for chunk, _ in chunks)]
        return found

    def session(self, *, rehearsed: bool = False) -> StoreSession:
        """Return a context manager that collects new objects in a pack and publishes it in `finish()`.

        What is only `rehearsed` is collected in memory, so that it can be on a disk that is read-only.
        """
        self.renew()
        return StoreSession(self, rehearsed=rehearsed)

    def renew(self) -> None:
        """Learn which packs gc has condemned by now: what lies in them alone counts as not there."""
        self.doomed = self._condemned()

    def verify(self, progress: Progress | None = None) -> StoreReport:
        """Read every byte of every pack and say what is wrong with them. Changes nothing."""

        def doomed() -> frozenset[str]:
            try:
                return self._condemned()
            except Damaged:
                return self.doomed  # as last known: what says so now is damaged itself

        return verify_packs(self.storage, progress, doomed)

    def close(self) -> None:
        """Release the index's files."""
        self.index.close()

    def locate(self, type: int, id: bytes) -> Location | None:
        """Return a place where the object does lie and will, None when there is none.

        The index alone is not believed, and packs that gc has condemned do not count.
        """
        places = (place for place in self.index.find(type, id) if place.pack not in self.doomed)
        return next((place for place in places if present(self.storage, place)), None)

    def place(self, type: int, id: bytes) -> Location | None:
        """Return a place where the object lies just now, be it condemned; None after a second look at the packs."""
        for _ in self._attempts(lambda: self.index.doubt(id)):
            if found := self._lying(type, id):
                return found
        return None

    def _lying(self, type: int, id: bytes) -> Location | None:
        return next((place for place in self.index.find(type, id) if present(self.storage, place)), None)

    def _chunk(self, id: BlobId) -> bytes:
        return self._read(_BLOB, id)

    def _many(self, chunks: Chunks) -> Iterable[Bytes]:
        return each_chunk(chunks, self._finder(chunks), self._chunk, self.storage)

    def _read(self, type: int, id: bytes) -> bytes:
        """Return an object from any sound copy; Damaged."""
        problem: Damaged | LocalIO | None = None
        for _ in self._attempts(self._rebuild):
            for place in self.index.find(type, id):
                try:
                    return read_object(self.storage, place)
                except KeyError:  # the pack was moved away since the index saw it
                    continue
                except (Damaged, LocalIO) as error:
                    problem = error
        if problem is None and (spare := self._spare()) is not None:
            return spare._read(type, id)
        if isinstance(problem, LocalIO) and getattr(problem.__cause__, "errno", 0) == errno.EIO:
            raise Damaged(f"{names(type, id)}: {problem.message}", hint="mlver fsck") from problem
        raise problem or _missing(type, id)

    def _attempts(self, otherwise: Callable[[], bool] | None) -> Iterator[None]:
        """Come back with the index as it is, then refreshed, then once more if `otherwise` changed anything."""
        yield
        for number in range(_REFRESHES):  # gc may move packs while the list of them is read
            changed = self.index.refresh()
            if changed or number == 0:  # another process may have brought a shared index up to date before us
                yield
            if not changed:
                break
        if otherwise is not None and otherwise():
            yield

    def _rebuild(self) -> bool:
        """Make the index anew, once; whether it was."""
        if not (before := self._rebuilt):
            self._rebuilt = True
            self.index.rebuild()
        return not before


def _missing(type: int, id: bytes) -> Damaged:
    return Damaged(f"missing object {names(type, id)}", hint="mlver fsck")
