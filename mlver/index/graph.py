"""The commit graph as a table, so that a question about the newest commits does not read the oldest.

Commits are laid in chains: each goes on the chain of its first parent, if it is the first to follow it. What a commit
leads to is then, of each chain, all up to some place, and is known from the edges between chains alone. `rank` is the
time of a commit, but never before those of its parents, so that order by rank and `generation` (the length of the
longest way back) puts children before parents.

A commit never changes, so what is kept under its id is never stale. The file can be deleted, damaged, locked or
read-only at any time: each row carries a checksum, edges are counted, and what is not whole is made anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from xxhash import xxh3_64_intdigest

from mlver.index.cache_file import CacheFile, Unsound
from mlver.index.paths import SCHEMA as PATHS
from mlver.objects.ids import parents_first

_T = TypeVar("_T")
_VERSION: Final = 3
_SCHEMA: Final = f"""
CREATE TABLE node (
    number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, chain INTEGER NOT NULL, place INTEGER NOT NULL,
    rank INTEGER NOT NULL, generation INTEGER NOT NULL, links INTEGER NOT NULL, parents BLOB NOT NULL,
    checksum INTEGER NOT NULL, UNIQUE (chain, place)
);
CREATE TABLE link (
    chain INTEGER, place INTEGER, to_chain INTEGER, to_place INTEGER, to_links INTEGER, checksum INTEGER,
    PRIMARY KEY (chain, place, to_chain, to_place)
) WITHOUT ROWID;
CREATE TABLE said (
    name TEXT, text TEXT, node INTEGER, checksum INTEGER, PRIMARY KEY (name, text, node)
) WITHOUT ROWID;
{PATHS}
"""
_NODE: Final = "SELECT number, id, chain, place, rank, generation, links, parents, checksum FROM node"
_INSERT: Final = "INSERT INTO node VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)"
_LINKS: Final = "SELECT * FROM link WHERE chain = ? AND place <= ?"
_CHAIN: Final = "SELECT id FROM node WHERE chain = ? AND place <= ?"
_SIGNED: Final = 1 << 63
_WIDTH: Final = 32  # bytes of an id
_AT_ONCE: Final = 500


class Node(NamedTuple):
    """One commit: its number here, id, place in its chain, rank (microseconds) and generation; parents in a row.

    `links` is how many edges lead out of its chain up to its place.
    """

    number: int
    id: bytes
    chain: int
    place: int
    rank: int
    generation: int
    links: int
    parents: bytes

    @property
    def parent_ids(self) -> list[bytes]:
        """The ids of its parents."""
        return [self.parents[at : at + _WIDTH] for at in range(0, len(self.parents), _WIDTH)]

    @property
    def order(self) -> tuple[int, int, bytes]:
        """What to sort by to have the newest first and children before parents."""
        return -self.rank, -self.generation, self.id


Reach = Mapping[int, tuple[int, int]]  # of each chain: the last place that is reached, and the edges up to it


class Said(NamedTuple):
    """What a commit says: its parents, its time in microseconds, and names with texts by which it is looked up."""

    parents: Sequence[bytes]
    time: int
    words: Sequence[tuple[str, str]]


Reader = Callable[[bytes], Said]


class Graph:
    """The table; `read` says what a commit is that it lacks."""

    def __init__(self, path: Path | None, read: Reader) -> None:
        self._read = read
        self._known: dict[bytes, Node] = {}
        self.file = CacheFile(path, _SCHEMA, _VERSION, "the commit graph", lambda _: self._known.clear())
        self.attempt, self.again, self.offer = self.file.attempt, self.file.again, self.file.offer

    @property
    def epoch(self) -> int:
        """Another number when the table was made anew: chains are then numbered anew."""
        return self.file.losses

    def node(self, id: bytes) -> Node:
        """Return one commit, taken in with all before it when it is new."""
        known = self._known.get(id)
        return known if known is not None else self.attempt(lambda db: self._node(db, id))

    def first_of(self, node: Node) -> Node:
        """Return the commit that a chain begins with."""

        def work(db: sqlite3.Connection) -> Node:
            row = db.execute(f"{_NODE} WHERE chain = ? AND place = 0", (node.chain,)).fetchone()
            if row is None:
                raise Unsound("a chain has no beginning")
            return checked(row)

        return node if node.place == 0 else self.attempt(work)

    def nodes(self, ids: Iterable[bytes]) -> list[Node]:
        """Return those of some commits that the table holds; none is taken in."""
        return self.attempt(lambda db: list(_nodes(db, list(ids))))

    def back(self, id: bytes, most: int) -> Node:
        """Return one commit, and have those before it in its chain at hand, so many of them."""
        known = self._known.get(id)
        return known if known is not None else self.attempt(lambda db: self._back(db, id, most))

    def reach(self, heads: Iterable[bytes]) -> Reach:
        """Return what `heads` lead to, themselves included."""
        wanted = list(heads)
        return self.attempt(lambda db: self._reach(db, [self._node(db, id) for id in wanted]))

    def saying(self, name: str, text: str) -> list[Node]:
        """Return the commits in the table that say just this."""

        def work(db: sqlite3.Connection) -> list[Node]:
            rows = db.execute("SELECT node, checksum FROM said WHERE name = ? AND text = ?", (name, text)).fetchall()
            if any(checksum != _checksum((name, text, node)) for node, checksum in rows):
                raise Unsound("what a commit says is not as it was written")
            return list(in_order(db, (node for node, _ in rows))) if rows else []

        return self.attempt(work)

    def members(self, reach: Callable[[], Reach]) -> list[bytes]:
        """Return the ids of all commits in reach, in no order. It is asked for again when the table was made anew."""

        def work(_: sqlite3.Connection) -> list[bytes]:
            found: list[bytes] = []
            for chain, (place, _links) in reach().items():
                ids = self.file.db.execute(_CHAIN, (chain, place)).fetchall()
                if len(ids) != place + 1:
                    raise Unsound("a chain has holes")
                found.extend(id for (id,) in ids)
            return found

        return self.attempt(work)

    def close(self) -> None:
        """Close the file. It is opened again when needed."""
        self.file.close()

    def _node(self, db: sqlite3.Connection, id: bytes) -> Node:
        found = self._known.get(id) or _found(db, id)
        if found is None:
            _take_in(db, id, self._read)
            found = _found(db, id)
            if found is None:
                raise Unsound("a commit that was taken in is not there")
        self._known[id] = found
        return found

    def _back(self, db: sqlite3.Connection, id: bytes, most: int) -> Node:
        node = self._node(db, id)
        where = f"{_NODE} WHERE chain = ? AND place BETWEEN ? AND ?"
        for one in map(checked, db.execute(where, (node.chain, node.place - most, node.place - 1))):
            self._known[one.id] = one
        return node

    def _reach(self, db: sqlite3.Connection, heads: Iterable[Node]) -> Reach:
        found: dict[int, tuple[int, int]] = {}
        pending = [(node.chain, node.place, node.links) for node in heads]
        while pending:
            chain, place, links = pending.pop()
            before = found.get(chain, (-1, 0))[0]
            if place <= before:
                continue
            found[chain] = place, links
            rows = db.execute(_LINKS, (chain, place)).fetchall()
            if len(rows) != links:
                raise Unsound("edges are missing")
            for *row, checksum in rows:
                if checksum != _checksum(row):
                    raise Unsound("an edge is not as it was written")
                if row[1] > before:
                    pending.append((row[2], row[3], row[4]))
        return found


def count(reach: Reach, without: Reach | None = None) -> int:
    """Return how many commits are in reach, and not in that of `without`."""
    lesser = without or {}
    return sum(max(0, place - lesser.get(chain, (-1, 0))[0]) for chain, (place, _) in reach.items())


def reaches(reach: Reach, node: Node) -> bool:
    """Whether a commit is in reach."""
    return node.place <= reach.get(node.chain, (-1, 0))[0]


def reaches_place(reach: Reach, chain: int, place: int) -> bool:
    """Whether a place in a chain is in reach."""
    return place <= reach.get(chain, (-1, 0))[0]


def _found(db: sqlite3.Connection, id: bytes) -> Node | None:
    row = db.execute(f"{_NODE} WHERE id = ?", (id,)).fetchone()
    return None if row is None else checked(row)


def _nodes(db: sqlite3.Connection, ids: Sequence[bytes]) -> Iterator[Node]:
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        yield from map(checked, db.execute(f"{_NODE} WHERE id IN ({marks})", some))


def in_order(db: sqlite3.Connection, numbers: Iterable[int]) -> Iterator[Node]:
    """Yield some commits by number, newest first, children before their parents; Unsound for one that is lost."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (n INTEGER PRIMARY KEY)")
    db.execute("DELETE FROM temp.wanted")
    db.executemany("INSERT OR IGNORE INTO temp.wanted VALUES (?)", ((number,) for number in numbers))
    query = f"{_NODE} JOIN temp.wanted ON number = n ORDER BY rank DESC, generation DESC, id"
    yield from map(checked, db.execute(query).fetchall())
    if db.execute("SELECT 1 FROM temp.wanted LEFT JOIN node ON number = n WHERE number IS NULL").fetchone():
        raise Unsound("a commit is missing")


