"""A snapshot: all artifacts at one moment, of a commit or of the work tree, with their bytes and units."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from mlver.errors import Damaged, Redacted, Refused, UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.kinds import registry
from mlver.kinds.base import Kind, Source, Spec, Units, Unreadable
from mlver.objects.ids import BlobId, CommitId, TreeId
from mlver.objects.tree import TREE, Entry, Tree
from mlver.repo.names import MAX_DEPTH, MAX_PATH, check_name
from mlver.repo.project import PROJECT_FILE, Project, parse_project
from mlver.store.object_store import ObjectStore

if TYPE_CHECKING:
    from mlver.index.derived import Derived

_UNITS_KEPT = 64
_LISTED = 50_000  # entries of a walk; below that nothing can hurt
_REPEATED = 50  # times one stored entry may be listed in all


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a snapshot."""

    path: str
    type: str
    kind: str
    id: BlobId
    size: int


@frozen
class BlobSource:
    """The bytes of an artifact, opened on demand."""

    path: str
    size: int
    opener: Callable[[], BinaryIO]

    def open(self) -> BinaryIO:
        """Return a fresh seekable reader."""
        return self.opener()


class Snapshot:
    """All artifacts by path, sorted. `commit` is None for the work tree, `derived` where answers are kept, if any."""

    def __init__(
        self,
        artifacts: Mapping[str, Artifact],
        opener: Callable[[Artifact], BinaryIO],
        commit: CommitId | None = None,
        derived: Derived | None = None,
    ) -> None:
        self.artifacts = artifacts
        self.commit = commit
        self.derived = derived
        self._opener = opener
        self._units: OrderedDict[tuple[str, tuple[str, ...], bool], Units] = OrderedDict()

    def __contains__(self, path: object) -> bool:
        return path in self.artifacts

    def __getitem__(self, path: str) -> Artifact:
        try:
            return self.artifacts[path]
        except KeyError:
            where = f"commit {self.commit.short}" if self.commit else "the work tree"
            raise UnknownRevision(f"no artifact {path} in {where}", hint=self._nearest(path)) from None

    def _nearest(self, path: str) -> str:
        from difflib import get_close_matches

        close = get_close_matches(path, self.artifacts, n=1, cutoff=0.5)
        if close:
            return f"did you mean {close[0]}?"
        return "mlver status and mlver show list artifacts, mlver log shows commits"

    @cached_property
    def tables(self) -> Mapping[str, tuple[str, ...]]:
        """The folders that are one table (`data/events/`) with the paths of their parts; see repo/folders.py."""
        from mlver.repo.folders import tables_of

        return tables_of(self.artifacts, self.project)

    def find(self, path: str) -> Artifact:
        """Return one artifact, which may be a whole folder: its path then ends in `/`, its type is TREE.

        UnknownRevision when there is nothing of that name.
        """
        return self._whole(path) or self[path]

    def holds(self, path: str) -> bool:
        """Whether there is a file, or a folder with files, of that name."""
        return self._whole(path) is not None

    def _whole(self, path: str) -> Artifact | None:
        from mlver.repo.folders import folder_artifact

        return self.artifacts.get(path) or folder_artifact(self, path)

    def source(self, path: str) -> BlobSource:
        """Return the bytes of one file."""
        artifact = self[path]
        return BlobSource(path, artifact.size, lambda: self._opener(artifact))

    def content(self, path: str) -> Source:
        """Return what a kind reads: the bytes of a file, or the parts of a folder."""
        if path in self.artifacts:
            return self.source(path)
        from mlver.repo.folders import folder_source

        return folder_source(self, self.find(path).path)

    @cached_property
    def project(self) -> Project:
        """The mlver.toml of this snapshot."""
        if PROJECT_FILE not in self.artifacts:
            return Project()
        try:
            with self.source(PROJECT_FILE).open() as stream:
                return parse_project(stream.read(), PROJECT_FILE)
        except Redacted:
            return Project()

    def spec(self, path: str, key: tuple[str, ...] = ()) -> Spec:
        """Key columns and options of one artifact; `key` overrides those of mlver.toml."""
        return artifact_spec(self.project, path, self.find(path).kind, key)

    def kind(self, path: str) -> Kind:
        """The kind of one artifact; an AbsentKind when it is not installed here."""
        return registry.get_any(self.find(path).kind)

    def units(self, path: str, key: tuple[str, ...] = (), *, late: bool = False) -> Units:
        """Return the units of one artifact or folder; raises `Unreadable` when its bytes are gone or not its kind's.

        `late`: few of them will be asked for, which then may be read when they are.
        """
        slot = (path, key, late)
        if slot not in self._units:
            kind = self.kind(path)
            try:
                read = kind.late_units if late else kind.units
                self._units[slot] = read(self.content(path), self.spec(path, key))
            except Redacted as error:  # there is nothing to compare, and the reason is shown
                raise Unreadable(error.message) from None
            except Unreadable:  # maybe by its size alone, and nobody tried to read it
                if gone := self._gone(path):
                    raise Unreadable(gone) from None
                raise
            if len(self._units) > _UNITS_KEPT:
                self._units.popitem(last=False)
        return self._units[slot]

    def _gone(self, path: str) -> str | None:
        """Return who redacted the bytes of a file, and why; None when nobody did."""
        if self.commit is None or path not in self.artifacts:
            return None
        try:
            with suppress(Damaged):
                self.source(path).open().close()
        except Redacted as error:
            return error.message
        return None

    def forget_units(self) -> None:
        """Let go of units; they are read again when asked for."""
        self._units.clear()


