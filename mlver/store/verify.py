"""Checking every byte of every pack. Names what is wrong, changes nothing."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from blake3 import blake3

from mlver.errors import Damaged, LocalIO
from mlver.frozen import frozen
from mlver.objects.ids import ID_TYPES, BlobId, ObjectId
from mlver.storage.base import Storage
from mlver.store.blob import copy_chunks
from mlver.store.frames import LIST, NAMES, TYPES, parse_list
from mlver.store.pack import (
    FOLDER,
    FOOTER_BYTES,
    PACK_HEADER,
    Location,
    Row,
    list_packs,
    open_frame,
    pack_key,
    pack_name,
    parse_footer,
    read_object,
    read_rows,
)
from mlver.store.scan import Gap, scan

Progress = Callable[[int], None]
_STEP = 8 << 20
_LOOKS = 10  # at packs, when gc replaces them meanwhile
_LIST = TYPES[LIST]
_BLOB = TYPES["blob"]


@frozen
class Problem:
    """One thing that is wrong in the packs.

    `key` is the file, `offset` a byte in it. `type` and `id` name the object that is hurt, None when
    the damage hurts none. `lost` is true when no sound copy of that object is left, `torn` when it is sound but for
    chunks that lie elsewhere; `unread` when the disk would not let the bytes be read, or they are no file's.
    """

    key: str
    message: str
    offset: int | None = None
    type: str | None = None
    id: ObjectId | None = None
    lost: bool = False
    torn: bool = False
    unread: bool = False


@frozen
class StoreReport:
    """What `verify` found: numbers of packs, of sound objects (chunks and lists among them) and of bytes read.

    `sound` says of every object of which a copy is right, as (type, id), where one lies: in a pack of `doomed`,
    those that are on their way out, only if it lies in no other.
    """

    packs: int
    objects: int
    bytes: int
    problems: tuple[Problem, ...]
    sound: Mapping[tuple[int, builtins.bytes], Location] = field(default_factory=dict)
    doomed: frozenset[str] = frozenset()

    def stays(self, type: int, id: builtins.bytes) -> bool:
        """Whether a sound copy lies in a pack that is not on its way out."""
        place = self.sound.get((type, id))
        return place is not None and place.pack not in self.doomed

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def lost(self) -> frozenset[ObjectId]:
        """The objects of which no sound copy is left, as far as their names could be read."""
        return frozenset(p.id for p in self.problems if p.lost and not p.torn and p.id is not None)

    @property
    def damaged(self) -> dict[str, list[str]]:
        """What is wrong with each pack of which something is, but for what may be the fault of the disk alone."""
        found: dict[str, list[str]] = {}
        for problem in self.problems:
            name = pack_name(problem.key)
            if name is not None and not problem.torn:
                found.setdefault(name, []).append(problem.message)
        unread = {pack_name(problem.key) for problem in self.problems if problem.unread}
        return {name: why for name, why in found.items() if name not in unread}


def verify_packs(
    storage: Storage, progress: Progress | None = None, doomed: Callable[[], frozenset[str]] = frozenset
) -> StoreReport:
    """Return what is wrong with the packs in `storage`. `progress` is called with bytes as they are read.

    `doomed` says which packs are on their way out.

    gc may replace packs meanwhile: what is told is true of those that are there in the end.
    """
    seen: dict[str, _Pack] = {}
    lists: list[Problem] = []
    for _ in range(_LOOKS):
        strange = _look(storage, seen, progress or _silent)
        leaving = doomed()
        order = sorted(seen, key=lambda name: (name in leaving, name), reverse=True)
        rows = ((name, row) for name in order for row in seen[name].sound)
        sound = {(row.type, row.id): Location(name, row) for name, row in rows}
        try:
            lists = [*_verify_lists(storage, sound)]
        except KeyError:  # a pack was moved away while we looked
            continue
        if seen.keys() == set(list_packs(storage)):
            break
    problems = strange + [problem for name in sorted(seen) for problem in seen[name].problems] + lists
    size = sum(pack.size for pack in seen.values())
    return StoreReport(len(seen), len(sound), size, tuple(_settled(problems, sound)), sound, leaving)


@dataclass
class _Pack:
    """What one pack holds that is sound, and what is wrong with it."""

    size: int = 0
    sound: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def _look(storage: Storage, seen: dict[str, _Pack], progress: Progress) -> list[Problem]:
    """Verify the packs that were not seen yet and forget those that are gone; return what is there and is no pack."""
    strange: list[Problem] = []
    gone = set(seen)
    for key in storage.list(FOLDER):
        name = pack_name(key)
        if name is None:
            strange.append(Problem(key, "not a pack; left alone"))
            continue
        gone.discard(name)
        if name in seen:
            continue
        pack = seen[name] = _Pack()
        try:
            pack.size = storage.size(key)
            pack.problems += _verify_pack(storage, name, pack.sound, progress)
        except KeyError:  # moved away while we looked
            del seen[name]
        except LocalIO as error:
            pack.problems.append(Problem(key, error.message, unread=True))
    for name in gone:
        del seen[name]
    strangers = getattr(storage, "strangers", lambda _: ())(FOLDER)
    return strange + [Problem(stranger, "not a pack; left alone", unread=True) for stranger in strangers]


def _silent(_: int) -> None:
    return None


def _settled(problems: list[Problem], sound: dict[tuple[int, bytes], Location]) -> Iterator[Problem]:
    for problem in problems:
        if problem.id is None or problem.type is None:
            yield problem
        else:
            yield replace(problem, lost=problem.lost or (TYPES[problem.type], bytes(problem.id)) not in sound)


def _verify_pack(storage: Storage, name: str, sound: list[Row], progress: Progress) -> list[Problem]:
    key = pack_key(name)
    problems = [*_verify_outside(storage, name, progress)]
    try:
        expected = {row.offset: row for row in read_rows(storage, name)[1]}
        table_read = True
    except Damaged as error:
        expected, table_read = {}, False
        problems.append(Problem(key, error.message))
    found: set[int] = set()
    for item in scan(storage, name):
        if isinstance(item, Gap):
            problems.append(Problem(key, f"{item.end - item.start} bytes that are no frame", item.start))
            continue
        trouble = _verify_frame(storage, name, item)
        if trouble is not None:
            problems.append(replace(_hurt(key, item, trouble.message), unread=isinstance(trouble, LocalIO)))
        else:
            sound.append(item)
        if table_read and expected.get(item.offset) != item:
            problems.append(Problem(key, "frame is not in the key table", item.offset))
        found.add(item.offset)
    missing = [row for offset, row in sorted(expected.items()) if offset not in found]
    return problems + [_hurt(key, row, "its frame is unreadable") for row in missing]


def _hurt(key: str, row: Row, message: str) -> Problem:
    type_ = NAMES[row.type]
    id_type = BlobId if row.type == _LIST else ID_TYPES[type_]
    return Problem(key, f"{type_} {row.id.hex()}: {message}", row.offset, type_, id_type(row.id))


def _verify_frame(storage: Storage, name: str, row: Row) -> Damaged | LocalIO | None:
    try:
        open_frame(storage.read(pack_key(name), row.offset, row.end - row.offset), row)
    except (Damaged, LocalIO) as error:
        return error
    return None


def _verify_outside(storage: Storage, name: str, progress: Progress) -> Iterator[Problem]:
    """Check header, footer and the hash of the whole."""
    key = pack_key(name)
    size = storage.size(key)
    if storage.read(key, 0, len(PACK_HEADER)) != PACK_HEADER:
        yield Problem(key, "header is damaged", 0)
    hasher = blake3(max_threads=2)
    end = max(0, size - FOOTER_BYTES)
    for start in range(0, end, _STEP):
        data = storage.read(key, start, min(_STEP, end - start))
        hasher.update(data)
        progress(len(data))
    tail = storage.read(key, end)
    progress(len(tail))
    try:
        digest = parse_footer(tail, size)[3]
    except Damaged as error:
        yield Problem(key, error.message, end)
        return
    if not hasher.digest() == digest == bytes.fromhex(name):
        yield Problem(key, "pack does not match the hash that is its name")


def _verify_lists(storage: Storage, sound: dict[tuple[int, bytes], Location]) -> Iterator[Problem]:
    """Check that the chunks of every list are there and together are the blob it stands for.

    KeyError when a pack is gone.
    """

    def find(chunk: bytes) -> list[Location]:
        place = sound.get((_BLOB, chunk))
        return [place] if place else []

    def load(chunk: BlobId) -> bytes:
        if place := sound.get((_BLOB, chunk)):
            return read_object(storage, place)
        raise Damaged(f"chunk {chunk} is missing")

    wrong = []
    for (type_, id), place in sound.items():
        if type_ != _LIST:
            continue
        blob, key = BlobId(id), pack_key(place.pack)
        try:
            chunks = parse_list(read_object(storage, place))
            if gone := sum((_BLOB, bytes(chunk)) not in sound for chunk, _ in chunks):
                yield Problem(
                    key,
                    f"blob {blob}: {gone} of {len(chunks)} chunks are missing or damaged",
                    place.row.offset,
                    LIST,
                    blob,
                    lost=True,
                    torn=True,
                )
                continue
            copy_chunks(blob, chunks, find, load, storage, lambda _: None)
        except (Damaged, LocalIO) as error:
            unread = not isinstance(error, Damaged)
            yield Problem(key, f"blob {blob}: {error.message}", place.row.offset, LIST, blob, lost=True, unread=unread)
            wrong.append((type_, id))
    for one in wrong:
        del sound[one]
