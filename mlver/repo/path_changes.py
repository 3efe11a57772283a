"""Which commits changed which paths, from the table in `cache/`: as many commits are compared as are new to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlver.errors import Damaged
from mlver.index import paths
from mlver.index.cache_file import Unsound
from mlver.index.graph import Graph, Node, Reach, checked, in_order, reaches, reaches_place
from mlver.objects.ids import BlobId, CommitId, TreeId
from mlver.objects.tree import Entry
from mlver.repo.graph import Reached
from mlver.repo.project import matches
from mlver.repo.snapshot import Artifact, changed_paths, find_folder, find_in_tree

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_GLOB = frozenset("*?[")
_ANY = 1 << 62


class Version(NamedTuple):
    """A commit changed a file against its first parent: as a row that is to be checked, or as looked up."""

    id: bytes
    row: paths.Row | None
    ids: tuple[BlobId | None, BlobId | None] | None

    @property
    def commit(self) -> CommitId:
        """The commit."""
        return CommitId(self.id)

    def sides(self) -> tuple[BlobId | None, BlobId | None]:
        """The content ids before and after, None where it is absent."""
        if self.row is None:
            assert self.ids is not None
            return self.ids
        change = self.row.checked()
        return (
            BlobId(change.old) if change.old is not None else None,
            BlobId(change.new) if change.new is not None else None,
        )


class PathChanges:
    """Asks the table, brought up to date; commits that changed too much to be listed are looked at anew."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._graph: Graph = repo.graph.table

    def commits(
        self,
        reach: Reached,
        hidden: Reached | None,
        patterns: Sequence[str],
        keep: Callable[[CommitId], bool],
        most: int | None,
    ) -> list[CommitId]:
        """Return commits in `reach` and not in `hidden` that changed a path one pattern matches, newest first.

        `keep` chooses among them; at most `most` are returned. Raises Damaged when a tree cannot be read.
        """

        def work(db: paths.Database) -> list[CommitId]:
            ends = reach.reach  # first: it takes in what is new
            paths.bring_up(db, self._read)
            doubtful = set(paths.unlisted(db))
            found: list[CommitId] = []
            for node in _nodes(db, _names(db, patterns), doubtful):
                id = CommitId(node.id)
                if not reaches(ends, node) or (hidden is not None and hidden.holds(node)):
                    continue
                if node.number in doubtful and not self._touches(id, patterns):
                    continue
                if keep(id):
                    found.append(id)
                    if len(found) == most:
                        break
            return found

        return self._graph.attempt(work)

    def versions(self, start: CommitId, path: str, way: bytes = b"") -> Iterator[Version]:
        """Yield the changes of one file on all ways back from `start`, newest first. Raises Damaged like `commits`.

        `way` is how its units are read. Raises `sqlite3.Error` late, for `Graph.again`: rows are checked as they come.
        """

        def work(db: paths.Database) -> tuple[Reach, list[paths.Row], list[Node]]:
            reach = self._graph.reach([start])
            paths.bring_up(db, self._read)
            return reach, paths.history(db, way, path), list(in_order(db, paths.unlisted(db)))

        reach, rows, doubtful = self._graph.attempt(work)
        listed = (Version(row.node[1], row, None) for row in rows if reaches_place(reach, row.node[2], row.node[3]))
        if not doubtful:
            yield from listed
            return
        looked = (self._looked(CommitId(node.id), path) for node in doubtful if reaches(reach, node))
        every = [*listed, *(version for version in looked if version is not None)]
        yield from sorted(every, key=lambda version: self._graph.node(version.commit).order)

    def last(self, id: CommitId, path: str, before: dict[tuple[int, int], tuple[int, int]]) -> CommitId | None:
        """Return which commit, by first parents up to `id`, last changed a file; None when it is not to be found so.

        `before` is kept between calls that go back ever further. Raises `sqlite3.Error`, for `Graph.again`.
        """

        def work(db: paths.Database) -> paths.Row | None:
            node: Node | None = self._graph.node(id)
            paths.bring_up(db, self._read)
            while node is not None:
                chain = self._graph.epoch, node.chain
                place, nth = before.get(chain, (-1, 0))
                upto = nth if node.place <= place else _ANY
                row = paths.newest(db, path, node.chain, node.place, upto)
                if row is not None:
                    before[chain] = row.node[3], row.change[1]
                    return row
                first = self._graph.first_of(node)
                node = self._graph.node(first.parent_ids[0]) if first.parents else None
            return None

        found = self._graph.attempt(work)
        if found is None:
            return None
        if found.checked().new != self._blob(id, path):
            raise Unsound("a change is missing")
        return CommitId(checked(found.node).id)

    def bring_up(self) -> bool:
        """Compare what was not compared yet; return whether the changes of all commits are listed."""

        def work(db: paths.Database) -> bool:
            paths.bring_up(db, self._read)
            return not paths.unlisted(db)

        return self._graph.attempt(work)

    def _looked(self, id: CommitId, path: str) -> Version | None:
        old, new = (self._blob(one, path) for one in (next(iter(self._repo.commit(id).parents), None), id))
        return None if old == new else Version(id, None, (old, new))

    def _blob(self, id: CommitId | None, path: str) -> BlobId | None:
        found = find_in_tree(self._repo.store, self._repo.commit(id).tree, path) if id is not None else None
        return found.id if found else None

    def _touches(self, id: CommitId, patterns: Sequence[str]) -> bool:
        commit = self._repo.commit(id)
        old = self._repo.commit(commit.parents[0]).tree if commit.parents else None
        globs = [one for one in patterns if not _GLOB.isdisjoint(one)]
        plain = (one.removeprefix("./").rstrip("/") for one in patterns if _GLOB.isdisjoint(one))
        if any(self._there(old, path) != self._there(commit.tree, path) for path in plain):
            return True
        return bool(globs) and any(matches(path, one) for path, _, _ in self._changed(id) for one in globs)

    def _there(self, tree: TreeId | None, path: str) -> Artifact | TreeId | None:
        """Return what stands at a path: a file, or a folder by its id."""
        store = self._repo.store
        return tree if tree is None or not path else find_in_tree(store, tree, path) or find_folder(store, tree, path)

    def _changed(self, id: CommitId) -> Iterator[tuple[str, Entry | None, Entry | None]]:
        commit = self._repo.commit(id)
        parent = self._repo.commit(commit.parents[0]).tree if commit.parents else None
        return changed_paths(self._repo.store, parent, commit.tree)

    def _read(self, id: bytes) -> list[paths.Changed] | None:
        found: list[paths.Changed] = []
        try:
            for path, old, new in self._changed(CommitId(id)):
                if len(found) == paths.WIDEST:
                    return None
                ids = [bytes(entry.id) if entry else None for entry in (old, new)]
                kinds = " ".join(dict.fromkeys(entry.kind for entry in (old, new) if entry))
                found.append((path, ids[0], ids[1], kinds))
        except Damaged:  # no longer stored, perhaps; who needs just this one is told so
            return None
        return found


def _nodes(db: paths.Database, names: set[str], doubtful: set[int]) -> Iterator[Node]:
    """Yield the commits that changed one of the paths, and the doubtful ones, newest first."""
    if len(names) == 1 and not doubtful:  # then none but those that are taken need to be checked
        for row in paths.history(db, b"", *names):
            row.checked()
            yield checked(row.node)
        return
    numbers = {change.node for name in names for change in paths.changes_of(db, name)}
    yield from in_order(db, numbers | doubtful)


def _names(db: paths.Database, patterns: Iterable[str]) -> set[str]:
    """Return the paths in the table that one of the patterns matches."""
    found: set[str] = set()
    every: list[str] | None = None
    for pattern in patterns:
        if pattern and _GLOB.isdisjoint(pattern):
            found.update(paths.names_below(db, pattern.removeprefix("./").rstrip("/")))
        else:
            every = paths.names(db) if every is None else every
            found.update(name for name in every if not pattern or matches(name, pattern))
    return found
