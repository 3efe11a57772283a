"""The one protocol of kinds: bytes -> a map of units, key -> value.

Diff, blame and merge know nothing but what is here. A kind is one file that subclasses `Kind`;
third parties register theirs through the entry-point group `mlver.kinds`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import islice
from typing import Any, BinaryIO, ClassVar, Final, Protocol

from mlver.errors import UsageError, one_line
from mlver.frozen import frozen
from mlver.objects.result import jsonable

Value = Any  # JSON-like: None, bool, int, float (NaN is a value), str, list, dict


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


class NoRoom(Exception):
    """Two versions cannot be compared in the memory that was granted."""


class Unreadable(Exception):
    """These bytes are not what the kind reads; `str()` says why in a few words, for people.

    Callers fall back to comparing size and hash and show the reason.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(one_line(reason))  # libraries quote what they stumbled over

    @property
    def known(self) -> Mapping[str, Value]:
        """What was seen of the file all the same, as `Kind.summary` would say it."""
        return {}


class CannotEdit(Unreadable):
    """The kind cannot write these changes into these bytes; `str()` says why in a few words, for people.

    A merge then treats the file as a whole.
    """


class Source(Protocol):
    """The bytes of one file, wherever they are (a commit, the work tree)."""

    @property
    def path(self) -> str:
        """The artifact's path with `/` between parts."""

    @property
    def size(self) -> int:
        """Its length in bytes."""

    def open(self) -> BinaryIO:
        """Return a fresh seekable binary reader, to be closed by the caller."""


def read_all(source: Source, limit: int) -> bytes:
    """Return all bytes of `source`; Unreadable when there are more than `limit`."""
    if source.size > limit:
        raise Unreadable(f"larger than {limit >> 20} MiB")
    with source.open() as stream:
        return stream.read(limit + 1)


@frozen
class Spec:
    """What mlver.toml or the command line says of one artifact.

    `key` names the key columns of a table (empty: found by the kind). `options` are the other
    settings of its `[[artifact]]` entry.
    """

    key: tuple[str, ...] = ()
    options: Mapping[str, Value] = field(default_factory=dict)


