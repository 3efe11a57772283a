"""Which packs to write anew without what nobody needs, and writing them. Packs never change: they are replaced.

An object that names others (a list, a tree, a commit, ...) and stays in its pack though nobody needs it keeps
what it names, so that whoever finds such an object stored finds all that hangs on it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from mlver.errors import Damaged
from mlver.frozen import frozen
from mlver.storage.base import Storage
from mlver.store.frames import CHECKSUM_BYTES, FRAME_BYTES, HEADER_BYTES, TYPES
from mlver.store.object_store import ObjectStore
from mlver.store.pack import Row, open_frame, pack_key, read_object
from mlver.store.packwriter import Frame, PackWriter

Key = tuple[int, bytes]
SMALL = 8 << 20  # bytes under which a pack is put together with others
MANY = 24  # small packs that may be
FULL_PACK = 1 << 30
_BLOB = TYPES["blob"]


@frozen
class Pack:
    """A pack and what is in it. One that is to be left `alone` is damaged, or so new that a command may need it."""

    name: str
    size: int
    rows: tuple[Row, ...]
    alone: bool = False


@frozen
class Plan:
    """`replaced` packs, and `copied`, the rows of them that somebody needs, by pack."""

    replaced: tuple[Pack, ...]
    copied: Mapping[str, tuple[Row, ...]]
    doubles: tuple[Row, ...] = ()  # rows needed that another pack, which stays, holds too

    @property
    def bytes(self) -> int:
        """Bytes that will be written."""
        return sum(FRAME_BYTES + row.stored for rows in self.copied.values() for row in rows)


class Spoiled(Exception):
    """A needed object in the pack `name` cannot be read: the pack is not to be touched."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def make_plan(
    packs: Iterable[Pack], live: set[Key], keep_below: Callable[[Iterable[Row]], bool], *, share: float, full: bool
) -> Plan:
    """Choose the packs to replace: those of which at least `share` is dead (`full`: any), and many small ones.

    `live` are the objects needed. `keep_below` is told of dead objects that stay; it adds to `live` what they
    name, and tells whether that was anything.
    """
    ordered = sorted(packs, key=lambda pack: (not pack.alone, -pack.size, pack.name))
    while True:
        homes: dict[Key, str] = {}
        for pack in ordered:
            for row in pack.rows:
                homes.setdefault((row.type, row.id), pack.name)
        replaced = [pack for pack in ordered if not pack.alone and _wasteful(pack, live, homes, share, full)]
        names = {pack.name for pack in replaced}
        small = [pack for pack in ordered if not pack.alone and pack.name not in names and pack.size < SMALL]
        if len(small) > MANY or (full and len(small) > 1):
            replaced += small
            names |= {pack.name for pack in small}
        stay = [row for pack in ordered if pack.name not in names for row in pack.rows]
        dead = [row for row in stay if row.type != _BLOB and (row.type, row.id) not in live]
        if not (dead and keep_below(dead)):
            return _plan(replaced, live, {(row.type, row.id) for row in stay})


def plan_without(packs: Iterable[Pack], live: set[Key]) -> Plan:
    """Replace the packs that hold anything which is not `live`; all others stay as they are."""
    packs = list(packs)
    replaced = [pack for pack in packs if any((row.type, row.id) not in live for row in pack.rows)]
    names = {pack.name for pack in replaced}
    return _plan(replaced, live, {(row.type, row.id) for pack in packs if pack.name not in names for row in pack.rows})


def plan_besides(plan: Plan, wanted: set[Key]) -> Plan:
    """Of the packs that `plan` replaces copy what is `wanted`, and nothing else."""
    return _plan(list(plan.replaced), wanted, set())


def _wasteful(pack: Pack, live: set[Key], homes: Mapping[Key, str], share: float, full: bool) -> bool:
    whole = needed = 0
    for row in pack.rows:
        key, length = (row.type, row.id), FRAME_BYTES + row.stored
        whole += length
        needed += length * (key in live and homes[key] == pack.name)
    return needed == 0 or whole - needed >= whole * (0 if full and needed < whole else share)


def _plan(replaced: list[Pack], live: set[Key], stay: set[Key]) -> Plan:
    taken = set(stay)
    copied: dict[str, tuple[Row, ...]] = {}
    doubles = []
    for pack in replaced:
        rows = [row for row in pack.rows if (row.type, row.id) in live]
        copied[pack.name] = tuple(row for row in rows if (row.type, row.id) not in taken)
        doubles += [row for row in rows if (row.type, row.id) in stay]
        taken |= {(row.type, row.id) for row in rows}
    return Plan(tuple(replaced), copied, tuple(doubles))


def carry_out(
    store: ObjectStore,
    plan: Plan,
    progress: Callable[[int], None],
    full: int = FULL_PACK,
    avoid: frozenset[str] = frozenset(),
) -> tuple[tuple[str, ...], int]:
    """Write the new packs, durably, every object checked; return their names, none in `avoid`, and size in bytes.

    Spoiled, and nothing to be thrown away, when a needed object is damaged where it would be taken from, or in the
    pack that stays.
    """
    replaced = {pack.name for pack in plan.replaced}
    for row in plan.doubles:
        _check_other(store, row, replaced)
    made: list[str] = []
    size = 0
    writer: PackWriter | None = None
    try:
        for pack in plan.replaced:
            for row in sorted(plan.copied[pack.name], key=lambda row: row.offset):
                writer = writer or PackWriter(store.storage, taken=store.doomed | avoid)
                writer.append(_frame(store.storage, pack.name, row))
                progress(FRAME_BYTES + row.stored)
                if writer.size >= full:
                    name, bytes_ = _finish(store, writer)
                    made, size, writer = [*made, name], size + bytes_, None
        if writer is not None:
            name, bytes_ = _finish(store, writer)
            made, size = [*made, name], size + bytes_
    finally:
        if writer is not None:
            writer.abort()
    return tuple(made), size


def _finish(store: ObjectStore, writer: PackWriter) -> tuple[str, int]:
    packed = writer.finish()
    store.index.add_pack(packed.name, packed.size, packed.rows)
    return packed.name, packed.size


def _frame(storage: Storage, name: str, row: Row) -> Frame:
    try:
        data = storage.read(pack_key(name), row.offset, row.end - row.offset)
        open_frame(data, row)
    except Damaged:
        raise Spoiled(name) from None
    end = HEADER_BYTES + row.stored
    return Frame(row._replace(offset=0), data[:HEADER_BYTES], data[HEADER_BYTES:end], data[end : end + CHECKSUM_BYTES])


def _check_other(store: ObjectStore, row: Row, replaced: set[str]) -> None:
    """Make sure that a copy of an object that stays is sound; Spoiled, naming the pack with the other copy, else."""
    places = store.index.find(row.type, row.id)
    for place in places:
        if place.pack not in replaced and place.pack not in store.doomed:
            with suppress(Damaged, KeyError):
                read_object(store.storage, place)
                return
    raise Spoiled(next(place.pack for place in places if place.pack in replaced))