def artifact_spec(project: Project, path: str, kind: str, key: tuple[str, ...] = ()) -> Spec:
    """Return key columns and options of one artifact; `key` overrides those of mlver.toml."""
    declared = project.spec(path.rstrip("/"))
    options = dict(declared.options)
    if kind == "metrics" and project.directions:
        options = {"direction": project.directions, **options}
    return Spec(tuple(dict.fromkeys(key or declared.key)), options)


def declared_kind(project: Project, path: str) -> str | None:
    """Return the kind that mlver.toml gives a file, if any; UsageError when it is none."""
    kind = project.kind(path)
    if kind is not None and not registry.exists(kind):
        known = ", ".join(registry.names())
        raise UsageError(f"{PROJECT_FILE}: no kind is named {kind!r}, as {path} is said to be", hint=f"kinds: {known}")
    return kind


def walk_tree(store: ObjectStore, root: TreeId) -> Iterator[tuple[str, Entry]]:
    """Yield (path, entry) of every file below `root`, each name passed by the gate.

    Damaged for a tree that is deeper than any may be, and for one that lists the same few folders over and over.
    """
    pending = [("", root)]
    visits = Visits()
    while pending:
        prefix, id = pending.pop()
        tree = read_tree(store, id)
        visits.add(id, len(tree.entries), prefix)
        for entry in tree.entries:
            if entry.type == TREE:
                assert isinstance(entry.id, TreeId)
                pending.append((prefix + entry.name + "/", entry.id))
            else:
                yield prefix + entry.name, entry


def repeats(listed: int, stored: int) -> bool:
    """Whether so many entries, listed in a walk, come of so few stored ones that nobody made them by hand."""
    return listed > _LISTED and listed > _REPEATED * stored


class Visits:
    """Tells a tree that people made from one that a few bytes blow up: by depth, and by how often folders repeat."""

    def __init__(self) -> None:
        self._seen: set[TreeId] = set()
        self._listed = self._stored = 0

    def add(self, id: TreeId, entries: int, prefix: str) -> None:
        """Count a visit of folder `id`, at `prefix` (empty, or ending in a slash); Damaged when it is too much."""
        self._listed += 1 + entries
        if id not in self._seen:
            self._seen.add(id)
            self._stored += 1 + entries
        if repeats(self._listed, self._stored):
            raise Damaged(f"tree {id.short} repeats: {self._stored} entries stand for {self._listed} and more")
        if prefix.count("/") >= MAX_DEPTH or len(prefix) > MAX_PATH:
            raise Damaged(f"tree {id.short} lies deeper than any folder may: {prefix[:80]}")


def read_tree(store: ObjectStore, id: TreeId) -> Tree:
    """Return one folder; Damaged when it is malformed or holds a name that must not reach a disk."""
    tree = store.get_object(Tree, id)
    for entry in tree.entries:
        try:
            check_name(entry.name)
        except Refused as error:
            raise Damaged(f"tree {id.short} holds a {error.message}") from None
    return tree


def find_in_tree(store: ObjectStore, root: TreeId, path: str) -> Artifact | None:
    """Return one artifact of a tree, reading only the folders on its way."""
    id, parts = root, path.split("/")
    for depth, part in enumerate(parts, 1):
        entry = next((e for e in read_tree(store, id).entries if e.name == part), None)
        if entry is None:
            return None
        if not isinstance(entry.id, TreeId):
            return Artifact(path, entry.type, entry.kind, entry.id, entry.size) if depth == len(parts) else None
        id = entry.id
    return None


def find_folder(store: ObjectStore, root: TreeId, path: str) -> TreeId | None:
    """Return the tree of one folder, None when there is none of that path."""
    id = root
    for part in path.rstrip("/").split("/"):
        entry = next((e for e in read_tree(store, id).entries if e.name == part), None)
        if entry is None or not isinstance(entry.id, TreeId):
            return None
        id = entry.id
    return id


def changed_paths(
    store: ObjectStore, old: TreeId | None, new: TreeId | None
) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """Yield (path, old entry, new entry) of every file that differs; equal folders are not read."""
    pending: list[tuple[str, TreeId | None, TreeId | None]] = [("", old, new)]
    sides = (Visits(), Visits())
    while pending:
        prefix, a, b = pending.pop()
        if a == b:
            continue
        left, right = (
            _entries(store, id, prefix, visits) if id else {} for id, visits in zip((a, b), sides, strict=True)
        )
        for name in sorted(left.keys() | right.keys()):
            old_entry, new_entry = left.get(name), right.get(name)
            if old_entry == new_entry:
                continue
            below = [e.id if e and e.type == TREE else None for e in (old_entry, new_entry)]
            if any(below):
                pending.append((prefix + name + "/", _tree_id(below[0]), _tree_id(below[1])))
            files = [e if e and e.type != TREE else None for e in (old_entry, new_entry)]
            if any(files):
                yield prefix + name, files[0], files[1]


def _entries(store: ObjectStore, id: TreeId, prefix: str, visits: Visits) -> dict[str, Entry]:
    tree = read_tree(store, id)
    visits.add(id, len(tree.entries), prefix)
    return {entry.name: entry for entry in tree.entries}


def _tree_id(id: BlobId | TreeId | None) -> TreeId | None:
    return TreeId(id) if id is not None else None
