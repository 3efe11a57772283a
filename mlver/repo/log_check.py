"""Whether the operations and the head slots are whole, and which commits they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlver.errors import Damaged, MlverError
from mlver.objects.ids import CommitId, FactBatchId, OperationId
from mlver.objects.state import Operation
from mlver.repo.head import SLOTS, SeveralHeads, newest_stored, parse_slot, read_head, read_operation, read_slots
from mlver.repo.releases import slot_name
from mlver.repo.whole import named
from mlver.storage.base import Storage
from mlver.storage.local import LINK, LocalStorage

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

FOLDER = "ops"
SETTINGS = "config.toml"
_KEY = re.compile(r"ops/([0-9a-f]{64})")
Finding = tuple[str, str, tuple[str, ...], bool]  # as fsck's problems: what, detail, hurts, repairable
_LOG = "the history of stages and undo before it"


@dataclass
class LogCheck:
    """Every commit the operations name, with a name for people; those that must be there; and what is wrong.

    `owed` are those that were live, and what was named since gc ran last: others may be gone. `facts` are the
    heads of the fact log since then. `bad` are the operations that are needed and cannot be read, `stray` files
    that are damaged and needed by nothing, `doubtful` those of which that cannot be told: a head slot is
    damaged, too, and may have named one of them.
    """

    starts: dict[CommitId, str] = field(default_factory=dict)
    owed: set[CommitId] = field(default_factory=set)
    facts: dict[FactBatchId, None] = field(default_factory=dict)
    bad: list[OperationId] = field(default_factory=list)
    stray: list[OperationId] = field(default_factory=list)
    doubtful: list[OperationId] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)


def operation_key(id: OperationId) -> str:
    """Return the storage key of an operation."""
    return f"{FOLDER}/{id}"


def operation_ids(storage: Storage) -> list[OperationId]:
    """Return the ids of all operations that are stored, by their names alone."""
    return [OperationId.parse(match[1]) for key in storage.list(FOLDER) if (match := _KEY.fullmatch(key))]


def readable(storage: Storage, id: OperationId) -> Operation | None:
    """Return an operation, None when it is missing or damaged; LocalIO when the disk refuses, which tells neither."""
    try:
        return read_operation(storage, id)
    except Damaged:
        return None


def check_log(repo: Repository) -> LogCheck:
    """Walk the log from its newest operation. Where one is lost, go on at the one before it, if it can be told."""
    check = LogCheck()
    seen, undone = {repo.state.id}, list[OperationId]()
    recent = True  # gc has not run since
    operation: Operation | None = repo.state.operation
    while operation is not None:
        _note(check, operation, recent)
        recent = recent and operation.condemned is None
        if operation.undoes is not None:
            undone.append(operation.undoes)
        operation = _before(repo, check, operation, seen)
    for id in undone:
        if id not in seen:
            seen.add(id)
            if readable(repo.storage, id) is None:
                _lost(repo, check, id)
    awaited = _awaited(repo)
    rest = [id for id in operation_ids(repo.storage) if id not in seen and id not in awaited]
    damaged = [id for id in rest if readable(repo.storage, id) is None]
    if bad_slots(repo.storage, repo.state.operation.number):
        check.doubtful = damaged
        what = "is damaged, and so is a head slot: it may be the newest operation"
        check.problems += [(operation_key(id), what, ("the newest operation",), False) for id in damaged]
    else:
        check.stray = damaged
        check.problems += [(operation_key(id), "is damaged; no operation leads to it", (), True) for id in damaged]
    return check


def bad_slots(storage: Storage, number: int) -> list[int]:
    """Return the head slots that cannot be read, of a log whose newest known operation has this number."""
    return [n for n, data in enumerate(read_slots(storage)) if _unreadable(data, n <= number)]


def _unreadable(data: bytes | None, written: bool) -> bool:
    if data is None:
        return written
    try:
        parse_slot(data)
    except Damaged:
        return True
    return False


def _before(repo: Repository, check: LogCheck, operation: Operation, seen: set[OperationId]) -> Operation | None:
    if operation.parent is None:
        return None
    number, id = operation.number - 1, operation.parent
    seen.add(id)
    before = readable(repo.storage, id)
    if before is None:
        _lost(repo, check, id)
        rest = [one for one in operation_ids(repo.storage) if one not in seen]
        older = [(op.number, one, op) for one in rest if (op := readable(repo.storage, one)) and op.number < number]
        newest = [one for one in older if one[0] == max(number for number, _, _ in older)]
        if len(newest) != 1:
            return None
        number, id, before = newest[0]
        seen.add(id)
    if before.number != number:
        what = f"operation {id.short} is number {before.number}, before number {operation.number}"
        check.problems.append(("operation log", what, (_LOG,), False))
        return None
    return before


def _note(check: LogCheck, operation: Operation, recent: bool) -> None:
    view = operation.view
    live = [
        (slot_name(stage, scope), one.commit) for stage, scopes in view.stages.items() for scope, one in scopes.items()
    ]
    live += [(move.stage, move.live.commit) for move in operation.joined if move.live]
    names = [*view.branches.items(), *view.tags.items(), *live]
    names += [("HEAD", id) for id in named(view) if isinstance(id, CommitId)]
    for name, id in names:
        check.starts.setdefault(id, name)
    check.owed |= {id for _, id in (names if recent else live)}
    if recent and view.facts is not None:
        check.facts[view.facts] = None


def _lost(repo: Repository, check: LogCheck, id: OperationId) -> None:
    check.bad.append(id)
    try:
        repo.operation(id)
    except MlverError as error:
        check.problems.append(("operation log", error.message, (_LOG,), False))


def _awaited(repo: Repository) -> set[OperationId]:
    """What the head slots name."""
    found = set()
    for data in read_slots(repo.storage):
        if data is not None:
            try:
                found.add(parse_slot(data)[1])
            except Damaged:
                continue
    return found


def in_place_of_settings(storage: LocalStorage) -> str | None:
    """Return what stands where the settings should, and is no file; None when nothing does. A link is followed."""
    thing = storage.stranger(SETTINGS)
    return thing if thing != LINK else None


def head_problems(repo: Repository) -> Iterator[Finding]:
    """Check `format` and both slots. One that is damaged costs nothing as long as the other is whole."""
    state = repo.state
    if repo.format_damaged:
        yield "format", "does not say what it must", (), True
    if thing := in_place_of_settings(repo.storage):
        yield SETTINGS, f"{thing} stands here, and the defaults count", (), True
    slots = read_slots(repo.storage)
    try:
        if all(_unreadable(data, True) for data in slots):
            newest_stored(repo.storage, slots)
        else:
            read_head(repo.storage)
    except SeveralHeads as error:
        yield "head", error.message, ("the newest state: one of them was acknowledged",), False
    except Damaged:
        pass  # said below, slot by slot
    for key, data in zip(SLOTS, slots, strict=True):
        if data is None:
            if thing := repo.storage.stranger(key):
                yield key, f"{thing} stands here", (), True
            elif key == SLOTS[0] or state.operation.number > 0:
                yield key, "head slot is missing", (), True
            continue
        try:
            number, operation = parse_slot(data)
        except Damaged as error:
            yield key, error.message, (), True
            continue
        if operation == state.id or number < state.operation.number:
            continue
        try:
            repo.operation(operation)
        except Damaged as error:
            yield key, error.message, ("the newest state: what was changed last is lost",), False
