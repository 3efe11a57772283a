"""The rigs of many processes, and of gc find builds that are wrong on purpose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlver.repo import releases, transaction
from mlver.storage import swap
from tests.fault import swaps, writers
from tests.gc import beside


def test_writers_find_a_swap_that_does_not_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(path: Path, expected: bytes | None, new: bytes, read: Callable[[], bytes | None], lock: Path) -> bool:
        return swap.swap_file(path, read(), new, read, lock)

    monkeypatch.setattr("mlver.storage.local.swap_file", blind)
    _, wrong = writers.run(writers.commits, 4, 4)
    assert any("answered" in text for text in wrong)


def test_gc_in_the_middle_of_a_writer_who_does_not_look_again_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = beside.make_world(tmp_path / "first")
    monkeypatch.setattr(transaction, "missing_in", lambda *_: None)
    assert any(
        [*beside.rounds(first, tmp_path / writer, writer, within=writer, start=9, step=7)] for writer in beside.WRITERS
    )


def test_a_link_that_is_removed_before_the_new_one_is_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(path: Path, target: str, still: Callable[[], bool] = lambda: True) -> bool:
        path.unlink(missing_ok=True)
        return swap.swap_link(path, target, still)

    monkeypatch.setattr(releases, "swap_link", torn)
    campaign = swaps.Swaps(10, 0, swaps.SEED)
    campaign.run()
    assert campaign.wrong
