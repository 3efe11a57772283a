"""Units of a large file asked for one by one: what was once looked up is kept, the same bytes say the same for ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from mlver.errors import Redacted
from mlver.kinds.base import MISSING, Delta, Kind, Source, Spec, Units, Unreadable, Value
from mlver.objects.result import jsonable

if TYPE_CHECKING:
    from mlver.index.derived import Derived

WORTH: Final = 1 << 20  # bytes from which it takes longer to read a file than to look up what it said
_VERSION: Final = 1  # to be raised with what is kept


def answer_name(what: str, told: object) -> str:
    """Return the name of an answer that is kept: what was asked, and 40 digits for what it depends on, as JSON."""
    words = json.dumps(told, sort_keys=True).encode("utf-8", "backslashreplace")
    return f"{what} {hashlib.blake2b(words, digest_size=20).hexdigest()}"


def name_of(what: str, kind: Kind, path: str, spec: Spec, *ids: str) -> str:
    """Return under which name something is kept of versions of a file."""
    return answer_name(what, [_VERSION, kind.name, kind.version, path, list(spec.key), jsonable(spec.options), *ids])


def late_units(kind: Kind, source: Source, spec: Spec, id: str, cache: Derived) -> Units:
    """Return units of one version for somebody who asks for a few; Unreadable as for `Kind.units`, if it is small."""
    if source.size < WORTH:
        return kind.late_units(source, spec)
    return KeptUnits(lambda: kind.late_units(source, spec), cache, name_of("unit", kind, source.path, spec, id))


class KeptUnits(Units):
    """Units that are read when something is asked for that was not asked for before; none, if they cannot be read."""

    def __init__(self, read: Callable[[], Units], cache: Derived, name: str) -> None:
        super().__init__({})
        self._read, self._cache, self._name = read, cache, name
        self._made: Units | None = None
        self.readable = True
        self._known: dict[str, Value] = {}

    def can_be_read(self) -> bool:
        """Whether the bytes are what the kind reads; else there are no units."""
        return bool(self._units) or self.readable

    @property
    def _units(self) -> Units:
        if self._made is None:
            try:
                self._made = self._read()
            except (Unreadable, Redacted):
                self._made, self.readable = Units({}), False
        return self._made

    def __len__(self) -> int:
        return len(self._units)

    def keys(self) -> Iterator[str]:
        """The unit keys, in the order of the file."""
        return self._units.keys()

    def get(self, key: str) -> Value:
        """The value of one unit, or MISSING."""
        if key not in self._known:
            self._known[key] = self._looked_up(key)
        return self._known[key]

    def get_all(self, keys: Sequence[str]) -> list[Value]:
        """The values of several units; they are not kept."""
        return self._units.get_all(keys)

    def has_all(self, keys: Sequence[str]) -> list[bool]:
        """Whether there is a unit of each of these keys."""
        return self._units.has_all(keys)

    def inside(self, starts: tuple[str, ...]) -> list[str]:
        """The keys that start with one of `starts`."""
        return self._units.inside(starts)

    def counterpart(self, key: str, older: Units) -> str | None:
        """The key under which `older` holds this unit."""
        return self._units.counterpart(key, _plain(older))

    def delta(self, other: Units) -> Delta:
        """What changes on the way to `other`."""
        return self._units.delta(_plain(other))

    def _looked_up(self, key: str) -> Value:
        name = answer_name(self._name, key)
        body = self._cache.get(name)
        if body is not None:
            said: list[Any] = json.loads(body)
            return said[0] if said else MISSING
        try:
            value = self._units.get(key)
        except (Unreadable, Redacted):
            self._made, self.readable = Units({}), False
        if not self.readable:
            return MISSING
        try:
            self._cache.put(name, json.dumps([] if value is MISSING else [value]).encode())
        except (TypeError, ValueError):
            return value  # no JSON, of another package's kind
        return value


def _plain(units: Units) -> Units:
    return units._units if isinstance(units, KeptUnits) else units
