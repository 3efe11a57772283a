"""The short mode of the damage campaigns, and proof that their judge can find a fault."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlver.verbs.fsck import fsck
from tests.fault import damage
from tests.fault.damage_random import Round, make_large, random_damages
from tests.fault.oracle import Truth, read_files


@pytest.mark.parametrize(("kind", "share", "least"), [("bits", 1777, 250), ("cuts", 389, 150)])
def test_a_sample_of_all_bits_and_lengths_is_found_and_nothing_wrong_is_read(kind: str, share: int, least: int) -> None:
    rig = damage.sweep(kind, share)
    assert rig.size >= 64 << 10 and rig.tally.rounds >= least
    assert rig.tally.violations == [] and rig.tally.wrong_bytes == 0


def test_random_damages_are_reported_exactly_and_mended_from_a_clone() -> None:
    tally = random_damages(3, seed=5)
    assert tally.rounds == 3 and tally.violations == [] and tally.wrong_bytes == 0


def test_the_judge_sees_what_a_report_leaves_out_and_what_it_makes_up(tmp_path: Path) -> None:
    make_large(tmp_path / "large", 1)
    truth = Truth(tmp_path / "large/.mlver")
    shutil.copytree(tmp_path / "large", tmp_path / "round", symlinks=True)
    tally = damage.Tally()
    judge = Round(truth, tmp_path / "round", tmp_path / "large", tally)
    pack = max((tmp_path / "round/.mlver/packs").iterdir(), key=lambda path: path.stat().st_size)
    with judge.open() as repo:
        clean = fsck(repo)
        pack.unlink()
        now = read_files(tmp_path / "round/.mlver")
        judge._judge(clean, now)
        assert any("not found" in one for one in tally.violations)
        assert any("not named" in one for one in tally.violations)
    tally.violations.clear()
    with judge.open() as repo:
        judge._judge(fsck(repo), now)
        assert tally.violations == []
        judge._judge(fsck(repo), truth.files)
        assert any("named that are whole" in one for one in tally.violations)


def test_a_reader_that_returned_wrong_bytes_would_be_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage.make_small(tmp_path / "small")
    rig = damage.Sweep(tmp_path / "small/.mlver")
    name, place = next((p.file, p) for (type, _), (p, *_) in rig.truth.places.items() if type == "blob")
    data = bytearray(rig.truth.files[name])
    data[place.start + 70] ^= 1
    for function in ("checksum", "verify"):  # as if nothing were checked
        monkeypatch.setattr("mlver.store.pack." + function, lambda *_: bytes(data[place.end - 8 : place.end]))
    rig._read_all(
        damage.ObjectStore(storage := damage.storage_of({name: bytes(data)}), damage.Locations.open(None, storage)),
        [key for key, (p, *_) in rig.truth.places.items() if p == place],
        set(),
    )
    assert rig.tally.wrong_bytes == 1 or rig.tally.violations
