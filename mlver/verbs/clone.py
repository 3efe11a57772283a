"""`clone`: another repository as a whole, with its history of operations, in a new folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import field, replace
from pathlib import Path
from typing import ClassVar

from mlver.errors import Damaged, LocalIO, OutcomeUnknown, Refused, UsageError
from mlver.frozen import frozen
from mlver.index.locations import Locations
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.state import Operation
from mlver.repo.effects import CLONE
from mlver.repo.generation import collection_of
from mlver.repo.head import SLOTS, Head, read_head, read_log, slot_bytes, write_operation
from mlver.repo.overlay import carry_out, left_out_of
from mlver.repo.remote import DEFAULT, Remote, add_remote_setting, open_remote, tracked
from mlver.repo.repository import FOLDER, FORMAT, Clock, Repository, has_format, is_bare, login_name, system_clock
from mlver.repo.settings import ASKED, Settings, write_setting
from mlver.repo.transaction import again
from mlver.storage import durable
from mlver.storage.base import Storage
from mlver.storage.local import LocalStorage
from mlver.storage.looking import exists, is_folder, names_in
from mlver.store.object_store import ObjectStore
from mlver.store.pack import list_packs
from mlver.store.transfer import Moved, Transfer
from mlver.verbs.common import Progress
from mlver.verbs.merge_lay import work_steps
from mlver.verbs.sharing import Delivery, run_transfer

_OWN = frozenset({"packs", "ops", "cache", "head.0", "head.1", "lock", "config.toml", ".gitignore"})


@frozen
class CloneResult(Result):
    """The new repository: its folder, the branch it is on, and what was copied. `operations` came with it.

    `left_out` are files of that branch that were redacted.
    """

    schema: ClassVar[str] = "mlver.clone/v1"
    path: str
    where: str
    bare: bool
    branch: str | None
    commit: CommitId | None
    files: int
    branches: int
    tags: int
    stages: tuple[str, ...]
    operations: int
    delivery: Delivery = field(default_factory=Delivery)
    left_out: tuple[str, ...] = ()


def clone(
    source: Path,
    target: Path,
    *,
    bare: bool = False,
    actor: str | None = None,
    clock: Clock = system_clock,
    user_config: Path | None = None,
    progress: Progress | None = None,
) -> CloneResult:
    """Copy the repository in the folder `source` to the new folder `target`, every object checked on its way.

    Commits, branches, tags, stages, facts and all operations come along; settings and releases do not. A clone
    that was cut short is no repository, and goes on when it is started again. Both paths are absolute. Raises
    RemoteError when there is no repository, Refused when `target` is not empty, Damaged when something there is.
    """
    dot = _ground(source, target, bare)
    with open_remote(source) as there:
        with _unborn():
            storage = LocalStorage(dot)
            store = ObjectStore(storage, Locations.open(dot / "cache" / "objects.db", storage))
            head, moved = again(lambda: _bring(there, store, progress))
            with there.reading():
                count = _copy_log(there, head, storage)
            store.close()
            write_setting(dot / "config.toml", "releases.write", ASKED)
            author = actor or Settings.load(dot / "config.toml", user_config).get("author") or login_name()
            _plant(storage, head, _first(there, head, author, clock))
            repo = Repository(target, actor=actor, clock=clock, user_config=user_config, bare=bare)
            add_remote_setting(repo, DEFAULT, source)
            files, left_out = (0, ()) if bare else _check_out(repo, progress)
            if not bare:
                durable.write_file(dot / ".gitignore", b"*\n")
        durable.write_file(dot / "format", FORMAT)  # from here on it is a repository
        if repo.redactions():  # the packs there may hold bytes that only wait to be removed
            from mlver.verbs.redact import finish_redactions

            finish_redactions(repo)
    view = repo.view
    repo.close()
    return CloneResult(
        path=str(target),
        where=str(source),
        bare=bare,
        branch=view.branch,
        commit=view.head,
        files=files,
        left_out=left_out,
        branches=len(view.branches),
        tags=len(view.tags),
        stages=tuple(sorted(view.stages)),
        operations=count,
        delivery=Delivery(bytes=moved.bytes, commits=moved.objects.get("commit", 0), objects=moved.objects),
    )


@contextlib.contextmanager
def _unborn() -> Iterator[None]:
    """What is done within makes no repository yet: where its outcome is unknown, nothing is done. Raises LocalIO."""
    try:
        yield
    except OutcomeUnknown as error:
        raise LocalIO(error.message, hint="the same command, given again, goes on") from error


def _bring(there: Remote, store: ObjectStore, progress: Progress | None) -> tuple[Head, Moved]:
    """Copy all packs; return the head whose objects they hold."""
    head = there.head()  # first: what it leads to was there before it, and stays until gc runs
    transfer = Transfer(there.store, store)
    with there.reading(head):
        for name in list_packs(there.storage):
            transfer.add_pack(name)
        moved = run_transfer(transfer, progress, "clone")
    there.same_generation(head)
    return head, moved


def _ground(source: Path, target: Path, bare: bool) -> Path:
    """Return the folder of the new repository, made; UsageError or Refused when it cannot be there."""
    for path in (source, target):
        if not path.is_absolute() or not str(path).isprintable():
            raise UsageError(f"not an absolute path of printable characters: {path}")
    dot = target if bare else target / FOLDER
    inside = source if is_bare(source) else source / FOLDER
    if target in (source, inside) or inside in target.parents:
        raise UsageError(f"{target} lies in the repository that is to be cloned")
    if exists(target):
        if not is_folder(target) or has_format(target / FOLDER) or is_bare(target):
            raise Refused(f"{target} exists already", hint="mlver pull there brings it up to date")
        if names_in(target) and not _begun(dot):
            raise Refused(f"{target} is not empty", hint="clone into a new folder")
    for name in ("packs", "ops", "cache"):
        durable.make_dirs(dot / name)
    return dot


def _begun(dot: Path) -> bool:
    """Whether a folder is what an earlier try, cut short, has left."""
    if not is_folder(dot):
        return False
    return all(name in _OWN or name.startswith(durable.TEMP_PREFIX) for name in names_in(dot))


def _copy_log(there: Remote, head: Head, storage: Storage) -> int:
    """Copy every operation, and drop what an earlier try left that is not among them; return their number."""
    kept: set[str] = set()
    for id, operation in read_log(there.storage, head.id, head.operation):
        kept.add(f"ops/{id}")
        write_operation(storage, operation)
    for key in [key for key in storage.list("ops") if key not in kept]:
        storage.delete(key)
    return len(kept)


def _first(there: Remote, head: Head, actor: str, clock: Clock) -> Operation:
    """Return the operation that ends the clone: what concerns one copy alone is left behind."""
    own = replace(head.operation.view, pending={}, merging=None, remotes={DEFAULT: tracked(head)})
    began = None if collection_of(head) is None else ()  # gc there is over here: nothing is on its way out
    command = f"{CLONE}{there.where}"
    return Operation(head.operation.number + 1, head.id, clock(), actor, command, own, condemned=began)


def _plant(storage: Storage, head: Head, first: Operation) -> None:
    """Make `first` the head of a repository that has none yet, over what an earlier try left."""
    id, _ = write_operation(storage, first)
    for operation, number in ((head.id, head.operation.number), (id, first.number)):
        key = SLOTS[number % 2]
        now = storage.read(key) if storage.exists(key) else None
        if not storage.compare_and_swap(key, now, slot_bytes(number, operation)):
            raise Refused(f"somebody else is cloning into {storage.name}", hint="wait for it")
    if read_head(storage).id != id:
        raise Damaged(f"{storage.name} could not be read back", hint="remove it and clone again")


def _check_out(repo: Repository, progress: Progress | None) -> tuple[int, tuple[str, ...]]:
    if repo.view.head is None:
        return 0, ()
    artifacts = repo.snapshot(repo.view.head).artifacts
    left_out = left_out_of(carry_out(repo.store, repo.worktree, work_steps(repo, {}, artifacts), progress=progress))
    return len(artifacts) - len(left_out), left_out
