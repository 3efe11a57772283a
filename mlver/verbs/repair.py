"""`repair`: make damage good, from what is left here and from a copy. Nothing is ever deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from mlver.errors import Damaged, LocalIO, MlverError, RemoteError, UsageError
from mlver.index.cache_file import delete, is_sound
from mlver.index.locations import Locations
from mlver.objects.ids import ObjectId, OperationId
from mlver.repo.condemning import alone, set_aside, settle_condemned
from mlver.repo.generation import Trash, collection_of, in_trash
from mlver.repo.head import SLOTS, read_head
from mlver.repo.local_copies import local_copies
from mlver.repo.log_repair import LogRepair
from mlver.repo.place import FOLDER, has_format
from mlver.repo.releases import damaged_releases, mend_release, slot_name
from mlver.repo.remote import Remote, open_remote, remote_of
from mlver.repo.repository import Repository
from mlver.repo.store_repair import Source, StoreRepair
from mlver.repo.transaction import recorded
from mlver.store.object_store import ObjectStore
from mlver.store.pack import pack_name
from mlver.store.rescue import Patience
from mlver.verbs.common import Progress
from mlver.verbs.fsck import Examination, Problem, examine, fsck_result
from mlver.verbs.repair_result import Mended, RepairResult

_ROUNDS = 20  # what is brought back may name more that is missing
TRASH = "the trash"


def repair(
    repo: Repository,
    source: str | Path | None = None,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> RepairResult:
    """Mend what can be mended; open `repo` with `salvage`, so that a broken one can be.

    Head slots are written anew from the operations, releases from their commits, caches from everything. Of damaged
    packs, all that is good goes into new ones, objects with one flipped bit put right, and the old file into
    quarantine with a note. What is missing then is taken from files of the work tree and of releases, and from
    `source`, a remote by name or the folder of another repository; each object is checked against its id. Safe
    beside other commands; once killed, run it again.
    Conflict when gc or another repair runs, RemoteError when there is no repository in `source`.
    """
    with nullcontext() if dry_run else alone(repo), ExitStack() as open_:
        there = open_.enter_context(_other(repo, source)) if source is not None else None
        return _Repair(repo, there, dry_run, progress).run()


class _Repair:
    """One run of repair."""

    def __init__(self, repo: Repository, there: Remote | None, dry_run: bool, progress: Progress | None) -> None:
        self.repo, self.there, self.dry_run, self.progress = repo, there, dry_run, progress
        self.patience = Patience()
        self.mended: list[Mended] = []
        self.unread: set[str] = set()  # what a dry run cannot compare with its commit yet
        self.packs: list[str] = []
        self.quarantine: list[str] = []
        self.operation: OperationId | None = None
        self.untangled: set[ObjectId] = set()
        self.taken: dict[str, set[ObjectId]] = {}
        self.carried = 0
        self.stuck = False  # no operation can be recorded, and none could after what a dry run says

    def run(self) -> RepairResult:
        """Mend all there is; OutcomeUnknown when the disk stops it after an operation was recorded."""
        before = self.repo.state.id
        try:
            return self._run()
        except (OSError, LocalIO):
            if self.repo.state.id == before:
                raise
            with recorded():
                raise

    def _run(self) -> RepairResult:
        """Mend caches before they are asked, then the log: it leads to everything else."""
        self._mend_caches()
        source = self.there.storage if self.there is not None else None
        log = LogRepair(self.repo, source, self.patience, self._say, dry_run=self.dry_run)
        log.run()
        self.stuck = self._headless() and not any(one.what in SLOTS for one in self.mended) and not log.would_lead()
        found = self._mend_objects()
        self._mend_releases()
        if self.dry_run:
            left = self._would_be_left(log, found)
        else:
            with recorded():
                self.repo.store.index.rebuild()
                left = fsck_result(self.repo, examine(self.repo, self.progress)).problems
        return RepairResult(
            ok=not left,
            dry_run=self.dry_run,
            mended=tuple(self.mended),
            untangled=len(self.untangled),
            taken={name: len(ids) for name, ids in self.taken.items() if ids},
            carried=self.carried,
            packs=tuple(self.packs),
            quarantine=tuple(self.quarantine),
            operation=self.operation,
            left=left,
        )

    def _say(self, what: str, how: str) -> None:
        self.mended.append(Mended(what, how))

    # -- objects -------------------------------------------------------------------------------

    def _mend_objects(self) -> tuple[Examination, StoreRepair | None]:
        """Go on until nothing new comes up that is missing; return what the last look found, and what came of it."""
        tried: set[ObjectId] = set()
        sources = self._sources()
        mending = None
        for number in range(_ROUNDS):
            headless = self._headless()
            if not headless and not self.dry_run:
                settle_condemned(self.repo)
            self.repo.redactions.forget()  # more of the fact log may be whole by now
            found = examine(self.repo, self.progress)
            wanted = [id for id in found.lost if id not in tried]
            if not wanted and not (found.store.damaged and number == 0):
                break
            tried.update(wanted)
            disk = local_copies(self.repo, found.harm)
            places = [disk, *sources] if disk is not None else sources
            mending = StoreRepair(
                self.repo.store,
                found.store,
                found.harm,
                places,
                self.patience,
                dry_run=self.dry_run,
            )
            mending.run(wanted)
            self._count(mending)
            if self.dry_run:
                if not self.stuck:
                    self.quarantine += [f"packs/{name}.pack" for name in sorted(found.store.damaged)]
                break
            if found.store.damaged and not headless:
                self._set_aside(found, mending)
        return found, mending

    def _set_aside(self, found: Examination, mending: StoreRepair) -> None:
        count = len(found.store.damaged)
        lost = [f"{id.type_name} {id} was not brought back" for id in mending.gone]
        why = {name: [*problems, *lost] for name, problems in found.store.damaged.items()}
        self.quarantine += set_aside(self.repo, why, f"repair: {count} damaged pack{'s' * (count != 1)} set aside")
        self.operation = collection_of(self.repo.state)

    def _count(self, mending: StoreRepair) -> None:
        self.carried += mending.kept
        self.packs += mending.packs
        self.untangled.update(mending.mended)
        for name, ids in mending.taken.items():
            self.taken.setdefault(name, set()).update(ids)

    def _sources(self) -> list[Source]:
        found = []
        if any(in_trash(self.repo.storage)):
            trash = Trash(self.repo.storage)
            found.append(Source(TRASH, ObjectStore(trash, Locations.open(None, trash))))
        if self.there is not None:
            found.append(Source(self.there.name, self.there.store))
        return found

    def _headless(self) -> bool:
        """Whether no operation can be recorded: nobody can write then, and packs cannot be given up."""
        try:
            read_head(self.repo.storage)
        except Damaged:
            return True
        return False

    # -- what is derived -----------------------------------------------------------------------

    def _mend_releases(self) -> None:
        for doubt in [] if self.stuck else damaged_releases(self.repo):
            if self.dry_run and not doubt.read:  # once its commit is mended it may turn out to be sound
                self.unread.add(f"what {slot_name(*doubt.slot)} serves")
                continue
            try:
                if not self.dry_run:
                    mend_release(self.repo, doubt.slot)
            except MlverError:
                continue  # fsck says why
            self._say(f"what {slot_name(*doubt.slot)} serves", "written anew from its commit")

    def _mend_caches(self) -> None:
        for path in sorted((self.repo.dot / "cache").glob("*.db")):
            if not is_sound(path):
                self._say(f"cache/{path.name}", "was damaged; it is made anew when it is needed")
                if not self.dry_run:
                    delete(path)

    # -- a dry run -----------------------------------------------------------------------------

    def _would_be_left(self, log: LogRepair, seen: tuple[Examination, StoreRepair | None]) -> tuple[Problem, ...]:
        found, mending = seen
        said = {one.what for one in self.mended} | self.unread
        left = [
            problem
            for problem in fsck_result(self.repo, found).problems
            if problem.what not in said
            and problem.what != "operation log"
            and (self.stuck or pack_name(problem.what.partition(" at byte ")[0]) not in found.store.damaged)
            and not _is_object(problem, found)
            and not any(id.short in problem.detail for id in log.saved)
        ]
        left += [
            Problem("operation log", f"operation {id.short} cannot be read", ("the history of stages before it",))
            for id in found.log.bad
            if id not in log.saved
        ]
        for id in found.lost:
            hurts = found.harm.by_object.get(id, ())
            if hurts and (mending is None or id in found.harm.why or not mending.returns(id)):
                left.append(Problem(f"{id.type_name} {id}", "cannot be brought back", tuple(hurts)))
        return tuple(left)


def _is_object(problem: Problem, found: Examination) -> bool:
    return problem.what in {f"{id.type_name} {id}" for id in found.lost}


@contextmanager
def _other(repo: Repository, source: str | Path) -> Iterator[Remote]:
    """Open the repository to copy from: a remote by its name, or a folder, which may be a copied `.mlver`."""
    path = Path(source)
    if path.is_absolute():
        path = path.parent if path.name == FOLDER and has_format(path) else path
        if path == repo.root or path == repo.dot or repo.dot in path.parents:
            raise UsageError(f"{path} is this repository itself")
        hint = "give the folder of a clone, of a bare repository, or of a copy of one"
        try:
            there = open_remote(path, str(path), seen_from=repo)
        except RemoteError as error:
            raise RemoteError(error.message, hint=hint) from None
    elif str(source) in repo.settings.remotes():
        there = remote_of(repo, str(source))
    else:
        raise UsageError(f"no remote {str(source)!r}, and no folder", hint="mlver repair --from DIR")
    with there:
        yield there
