"""Units of one artifact in many commits, each distinct version read once."""

from __future__ import annotations

import re
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from mlver.errors import Redacted, UnknownRevision
from mlver.kinds import registry
from mlver.kinds.base import MISSING, Source, Spec, Units, Unreadable, Value
from mlver.kinds.documents.paths import join_path, split_path
from mlver.kinds.folder import FolderSource, Part, is_part, table_root
from mlver.objects.ids import BlobId, CommitId, ObjectId, TreeId
from mlver.repo.snapshot import BlobSource, find_folder, find_in_tree, walk_tree

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_KEPT, _KEPT_LARGE = 16, 2
_SOURCES = 3  # versions of which a kind may keep what it made of the bytes
_LARGE = 1 << 20  # bytes
_METRIC = re.compile(r"([^{}]+)\{([^{}]+)\}")


class UnitReader:
    """Reads the units of `path` at any commit, with one kind and key spec throughout.

    A path that ends in `/` is a folder that is read as one artifact.
    """

    def __init__(self, repo: Repository, path: str, kind: str, spec: Spec) -> None:
        self.path, self.kind = path, registry.get_any(kind)
        self._repo, self.spec = repo, spec
        self._blobs: dict[CommitId, ObjectId | None] = {}
        self._units: OrderedDict[ObjectId, Units | None] = OrderedDict()
        self._late: dict[ObjectId, Units | None] = {}
        self._sources: dict[BlobId, BlobSource] = {}

    def blob(self, commit: CommitId) -> ObjectId | None:
        """What names the artifact's content at a commit: its blob, of a folder its tree; None where it is absent."""
        if commit not in self._blobs:
            tree = self._repo.commit(commit).tree
            if self.path.endswith("/"):
                self._blobs[commit] = find_folder(self._repo.store, tree, self.path)
            else:
                found = find_in_tree(self._repo.store, tree, self.path)
                self._blobs[commit] = found.id if found else None
        return self._blobs[commit]

    def units(self, commit: CommitId) -> Units | None:
        """The units at a commit; None where the artifact is absent or its bytes cannot be read as its kind."""
        blob = self.blob(commit)
        return None if blob is None else self.units_of(blob)

    def units_of(self, blob: ObjectId) -> Units | None:
        """The units of one version; None where its bytes cannot be read as its kind."""
        if blob not in self._units:
            large = False
            try:
                source = self.source(blob)
                large = not isinstance(source, FolderSource) and source.size >= _LARGE
                self._units[blob] = self.kind.units(source, self.spec)
            except (Unreadable, Redacted):
                self._units[blob] = None  # that version blames as a whole
            while len(self._units) > (_KEPT_LARGE if large else _KEPT):
                self._units.popitem(last=False)
        return self._units[blob]

    def few(self, commit: CommitId) -> Units | None:
        """The units at a commit for somebody who asks for a few of them by name; None as for `units`."""
        blob = self.blob(commit)
        return None if blob is None else self.few_of(blob)

    def few_of(self, blob: ObjectId) -> Units | None:
        """The units of one version, read when they are asked for where the kind can; None as for `units_of`."""
        if isinstance(blob, TreeId) or self._units.get(blob) is not None:
            return self.units_of(blob)
        if blob not in self._late:
            from mlver.repo.kept_units import late_units

            self._repo.redactions()  # what was looked up before one is not to be believed
            try:
                source = self.source(blob)
                while len(self._late) >= (_SOURCES if source.size >= _LARGE else _KEPT):
                    del self._late[next(iter(self._late))]
                self._late[blob] = late_units(self.kind, source, self.spec, str(blob), self._repo.derived)
            except (Unreadable, Redacted):
                self._late[blob] = None
        return self._late[blob]

    def readable(self, commit: CommitId) -> bool:
        """Whether the artifact is there at a commit, and its bytes can be read as its kind."""
        from mlver.repo.kept_units import KeptUnits

        units = self.few(commit)
        return units.can_be_read() if isinstance(units, KeptUnits) else units is not None

    def source(self, id: ObjectId) -> Source:
        """What the kind reads of one version."""
        store = self._repo.store
        if isinstance(id, TreeId):
            return self._folder(id)
        blob = BlobId(id)
        if blob not in self._sources:
            if len(self._sources) >= _SOURCES:
                del self._sources[next(iter(self._sources))]
            self._sources[blob] = BlobSource(self.path, store.blob_size(blob), lambda: store.open_blob(blob))
        return self._sources[blob]

    def _folder(self, tree: TreeId) -> FolderSource:
        store, table = self._repo.store, self.kind.name == "data"
        parts = []
        for path, entry in sorted(walk_tree(store, tree)):
            if table and not (entry.kind == "data" and is_part(path) and self._belongs(path)):
                continue
            blob = BlobId(entry.id)
            parts.append(Part(path, str(blob), BlobSource(path, entry.size, partial(store.open_blob, blob))))
        return FolderSource(self.path, tuple(parts))

    def _belongs(self, path: str) -> bool:
        """Whether a data file below a table's folder is a part of it, as `folders.tables_of` says."""
        return self.spec.options.get("partitioned") is True or table_root(self.path + path) == self.path

    def value(self, commit: CommitId, key: str, fields: tuple[str, ...] = ()) -> Value:
        """One unit, or a field of it, at a commit; MISSING where there is none."""
        units = self.few(commit)
        return field_of(units.get(key), fields) if units is not None else MISSING


