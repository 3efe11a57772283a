"""`fsck`: read every byte, name what is damaged, and say what that hurts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mlver.errors import Damaged, MlverError
from mlver.objects.commit import Commit, Derivation, Environment
from mlver.objects.ids import BlobId, CommitId, ObjectId
from mlver.objects.result import Result
from mlver.repo.facts import batches
from mlver.repo.head import SLOTS, parse_slot, read_slots
from mlver.repo.refs import remote_branches
from mlver.repo.releases import damaged_releases, slot_name
from mlver.repo.repository import Repository
from mlver.repo.snapshot import walk_tree
from mlver.verbs.common import Progress


@dataclass(frozen=True)
class Problem:
    """One damaged, missing or foreign thing.

    `what` names it (`pack 3f…`, `blob 9a…`, `head.1`), `detail` says what is wrong, `hurts` lists the
    commits and artifacts that need it (`v2 (3f2a…): models/triage.joblib`), `repairable` that nothing is lost.
    """

    what: str
    detail: str
    hurts: tuple[str, ...] = ()
    repairable: bool = False


@dataclass(frozen=True)
class FsckResult(Result):
    """`ok` is true when no byte is wrong; `objects` were checked, `bytes` read."""

    schema: ClassVar[str] = "mlver.fsck/v1"
    ok: bool
    objects: int
    commits: int
    packs: int
    bytes: int
    problems: tuple[Problem, ...]


def fsck(repo: Repository, *, progress: Progress | None = None) -> FsckResult:
    """Check packs, objects, operations, head slots and releases. Changes nothing."""
    total = sum(repo.storage.size(key) for key in repo.storage.list("packs"))
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total, "packs")

    report = repo.store.verify(tick)
    problems = _head_problems(repo)
    starts, owed, broken = _operations(repo)
    problems += broken
    harm = _Harm(repo, report.lost)
    commits = harm.survey({id: name for id, name in starts.items() if id in owed or not harm.collected(id)})
    named: set[ObjectId] = set()
    for found in report.problems:
        what = f"{found.key} at byte {found.offset}" if found.offset is not None else found.key
        hurts = harm.by_object.get(found.id, ()) if found.id is not None and found.lost else ()
        if found.id is not None:
            named.add(found.id)
        problems.append(Problem(what, found.message, tuple(hurts), repairable=found.id is not None and not found.lost))
    for id, hurts in harm.by_object.items():
        if id not in named:
            problems.append(Problem(f"{id.type_name} {id}", harm.why.get(id, "is missing"), tuple(hurts)))
    problems += [
        Problem(f"what {slot_name(*slot)} serves", what, (slot_name(*slot),), repairable=True)
        for slot, what in damaged_releases(repo)
    ]
    return FsckResult(
        ok=not problems,
        objects=report.objects,
        commits=commits,
        packs=report.packs,
        bytes=report.bytes,
        problems=tuple(problems),
    )


def _head_problems(repo: Repository) -> list[Problem]:
    """Check both slots. One that is damaged costs nothing as long as the other is whole."""
    problems = []
    for key, data in zip(SLOTS, read_slots(repo.storage), strict=True):
        if data is None:
            if key == SLOTS[0] or repo.state.operation.number > 0:
                problems.append(Problem(key, "head slot is missing", repairable=True))
            continue
        try:
            _, operation = parse_slot(data)
        except Damaged as error:
            problems.append(Problem(key, error.message, repairable=True))
            continue
        if operation == repo.state.id or key != repo.state.recovered:
            continue
        try:
            repo.operation(operation)
        except Damaged as error:
            problems.append(Problem(key, error.message, ("the newest state: what was changed last is lost",)))
    return problems


def _operations(repo: Repository) -> tuple[dict[CommitId, str], set[CommitId], list[Problem]]:
    """Walk the operation log; return every commit it ever named, with a name for people, and what is wrong with it.

    Also return those that must be there: what was live, and what was named since gc ran last. Others may be gone.
    """
    starts: dict[CommitId, str] = {}
    owed: set[CommitId] = set()
    recent = True  # gc has not run since
    try:
        for _, operation in repo.operations():
            view = operation.view
            live = [(stage, live.commit) for stage, scopes in view.stages.items() for live in scopes.values()]
            live += [(move.stage, move.live.commit) for move in operation.joined if move.live]
            named = [*view.branches.items(), *view.tags.items(), *live]
            if view.detached:
                named.append(("HEAD", view.detached))
            named += remote_branches(view).items()
            for name, id in named:
                starts.setdefault(id, name)
            owed |= {id for _, id in (named if recent else live)}
            recent = recent and operation.condemned is None
            if operation.undoes is not None:
                repo.operation(operation.undoes)
    except Damaged as error:
        return starts, owed, [Problem("operation log", error.message, ("the history of stages and undo before it",))]
    return starts, owed, []


class _Harm:
    """Finds which commits and artifacts need an object that is lost."""

    def __init__(self, repo: Repository, lost: frozenset[ObjectId]) -> None:
        self.repo = repo
        self.lost = lost
        self.by_object: dict[ObjectId, list[str]] = {}
        self.why: dict[ObjectId, str] = {}  # of objects that are there, and not what they should be
        self._sizes: dict[BlobId, int | None] = {}

    def collected(self, id: CommitId) -> bool:
        """Whether a commit that need not be there is not."""
        return id not in self.lost and not self.repo.store.has(id)

    def survey(self, starts: dict[CommitId, str]) -> int:
        """Visit everything reachable from `starts`; return the number of commits that could be read."""
        pending, seen, readable = list(starts), set[CommitId](), 0
        while pending:
            id = pending.pop()
            if id in seen:
                continue
            seen.add(id)
            label = f"{starts[id]} ({id.short})" if id in starts else id.short
            commit = self._load(Commit, id, label)
            if commit is None:
                continue
            readable += 1
            pending.extend(commit.parents)
            self._visit(commit, label)
        for path, derivation in self.repo.view.pending.items():
            self._load(Derivation, derivation, f"the recorded run of {path}")
        if self.repo.view.facts is not None:
            try:
                for _ in batches(self.repo.store, self.repo.view.facts):
                    pass  # reading is checking
            except MlverError as error:
                self._hurt(self.repo.view.facts, f"the fact log: {error.message}")
        return readable

    def _visit(self, commit: Commit, label: str) -> None:
        try:
            for path, entry in walk_tree(self.repo.store, commit.tree):
                blob = BlobId(entry.id)
                size = self._size(blob)
                if size is None:
                    self._hurt(blob, f"{label}: {path}")
                    for chunk in self._lost_chunks(blob):
                        self._hurt(chunk, f"{label}: {path}")
                elif size != entry.size:
                    self._hurt(commit.tree, f"{label}: {path}")
                    self.why[commit.tree] = "says a wrong size"
        except Damaged as error:
            self._hurt(commit.tree, label)
            if self.repo.store.has(commit.tree):
                self.why[commit.tree] = error.message
        if commit.environment:
            self._load(Environment, commit.environment, f"{label}: environment")
        for path, derivation in commit.derivations.items():
            self._load(Derivation, derivation, f"{label}: lineage of {path}")
        if commit.git and commit.git.patch and self._size(commit.git.patch) is None:
            self._hurt(commit.git.patch, f"{label}: git patch")

    def _load(self, cls: type[Commit | Environment | Derivation], id: ObjectId, label: str) -> Commit | None:
        try:
            found: object = self.repo.store.get_object(cls, id)
        except Damaged as error:
            self._hurt(id, label)
            if id not in self.lost and self.repo.store.has(id):
                self.why[id] = error.message
            return None
        return found if isinstance(found, Commit) else None

    def _size(self, blob: BlobId) -> int | None:
        """The length of a blob; None when it is missing or damaged."""
        if blob not in self._sizes:
            sound = blob not in self.lost and self.repo.store.has(blob, deep=True) and not self._lost_chunks(blob)
            self._sizes[blob] = self.repo.store.blob_size(blob) if sound else None
        return self._sizes[blob]

    def _lost_chunks(self, blob: BlobId) -> list[BlobId]:
        try:
            return [chunk for chunk, _ in self.repo.store.chunks(blob) if chunk in self.lost]
        except Damaged:
            return []  # the list itself is lost, and named as such

    def _hurt(self, id: ObjectId, what: str) -> None:
        hurts = self.by_object.setdefault(id, [])
        if what not in hurts:
            hurts.append(what)
