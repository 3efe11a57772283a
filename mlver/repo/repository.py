"""The repository: opens and wires the parts. No verbs live here."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from glob import escape
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from mlver.errors import Refused, UsageError
from mlver.index.facts import FactIndex
from mlver.index.stats import StatCache
from mlver.kinds import registry
from mlver.objects.commit import Commit
from mlver.objects.ids import BlobId, CommitId, OperationId
from mlver.objects.state import Operation, View
from mlver.objects.tree import LINK
from mlver.repo import revisions
from mlver.repo.facts import FactLog
from mlver.repo.generation import store_over
from mlver.repo.head import Head, confirm_head, read_head, read_log, read_operation, swap_head
from mlver.repo.listing import Listing, TreeNode, Work, WorkNode, node_at
from mlver.repo.place import FOLDER as FOLDER
from mlver.repo.place import FORMAT as FORMAT
from mlver.repo.place import has_format as has_format
from mlver.repo.place import is_bare as is_bare
from mlver.repo.place import login_name as login_name
from mlver.repo.place import nothing_yet
from mlver.repo.project import PROJECT_FILE, Project, parse_project
from mlver.repo.redaction_facts import REDACTION, Known, end_cut_short
from mlver.repo.settings import ASKED, Settings, write_setting
from mlver.repo.snapshot import Artifact, Snapshot, declared_kind
from mlver.repo.worktree import FileStat, Scan, WorkTree, first_bytes, link_text, open_regular
from mlver.storage import durable, looking
from mlver.storage.local import LocalStorage
from mlver.store.object_store import ObjectStore

if TYPE_CHECKING:
    from mlver.index.derived import Derived
    from mlver.repo.graph import CommitGraph
    from mlver.repo.jobs import Jobs

Clock = Callable[[], datetime]
_OWN_FILE_LIMIT = 16 << 20  # bytes of a file that mlver itself reads whole
# what is left where making a bare one was cut short
_SNAPSHOTS = 1024  # kept in memory
_WITH_UNITS = 8  # of these; units of tables are large, and a long walk must not keep them all
_OF_A_BARE = frozenset({"packs", "ops", "cache", "head.0", "lock", "config.toml"})


def system_clock() -> datetime:
    """The time now, UTC, whole seconds: finer steps would only make output longer."""
    return datetime.now(UTC).replace(microsecond=0)


class Repository:
    """One repository on a local disk: `root` is the work tree, `dot` its `.mlver` folder.

    A `bare` one has no work tree, `root` and `dot` are the same folder. `state` is the head as last
    read; `refresh` reads it again.
    """

    def __init__(
        self,
        root: Path,
        *,
        actor: str | None = None,
        clock: Clock = system_clock,
        user_config: Path | None = None,
        salvage: bool = False,
        bare: bool = False,
    ) -> None:
        self.root = root
        self.bare = bare
        self.dot = root if bare else root / FOLDER
        self.now = clock
        self.storage = LocalStorage(self.dot)
        self.settings = Settings.load(self.dot / "config.toml", user_config)
        self.jobs: Jobs | None = None  # who reads large amounts, if not this process: see repo/jobs.py
        self._actor = actor
        self.state: Head = read_head(self.storage, salvage=salvage)
        confirm_head(self.storage)
        self._commits: dict[CommitId, Commit] = {}
        self._snapshots: OrderedDict[CommitId, Snapshot] = OrderedDict()

    @classmethod
    def open(
        cls,
        start: Path,
        *,
        actor: str | None = None,
        clock: Clock = system_clock,
        user_config: Path | None = None,
        salvage: bool = False,
    ) -> Self:
        """Open the repository around `start`; `start` is absolute.

        UsageError when there is none, Refused when it is of a newer format, Damaged when its newest
        operation cannot be read. With `salvage` it is opened all the same if it can be, for fsck alone.
        """
        start = _whole(start)
        for folder in (start, *start.parents):
            bare = is_bare(folder, salvage)
            if bare or has_format(folder / FOLDER, salvage):
                found = cls(folder, actor=actor, clock=clock, user_config=user_config, salvage=salvage, bare=bare)
                if not salvage and os.path.lexists(found.dot / REDACTION):
                    end_cut_short(found)
                return found
        raise UsageError(f"not a mlver repository: {start}", hint="mlver init")

    @classmethod
    def init(
        cls,
        path: Path,
        *,
        actor: str | None = None,
        clock: Clock = system_clock,
        user_config: Path | None = None,
        bare: bool = False,
    ) -> tuple[Self, bool]:
        """Make a repository in `path`, or open the one that is there; also return whether it is new.

        A `bare` one has no work tree: others push to it and clone it. Its folder must be empty.
        """
        from mlver.repo.transaction import recorded

        root = _whole(path)
        dot = root if bare else root / FOLDER
        if is_bare(root) or has_format(root / FOLDER):
            return cls.open(root, actor=actor, clock=clock, user_config=user_config), False
        if bare and set(looking.names_in(root)) - _OF_A_BARE:
            raise Refused(f"{root} is not empty", hint="a bare repository needs a folder of its own")
        storage = LocalStorage(dot)
        for folder in ("", "packs", "ops", "cache"):
            durable.make_dirs(dot / folder)
        operation = Operation(0, None, clock(), actor or login_name(), "init", View())
        with nothing_yet():
            if bare:
                write_setting(dot / "config.toml", "releases.write", ASKED)  # it is there for others
            else:
                durable.write_file(dot / ".gitignore", b"*\n")  # so that git, where there is one, sees nothing new
            # `format` comes last: a folder without it is no repository, so a crash leaves none or a whole one
            if not storage.exists("head.0"):
                swap_head(storage, None, operation)
        durable.write_file(dot / "format", FORMAT)
        with recorded():
            return cls(root, actor=actor, clock=clock, user_config=user_config, bare=bare), True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release file handles. The repository may be used again afterwards."""
        if "store" in self.__dict__:
            self.store.close()
            del self.__dict__["store"]
        if "fact_index" in self.__dict__:
            self.fact_index.close()
        if "derived" in self.__dict__:
            self.derived.close()
        if "graph" in self.__dict__:
            self.graph.table.close()
        if "worktree" in self.__dict__:
            self.worktree.close()

    @property
    def actor(self) -> str:
        """Who commits, promotes and records; UsageError when the settings cannot be read."""
        author: str | None = self.settings.get("author")
        return self._actor or author or login_name()

    @actor.setter
    def actor(self, name: str) -> None:
        self._actor = name

    @property
    def format_damaged(self) -> bool:
        """Whether the line that says what this is does not; only a repository opened with `salvage` can be so."""
        try:
            return self.storage.read("format") != FORMAT
        except KeyError:
            return True

    # -- state ---------------------------------------------------------------------------------

    @property
    def view(self) -> View:
        """All branches, tags and stages as last read."""
        return self.state.operation.view

    def refresh(self) -> View:
        """Read the head again and return its view."""
        self.state = read_head(self.storage)
        return self.view

    def operation(self, id: OperationId) -> Operation:
        """Return one operation, verified."""
        return read_operation(self.storage, id)

    def operations(self) -> Iterator[tuple[OperationId, Operation]]:
        """Yield all operations, newest first."""
        return read_log(self.storage, self.state.id, self.state.operation)

    # -- objects -------------------------------------------------------------------------------

    @cached_property
    def store(self) -> ObjectStore:
        """The objects."""
        return store_over(self.storage, self.dot / "cache" / "objects.db", self.redactions)

    @cached_property
    def redactions(self) -> Known:
        """What was removed on purpose."""
        return Known(self)

    def knows(self, id: CommitId) -> bool:
        """Whether a commit is here: facts outlive what gc dropped, and arrive before what they are about."""
        return self.store.has(id)

    def commit(self, id: CommitId) -> Commit:
        """Return one commit, verified; Damaged when it is missing or malformed."""
        if id not in self._commits:
            self._commits[id] = self.store.get_object(Commit, id)
        return self._commits[id]

    @cached_property
    def fact_index(self) -> FactIndex:
        """The facts as a table."""
        return FactIndex(self.dot / "cache" / "facts.db")

    @property
    def facts(self) -> FactLog:
        """The fact log as of the view that was read last."""
        log = self.__dict__.get("_facts")
        if log is None or log.head != self.view.facts:
            log = self.__dict__["_facts"] = FactLog(self.store, self.view.facts, self.fact_index)
        assert isinstance(log, FactLog)
        return log

    @cached_property
    def graph(self) -> CommitGraph:
        """What leads to what, without reading all commits."""
        from mlver.repo.graph import CommitGraph

        return CommitGraph(self)

    @cached_property
    def derived(self) -> Derived:
        """Answers worth keeping; the file is opened when one is asked for."""
        from mlver.index.derived import Derived

        return Derived(self.dot / "cache" / "derived.db")

    # -- snapshots -----------------------------------------------------------------------------

    def resolve(self, rev: str) -> CommitId:
        """Return the commit a revision names; UnknownRevision (with candidates) otherwise."""
        return revisions.resolve(self, rev)

    def is_revision(self, text: str) -> bool:
        """Whether `text` names a commit."""
        return revisions.exists(self, text)

    def snapshot(self, commit: CommitId) -> Snapshot:
        """Return the artifacts of a commit."""
        found = self._snapshots.pop(commit, None)
        if found is None:
            artifacts = Listing(TreeNode(self.store, self.commit(commit).tree))
            found = Snapshot(artifacts, lambda a: self.store.open_blob(a.id), commit, self.derived)
            if len(self._snapshots) >= _SNAPSHOTS:
                self._snapshots.popitem(last=False)
        self._snapshots[commit] = found  # the last used stand last
        for id in islice(reversed(self._snapshots), _WITH_UNITS, _WITH_UNITS + 1):
            self._snapshots[id].forget_units()
        return found

    def forget_snapshots(self) -> None:
        """Let go of all snapshots; they are read again when asked for."""
        self._snapshots.clear()

    def head_snapshot(self) -> Snapshot:
        """Return the artifacts of HEAD; an empty snapshot before the first commit."""
        head = self.view.head
        return self.snapshot(head) if head else Snapshot({}, lambda a: self.store.open_blob(a.id))

    @cached_property
    def worktree(self) -> WorkTree:
        """The work tree; UsageError when there is none."""
        if self.bare:
            raise UsageError(f"{self.root} has no work tree", hint=f"mlver clone {self.root} FOLDER makes one")
        return WorkTree(self.root, StatCache(self.dot / "cache" / "stats.db"), symlinks=self.settings.get("symlinks"))

    def work_snapshot(self) -> Snapshot:
        """Return the artifacts of the work tree, hashing only files whose stat data changed."""
        found = self.worktree.scan()
        self.identify(found)
        return self.snapshot_of_all(found)

    def identify(self, found: Scan) -> None:
        """Find out what the files of the work tree hold; see WorkTree.identify."""
        if self.jobs is None:
            self.worktree.identify(found)
            return
        from mlver.repo.file_jobs import hash_many

        self.worktree.identify(found, ahead=partial(hash_many, self))

    def snapshot_of_all(self, found: Scan) -> Snapshot:
        """Return a snapshot of the work tree, all of which is identified."""
        artifacts = Listing(self.work_node(found), lambda: self.worktree.keep(found))
        return Snapshot(artifacts, self._open_file, derived=self.derived)

    def work_node(self, found: Scan, path: str = "") -> WorkNode:
        """Return a folder of the work tree, beside HEAD's."""
        project, head = self.project(), self.head_snapshot()
        # the same bytes under the same name and the same mlver.toml mean the same
        known = head.artifacts if project == head.project else None
        beside = node_at(known, path) if isinstance(known, Listing) else None
        work = Work(found, partial(self.kind_of, project))
        return WorkNode(work, path, beside if isinstance(beside, TreeNode) else None)

    def snapshot_of(self, files: Mapping[str, FileStat], ids: Mapping[str, BlobId]) -> Snapshot:
        """Return a snapshot of some files of the work tree whose blob ids are known."""
        project, head = self.project(), self.head_snapshot()
        known = head.artifacts if project == head.project else {}
        artifacts = {}
        for path, info in files.items():
            before = known.get(path)
            kind = before.kind if before and before.id == ids[path] else self.kind_of(project, path)
            artifacts[path] = Artifact(path, info.type, kind, ids[path], info.size)
        return Snapshot(artifacts, self._open_file, derived=self.derived)

    def _open_file(self, artifact: Artifact) -> BinaryIO:
        if artifact.type == LINK:
            import io

            return io.BytesIO(link_text(self.root, artifact.path))
        return open_regular(self.root, artifact.path)

    def project(self) -> Project:
        """The mlver.toml of the work tree (without one, of HEAD); an empty one when there is none."""
        if self.bare:
            return self.head_snapshot().project
        try:
            data = durable.read_file(self.root / PROJECT_FILE, limit=_OWN_FILE_LIMIT)
        except FileNotFoundError:
            return Project()
        return parse_project(data, PROJECT_FILE)

    def in_work_tree(self, path: str) -> bool:
        """Whether a file stands at this tree path now. Links are none, and neither is what no disk can name."""
        if self.bare:
            return False
        return looking.is_file(self.root / path)

    def is_on_disk(self, path: str) -> bool:
        """Whether a file or a folder stands at this tree path now."""
        return self.in_work_tree(path) or (not self.bare and looking.is_folder(self.root / path))

    def kind_of(self, project: Project, path: str, head: Callable[[], bytes] | None = None) -> str:
        """What the bytes of a work-tree file mean: as declared in mlver.toml, or found out. `head` has the first."""
        return declared_kind(project, path) or registry.detect(path, head or (lambda: first_bytes(self.root, path)))

    def tree_path(self, text: str, cwd: Path | None = None) -> str:
        """Return the tree path of a user's path; UsageError when it lies outside the work tree."""
        if "\0" in text:
            raise UsageError(f"not a path: {text!r}")
        full = Path(os.path.normpath((cwd or self.root) / text))
        try:
            path = full.relative_to(self.root).as_posix()
        except ValueError:
            raise UsageError(f"path is outside the work tree: {text}", hint=f"the work tree is {self.root}") from None
        return "" if path == "." else path

    def expand(self, paths: Sequence[str], snapshot: Snapshot) -> list[str]:
        """Return the artifacts of `snapshot` that the given files, folders or globs name (all, if none).

        The name of an artifact is no glob, whatever stars it holds.
        """
        from mlver.repo.project import matches

        wanted = [escape(path) if path in snapshot else path for path in map(self.tree_path, paths)]
        return [p for p in snapshot.artifacts if not wanted or any(w == "" or matches(p, w) for w in wanted)]


def _whole(path: Path) -> Path:
    if not path.is_absolute():
        raise UsageError(f"not an absolute path: {path}")  # the current folder is the caller's affair
    return Path(os.path.normpath(path))
