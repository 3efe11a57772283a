"""The head: two slots, compare-and-swap, and what survives damage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mlver.errors import Damaged
from mlver.objects.encoding import encode
from mlver.objects.ids import CommitId, OperationId
from mlver.objects.state import Operation, View
from mlver.repo.head import (
    SLOTS,
    Head,
    SeveralHeads,
    newest_stored,
    parse_slot,
    read_head,
    read_operation,
    read_slots,
    swap_head,
    write_operation,
)
from mlver.storage.memory import MemoryStorage

WHEN = datetime(2024, 1, 1, tzinfo=UTC)


def _operation(seen: Head | None, command: str = "x") -> Operation:
    number = seen.operation.number + 1 if seen else 0
    return Operation(number, seen.id if seen else None, WHEN, "ana", command, View())


@pytest.fixture
def storage() -> MemoryStorage:
    storage = MemoryStorage()
    swap_head(storage, None, _operation(None))
    for n in range(1, 6):
        head = read_head(storage)
        assert swap_head(storage, head, _operation(head, f"op {n}"))
    return storage


def test_the_newest_operation_is_the_head(storage: MemoryStorage) -> None:
    assert read_head(storage).operation.number == 5


def test_of_two_writers_that_saw_the_same_head_exactly_one_wins(storage: MemoryStorage) -> None:
    seen = read_head(storage)
    first = swap_head(storage, seen, _operation(seen, "first"))
    second = swap_head(storage, seen, _operation(seen, "second"))
    assert first and second is None
    assert read_head(storage).operation.command == "first"
    assert len(list(storage.list("ops"))) == 7, "the loser leaves no operation behind"


def test_of_two_writers_of_the_very_same_operation_none_takes_the_others_away(storage: MemoryStorage) -> None:
    seen = read_head(storage)
    same = _operation(seen, "tag v1")
    others: list[object] = []

    def while_i_wait(key: str, expected: bytes | None, new: bytes) -> bool:  # as one who types the same a moment later
        storage.compare_and_swap = swap  # type: ignore[method-assign]
        others.append(swap_head(storage, seen, same))
        return swap(key, expected, new)

    swap, storage.compare_and_swap = storage.compare_and_swap, while_i_wait  # type: ignore[method-assign]
    assert swap_head(storage, seen, same) is None and others != [None]
    assert read_head(storage).operation.command == "tag v1"
    assert len(list(storage.list("ops"))) == 7, "the loser leaves no operation behind"


def test_an_operation_that_a_crash_left_is_not_taken_for_ones_own(storage: MemoryStorage) -> None:
    seen = read_head(storage)
    left = _operation(seen, "tag v1")
    write_operation(storage, left)
    made = swap_head(storage, seen, left)
    assert made and made[1] == replace(left, twin=1) == read_head(storage).operation
    assert read_operation(storage, made[0]) == made[1]


def test_a_writer_that_slept_through_many_operations_loses(storage: MemoryStorage) -> None:
    stale = read_head(storage)
    for _ in range(2):
        head = read_head(storage)
        swap_head(storage, head, _operation(head))
    assert swap_head(storage, stale, _operation(stale, "late")) is None


@pytest.mark.parametrize("slot", SLOTS)
def test_any_flipped_bit_of_a_slot_is_survived_without_losing_an_operation(storage: MemoryStorage, slot: str) -> None:
    sound = storage.read(slot)
    for position in range(len(sound) * 8):
        broken = bytearray(sound)
        broken[position // 8] ^= 1 << position % 8
        assert storage.compare_and_swap(slot, storage.read(slot), bytes(broken))
        head = read_head(storage)
        assert head.operation.number == 5
        assert head.recovered == slot
    head = read_head(storage)
    assert swap_head(storage, head, _operation(head, "after"))
    assert read_head(storage).operation.command == "after"


def test_a_missing_slot_is_survived_too(storage: MemoryStorage) -> None:
    storage.delete(SLOTS[1])
    assert read_head(storage).operation.number == 5


def test_with_both_slots_gone_it_says_so(storage: MemoryStorage) -> None:
    for slot in SLOTS:
        storage.delete(slot)
    with pytest.raises(Damaged, match="both head slots"):
        read_head(storage)


def test_a_slot_is_one_line_with_number_operation_and_checksum(storage: MemoryStorage) -> None:
    data = read_slots(storage)[1]
    assert data is not None and data.endswith(b"\n") and data.count(b"\n") == 1
    number, operation = parse_slot(data)
    assert number == 5 and storage.exists(f"ops/{operation}")


def test_a_large_operation_is_kept_small_and_read_back_the_same(storage: MemoryStorage) -> None:
    head = read_head(storage)
    tags = {f"v{n}": CommitId(bytes([n]) * 32) for n in range(200)}
    large = replace(_operation(head), view=View(tags=tags))
    assert swap_head(storage, head, large)
    id = read_head(storage).id
    assert read_operation(storage, id) == large
    data = storage.read(f"ops/{id}")
    assert len(data) < len(encode(large)) // 2
    for wrong in (data[:-9], data[:4] + b"\xff" * 8 + data[12:], data + b"x"):
        assert storage.compare_and_swap(f"ops/{id}", data, wrong)
        with pytest.raises(Damaged, match=f"operation {id.short}"):
            read_operation(storage, id)
        assert storage.compare_and_swap(f"ops/{id}", wrong, data)


def test_an_operation_that_does_not_match_its_id_is_damage(storage: MemoryStorage) -> None:
    head = read_head(storage)
    key = f"ops/{head.id}"
    data = storage.read(key)
    assert storage.compare_and_swap(key, data, data.replace(b"op 5", b"op 6"))
    with pytest.raises(Damaged, match="does not match"):
        read_head(storage)


def _left_by_a_crash(storage: MemoryStorage, seen: Head) -> OperationId:
    """Store an operation after `seen` and die before the swap."""
    return write_operation(storage, _operation(seen, "never acknowledged"))[0]


def _damage(storage: MemoryStorage, slot: str, data: bytes | None) -> None:
    sound = storage.read(slot)
    storage.delete(slot)
    if data is not None:
        assert storage.create(slot, data) and data != sound


def _spoilt(sound: bytes) -> list[bytes]:
    """What is still recognised: a flipped bit, the end cut off, half of it zeros, some bytes of another file."""
    flipped = bytearray(sound)
    flipped[len(sound) // 2] ^= 4
    return [bytes(flipped), sound[:60], bytes(60) + sound[60:], sound[:40] + b"x" * 30 + sound[70:]]


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("damage", range(4))
@pytest.mark.parametrize("when", ["before the newest", "after it"])
def test_a_damaged_slot_beside_an_operation_that_a_crash_left_is_survived(
    storage: MemoryStorage, slot: str, damage: int, when: str
) -> None:
    head = read_head(storage)
    if when == "after it":
        _left_by_a_crash(storage, head)
    else:
        _left_by_a_crash(storage, Head(*_before(storage, head), slots=head.slots))
    _damage(storage, slot, _spoilt(storage.read(slot))[damage])
    found = read_head(storage)
    assert (found.operation.command, found.recovered) == ("op 5", slot), "what was acknowledged, and nothing else"


def _before(storage: MemoryStorage, head: Head) -> tuple[OperationId, Operation]:
    assert head.operation.parent is not None
    return head.operation.parent, read_operation(storage, head.operation.parent)


def test_both_slots_damaged_beside_an_operation_that_a_crash_left(storage: MemoryStorage) -> None:
    head = read_head(storage)
    _left_by_a_crash(storage, Head(*_before(storage, head), slots=head.slots))
    for slot in SLOTS:
        _damage(storage, slot, _spoilt(storage.read(slot))[0])
    assert newest_stored(storage, read_slots(storage))[1].command == "op 5"
    with pytest.raises(SeveralHeads, match="ops/"):
        newest_stored(storage)


def test_where_nothing_is_left_of_the_slot_it_does_not_guess_and_salvage_goes_on_before(storage: MemoryStorage) -> None:
    head = read_head(storage)
    left = _left_by_a_crash(storage, Head(*_before(storage, head), slots=head.slots))
    _damage(storage, SLOTS[1], bytes(125))
    with pytest.raises(SeveralHeads, match="several operations could be the newest") as caught:
        read_head(storage)
    assert left.short in caught.value.message and head.id.short in caught.value.message
    assert read_head(storage, salvage=True).operation.command == "op 4"
    _damage(storage, SLOTS[0], None)
    assert read_head(storage, salvage=True).operation.command == "op 4"


def test_a_slot_that_named_an_operation_which_is_damaged_too_leads_to_no_other(storage: MemoryStorage) -> None:
    head = read_head(storage)
    _left_by_a_crash(storage, Head(*_before(storage, head), slots=head.slots))
    _damage(storage, SLOTS[1], _spoilt(storage.read(SLOTS[1]))[0])
    _damage(storage, f"ops/{head.id}", b"spoilt")
    with pytest.raises(Damaged, match=head.id.short):
        read_head(storage)


def test_what_is_left_of_a_slot_that_was_older_than_it_can_be_leads_nowhere(storage: MemoryStorage) -> None:
    old = storage.read(SLOTS[1])
    for n in range(4):
        head = read_head(storage)
        assert swap_head(storage, head, _operation(head, f"later {n}"))
    newest = read_head(storage)
    _damage(storage, SLOTS[1], old[:-10] + b"xxxxxxxxxx")
    assert read_head(storage).id == newest.id, "of another operation than the one before and those that follow"
