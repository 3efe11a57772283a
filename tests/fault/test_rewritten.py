"""A file rewritten at each moment of a commit; and the rig finds builds that are wrong on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from mlver.index.stats import FINE_NS, Stat, pack
from mlver.repo import scan, worktree
from tests.fault.rewritten_moments import ALONE, IN_PLACE, LARGE, MANY, TICK, run

BACK = "time set back"


def test_a_file_rewritten_at_any_moment_of_a_commit_is_stored_whole_and_not_overlooked() -> None:
    for kinds, ways in (((ALONE, MANY), (TICK, BACK, "renamed over")), ((LARGE,), (IN_PLACE,))):
        rounds, wrong = run(kinds, ways)
        assert wrong == [] and rounds > 10


def test_a_build_that_does_not_look_at_a_file_after_reading_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worktree, "_stamp", lambda info: ())
    assert any("of two versions" in text for text in run((LARGE,), (IN_PLACE,))[1])


def test_a_build_that_trusts_a_time_within_its_tick_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stat, "settled", lambda stat: True)
    assert any("it was overlooked" in text for text in run((ALONE,), (TICK,))[1])


def test_a_build_that_goes_by_the_time_anybody_can_set_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_ctime(fields: Iterable[Any]) -> bytes:
        return pack([(mode, size, mtime, 0, ino) for mode, size, mtime, _, ino in fields])

    monkeypatch.setattr(scan, "pack", without_ctime)
    monkeypatch.setattr(Stat, "settled", lambda stat: stat.mtime + FINE_NS < stat.seen)
    assert any("it was overlooked" in text for text in run((ALONE,), (BACK,))[1])