@frozen
class Delta:
    """The difference of two unit maps, by key, in the order people should read it."""

    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    changed: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class Units:
    """A map of units. The base class holds a plain dict; tables override what must be vectorised.

    `positional`: keys are places (lines of code), so that versions are merged by aligning them.
    """

    positional: ClassVar[bool] = False

    def __init__(self, items: Mapping[str, Value]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def keys(self) -> Iterator[str]:
        """The unit keys, in the order of the file."""
        return iter(self._items)

    def get(self, key: str) -> Value:
        """The value of one unit, or MISSING."""
        return self._items.get(key, MISSING)

    def get_all(self, keys: Sequence[str]) -> list[Value]:
        """The values of several units, in their order, MISSING for those that are not there."""
        return [self.get(key) for key in keys]

    def has_all(self, keys: Sequence[str]) -> list[bool]:
        """Whether there is a unit of each of these keys."""
        return [self.get(key) is not MISSING for key in keys]

    def counterpart(self, key: str, older: Units) -> str | None:
        """The key under which `older` holds this unit, None when it does not.

        The same key, except where keys are positions: lines of code are followed through insertions.
        """
        return None if older.get(key) is MISSING else key

    def delta(self, other: Units) -> Delta:
        """What changes on the way from these units to `other` (the newer ones)."""
        mine, theirs = self._items, other._items
        return Delta(
            added=[key for key in theirs if key not in mine],
            removed=[key for key in mine if key not in theirs],
            changed=[key for key, value in theirs.items() if key in mine and not same(mine[key], value)],
        )

    def inside(self, starts: tuple[str, ...]) -> list[str]:
        """The keys that start with one of `starts`, in the order of the file."""
        return [key for key in self.keys() if key.startswith(starts)]

    def names_hold(self, other: Units) -> bool:
        """Whether a key means the same unit here and in `other`, so that what `delta` leaves out is in both."""
        return type(self).delta is Units.delta and type(other).delta is Units.delta

    def values_hold(self, other: Units) -> bool:
        """Whether what `delta` leaves out has the same value here and in `other`, every field of it."""
        return self.names_hold(other)

    def agrees(self, key: str, other: Units) -> bool:
        """Whether a unit is the same here and in `other`, or absent in both. For merges."""
        mine, theirs = self.get(key), other.get(key)
        return mine is theirs if mine is MISSING or theirs is MISSING else same(mine, theirs)

    def bond(self, ours: Units, theirs: Units) -> Callable[[str], str | None]:
        """Return unit key -> what it stands or falls with in a merge of `ours` and `theirs`, whose base this is.

        Two changes in one bond, one from each side, are a conflict even when their keys differ. None: on its own.
        """
        return lambda key: None

    def combine(self, key: str, ours: Units, theirs: Units) -> Value:
        """Return the value that holds both changes of a unit, MISSING when there is none: then it is a conflict."""
        return MISSING

    def doubt(self, mine: Delta, theirs: Delta) -> str | None:
        """Return why a merge of these two deltas from here, unit by unit, would be a guess; None when it is not."""
        return None


def same(a: Value, b: Value) -> bool:
    """Whether two values are the same: NaN equals NaN, 1 equals 1.0 but not True, 0.0 equals -0.0."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return bool(a == b) or (a != a and b != b)


@frozen
class Detail:
    """A small table a kind adds to a diff: schema changes, drift per column, arrays that moved.

    `rows` hold plain values; a float is shown with sensible digits by `render`.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@frozen
class Comparison:
    """What a kind says of two versions beyond the changed units.

    `summary` is one line (`+80 rows, 25 cells changed in label`); `same_meaning` says that the
    bytes differ and the units do not, in the kind's own words (`byte-different, same model`).
    `counts` are exact numbers worth having in JSON (`rows_added`, `cells_changed` ...). `nameless` says
    that unit keys are digests, which tell a person nothing: what a unit says is its name.
    """

    summary: str
    details: tuple[Detail, ...] = ()
    counts: Mapping[str, int | float] = field(default_factory=dict)
    same_meaning: bool = False
    nameless: bool = False


@frozen
class Selection:
    """Rows of a table, as dicts by `columns`; `count` is their number, if counted.

    `more` is true when a limit ended the search before the table did.
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, Value], ...]
    more: bool = False
    count: int | None = None


class Kind:
    """One kind of artifact. Stateless; one instance serves all threads."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    order: ClassVar[int] = 50  # in a diff, kinds with a low number come first

    def recognises(self, path: str, head: bytes) -> int:
        """How sure the kind is that the file is its own, 0 (no) to 100, from path and first bytes.

        `head` holds up to 4 KiB. Folder names count: `rules/x.json` is rules, `config/x.json` config.
        """
        raise NotImplementedError

    def units(self, source: Source, spec: Spec) -> Units:
        """Return the units in `source`; Unreadable (with the reason) when the bytes are not this kind."""
        raise NotImplementedError

    def late_units(self, source: Source, spec: Spec) -> Units:
        """Return `units` for somebody who asks for a few of them: where that is quicker, read when they are asked for.

        Their names, their number and their values are those of `units`. Unreadable as for `units`, now or later.
        """
        return self.units(source, spec)

    def apart(
        self, old: Source, new: Source, specs: tuple[Spec, Spec], room: int | None = None
    ) -> tuple[Units, Units] | None:
        """Return units of two versions without those that are the same in both, to be compared with each other.

        None when that is no quicker than `units` of each; Unreadable as for `units`. NoRoom when comparing them takes
        far more than `room` bytes of memory, now or when they are compared; kinds of small files need not look at it.
        """
        return None

    def edit(self, source: Source, spec: Spec, changes: Mapping[str, Value], like: Units | None = None) -> bytes:
        """Return the file with some units changed: key -> new value, MISSING to remove it. All else stays as it is.

        `like` are units whose order says where new ones go. The units of what is returned are those of `source`
        with `changes` made. Raises CannotEdit, or Unreadable as for `units`; some kinds can never be edited.
        """
        raise CannotEdit(f"{self.name} files are never edited")

    def compare(self, old: Units | None, new: Units | None, delta: Delta) -> Comparison:
        """Describe the way from `old` to `new` (None: the artifact is absent there)."""
        return Comparison(count_line(delta, "unit"), same_meaning=not delta and old is not None and new is not None)

    def text(self, key: str, value: Value) -> str:
        """Return one line that tells a person what this unit says (without its key)."""
        return short_json(value)

    def difference(self, old: Value, new: Value) -> tuple[Value, Value]:
        """Return a changed unit cut down to what differs: by default for two dicts the fields that changed."""
        return differing(old, new)

    def change_text(self, key: str, old: Value, new: Value) -> tuple[str, str]:
        """Return two lines that tell a person how a unit changed: by default only the fields that differ."""
        before, after = self.difference(old, new)
        return self.text(key, before), self.text(key, after)

    def head(self, source: Source, spec: Spec, limit: int) -> tuple[list[dict[str, Value]], bool]:
        """Return the first `limit` units as rows, and whether there are more; Unreadable as for `units`."""
        units = self.units(source, spec)
        first = list(islice(units.keys(), limit))
        return [{"unit": key, "value": units.get(key)} for key in first], len(units) > limit

    def select(
        self,
        source: Source,
        spec: Spec,
        *,
        where: str | None = None,
        columns: Sequence[str] = (),
        limit: int | None = None,
        count: bool = False,
    ) -> Selection:
        """Return rows of a table by condition (kinds/tables/where.py) and columns, or their number.

        Unreadable as for `units`; UsageError for a condition or column that makes no sense, and when the
        artifact is no table.
        """
        raise UsageError(f"{source.path} is no table, but {self.name}", hint=f"mlver cat --head 20 {source.path}")

    def summary(self, units: Units) -> Mapping[str, Value]:
        """Return derived facts worth showing for one version alone (row count, class of the model)."""
        return {"units": len(units)}


def count_line(delta: Delta, noun: str) -> str:
    """Return `+3 -1 ~2 rules`, only the parts that are not zero; `no change in meaning` if all are."""
    parts = [
        f"{sign}{len(keys)}" for sign, keys in (("+", delta.added), ("-", delta.removed), ("~", delta.changed)) if keys
    ]
    total = len(delta.added) + len(delta.removed) + len(delta.changed)
    return f"{' '.join(parts)} {noun}{'s' if total != 1 else ''}" if parts else "no change in meaning"


def short_json(value: Value, limit: int = 200) -> str:
    """Return `value` as compact one-line JSON, a string without its quotes, cut at `limit` characters."""
    text = value if isinstance(value, str) else json.dumps(jsonable(value), ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def differing(old: Value, new: Value) -> tuple[Value, Value]:
    """Return old and new cut down to what differs: for two dicts only the fields that changed."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return old, new
    fields = [key for key in {**old, **new} if not same(old.get(key, MISSING), new.get(key, MISSING))]
    return {k: old[k] for k in fields if k in old}, {k: new[k] for k in fields if k in new}
