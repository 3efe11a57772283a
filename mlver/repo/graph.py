"""The commit graph of a repository, answered by a table in `cache/`: as many commits are read as are new."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from mlver.index.facts import micros
from mlver.index.graph import Graph, Node, Reach, Said, count, reaches
from mlver.objects.ids import CommitId

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_T = TypeVar("_T")
FILE = "graph.db"
NAMED = ("alert", "ticket")  # trailers by which commits are looked up


class CommitGraph:
    """What leads to what. Damaged, naming it, when a commit that is new to the table cannot be read."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self.table = Graph(repo.dot / "cache" / FILE, self._read)

    def _read(self, id: bytes) -> Said:
        commit = self._repo.commit(CommitId(id))
        words = [(name, text) for name in NAMED for text in dict.fromkeys(commit.trailers.get(name, ()))]
        return Said(commit.parents, micros(commit.time), words)

    def node(self, id: CommitId) -> Node:
        """Return the place of a commit in the graph."""
        return self.table.node(id)

    def reach(self, heads: Iterable[CommitId]) -> Reached:
        """Return what `heads` lead to, themselves included."""
        return Reached(self, heads)

    def newest_first(self, ids: Iterable[CommitId]) -> list[CommitId]:
        """Return those of some commits that the graph knows, newest first, children before their parents."""
        nodes = sorted(self.table.nodes(set(ids)), key=lambda node: node.order)
        return [CommitId(node.id) for node in nodes]


class Reached:
    """The commits that some heads lead to, without a list of them."""

    def __init__(self, graph: CommitGraph, heads: Iterable[CommitId]) -> None:
        self._graph, self._heads = graph, list(heads)
        self._reach = graph.table.reach(self._heads)
        self._epoch = graph.table.epoch

    @property
    def reach(self) -> Reach:
        """Where it ends in each chain of the table as it is now."""
        if self._epoch != self._graph.table.epoch:
            self._reach = self._graph.table.reach(self._heads)
            self._epoch = self._graph.table.epoch
        return self._reach

    def __len__(self) -> int:
        return self._steady(lambda: count(self.reach))

    def __contains__(self, id: CommitId) -> bool:
        return bool(self.among([id]))

    def holds(self, node: Node) -> bool:
        """Whether it has a commit whose place is known."""
        return reaches(self.reach, node)

    def beyond(self, other: Reached) -> int:
        """Return how many commits it has that `other` has not."""
        return self._steady(lambda: count(self.reach, other.reach))

    def among(self, ids: Iterable[CommitId]) -> list[CommitId]:
        """Return those of some commits that are in it, newest first, children before their parents."""
        wanted = set(ids)
        return self._mine(lambda: self._graph.table.nodes(wanted))

    def naming(self, trailer: str, text: str) -> list[CommitId]:
        """Return those of them with a trailer, one of `NAMED`, that says just this; newest first."""
        return self._mine(lambda: self._graph.table.saying(trailer, text))

    def members(self) -> set[CommitId]:
        """Return all of them."""
        return set(map(CommitId, self._graph.table.members(lambda: self.reach)))

    def _mine(self, ask: Callable[[], Iterable[Node]]) -> list[CommitId]:
        def work() -> list[Node]:
            ends = self.reach  # first: a table that was lost holds what was asked for since
            return [node for node in ask() if reaches(ends, node)]

        return [CommitId(node.id) for node in sorted(self._steady(work), key=lambda node: node.order)]

    def _steady(self, work: Callable[[], _T]) -> _T:
        """Return what `work` returns, all of it by one numbering of the chains."""
        while True:
            epoch = self._graph.table.epoch
            found = work()
            if epoch == self._graph.table.epoch:
                return found
