"""A few bombs of each family, and the proof that the rig would notice one that went off."""

from __future__ import annotations

import pytest

from tests.fault import bombs
from tests.kit import Bench

# One of each family that costs little to make; `python -m tests.fault.bombs` lets all go off.
SOME = (
    "zstd that says 1.1 TB", "arrow, a buffer that says a terabyte", "CSV, a million columns",
    "tree: 2^40 files of one",
    "operation: 600 MB in a frame, in truth", "tree: 600 MB in a frame, in truth",
)  # fmt: skip


def test_there_are_enough_bombs() -> None:
    assert len(bombs.EVERY) == len(set(bombs.EVERY)) >= 100


def test_no_bomb_takes_more_than_moments_and_256_mb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bombs, "SECONDS", 3.0)  # modules are compiled for the first time; the full run holds the second
    seen = bombs.campaign(list(SOME))
    assert [(one.name, one.problems) for one in seen if one.problems] == []
    assert [one.name for one in seen] == list(SOME) and all(one.said for one in seen)


def test_a_bomb_that_goes_off_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(name: str, root: object) -> list[bombs.Step]:
        return [("fill", lambda: len(bytearray(300 * bombs.MIB))), ("fail", lambda: 1 // 0)]

    monkeypatch.setattr(bombs, "steps_of", steps)
    monkeypatch.setattr(bombs, "base", lambda folder: Bench(folder).repo.close())
    (seen,) = bombs.campaign(["head: both of a terabyte"])
    assert any("grew by" in problem for problem in seen.problems)
    assert any("ZeroDivisionError" in problem for problem in seen.problems)
