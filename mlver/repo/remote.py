"""Another repository: a storage with a head, and what is known of it here.

All that is needed of the other side is the Storage protocol, so what holds for a folder will hold for an
object store. Only the swap of its head changes anything that others see.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mlver.errors import Collected, Damaged, MlverError, Refused, RemoteError, UsageError
from mlver.objects.ids import BlobId, OperationId
from mlver.objects.redaction import Tombstone
from mlver.objects.state import Operation, Tracked, View
from mlver.repo.generation import collection_of, store_over
from mlver.repo.head import Head, confirm_head, read_head, read_log, swap_head
from mlver.repo.moves import Slot, by_slot, moves
from mlver.repo.reach import fact_reach
from mlver.repo.redaction_facts import put_together, tombstones_at
from mlver.repo.repository import FOLDER, Repository, has_format, is_bare
from mlver.repo.settings import REMOTE, write_setting
from mlver.repo.transaction import recorded
from mlver.storage.base import Storage
from mlver.storage.elsewhere import Elsewhere
from mlver.storage.local import LocalStorage
from mlver.storage.looking import is_folder, names_in
from mlver.storage.memory import MemoryStorage
from mlver.store.object_store import ObjectStore

if TYPE_CHECKING:
    from mlver.objects.state import Move

DEFAULT = "origin"


@dataclass
class Remote:
    """Another repository. `bare` tells that nobody works in it; `where` is its folder, for people.

    `cache` is the file, here, that keeps where its objects lie.
    """

    name: str
    where: str
    storage: Storage
    bare: bool
    cache: Path | None = None
    store: ObjectStore = field(init=False)
    seen_from: Repository | None = None  # what was redacted there is not read from here either

    def __post_init__(self) -> None:
        self._redacted: dict[BlobId, Tombstone] | None = None
        self.store = store_over(self.storage, self.cache, self.redactions)

    def redactions(self, newest: bool = False) -> Mapping[BlobId, Tombstone]:
        """Return what was removed on purpose, there or where it is looked at from; what cannot be read says nothing."""
        if self._redacted is None or newest:
            self._redacted = {}  # while the log is read
            repo = self.seen_from
            mine = list(repo.redactions().values()) if repo is not None else []
            known: Container[bytes] = ()
            with suppress(Damaged):  # of a log that is being mended
                known = fact_reach(repo, repo.view.facts) if repo is not None else ()
            theirs: list[Tombstone] = []
            with suppress(MlverError):
                theirs = tombstones_at(self.store, read_head(self.storage).operation.view.facts, known)
            self._redacted = put_together([*mine, *theirs])
        return self._redacted

    def head(self) -> Head:
        """Return its newest operation; Damaged when that cannot be read."""
        with self.reading():
            head = read_head(self.storage)
            confirm_head(self.storage)
            return head

    @contextmanager
    def reading(self, head: Head | None = None) -> Iterator[None]:
        """Say of what is found damaged meanwhile that it is so there; Collected when gc ran there since `head`."""
        try:
            yield
        except Damaged as error:
            if head is not None:
                self.same_generation(head)
            raise Damaged(f"{self.name}: {error.message}", hint=f"mlver -C {self.where} fsck") from error

    def same_generation(self, head: Head) -> None:
        """Raise Collected when gc ran there since `head`: what that leads to may be gone."""
        if collection_of(self.head()) != collection_of(head):
            raise Collected(f"gc ran in {self.name} meanwhile", hint="run the command again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()


def open_remote(
    path: Path, name: str = DEFAULT, cache: Path | None = None, *, seen_from: Repository | None = None
) -> Remote:
    """Return the repository in a folder, bare or with a work tree; RemoteError when there is none.

    What was redacted in the one it is `seen_from` counts as redacted there too.
    """
    if not is_folder(path):
        raise RemoteError(f"no such folder: {path}", hint="is the disk mounted? mlver init --bare makes one")
    if has_format(path / FOLDER):
        return Remote(name, str(path), Elsewhere(LocalStorage(path / FOLDER)), False, cache, seen_from)
    if is_bare(path):
        return Remote(name, str(path), Elsewhere(LocalStorage(path)), True, cache, seen_from)
    raise RemoteError(f"not a mlver repository: {path}", hint="mlver init --bare makes one there")


def remote_of(repo: Repository, name: str | None, *, make: bool = False, imagine: bool = False) -> Remote:
    """Return a repository by the name it has here, or by its folder; without one, `origin`, or the only one.

    With `make` an empty folder becomes a bare repository; with `imagine` one is made up, in memory. UsageError for
    a name that there is none of.
    """
    name, path = _find(repo, name)
    if not path.is_absolute():
        raise UsageError(f"remote {name} is no absolute path: {path}", hint=f"mlver remote rm {name}, and add it again")
    if path == repo.root or path == repo.dot or repo.dot in path.parents:
        raise UsageError(f"{path} is this repository itself")
    if (make or imagine) and is_folder(path) and not has_format(path / FOLDER) and not is_bare(path):
        _refuse_gone(repo, name, path)
        if make:
            _make(repo, path)
        elif not names_in(path):
            return _imagined(repo, name, path)
    return open_remote(path, name, repo.dot / "cache" / f"remote-{name}.db", seen_from=repo)


def _find(repo: Repository, name: str | None) -> tuple[str, Path]:
    known = repo.settings.remotes()
    if name is None:
        if DEFAULT in known or len(known) == 1:
            name = DEFAULT if DEFAULT in known else next(iter(known))
        elif known:
            raise UsageError(f"which of {', '.join(known)}?", hint=f"name it: mlver push {next(iter(known))}")
        else:
            raise UsageError("no other repository is known here", hint=f"mlver remote add {DEFAULT} FOLDER")
    if name not in known:
        raise UsageError(f"no remote {name!r}", hint=_known(known))
    return name, Path(known[name])


def _known(known: dict[str, str]) -> str:
    return f"there are {', '.join(known)}" if known else f"mlver remote add {DEFAULT} FOLDER"


def _refuse_gone(repo: Repository, name: str, path: Path) -> None:
    """Raise RemoteError if there was a repository when it was last seen: the disk is probably not mounted."""
    if seen := repo.view.remotes.get(name):
        where = f"{path} is no repository, and was at operation {seen.number} when {name} was last seen"
        raise RemoteError(where, hint="is the disk mounted?")


def _imagined(repo: Repository, name: str, path: Path) -> Remote:
    storage = MemoryStorage(str(path))
    swap_head(storage, None, Operation(0, None, repo.now(), repo.actor, "init", View()))
    return Remote(name, str(path), storage, bare=True)


def _make(repo: Repository, path: Path) -> None:
    try:
        made, _ = Repository.init(path, actor=repo.actor, clock=repo.now, bare=True)
    except Refused as error:
        raise RemoteError(f"not a mlver repository: {path}", hint=error.hint) from None
    made.close()


def add_remote_setting(repo: Repository, name: str, path: Path | None) -> None:
    """Write down (None: forget) where a repository is."""
    write_setting(repo.dot / "config.toml", REMOTE + name, None if path is None else str(path))
    with recorded():
        repo.settings = repo.settings.reloaded(repo.dot / "config.toml")


def remote_log(
    remote: Remote, head: Head, known: dict[OperationId, Operation], seen: Tracked | None
) -> Iterator[tuple[OperationId, Operation]]:
    """Yield its operations, newest first; those `known` here are not read.

    Refused when the operation that was `seen` last is no longer among them: it is an older state, or another
    repository.
    """
    if seen is not None and head.operation.number < seen.number:
        raise _went_back(remote, seen, f"is at {head.operation.number}")
    for id, operation in read_log(remote.storage, head.id, head.operation, known):
        if seen is not None and operation.number == seen.number and id != seen.operation:
            raise _went_back(remote, seen, "has another one of that number")
        yield id, operation


def _went_back(remote: Remote, seen: Tracked, now: str) -> Refused:
    return Refused(
        f"{remote.name} was at operation {seen.number} ({seen.operation.short}) when it was last seen, and {now} now",
        hint=f"if that is right: mlver remote rm {remote.name}, then add it again",
    )


def both_lines(
    repo: Repository, here: Head, remote: Remote, there: Head
) -> tuple[dict[Slot, list[Move]], dict[Slot, list[Move]]]:
    """Return the lines of moves of all slots, here and there; raises as `remote_log`."""
    known = dict(read_log(repo.storage, here.id, here.operation))
    seen = here.operation.view.remotes.get(remote.name)
    log = list(remote_log(remote, there, known, seen))
    return by_slot(moves(known.items())), by_slot(moves(log))


def tracked(head: Head) -> Tracked:
    """Return what is written down here of another repository's state."""
    return Tracked(head.operation.number, head.id, dict(head.operation.view.branches))
