"""Whether objects do lie where the index says, asked of many: nothing stays unwritten because of the index alone."""

from __future__ import annotations

from mlver.errors import Damaged
from mlver.storage.base import Storage
from mlver.store.pack import ROW, Location, present, read_table

_FEW = 32  # frames of one pack that are looked at one by one, before its key table is read


class Vouched:
    """Looks at packs for one session.

    The first objects of a pack are looked up at their frames, as `present` does. When more are asked for, the pack's
    own key table is read, once: it is covered by a checksum, and the pack is known to be as long as when it was
    written. A pack whose table is damaged is believed frame by frame.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._asked: dict[str, int] = {}
        self._tables: dict[str, frozenset[bytes]] = {}

    def holds(self, place: Location) -> bool:
        """Whether a frame as `place` says lies there."""
        name, row = place
        table = self._tables.get(name)
        if table is None:
            asked = self._asked[name] = self._asked.get(name, 0) + 1
            if asked != _FEW or not (table := self._read(name)):
                return present(self._storage, place)
        return ROW.pack(row.id, row.type, row.codec, 0, 0, row.offset, row.stored, row.raw) in table

    def _read(self, name: str) -> frozenset[bytes]:
        try:
            table = read_table(self._storage, name)[2]
        except (KeyError, Damaged):
            return frozenset()
        rows = frozenset(table[at : at + ROW.size] for at in range(0, len(table), ROW.size))
        self._tables[name] = rows
        return rows
