"""Mending what leads to everything else: `format`, the operations and the head slots.

What is replaced is copied to quarantine first. Each file is swapped for the right one at once, never removed and
written: a crash leaves the damaged file or the good one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from mlver.errors import Damaged, MlverError, RemoteError
from mlver.objects.ids import OperationId
from mlver.objects.state import Operation
from mlver.repo.condemning import QUARANTINE
from mlver.repo.head import (
    SLOTS,
    Head,
    newest_stored,
    operation_bytes,
    parse_operation,
    parse_slot,
    read_head,
    read_operation,
    read_slots,
    slot_bytes,
)
from mlver.repo.log_check import SETTINGS, check_log, in_place_of_settings, operation_key, readable
from mlver.repo.repository import FORMAT, Repository
from mlver.storage.base import Storage
from mlver.store.codec import unfold
from mlver.store.rescue import Patience, find_flip

_FORMAT = "format"
_OPERATION = 1 << 28  # bytes
_ANEW = "written anew from the operations"
_ONE = "there is but one operation"
Say = Callable[[str, str], None]  # what was mended, and how


class LogRepair:
    """Mends one repository's `format`, operations and head slots, with `source` to copy operations from.

    With `dry_run` it only says what it would do. `saved` are the operations that are, or would be, right again.
    """

    def __init__(
        self, repo: Repository, source: Storage | None, patience: Patience, say: Say, *, dry_run: bool = False
    ) -> None:
        self.repo, self.saved = repo, dict[OperationId, Operation]()
        self._storage, self._source, self._patience = repo.storage, source, patience
        self._say, self._dry_run = say, dry_run

    def run(self) -> None:
        """Mend what can be; what cannot stays as it is, for fsck to name."""
        self._mend_format()
        if in_place_of_settings(self._storage):
            self._say(SETTINGS, self._cleared(SETTINGS) + "the defaults count")
        self._mend_operations()
        if self._mend_slots() and not self._dry_run:
            self.repo.state = read_head(self._storage, salvage=True)

    def would_lead(self) -> bool:
        """Whether the head names an operation that a dry run did not store, and would."""
        named = self._named()
        return self._dry_run and bool(named) and max(named)[1] in self.saved

    def _mend_format(self) -> None:
        if self.repo.format_damaged:
            with suppress(KeyError):
                self._replace(_FORMAT, self._storage.read(_FORMAT), FORMAT, "says again what it must")

    # -- operations ----------------------------------------------------------------------------

    def _mend_operations(self) -> None:
        tried: set[OperationId] = set()
        while todo := [id for id in self._needed() if id not in tried]:
            for id in todo:
                tried.add(id)
                self._mend_operation(id)
            if not self._dry_run:
                self.repo.state = read_head(self._storage, salvage=True)
        for id in check_log(self.repo).stray:
            self._put_away(id)

    def _needed(self) -> list[OperationId]:
        """Operations that a slot or another operation names, and that cannot be read."""
        check = check_log(self.repo)
        found = [*check.bad, *check.doubtful]
        found += [id for _, id in self._named() if readable(self._storage, id) is None]
        parents = [(op.parent, op.undoes) for op in self.saved.values()]  # of those that a dry run did not store
        found += [id for pair in parents for id in pair if id is not None and readable(self._storage, id) is None]
        return [id for id in dict.fromkeys(found) if id not in self.saved]

    def _named(self) -> list[tuple[int, OperationId]]:
        """Number and id of the operations that the slots name, as far as these can be read."""
        return [parse_slot(data) for data in read_slots(self._storage) if data is not None and not _unreadable(data)]

    def _mend_operation(self, id: OperationId) -> None:
        key = operation_key(id)
        with suppress(MlverError, KeyError):
            if self._source is not None:
                operation = read_operation(self._source, id)
                self.saved[id] = operation
                self._store(key, operation_bytes(operation)[1], f"copied from {self._source.name}")
                return
        try:
            data = self._storage.read(key)
        except KeyError:
            return

        def right(guess: bytes) -> bool:
            try:
                return OperationId.of(unfold(guess, _OPERATION)) == id
            except Damaged:
                return False

        if (good := find_flip(data, right, self._patience)) is not None:
            self._store(key, good, "one flipped bit put right")
            with suppress(Damaged):  # written by somebody who does not keep to the format
                self.saved[id] = parse_operation(good, id)

    def _store(self, key: str, good: bytes, how: str) -> None:
        try:
            self._replace(key, self._storage.read(key), good, how)
        except KeyError:
            self._say(key, self._cleared(key) + how)
            if not self._dry_run:
                self._storage.create(key, good)

    def _cleared(self, key: str) -> str:
        """Set aside what stands in the place of a file and is none; return words for that."""
        thing = self._storage.stranger(key)
        if thing and not self._dry_run:
            self._storage.set_aside(key, QUARANTINE)
        return f"{thing} set aside; " if thing else ""

    def _put_away(self, id: OperationId) -> None:
        """Set aside a damaged file that nothing needs."""
        key = operation_key(id)
        self._say(key, "set aside: no operation leads to it")
        if not self._dry_run:
            with suppress(KeyError):
                self._storage.move(key, self._aside(key, self._storage.read(key)))

    # -- slots ---------------------------------------------------------------------------------

    def _mend_slots(self) -> bool:
        """Write the slots that cannot be read anew, from the operations; whether there were any."""
        slots = read_slots(self._storage)
        bad = [n for n, data in enumerate(slots) if data is None or _unreadable(data)]
        if not bad or any(id not in self.saved for id in check_log(self.repo).doubtful):
            return False  # what a slot said must not be made up while its operation may lie there, damaged
        try:
            if len(bad) == len(SLOTS):
                id, operation = newest_stored(self._storage, slots)
            else:
                head: Head = read_head(self._storage)
                id, operation = head.id, head.operation
        except (Damaged, RemoteError):  # which operation is the newest cannot be told
            if self._dry_run and self.saved:  # but it could, were they stored
                for n in bad:
                    self._say(SLOTS[n], _ANEW)
            return False
        for n in bad:
            self._mend_slot(n, slots[n], id, operation)
        return True

    def _mend_slot(self, n: int, data: bytes | None, id: OperationId, operation: Operation) -> None:
        key = SLOTS[n]
        if operation.number % 2 == n:
            self._swap(key, data, slot_bytes(operation.number, id))
        elif operation.parent is not None:
            self._swap(key, data, slot_bytes(operation.number - 1, operation.parent))
        elif data is None:
            if words := self._cleared(key):
                self._say(key, words + _ONE)
        else:  # nothing has ever been there
            self._say(key, f"set aside: {_ONE}")
            if not self._dry_run:
                self._storage.move(key, self._aside(key, data))

    def _swap(self, key: str, data: bytes | None, good: bytes) -> None:
        if data is not None:
            self._replace(key, data, good, _ANEW)
            return
        self._say(key, self._cleared(key) + _ANEW)
        if not self._dry_run:
            self._storage.compare_and_swap(key, None, good)

    def _replace(self, key: str, damaged: bytes, good: bytes, how: str) -> None:
        self._say(key, how)
        if not self._dry_run:
            self._storage.create(self._aside(key, damaged), damaged)
            self._storage.compare_and_swap(key, damaged, good)  # somebody who was faster has written it right

    def _aside(self, key: str, damaged: bytes) -> str:
        """Return a place in quarantine for a damaged file, one of its own for other bytes."""
        from blake3 import blake3

        return f"{QUARANTINE}/{key.replace('/', '-')}-{blake3(damaged).hexdigest()[:8]}"


def _unreadable(data: bytes) -> bool:
    try:
        parse_slot(data)
    except Damaged:
        return True
    return False
