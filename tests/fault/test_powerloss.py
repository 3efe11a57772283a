"""The short mode of the power cuts, and proof that each rig finds the defect it is there for."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mlver.index.locations import Locations
from mlver.repo.repository import Repository
from mlver.storage import durable
from mlver.storage.faulty import FaultyStorage
from mlver.storage.memory import MemoryStorage
from mlver.store.object_store import ObjectStore
from mlver.testing import Killed, faulty_calls
from mlver.verbs.fsck import fsck
from mlver.verbs.repair import repair
from tests.fault.defects import DEFECTS, Defect, index_before_pack
from tests.fault.powerloss import Campaign, Tally, campaign, scratch
from tests.fault.powerloss_broken import broken
from tests.fault.powerloss_record import Recorder
from tests.fault.powerloss_story import ACT, INIT, recording, tell
from tests.gc.world import noise
from tests.kit import Bench

ROUNDS = [INIT, ACT["commit"], ACT["promote"]]


def _rounds(defect: Defect, *, twice: bool, enough: int = 1 << 60) -> Tally:
    """Run the rounds that a defect must not survive: one power cut, or a failed fsync before it."""
    with defect.patched():
        if twice:
            return broken(ROUNDS[:2], layer=defect.layer, only="fsync", enough=enough)
        return campaign(ROUNDS, layer=defect.layer, per_cut=12, again_every=4, enough=enough)


@pytest.mark.parametrize("twice", [False, True])
def test_the_sound_build_passes_the_rounds_that_find_the_defects(twice: bool) -> None:
    tally = _rounds(Defect(), twice=twice)
    assert tally.violations == []
    assert tally.broken > 15 if twice else tally.states > 150 and tally.again > 5


@pytest.mark.parametrize("name", DEFECTS)
def test_each_seeded_defect_is_caught(name: str) -> None:
    assert _rounds(DEFECTS[name], twice="tried again" in name, enough=1).violations


def test_what_a_killed_process_left_is_made_durable_by_the_next() -> None:
    tally = broken(ROUNDS[:2], only="kill", step=5)
    assert tally.violations == [] and tally.broken > 5


def test_what_was_done_already_is_made_durable_before_anybody_says_so() -> None:
    """A promotion killed before its last two fsyncs, and given again: there is nothing to do, it says."""
    tally = broken(ROUNDS, only="fsync", of=[ACT["promote"]], first=18)
    assert tally.violations == [] and tally.broken > 3


def test_what_was_redacted_does_not_come_back() -> None:
    acts = [*ROUNDS, *(ACT[name] for name in ("secret", "no secret", "promote without", "redact"))]
    with scratch() as world:
        story = tell(world, [*acts, ACT["commit, the last"]])
        redacted = next(n for n, e in enumerate(story.recorder.events) if e.what == "ack" and e.note.act == "redact")
        tally = Campaign(story, world, 1, 9).run(12, first=redacted)
        assert tally.violations == [] and tally.states > 50
        story.acts["redact"] = replace(ACT["redact"], erases=b"repository format")  # which stays
        assert Campaign(story, world, 1, 9).run(1, first=redacted, enough=1).violations


def test_an_index_that_knows_a_pack_too_early_does_no_harm_as_nobody_believes_it() -> None:
    assert _rounds(Defect(None, lambda: index_before_pack(believed=False)), twice=False).violations == []


@pytest.mark.parametrize("own", [False, True])
def test_packs_of_others_are_confirmed_where_no_pack_is_written_after_them(own: bool) -> None:
    storage = FaultyStorage(MemoryStorage(), methods=("confirm",))
    with ObjectStore(storage, Locations.open(None, storage)).session() as theirs:
        theirs.put_bytes(b"theirs")
        theirs.finish()
    with ObjectStore(storage, Locations.open(None, storage)).session() as session:
        session.full = 1
        session.put_bytes(b"a pack of its own, closed at once")
        session.put_bytes(b"theirs")
        session.full = 1 << 20
        if own:
            session.put_bytes(b"one more")
        session.finish()
    assert storage.calls == ([] if own else ["confirm"])


def test_a_write_that_goes_past_the_recorder_is_noticed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    with recording(recorder):
        durable.write_file(tmp_path / "a", b"1")
        recorder.check()
        (tmp_path / "b").write_bytes(b"2")
    with pytest.raises(AssertionError, match="past the recorder"):
        recorder.check()


def test_a_folder_that_another_left_undurable_is_fsynced_and_a_used_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "packs").mkdir()
    with faulty_calls(only=("fsync",)) as rig:
        durable.make_dirs(tmp_path / "packs")
    assert rig.log == ["fsync"]
    (tmp_path / "packs/a").write_bytes(b"1")
    with faulty_calls(only=("fsync",)) as rig:
        durable.make_dirs(tmp_path / "packs")
    assert rig.log == []


def test_a_pack_that_a_power_cut_left_in_two_places_does_not_stop_repair(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "repo")
    bench.write("m.bin", noise(1))
    bench.commit("v1")
    bench.repo.close()
    pack = next((tmp_path / "repo/.mlver/packs").iterdir())
    data = bytearray(pack.read_bytes())
    data[200] ^= 255
    pack.chmod(0o644)
    pack.write_bytes(data)
    for at in range(1, 9):  # the last rename of it moves the pack
        with faulty_calls(at, Killed, ("rename",)) as rig, suppress(Killed):
            repair(Repository.open(bench.root, actor="ana", clock=bench.clock, salvage=True))
        if not rig.fired:
            break
        for note in (tmp_path / "repo/.mlver/quarantine").glob("*.json"):
            if pack.exists():
                os.link(pack, note.with_suffix(".pack"))
    with Repository.open(bench.root, actor="ana", clock=bench.clock) as repo:
        assert fsck(repo).ok and not pack.exists()
    assert [path.read_bytes() for path in (tmp_path / "repo/.mlver/quarantine").glob("*.pack")] == [bytes(data)]
