"""Short runs of the state machine and of chains of undo; at length they run by hand: `python -m tests.machine.run`."""

from __future__ import annotations

import pytest

from tests.machine.run import chains, found, machine


def test_all_verbs_in_any_order_do_what_the_plain_model_says() -> None:
    counts = machine(5, 40, 8)
    assert counts["runs"] >= 5 and counts["recorded"] > 50 and counts["killed"] > 0


def test_a_chain_of_operations_is_taken_back_byte_for_byte() -> None:
    counts = chains(3, 8)
    assert counts["undone"] > 8


# Where a seed is enough today and the order of rules changes tomorrow, more runs make up for it.
@pytest.mark.parametrize(
    ("defect", "seed"),
    [
        ("undo leaves links as they are", 1),
        ("commit keeps deleted files", 7),
        ("a merge has one parent", 3),
        ("gc forgets tags and branches", 6),
        ("the same size passes for the same bytes", 0),
    ],
)
def test_the_machine_finds_what_is_broken_on_purpose(defect: str, seed: int) -> None:
    assert found(defect, 25, seed)
