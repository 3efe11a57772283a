"""The head: the only thing that ever changes, kept in two checksummed slots.

A slot holds one line of canonical JSON: the number and id of the newest operation, and a
checksum. Operation n is written to slot n % 2 by compare-and-swap against what that slot held,
so of two writers that saw the same head exactly one succeeds, and a torn or flipped slot leaves
the other.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from xxhash import xxh3_64_hexdigest

from mlver.errors import Conflict, Damaged, LocalIO, MlverError, RemoteError, UsageError
from mlver.frozen import frozen
from mlver.objects.encoding import decode, dump_canonical, encode, load_plain
from mlver.objects.ids import OperationId
from mlver.objects.state import Operation
from mlver.repo.names import check_ref
from mlver.repo.refs import check_remote, check_scope
from mlver.storage.base import Storage
from mlver.store.codec import compress, unfold

SLOTS = ("head.0", "head.1")
_FOLDED_FROM = 2048  # bytes
_LARGEST = 1 << 28
_RELEASE = re.compile(r"[0-9a-f]{16}")
_ALIKE = 20  # of the 80 hex digits of a slot; two slots share 5 by chance, and 20 not once in a million years
_ON_DISK = {"head": 1 << 20, "ops": 1 << 26}  # bytes; no slot and no operation is anywhere near
_PACK = re.compile(r"[0-9a-f]{64}")


@frozen
class Head:
    """The newest operation, and the raw slots it was read from. `recovered` names a damaged slot."""

    id: OperationId
    operation: Operation
    slots: tuple[bytes | None, bytes | None]
    recovered: str | None = None


def slot_bytes(number: int, operation: OperationId) -> bytes:
    """Return the bytes of a slot that names `operation`."""
    body = {"number": number, "operation": operation.hex()}
    return dump_canonical(body | {"checksum": xxh3_64_hexdigest(dump_canonical(body))}) + b"\n"


def parse_slot(data: bytes) -> tuple[int, OperationId]:
    """Return number and operation of a slot; Damaged when its checksum does not hold."""
    plain = load_plain(data)
    try:
        number, operation = plain["number"], OperationId.parse(plain["operation"])
        whole = type(number) is int and slot_bytes(number, operation) == data
    except (KeyError, TypeError, AttributeError, ValueError, UsageError) as error:
        raise Damaged(f"head slot is malformed: {error}") from None
    if not whole:
        raise Damaged("head slot fails its checksum")
    return number, operation


def names_still(data: bytes | None, number: int, id: OperationId) -> bool:
    """Whether the bytes of a damaged slot are recognised as those that named this operation."""
    own = slot_bytes(number, id)
    digits = [own.index(b'":"') + 3 + n for n in range(16)] + [len(own) - 3 - n for n in range(1, 65)]
    return sum(data[n : n + 1] == own[n : n + 1] for n in digits) >= _ALIKE if data else False


class SeveralHeads(Damaged):
    """More than one operation could be the newest; `before` is the one that all of them follow, if they do."""

    def __init__(self, found: list[OperationId], before: OperationId | None) -> None:
        files = " or ".join(f"ops/{id.short}…" for id in sorted(found)[:4])
        super().__init__(
            f"the head is damaged or missing, and several operations could be the newest: {files}",
            hint="move away from .mlver/ops what a crash left and never counted, then mlver repair",
        )
        self.before = before


def read_operation(storage: Storage, id: OperationId) -> Operation:
    """Return the operation `id`, verified; Damaged when it is missing or not what its id says."""
    try:
        stored = _read(storage, f"ops/{id}")
    except KeyError:
        raise Damaged(f"operation {id.short} is missing", hint="mlver fsck") from None
    except Damaged as error:
        raise Damaged(f"operation {id.short}: {error.message}", hint="mlver fsck") from None
    return parse_operation(stored, id)


def parse_operation(stored: bytes, id: OperationId) -> Operation:
    """Return the operation `id` from the bytes of its file, verified; Damaged when it is not what its id says."""
    try:
        data = unfold(stored, _LARGEST)
    except Damaged as error:
        raise Damaged(f"operation {id.short}: {error.message}", hint="mlver fsck") from None
    if OperationId.of(data) != id:
        raise Damaged(f"operation {id.short} does not match its id", hint="mlver fsck")
    try:
        return _lawful(decode(Operation, data))
    except (Damaged, UsageError) as error:
        raise Damaged(f"operation {id.short}: {error.message}", hint="mlver fsck") from None


def _read(storage: Storage, key: str) -> bytes:
    """Return a small file; Damaged when it is so large that reading it would do harm. KeyError when absent."""
    with contextlib.suppress(KeyError):  # a link or a pipe: reading says so
        size = storage.size(key)
        if size > _ON_DISK[key[:4].rstrip("/")]:
            raise Damaged(f"{key} is no {'slot' if key in SLOTS else 'operation'}: {size} bytes", hint="mlver fsck")
    return storage.read(key)


def write_operation(storage: Storage, operation: Operation) -> tuple[OperationId, bool]:
    """Store an operation; return its id, and whether it was not there before.

    Each repeats the whole view, with what was known when each stage moved: large ones are compressed.
    """
    id, data = operation_bytes(operation)
    return id, storage.create(f"ops/{id}", data)


def _write_own(storage: Storage, operation: Operation) -> tuple[OperationId, Operation]:
    """Store an operation that is nobody else's; return its id, and the operation as it was stored.

    One that is there already is somebody's who may take it back at any moment: ours becomes its twin.
    """
    while True:
        id, fresh = write_operation(storage, operation)
        if fresh:
            return id, operation
        operation = replace(operation, twin=operation.twin + 1)


def operation_bytes(operation: Operation) -> tuple[OperationId, bytes]:
    """Return the id of an operation, and the bytes of its file."""
    data = encode(operation)
    return OperationId.of(data), data if len(data) < _FOLDED_FROM else bytes(compress(data)[1])


def _lawful(operation: Operation) -> Operation:
    """Return the operation if its names may become names of files: it may come from anywhere."""
    view = operation.view
    for name in (*view.branches, *view.tags):
        check_ref(name)
    for name, seen in view.remotes.items():
        check_remote(name)
        for branch in seen.branches:
            check_ref(branch)
    named = [(stage, scope, live) for stage, scopes in view.stages.items() for scope, live in scopes.items()]
    for stage, scope, live in [*named, *((move.stage, move.scope, move.live) for move in operation.joined)]:
        if "/" in check_ref(stage, "stage"):
            raise Damaged(f"not a valid stage name: {stage!r}")
        check_scope(scope)
        if live is not None and live.release is not None and not _RELEASE.fullmatch(live.release):
            raise Damaged(f"not a release: {live.release!r}")
    if wrong := next((name for name in operation.condemned or () if not _PACK.fullmatch(name)), None):
        raise Damaged(f"not a pack: {wrong!r}")
    if (operation.parent is None) != (operation.number == 0):
        raise Damaged(f"number {operation.number} and its parent do not fit")
    return operation


def read_log(
    storage: Storage, id: OperationId, operation: Operation, known: Mapping[OperationId, Operation] | None = None
) -> Iterator[tuple[OperationId, Operation]]:
    """Yield an operation and all before it, newest first, each verified; Damaged.

    What is `known` already is not read again.
    """
    while True:
        yield id, operation
        if operation.parent is None:
            return
        child, id = operation, operation.parent
        operation = (known or {}).get(id) or read_operation(storage, id)
        if operation.number != child.number - 1:  # and so the log has an end
            raise Damaged(f"operation {id.short} is number {operation.number}, before number {child.number}")


def read_slots(storage: Storage) -> tuple[bytes | None, bytes | None]:
    """Return the raw bytes of both slots, None for one that is not there; Damaged for one of many megabytes."""
    raw: list[bytes | None] = []
    for key in SLOTS:
        try:
            raw.append(_read(storage, key))
        except KeyError:
            raw.append(None)
    return raw[0], raw[1]


def read_head(storage: Storage, *, salvage: bool = False) -> Head:
    """Return the newest operation. A damaged slot is survived: the operations name what followed.

    Raises Damaged when neither slot can be read, or the newest operation cannot. With `salvage` the newest that
    can be is returned then: good for looking at what is left and for mending it, and for nothing else.
    """
    slots = read_slots(storage)
    found: list[tuple[int, OperationId]] = []
    damaged: str | None = None
    for key, data in zip(SLOTS, slots, strict=True):
        if data is None:
            continue
        try:
            found.append(parse_slot(data))
        except Damaged:
            damaged = key
    if not found:
        if not salvage:
            raise Damaged("both head slots are damaged or missing", hint="mlver fsck")
        id, operation = _newest_salvaged(storage, slots)
        return Head(id, operation, slots, SLOTS[operation.number % 2])
    number, id = max(found)
    if damaged or (len(found) == 1 and number > 0):
        damaged = damaged or SLOTS[(number + 1) % 2]
        try:
            id = _newest_after(storage, number, id, slots[SLOTS.index(damaged)])
        except SeveralHeads:
            if not salvage:
                raise
    try:
        operation = read_operation(storage, id)
    except Damaged:
        if not salvage:
            raise
        id, operation = _before_it(storage, found)
        damaged = SLOTS[(operation.number + 1) % 2]
    if damaged is None and operation.number != number:
        raise Damaged(f"{SLOTS[number % 2]} says operation {number}, and names number {operation.number}")
    return Head(id, operation, slots, damaged)


def confirm_head(storage: Storage) -> None:
    """Make durable the head that was read: who wrote it may have died before that, and now somebody relies on it.

    Where the disk does not let us it is left alone: whoever writes is told by that.
    """
    with contextlib.suppress(LocalIO, RemoteError):
        storage.confirm("")


def _before_it(storage: Storage, found: list[tuple[int, OperationId]]) -> tuple[OperationId, Operation]:
    """Return the operation before one that cannot be read, as the other slot names it, or else the newest stored."""
    if len(found) == len(SLOTS):
        with contextlib.suppress(Damaged):
            return min(found)[1], read_operation(storage, min(found)[1])
    return newest_stored(storage)


def newest_stored(
    storage: Storage, slots: tuple[bytes | None, bytes | None] = (None, None)
) -> tuple[OperationId, Operation]:
    """Return the operation with the largest number; Damaged when there is none, or more than one.

    Of several it is the one that is recognised in what is left of `slots`.
    """
    newest: list[tuple[OperationId, Operation]] = []
    for key in storage.list("ops"):
        try:
            id = OperationId.parse(key.rpartition("/")[2])
            operation = read_operation(storage, id)
        except (Damaged, UsageError):  # of another error it would not be known what is there
            continue
        if newest and operation.number < newest[0][1].number:
            continue
        newest = [*(one for one in newest if one[1].number == operation.number), (id, operation)]
    if not newest:
        what = "the head is damaged or missing, and no operation can be read"
        raise Damaged(what, hint="copy .mlver/ops from a backup, then mlver repair")
    if len(newest) > 1:
        named = [one for one in newest if names_still(slots[one[1].number % 2], one[1].number, one[0])]
        if len(named) != 1:
            before, *others = {operation.parent for _, operation in newest}
            raise SeveralHeads([id for id, _ in newest], before if not others else None)
        newest = named
    return newest[0]


def _newest_salvaged(storage: Storage, slots: tuple[bytes | None, bytes | None]) -> tuple[OperationId, Operation]:
    """Return the newest operation that there is no doubt about."""
    try:
        return newest_stored(storage, slots)
    except SeveralHeads as error:
        if error.before is None:
            raise
        return error.before, read_operation(storage, error.before)


def _newest_after(storage: Storage, number: int, id: OperationId, lost: bytes | None) -> OperationId:
    """Return the newest operation, where one slot names `id` and the other is `lost`: that may have named a later one.

    An operation that was stored by somebody who died before the swap follows `id` too, so what is left of the slot
    is asked first. Where that says nothing, operations are followed forward; Damaged when there are several ways.
    """
    with contextlib.suppress(Damaged):
        parent = read_operation(storage, id).parent
        if parent is not None and names_still(lost, number - 1, parent):
            return id
    for key in storage.list("ops"):
        with contextlib.suppress(UsageError):
            candidate = OperationId.parse(key.rpartition("/")[2])
            if names_still(lost, number + 1, candidate) and _may_follow(storage, candidate, id):
                return candidate
    return _newest_descendant(storage, id)


def _may_follow(storage: Storage, candidate: OperationId, id: OperationId) -> bool:
    """Whether an operation follows `id`, or cannot be read."""
    try:
        return read_operation(storage, candidate).parent == id
    except Damaged:
        return True


def _newest_descendant(storage: Storage, id: OperationId) -> OperationId:
    """Follow stored operations forward from `id`."""
    children: dict[OperationId, list[OperationId]] = {}
    for key in storage.list("ops"):
        try:
            candidate = OperationId.parse(key.rpartition("/")[2])
            parent = read_operation(storage, candidate).parent
        except (Damaged, UsageError):
            continue  # a damaged operation is fsck's to report; it cannot be the newest
        if parent is not None:
            children.setdefault(parent, []).append(candidate)
    while following := children.get(id):
        if len(following) > 1:
            raise SeveralHeads(following, id)
        id = following[0]
    return id


def swap_head(storage: Storage, seen: Head | None, operation: Operation) -> tuple[OperationId, Operation] | None:
    """Store `operation` and make it the head if nobody else moved it since `seen`; None if somebody did.

    Returns the operation as it was stored. One that lost the race is removed again, so that it can never be
    taken for a later one.
    """
    id, operation = _write_own(storage, operation)
    slot = operation.number % 2
    expected = seen.slots[slot] if seen else None
    try:
        swapped = storage.compare_and_swap(SLOTS[slot], expected, slot_bytes(operation.number, id))
    except (LocalIO, RemoteError, Conflict):
        with contextlib.suppress(MlverError, KeyError):  # the disk that refused may refuse this too
            storage.delete(f"ops/{id}")
        raise
    if swapped:
        return id, operation
    with contextlib.suppress(KeyError):
        storage.delete(f"ops/{id}")
    return None
