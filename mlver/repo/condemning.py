"""Giving packs up, in the order that keeps writers and readers beside it whole: docs/design/gc.md has the protocol.

What gc drops goes to the trash, which is emptied some day. What `repair` sets aside goes to quarantine, which never
is: a note that lies there before the operation is recorded tells the two apart, also to whoever ends the work of one
that was killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from mlver.errors import Conflict
from mlver.objects.encoding import dump_canonical
from mlver.objects.ids import OperationId
from mlver.objects.state import Operation
from mlver.objects.time import format_time
from mlver.repo.generation import collection_of, condemned_at, trash_key
from mlver.repo.head import Head, read_head
from mlver.repo.transaction import next_operation, record
from mlver.storage.base import Storage
from mlver.storage.locks import locked
from mlver.store.pack import FOLDER, list_packs, pack_key

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

QUARANTINE = "quarantine"
_LOCK = "gc.lock"
_PIECE = 4 << 20  # bytes compared at once


def quarantine_key(number: int, name: str) -> str:
    """Return where the pack `name` lies when operation `number` has set it aside."""
    return f"{QUARANTINE}/{number}-{name}.pack"


def note_key(number: int, name: str) -> str:
    """Return where it is written down when and why that was done."""
    return f"{QUARANTINE}/{number}-{name}.json"


@contextmanager
def alone(repo: Repository) -> Iterator[None]:
    """Hold off others who move packs; Conflict when there is one."""
    held = False
    try:
        with locked(repo.dot / _LOCK, patience=0.0):
            held = True
            yield
    except Conflict as error:
        if held:
            raise
        who = error.message.rpartition(" held by ")[2]
        raise Conflict(f"another gc or repair is running here: {who}", hint=error.hint) from error


def condemn(
    repo: Repository,
    packs: tuple[str, ...],
    follow: Callable[[Head], str],
) -> OperationId:
    """Record that packs are given up: from this operation on nobody relies on them.

    `follow` sees the head that the operation will follow, again when another is faster, and returns what it is called.
    """

    def build(head: Head) -> Operation:
        operation = next_operation(repo, head, follow(head), head.operation.view)
        return replace(operation, condemned=packs, collected=None)

    repo.state = record(repo.store, build)
    id = collection_of(repo.state)
    assert id is not None
    return id


def set_aside(repo: Repository, packs: Mapping[str, list[str]], command: str) -> tuple[str, ...]:
    """Give damaged packs up, each with why, and move them to quarantine; return where they lie then.

    What is good in them must be in other packs already, durably.
    """
    settle_condemned(repo)
    storage, noted = repo.storage, list[str]()

    def note(head: Head) -> str:
        _forget(repo, noted)
        number = head.operation.number + 1
        for name, why in sorted(packs.items()):
            words = {"was": pack_key(name), "at": format_time(repo.now()), "by": repo.actor, "why": why}
            noted.append(note_key(number, name))
            storage.create(noted[-1], dump_canonical(words) + b"\n")
        return command

    try:
        condemn(repo, tuple(sorted(packs)), note)
    except Conflict:
        _forget(repo, noted)
        raise
    settle_condemned(repo)
    return tuple(key.removesuffix("json") + "pack" for key in noted)


def _forget(repo: Repository, notes: list[str]) -> None:
    """Take back notes of an operation that somebody else was faster than."""
    for key in notes:
        with suppress(KeyError):
            repo.storage.delete(key)
    notes.clear()


def settle_condemned(repo: Repository) -> None:
    """Move the packs that the newest operation of gc or repair has given up; a crash may have left some.

    What a redaction has given up is removed first, with all it left elsewhere.
    """
    from mlver.repo.erasing import settle_erasures  # which knows of what is set aside here

    settle_erasures(repo)
    head = read_head(repo.storage)
    doomed = condemned_at(repo.storage, head)
    if doomed:
        id = collection_of(head)
        assert id is not None
        number = repo.operation(id).number
        left = [name for name in list_packs(repo.storage) if name in doomed]
        if not left:  # who moved them may have died before that was durable
            repo.storage.confirm(FOLDER)
        for name in left:
            set_apart = repo.storage.exists(note_key(number, name))
            move_pack(repo, pack_key(name), (quarantine_key if set_apart else trash_key)(number, name))
    repo.store.renew()
    repo.store.index.refresh()


def move_pack(repo: Repository, key: str, to: str) -> None:
    """Move a pack; where the same bytes lie already, the second copy goes: a power cut may leave both names."""
    try:
        repo.storage.move(key, to)
    except Conflict:
        if not _same(repo.storage, key, to):
            raise
        repo.storage.delete(key)


def _same(storage: Storage, key: str, other: str) -> bool:
    size = storage.size(key)
    pieces = range(0, size, _PIECE)
    return size == storage.size(other) and all(
        storage.read(key, start, _PIECE) == storage.read(other, start, _PIECE) for start in pieces
    )
