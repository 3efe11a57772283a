"""`commit`: one snapshot of everything, together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from mlver.errors import Conflict, MlverError, NegativeAnswer, Redacted, Refused, UsageError
from mlver.frozen import frozen
from mlver.index.stats import Stat
from mlver.kinds.base import Value
from mlver.objects.commit import Commit
from mlver.objects.encoding import encode
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.objects.state import Merging, View
from mlver.objects.tree import LINK
from mlver.repo.context import capture_environment, git_state
from mlver.repo.derivations import derivations_for, still_pending
from mlver.repo.facts import append_facts
from mlver.repo.jobs import working
from mlver.repo.open_merge import left_to_resolve
from mlver.repo.project import matches
from mlver.repo.recording import plain_parameters
from mlver.repo.redaction_facts import refuse_redacted
from mlver.repo.repository import Repository
from mlver.repo.settings import AT_COMMIT
from mlver.repo.signing import COMMITS, Judge, sign_commit, signing_key, wants_signature
from mlver.repo.snapshot import Snapshot
from mlver.repo.stored_files import doubt_unstored, note_stored, store_small
from mlver.repo.transaction import again, transact
from mlver.repo.treebuild import put_tree
from mlver.repo.worktree import FileStat, Identified, Scan, link_text, read_stable
from mlver.store.session import StoreSession
from mlver.verbs.common import FileChange, Progress
from mlver.verbs.file_changes import file_changes
from mlver.verbs.message import describe, oddities

_MANY = 8  # files from which on they are stored in batches


@frozen
class CommitResult(Result):
    """The new commit. `bytes_read` were new or changed, `bytes_stored` is what the store grew by.

    `written` is true when the message was written from the diff; `warnings` say what looks odd
    (an association that flipped sign, a file that could not be read as its kind).
    """

    schema: ClassVar[str] = "mlver.commit/v1"
    commit: CommitId | None
    parents: tuple[CommitId, ...]
    branch: str | None
    author: str
    time: datetime
    message: str
    written: bool
    changes: tuple[FileChange, ...]
    files: int
    bytes_read: int
    bytes_stored: int
    warnings: tuple[str, ...] = ()
    dry_run: bool = False


def commit(
    repo: Repository,
    message: str | None = None,
    *,
    paths: Sequence[str] = (),
    trailers: Mapping[str, Sequence[str]] | None = None,
    parameters: Mapping[str, Value] | None = None,
    allow_empty: bool = False,
    sign: bool | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> CommitResult:
    """Snapshot the work tree, or only `paths`, on the current branch.

    `trailers` may hold `why`, `ticket`, `alert`, `source`. `sign` says whether to sign it (None: as the setting
    `commit.sign` has it). `jobs` workers read and store what changed. Raises NegativeAnswer when nothing
    changed, Refused on special files, hostile names and an open merge with conflicts left, Conflict when the branch
    moved meanwhile. A merge that is open and resolved becomes this commit.
    """

    signed = wants_signature(repo, sign, COMMITS)
    if signed:
        signing_key(repo)  # without one, nothing is read

    def make() -> CommitResult:  # when gc removed what was found stored already, it is stored again
        made = _Commit(repo, paths, progress, signed)
        return made.make(message, trailers or {}, parameters or {}, allow_empty, dry_run)

    with working(repo, jobs):
        return again(make)


class _Commit:
    """One commit in the making."""

    def __init__(self, repo: Repository, paths: Sequence[str], progress: Progress | None, signed: bool) -> None:
        self.repo = repo
        self.signed = signed
        self.paths = [repo.tree_path(path) for path in paths]
        self.progress = progress
        self.view = repo.refresh()
        self.before = repo.head_snapshot()
        self.read = self.done = self.total = 0  # bytes: of files read, told to `progress`, to be read in all
        self.stored = 0  # bytes that workers wrote
        self.mark = repo.store.index.mark()

    def make(
        self,
        message: str | None,
        trailers: Mapping[str, Sequence[str]],
        parameters: Mapping[str, Value],
        allow_empty: bool,
        dry_run: bool,
    ) -> CommitResult:
        repo, parent_id, merging = self.repo, self.view.head, self.view.merging
        parent = repo.commit(parent_id) if parent_id else None
        if merging is not None and self.paths:
            raise Refused(f"a {merging.action} is open and is committed as a whole", hint="mlver merge --continue")
        scan = self._scan()
        with repo.store.session(rehearsed=dry_run) as session:
            after = self._snapshot(scan, session, dry_run)
            changes = tuple(file_changes(self.before, after))
            if merging is not None:
                self._refuse_unresolved(merging, after)
                trailers = {**merging.trailers, **trailers}
                message = message or merging.message
            also = repo.commit(merging.theirs) if merging is not None else None
            derivations = derivations_for(repo, session, after, parent, self.view, after.project, also)
            unchanged = not changes and (parent is None or dict(parent.derivations) == derivations)
            joins = merging.parents if merging is not None else ()
            if unchanged and not joins and not allow_empty and not dry_run:
                raise NegativeAnswer("nothing to commit: the work tree is as HEAD has it", hint="mlver status")
            text = (message or "").strip()
            draft = Commit(
                tree=put_tree(session, after.artifacts),
                parents=(parent_id, *joins) if parent_id else (),
                author=repo.actor,
                time=repo.now(),
                message=text or describe(repo, self.before, after),
                trailers={name: tuple(values) for name, values in trailers.items() if values},
                environment=session.put_object(capture_environment()),
                git=git_state(repo.root, session.put_bytes),
                parameters=plain_parameters(parameters),
                derivations=derivations,
                facts=self.view.facts,
            )
            session.put_object(draft)
            if not dry_run:
                session.finish()
            stored = self.stored + session.written
        id, parents = (None, draft.parents) if dry_run else self._record(draft, scan)
        return CommitResult(
            commit=id,
            parents=parents,
            branch=self.view.branch,
            author=draft.author,
            time=draft.time,
            message=draft.message,
            written=not text,
            changes=changes,
            files=len(after.artifacts) if self.paths else scan.count,
            bytes_read=self.read,
            bytes_stored=stored,
            warnings=(*oddities(self.before, after, changes, ahead=self._ahead), *self._doubts(id)),
            dry_run=dry_run,
        )

    @property
    def _ahead(self) -> bool:
        return bool(self.repo.settings.get("diff.tables") == AT_COMMIT)

    def _doubts(self, id: CommitId | None) -> tuple[str, ...]:
        """Say now what `verify` would say later of a signature just made."""
        if id is None or not self.signed:
            return ()
        try:
            seal = Judge(self.repo).commit(id)
        except MlverError as error:  # the commit is made, whatever becomes of looking at it
            return (f"the signature was not checked: {error.message}",)
        return () if seal.holds else (f"the signature does not count here: {seal.why}",)

    def _refuse_unresolved(self, merging: Merging, work: Snapshot) -> None:
        if left := left_to_resolve(self.repo, merging, work):
            first = left[0].target
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            raise Refused(
                f"the {merging.action} of {merging.name} has conflicts left: {first}{more}",
                hint="mlver merge shows them, mlver merge --continue goes on, mlver merge --abort gives up",
            )

    def _scan(self) -> Scan:
        scan = self.repo.worktree.scan()
        odd = [(path, reason) for path, reason in scan.odd if self._wanted(path)]
        if odd:
            path, reason = odd[0]
            more = f" (and {len(odd) - 1} more)" if len(odd) > 1 else ""
            raise Refused(f"cannot commit {path!r}: {reason}{more}", hint="list it in .mlverignore, or remove it")
        missing = [p for p in self.paths if p and not any(matches(q, p) for q in [*scan.files, *self.before.artifacts])]
        if missing:
            raise UsageError(f"nothing to commit at {missing[0]}", hint="mlver status lists what changed")
        return scan

    def _wanted(self, path: str) -> bool:
        return not self.paths or any(p == "" or matches(path, p) for p in self.paths)

    def _snapshot(self, found: Scan, session: StoreSession, dry_run: bool) -> Snapshot:
        """Store what changed and return the snapshot to commit: the work tree, or HEAD with some paths renewed."""
        repo = self.repo

        def read(path: str, info: FileStat) -> tuple[BlobId, Stat | None]:
            self.read += info.size
            if dry_run:
                return repo.worktree.hash(path, info)
            if info.type == LINK:
                return session.put_bytes(link_text(repo.root, path)), None
            tick = self._tick(path)
            try:
                return read_stable(repo.root, path, lambda stream: session.put_stream(stream, tick)[0])
            except Redacted as error:
                raise Redacted(f"{path}: {error.message}", hint=error.hint) from None

        def ahead(changed: dict[str, FileStat]) -> Mapping[str, Identified]:
            done: Mapping[str, Identified]
            if repo.jobs is not None:
                from mlver.repo.file_jobs import hash_many, store_many

                done, written = (hash_many(repo, changed), 0) if dry_run else store_many(repo, changed)
                self.stored += written
            elif dry_run or len(changed) < _MANY:
                return {}
            else:
                done = store_small(repo, session, changed, self._tick)
            for path in done:
                self.read += changed[path].size
            return done

        if not dry_run:
            doubt_unstored(repo, found, self.before, session)
        repo.worktree.identify(found, wanted=self._wanted, read=read, plan=self._plan, ahead=ahead)
        if not self.paths:
            if repo.redactions():
                refuse_redacted(repo, found.ids)
            return repo.snapshot_of_all(found)
        files = {path: info for path, info in found.files.items() if self._wanted(path)}
        ids = {path: id for path, id in found.ids.items() if path in files}
        refuse_redacted(repo, ids)
        after = repo.snapshot_of(files, ids)
        kept = {path: a for path, a in self.before.artifacts.items() if not self._wanted(path)}
        merged = dict(sorted({**kept, **after.artifacts}.items()))
        opener = lambda a: after._opener(a) if a.path in files else repo.store.open_blob(a.id)  # noqa: E731
        return Snapshot(merged, opener, derived=repo.derived)

    def _plan(self, total: int) -> None:
        self.total = total

    def _tick(self, path: str) -> Callable[[int], None] | None:
        progress = self.progress
        if progress is None:
            return None

        def tick(count: int) -> None:
            self.done += count
            progress(self.done, self.total, path)

        return tick

    def _record(self, draft: Commit, scan: Scan) -> tuple[CommitId, tuple[CommitId, ...]]:
        """Make the commit the head of its branch; return its id and parents.

        Somebody else's commit in between becomes its parent.
        """
        repo, started_on = self.repo, self.view.branch
        made: list[tuple[CommitId, tuple[CommitId, ...]]] = []

        def change(view: View) -> View:
            if view.branch != started_on:
                raise Conflict(f"HEAD moved from {started_on} to {view.branch} meanwhile", hint="mlver commit again")
            if view.merging != self.view.merging:
                raise Conflict("a merge was begun or ended meanwhile", hint="mlver status")
            commit = replace(draft, parents=(view.head, *draft.parents[1:]) if view.head else ())
            id = CommitId.of(encode(commit))
            if commit != draft:
                with repo.store.session() as session:
                    session.put_object(commit)
                    session.finish()
            made.append((id, commit.parents))
            if self.signed:
                view = replace(view, facts=append_facts(repo.store, view.facts, [sign_commit(repo, id, commit)]))
            view = replace(view, pending=still_pending(view, commit.derivations), merging=None)
            if view.branch is None:
                return replace(view, detached=id)
            return replace(view, branches={**view.branches, view.branch: id})

        transact(repo, f"commit: {draft.subject}", change, reason="; ".join(draft.trailers.get("why", ())) or None)
        note_stored(repo, scan, self.mark)
        return made[-1]