def field_of(value: Value, fields: tuple[str, ...]) -> Value:
    """Return the part of a unit's value that `fields` lead to; MISSING when there is none."""
    for name in fields:
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def spellings(unit: str) -> tuple[str, ...]:
    """Return the ways to read what somebody typed: as it is, without quotes (`"mean radius".max`), as a metric.

    `recall{clinic=A}`, as metrics are written elsewhere, is `clinic=A.recall` or `recall.clinic=A` in a file.
    """
    found = [unit]
    if '"' in unit:
        with suppress(ValueError):
            found.append(".".join(split_path(unit)))
    if metric := _METRIC.fullmatch(unit):
        found += [join_path((metric[2], metric[1])), join_path((metric[1], metric[2]))]
    return tuple(dict.fromkeys(found))


def inside(units: Units, unit: str) -> list[str]:
    """Return the keys below `unit`: of `train` in a config, `train.lr` and `train.epochs`."""
    starts = tuple(f"{spelling}." for spelling in spellings(unit))
    return units.inside(starts)


def locate(units: Units, unit: str) -> tuple[str, tuple[str, ...]] | None:
    """Return (unit key, field path) that `unit` names: a key, or a key and fields after dots (`R2.threshold`).

    A part may stand in double quotes, as a name with spaces or dots invites to: `"mean radius".max`.
    """
    return next((found for spelling in spellings(unit) if (found := _locate(units, spelling))), None)


def _locate(units: Units, unit: str) -> tuple[str, tuple[str, ...]] | None:
    if units.get(unit) is not MISSING:
        return unit, ()
    key, _, rest = unit.rpartition(".")
    trail: list[str] = [rest]
    while key:
        value = units.get(key)
        if value is not MISSING:
            ways = (tuple(trail), (".".join(trail),))  # the name of a field may hold dots itself
            return next(((key, fields) for fields in ways if field_of(value, fields) is not MISSING), None)
        key, _, rest = key.rpartition(".")
        trail.insert(0, rest)
    return None


def possible_keys(unit: str) -> list[str]:
    """Return every key that `locate` may find for what somebody typed."""
    found: list[str] = []
    for spelling in spellings(unit):
        while spelling:
            found.append(spelling)
            spelling = spelling.rpartition(".")[0]
    return found


def value_of(units: Units, unit: str, where: str) -> tuple[str, Value]:
    """Return (unit key, value) that `unit` names; of keys that only have parts, such as `train`, a map of them.

    UnknownRevision naming close units when there is nothing of that name.
    """
    if locate(units, unit) is None and (keys := inside(units, unit)):
        start = next(spelling for spelling in spellings(unit) if keys[0].startswith(f"{spelling}."))
        return unit, {key[len(start) + 1 :]: units.get(key) for key in keys}
    key, fields = locate_or_fail(units, unit, where)
    return key, field_of(units.get(key), fields)


def locate_or_fail(units: Units, unit: str, where: str) -> tuple[str, tuple[str, ...]]:
    """Like `locate`; UnknownRevision naming close units when there is no such unit."""
    if found := locate(units, unit):
        return found
    from difflib import get_close_matches
    from itertools import islice

    close = get_close_matches(unit, list(islice(units.keys(), 20_000)), n=3, cutoff=0.5)
    raise UnknownRevision(
        f"no unit {unit!r} in {where}", hint=f"did you mean {', '.join(close)}?" if close else f"mlver show {where}"
    )