def checked(row: Sequence[Any]) -> Node:
    """Return a row of the table as a commit; Unsound when it is not as it was written."""
    node = Node._make(row[:-1])
    whole = type(node.id) is bytes and type(node.parents) is bytes and len(node.parents) % _WIDTH == 0
    if not whole or row[-1] != _checksum(node[1:]):
        raise Unsound("a commit is not as it was written")
    return node


def _checksum(values: Iterable[object]) -> int:
    parts = (value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass") for value in values)
    return xxh3_64_intdigest(b"\0".join(parts)) - _SIGNED


def _take_in(db: sqlite3.Connection, head: bytes, read: Reader) -> None:
    """Add a commit and those before it, as far as they are missing, the oldest first."""
    missing: dict[bytes, Said] = {}

    def above(id: bytes) -> Iterable[bytes] | None:
        if db.execute("SELECT 1 FROM node WHERE id = ?", (id,)).fetchone() is not None:
            return None
        missing[id] = read(id)
        return reversed(missing[id].parents)

    order = list(parents_first([head], above))
    with db:
        db.execute("BEGIN IMMEDIATE")
        adder = _Adder(db)
        for id in order:
            adder.add(id, missing[id])


class _Adder:
    """Adds commits whose parents are in, within a transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._chains: int = db.execute("SELECT coalesce(max(chain) + 1, 0) FROM node").fetchone()[0]
        self._last: Node | None = None  # most often the parent of the next

    def add(self, id: bytes, said: Said) -> None:
        if _found(self._db, id) is not None:
            return  # another process was faster
        before = [self._get(parent) for parent in dict.fromkeys(said.parents)]
        rank = max([said.time, *(node.rank for node in before)])
        generation = 1 + max((node.generation for node in before), default=0)
        first = before[0] if before else None
        if first is not None and self._is_last(first):
            chain, place, links, out = first.chain, first.place + 1, first.links, before[1:]
        else:
            chain, place, links, out = self._chains, 0, 0, before
            self._chains += 1
        for node in out:
            row = (chain, place, node.chain, node.place, node.links)
            added = self._db.execute("INSERT OR IGNORE INTO link VALUES (?, ?, ?, ?, ?, ?)", (*row, _checksum(row)))
            links += added.rowcount
        values = (id, chain, place, rank, generation, links, b"".join(said.parents))
        cursor = self._db.execute(_INSERT, (*values, _checksum(values)))
        self._last = Node(cursor.lastrowid or 0, *values)
        rows = [(*word, self._last.number) for word in said.words]
        self._db.executemany("INSERT INTO said VALUES (?, ?, ?, ?)", [(*row, _checksum(row)) for row in rows])

    def _get(self, id: bytes) -> Node:
        if self._last is not None and self._last.id == id:
            return self._last
        found = _found(self._db, id)
        if found is None:
            raise Unsound("a parent is missing")
        return found

    def _is_last(self, node: Node) -> bool:
        if self._last is not None and self._last.id == node.id:
            return True
        return (
            self._db.execute(
                "SELECT 1 FROM node WHERE chain = ? AND place = ?", (node.chain, node.place + 1)
            ).fetchone()
            is None
        )
