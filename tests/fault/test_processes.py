"""The short modes of the campaigns of many processes, and the proof that each can see a loss."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlver.repo.head import SLOTS
from mlver.storage import swap
from tests.fault import collectors, kills, rewritten, stopped, swaps, writers
from tests.fault.processes import Child


def test_commands_that_are_killed_lose_nothing_that_was_acknowledged() -> None:
    campaign = kills.Kills(5, kills.SEED)
    campaign.run()
    assert campaign.wrong == [] and campaign.killed == 5 and campaign.kept > 3


def test_a_kill_that_loses_what_was_acknowledged_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = kills.mlver

    def forgetful(root: Path, words: list[str]) -> Child:
        child = real(root, words)
        if words[1:2] == ["commit"] and words[-1].startswith("round"):  # as if the slots had never reached the disk
            kept = {slot: (root / ".mlver" / slot).read_bytes() for slot in SLOTS}
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            for slot, data in kept.items():
                (root / ".mlver" / slot).write_bytes(data)
        return child

    monkeypatch.setattr(kills, "mlver", forgetful)
    campaign = kills.Kills(3, kills.SEED)
    campaign.run()
    assert any("it is not there" in text for text in campaign.wrong)


def test_writers_at_once_all_land_in_one_line() -> None:
    landed, wrong = writers.run(writers.commits, 4, 4)
    assert wrong == [] and landed == 16


def test_writers_of_all_kinds_at_once_lose_nothing() -> None:
    landed, wrong = writers.run(writers.mixture, 3, 3)
    assert wrong == [] and landed == 9


def test_writers_who_do_the_very_same_at_the_same_second_take_nothing_from_each_other() -> None:
    landed, wrong = writers.twins(3, 5)
    assert wrong == [] and landed == 5


def test_gc_without_grace_beside_writers_and_readers_takes_nothing_that_has_a_name() -> None:
    count, wrong = collectors.run(1.5, 2, 1, 1)
    assert [text for text in wrong if not text.startswith("no ")] == [] and count["commits"] + count["experiments"] > 0


def test_a_reader_of_a_stage_that_is_moved_and_killed_sees_whole_releases_only() -> None:
    campaign = swaps.Swaps(10, 3, swaps.SEED)
    campaign.run()
    assert campaign.wrong == [] and campaign.killed >= 3 and campaign.seen["reads"] > 10


def test_nobody_waits_for_a_command_that_is_stopped_least_of_all_a_rollback() -> None:
    rounds = stopped.run(0, 3, ("promote",), ("rename",))
    assert [(one.name, one.wrong) for one in rounds if one.wrong] == [] and len(rounds) >= 2


def test_a_stopped_command_that_goes_on_would_be_seen_to_undo_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "take_away", lambda path, but="": None)
    rounds = stopped.run(0, 3, ("note",), ("rename",))
    assert any(one.wrong for one in rounds)


def test_files_that_are_rewritten_while_they_are_committed_are_stored_as_they_were_and_none_is_overlooked() -> None:
    landed, refused, wrong = rewritten.run(30, rewritten.SEED)
    assert wrong == [] and landed + refused == 30 and landed >= 15
