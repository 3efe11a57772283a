"""The names of the units that differ between two versions of a file: what blame of a large file reads instead of it."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Final

from mlver.errors import Redacted
from mlver.frozen import frozen
from mlver.kinds.base import Delta, Kind, Spec, Units, Unreadable
from mlver.objects.ids import BlobId
from mlver.repo.kept_units import WORTH, name_of
from mlver.repo.unit_reader import UnitReader

if TYPE_CHECKING:
    from mlver.index.derived import Derived
    from mlver.repo.repository import Repository

_HELD: Final = 500_000  # names in memory
MANY: Final = 200_000  # names that are told; of more it is only known that they are more


@frozen
class Touched:
    """What differs between two versions in which a name means the same unit.

    `exact`: what is not named has the same value, every field of it; else rows were compared by the columns both have.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    exact: bool

    @cached_property
    def names(self) -> frozenset[str]:
        """All that is named."""
        return frozenset((*self.added, *self.removed, *self.changed))


@frozen
class Untold:
    """Why it is not told by name what differs; `many` units differ, or names do not mean the same (None)."""

    many: int | None


def told(old: Units, new: Units, delta: Delta) -> Touched | Untold:
    """Return what differs between two versions, or why that is not told."""
    if not old.names_hold(new):
        return Untold(None)
    many = len(delta.added) + len(delta.removed) + len(delta.changed)
    if many > MANY:
        return Untold(many)
    return Touched(tuple(delta.added), tuple(delta.removed), tuple(delta.changed), old.values_hold(new))


def keep(
    cache: Derived, kind: Kind, path: str, spec: Spec, ids: tuple[BlobId, BlobId], found: Touched | Untold
) -> None:
    """Keep what differs between two versions, for `Comparisons`."""
    if isinstance(found, Touched):
        said: object = [found.added, found.removed, found.changed, found.exact]
    else:
        said = found.many
    cache.put(name_of("touched", kind, path, spec, *map(str, ids)), json.dumps(said).encode("utf-8"))


class Comparisons:
    """What differs between versions of one file, read by one kind in one way. Large ones are compared once."""

    def __init__(self, repo: Repository, reader: UnitReader) -> None:
        self._repo, self._reader = repo, reader
        self._known: dict[tuple[BlobId, BlobId], Touched | Untold] = {}

    def between(self, old: BlobId, new: BlobId) -> Touched | Untold:
        """Return what differs, looked up or found now. `Untold(None)` too for what cannot be read."""
        if (old, new) not in self._known:
            if sum(len(found.names) for found in self._known.values() if isinstance(found, Touched)) > _HELD:
                self._known.clear()
            self._known[old, new] = self._between(old, new)
        return self._known[old, new]

    def _between(self, old: BlobId, new: BlobId) -> Touched | Untold:
        reader, cache = self._reader, self._repo.derived
        large = max(map(self._repo.store.blob_size, (old, new))) >= WORTH
        if large:
            self._repo.redactions()  # what was found before one is not to be believed
            name = name_of("touched", reader.kind, reader.path, reader.spec, str(old), str(new))
            if (body := cache.get(name)) is not None:
                return _read(body)
        found = self._compared(old, new)
        if large:
            keep(cache, reader.kind, reader.path, reader.spec, (old, new), found)
        return found

    def _compared(self, old: BlobId, new: BlobId) -> Touched | Untold:
        reader = self._reader
        try:
            sides = reader.kind.apart(reader.source(old), reader.source(new), (reader.spec, reader.spec))
        except (Unreadable, Redacted):
            return Untold(None)
        a, b = sides or (reader.units_of(old), reader.units_of(new))
        if a is None or b is None:
            return Untold(None)
        return told(a, b, a.delta(b)) if a.names_hold(b) else Untold(None)


def _read(body: bytes) -> Touched | Untold:
    said = json.loads(body)
    if not isinstance(said, list):
        return Untold(said)
    added, removed, changed, exact = said
    return Touched(tuple(added), tuple(removed), tuple(changed), exact)
