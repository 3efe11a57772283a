"""What a run of gc keeps and what it would drop, before anything is done."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from datetime import timedelta

from mlver.errors import Damaged
from mlver.frozen import frozen
from mlver.objects.commit import Commit
from mlver.objects.ids import BlobId, CommitId, ObjectId, OperationId
from mlver.objects.state import Operation
from mlver.repo.gc_roots import (
    Keep,
    fact_roots,
    joined_roots,
    ledger_roots,
    operation_roots,
    policy_roots,
    view_roots,
)
from mlver.repo.generation import Trash, collection_of
from mlver.repo.head import Head, read_head, read_log
from mlver.repo.marking import Marks
from mlver.repo.repository import Repository
from mlver.repo.snapshot import walk_tree
from mlver.store.compact import Key, Pack
from mlver.store.frames import FRAME_BYTES, LIST, TYPES, type_of
from mlver.store.frames import names as words
from mlver.store.pack import list_packs, pack_key, read_rows
from mlver.store.scan import load_rows
from mlver.verbs.gc_result import Dropped, PathBytes

FRESH = timedelta(hours=1)  # packs younger than this may belong to a command that is still running
_COMMIT = TYPES["commit"]


@frozen
class Terms:
    """What is asked of gc: how long what lost its name is kept, for how long in the trash, and what else is kept."""

    retention: timedelta
    trash: timedelta
    fresh: timedelta
    keep: Keep
    full: bool


class Survey:
    """One look at the repository: its packs, and marks on all that is needed."""

    def __init__(self, repo: Repository, terms: Terms, spoiled: Iterable[str] = ()) -> None:
        self.repo, self.terms = repo, terms
        # the head first: whatever it leads to is in a pack that is listed after it
        self.head: Head = read_head(repo.storage)
        self.log = list(read_log(repo.storage, self.head.id, self.head.operation))
        repo.state = self.head
        repo.store.renew()
        repo.store.index.refresh()
        self.packs = _packs(repo, terms.fresh, set(spoiled))
        self.commits = [CommitId(row.id) for pack in self.packs for row in pack.rows if row.type == _COMMIT]
        self.commits = list(dict.fromkeys(self.commits))
        self.marks = Marks(repo.store)
        self._mark()

    def _mark(self) -> None:
        repo, marks = self.repo, self.marks
        for id, name in view_roots(self.head.operation.view):
            marks.add(id, name)
        for id, name in ledger_roots(self.log):
            marks.add(id, name)
        self._mark_facts(self.head)
        now, named = repo.now(), self._kept_commits()
        for id, name in operation_roots(self.log, now - self.terms.retention):
            self._mark_old(id, name)
        self.waiting = self._kept_commits() - named  # kept only because they had a name not long ago
        unnamed = [id for id in self.commits if id not in marks.came and _readable(repo, id)]
        for id, name in policy_roots(repo, self.terms.keep, unnamed, now):
            marks.add_stored(id, name)
        self._mark_measured(self.head)
        self._refuse_lost()

    def _mark_facts(self, head: Head) -> None:
        for id, name in fact_roots(self.repo.store, head.operation.view.facts):
            self.marks.add_stored(id, name)

    def _mark_measured(self, head: Head) -> None:
        """Keep the data that the commits kept were measured on."""
        about = {id for id in self.marks.came if isinstance(id, CommitId)}
        for id, name in fact_roots(self.repo.store, head.operation.view.facts, about):
            self.marks.add_stored(id, name)

    def _refuse_lost(self) -> None:
        """Raise Damaged when something needed lies in the trash alone: emptying that would be the end of it."""
        lost = self.marks.live - all_rows(self.packs).keys()
        if not lost:
            return
        trash = Trash(self.repo.storage)
        spare = {(row.type, row.id) for name in list_packs(trash) for row in load_rows(trash, name)[1]}
        if found := lost & spare:
            type, id = min(found)
            raise Damaged(f"{words(type, id)} is needed, and lies only in the trash", hint="mlver gc --restore")

    def _kept_commits(self) -> int:
        return sum(id in self.marks.came for id in self.commits)

    def _mark_old(self, id: ObjectId, name: str) -> None:
        """Keep what an older operation names, but for what an earlier gc with other terms has dropped already."""
        if collection_of(self.head) is None:
            self.marks.add(id, name)
        else:
            self.marks.add_stored(id, name)

    def follow(self, head: Head) -> set[Key]:
        """Mark what a newer head names too; return what is needed since."""
        before = set(self.marks.live)
        for _, operation in _since(read_log(self.repo.storage, head.id, head.operation), self.head.id):
            for id, name in (*view_roots(operation.view), *joined_roots(operation)):
                self.marks.add(id, name)
        self._mark_facts(head)
        self._mark_measured(head)
        self.head = head
        return self.marks.live - before

    def lost(self, gone: Container[Key]) -> list[CommitId]:
        """Return the commits that go when the objects `gone` do."""
        return [id for id in self.commits if (_COMMIT, bytes(id)) in gone and _readable(self.repo, id)]

    def dropped(self, gone: dict[Key, int]) -> tuple[tuple[Dropped, ...], int]:
        """Return the commits that go when the objects `gone` (with their bytes) do, and the bytes of no commit."""
        left = dict(gone)
        found: list[Dropped] = []
        lost = self.lost(gone)
        names = _branches(self.repo, self.log, set(lost))
        for commit, id in sorted(((self.repo.commit(id), id) for id in lost), key=lambda pair: (pair[0].time, pair[1])):
            paths = self._paths(commit, left)
            own = sum(left.pop((type_of(one), bytes(one)), 0) for one in _belongings(id, commit))
            size = own + sum(path.bytes for path in paths)
            found.append(Dropped(id, commit.subject, commit.author, commit.time, names.get(id), size, paths))
        return tuple(found), sum(left.values())

    def _paths(self, commit: Commit, left: dict[Key, int]) -> tuple[PathBytes, ...]:
        store, found = self.repo.store, []
        try:
            for path, entry in walk_tree(store, commit.tree):
                blob = BlobId(entry.id)
                keys = [(TYPES[LIST], bytes(blob)), *((TYPES["blob"], bytes(c)) for c, _ in store.chunks(blob))]
                if size := sum(left.pop(key, 0) for key in keys):
                    found.append(PathBytes(path, size))
        except Damaged:
            pass  # of what was never whole, or is gone already, only what is left can be named
        return tuple(sorted(found, key=lambda one: (-one.bytes, one.path)))


def _belongings(id: CommitId, commit: Commit) -> list[ObjectId]:
    found: list[ObjectId] = [id, commit.tree, *commit.derivations.values()]
    return [*found, commit.environment] if commit.environment is not None else found


def _packs(repo: Repository, fresh: timedelta, spoiled: set[str]) -> list[Pack]:
    found = []
    for name in list_packs(repo.storage):
        if name in repo.store.doomed:
            continue  # given up already, and on its way to the trash
        try:
            young = repo.storage.age(pack_key(name)) < fresh.total_seconds()
            try:
                size, rows = read_rows(repo.storage, name)
            except Damaged:
                spoiled.add(name)
                size, rows = load_rows(repo.storage, name)
        except KeyError:
            continue
        found.append(Pack(name, size, tuple(rows), alone=young or name in spoiled))
    return found


def _readable(repo: Repository, id: CommitId) -> bool:
    try:
        return bool(repo.commit(id))
    except Damaged:
        return False


def _since(log: Iterable[tuple[OperationId, Operation]], stop: OperationId) -> Iterable[tuple[OperationId, Operation]]:
    for id, operation in log:
        if id == stop:
            return
        yield id, operation


def _branches(
    repo: Repository, log: Sequence[tuple[OperationId, Operation]], lost: set[CommitId]
) -> dict[CommitId, str]:
    """Return the branch each lost commit was on: the last that named it, or one that came after it."""
    found: dict[CommitId, str] = {}
    for _, operation in log:
        for name, id in operation.view.branches.items():
            pending = [id]
            while pending:
                at = pending.pop()
                if at in lost and at not in found:
                    found[at] = name
                    pending += repo.commit(at).parents
    return found


def all_rows(packs: Iterable[Pack]) -> dict[Key, int]:
    """Return every object of some packs with the bytes of its frame."""
    return {(row.type, row.id): FRAME_BYTES + row.stored for pack in packs for row in pack.rows}
