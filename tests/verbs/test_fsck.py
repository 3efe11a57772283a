"""Fsck: every damage is named, with exactly what it hurts."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import numpy as np
import pytest

from mlver.errors import Damaged, LocalIO
from mlver.store.frames import TYPES
from mlver.testing import faulty_calls
from mlver.verbs.fsck import fsck
from mlver.verbs.log import log
from mlver.verbs.metrics import add_metrics
from tests.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    rng = np.random.default_rng(7)
    bench.write("models/big.bin", rng.bytes(600_000))
    bench.write("data/t.csv", "id,x\n1,2\n")
    bench.commit("v1")
    bench.write("data/t.csv", "id,x\n1,3\n")
    bench.commit("v2")
    return bench


def _pack_of(bench: Bench, size: str) -> Path:
    packs = sorted((p for p in (bench.root / ".mlver/packs").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    return packs[-1] if size == "large" else packs[0]


def _patch(path: Path, offset: int) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(bytes(data))


def test_a_sound_repository_is_sound(bench: Bench) -> None:
    result = fsck(bench.reopen())
    assert result.ok and not result.problems
    assert (result.commits, result.packs) == (2, 2) and result.objects > 10


def test_a_flipped_byte_of_a_large_file_names_the_commits_and_the_artifact(bench: Bench) -> None:
    _patch(_pack_of(bench, "large"), 300_000)
    result = fsck(bench.reopen())
    assert not result.ok
    hurts = {line for problem in result.problems for line in problem.hurts}
    assert {line.rpartition(": ")[2] for line in hurts} == {"models/big.bin"}
    assert len(hurts) == 2, "both commits hold the file"
    assert any("at byte" in problem.what for problem in result.problems)


def test_a_missing_pack_names_what_went_with_it(bench: Bench) -> None:
    small = _pack_of(bench, "small")
    small.unlink()
    result = fsck(bench.reopen())
    assert not result.ok
    assert any("main" in line for problem in result.problems for line in problem.hurts)
    with pytest.raises(Damaged, match="missing"):
        log(bench.reopen())


def test_a_damaged_slot_is_reported_as_repairable_and_work_goes_on(bench: Bench) -> None:
    _patch(bench.root / ".mlver/head.0", 5)
    result = fsck(bench.reopen())
    assert [(p.what, p.repairable) for p in result.problems] == [("head.0", True)]
    bench.write("data/t.csv", "id,x\n1,4\n")
    assert bench.commit("v3")


def test_a_damaged_operation_names_what_is_lost_with_it(bench: Bench) -> None:
    second = bench.repo.state.operation.parent
    assert second is not None
    _patch(bench.root / ".mlver/ops" / str(second), 20)
    result = fsck(bench.reopen())
    assert [p.what for p in result.problems] == ["operation log"]


def test_fsck_changes_nothing(bench: Bench) -> None:
    _patch(_pack_of(bench, "large"), 300_000)
    bench.reopen()
    before = {p: p.read_bytes() for p in bench.root.rglob("*") if p.is_file() and "cache" not in p.parts}
    fsck(bench.repo)
    assert before == {p: p.read_bytes() for p in bench.root.rglob("*") if p.is_file() and "cache" not in p.parts}


def test_behind_a_lost_link_of_the_fact_log_the_links_before_it_are_named_too(bench: Bench) -> None:
    heads = []
    for value in (0.1, 0.2, 0.3):
        add_metrics(bench.repo, "HEAD", {"recall": value})
        heads.append(bench.repo.view.facts)
    for head in heads[1:]:
        place = bench.repo.store.index.find(TYPES["facts"], head)[0]
        (bench.root / f".mlver/packs/{place.pack}.pack").unlink()
    result = fsck(bench.reopen())
    assert {one.id for one in result.lost} == set(heads[1:])


def test_a_disk_that_refuses_is_not_taken_for_a_damaged_pack(bench: Bench) -> None:
    with faulty_calls(None, errno.ENOMEM, ("open",)) as whole:
        assert bench.repo.store.verify().ok
    for at in range(1, len(whole.log) + 1):
        with faulty_calls(at, errno.ENOMEM, ("open",)) as rig, contextlib.suppress(LocalIO):
            assert bench.repo.store.verify().damaged == {}, f"open {at}"
        assert rig.fired
