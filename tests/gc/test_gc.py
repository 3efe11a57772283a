"""gc drops what nothing names, keeps what was ever live, and explains both."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mlver.errors import Collected, Conflict, Damaged, NegativeAnswer, UnknownRevision, UsageError
from mlver.repo.generation import in_trash
from mlver.repo.repository import Repository
from mlver.store.pack import list_packs, pack_key
from mlver.verbs.branch import set_ref
from mlver.verbs.clone import clone
from mlver.verbs.fsck import fsck
from mlver.verbs.gc import gc, restore_trash
from mlver.verbs.gc_why import gc_why
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote
from mlver.verbs.restore import restore
from mlver.verbs.switch import switch
from mlver.verbs.undo import op_log, undo
from tests.gc.world import drop, experiment, noise, pack_bytes, sound
from tests.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """One commit on main, and the experiments x, y and z, each with a model of its own."""
    bench = Bench(tmp_path / "repo")
    bench.write("models/m.bin", noise(0))
    bench.write("data/t.csv", "id,x\n1,2\n")
    bench.commit("base")
    for seed, name in enumerate("xyz", 1):
        experiment(bench, name, seed)
    return bench


def test_nothing_that_has_a_name_goes(bench: Bench) -> None:
    result = gc(bench.repo, grace="0", full=True)
    assert result.dropped == () and result.commits == 4
    assert sound(bench.root)
    for seed, name in enumerate("xyz", 1):
        assert bench.reopen().snapshot(bench.repo.resolve(name)).source("models/m.bin").open().read() == noise(seed)


def test_commits_of_deleted_branches_go_at_once_with_grace_0(bench: Bench) -> None:
    gone = bench.repo.resolve("x")
    drop(bench, "x")
    before = pack_bytes(bench.repo)
    result = gc(bench.repo, grace="0")
    assert [(one.commit, one.subject, one.branch) for one in result.dropped] == [(gone, "try x", "x")]
    assert [path.path for path in result.dropped[0].paths] == ["models/m.bin"]
    assert result.dropped[0].bytes > 30_000
    assert before - pack_bytes(bench.repo) == result.freed > 30_000
    assert list(in_trash(bench.repo.storage)) == [] and result.emptied >= result.freed
    assert not bench.reopen().store.has(gone)
    assert sound(bench.root)


def test_what_lost_its_name_is_kept_for_the_retention(bench: Bench) -> None:
    drop(bench, "x")
    bench.commit("later", allow_empty=True)
    assert gc(bench.repo, grace="1h").dropped == ()
    bench.clock.moment += timedelta(hours=2)
    bench.repo.storage.age = lambda key: 1e6  # type: ignore[method-assign]
    assert [one.branch for one in gc(bench.repo, grace="1h").dropped] == ["x"]
    assert len(list(in_trash(bench.repo.storage))) == 1, "it was thrown away just now"
    bench.clock.moment += timedelta(hours=2)
    assert gc(bench.repo, grace="1h").emptied > 30_000
    assert list(in_trash(bench.repo.storage)) == []


def test_a_clock_that_was_wrong_makes_nothing_old(bench: Bench) -> None:
    now = bench.clock.moment
    bench.clock.moment = now - timedelta(days=3650)
    drop(bench, "x")
    bench.clock.moment = now
    bench.repo.storage.age = lambda key: 1e6  # type: ignore[method-assign]
    assert gc(bench.repo).dropped == ()


def test_a_dry_run_says_the_same_and_does_nothing(bench: Bench) -> None:
    drop(bench, "x", "y")
    state, packs = bench.repo.refresh(), list(list_packs(bench.repo.storage))
    imagined = gc(bench.repo, grace="0", dry_run=True)
    assert bench.repo.refresh() == state and list(list_packs(bench.repo.storage)) == packs
    done = gc(bench.repo, grace="0")
    assert imagined.dropped == done.dropped and len(done.dropped) == 2


def test_everything_ever_live_stays_and_restores_byte_for_byte(bench: Bench) -> None:
    promote(bench.repo, "prod", "x", reason="first")
    promote(bench.repo, "prod", "y", reason="second")
    promote(bench.repo, "prod", "main", reason="back")
    ids = {name: bench.repo.resolve(name) for name in "xyz"}
    drop(bench, "x", "y", "z")
    result = gc(bench.repo, grace="0", full=True)
    assert [one.branch for one in result.dropped] == ["z"]
    for seed, name in enumerate("xy", 1):
        restore(bench.repo, ["models/m.bin"], rev=ids[name].hex(), force=True)
        assert (bench.root / "models/m.bin").read_bytes() == noise(seed)
    assert sound(bench.root)
    way = gc_why(bench.repo, ids["x"].hex())
    assert way.kept and way.root is not None and way.root.startswith("was live on prod")


def test_what_somebody_wrote_about_stays_and_a_metric_value_alone_keeps_nothing(bench: Bench) -> None:
    add_note(bench.repo, "x", "this one was odd")
    add_metrics(bench.repo, "y", {"recall": 0.7})
    add_metrics(bench.repo, "z", {"recall": 0.9})
    drop(bench, "x", "y", "z")
    plan = gc(bench.repo, grace="0", dry_run=True)
    assert {one.branch for one in plan.dropped} == {"y", "z"}
    best = gc(bench.repo, grace="0", keep="best:1:recall", dry_run=True)
    assert {one.branch for one in best.dropped} == {"y"}
    assert gc(bench.repo, grace="0", keep="measured", dry_run=True).dropped == ()
    assert gc(bench.repo, grace="0", keep="promoted,days:30", dry_run=True).dropped == ()
    with pytest.raises(UsageError, match="not a policy"):
        gc(bench.repo, keep="besst:3")
    for name in ("recal", "recall{clinic=C}"):
        with pytest.raises(UsageError, match="no commit has a recorded value of 'recal") as caught:
            gc(bench.repo, grace="0", keep=f"best:1:{name}")
        assert caught.value.hint == "there are recall"
    assert gc(bench.repo, grace="0", keep="measured", dry_run=True).dropped == (), "nothing was dropped"


def test_why_tells_the_way_from_a_root(bench: Bench) -> None:
    found = gc_why(bench.repo, "models/m.bin@x")
    assert found.kept and found.root == "branch x"
    assert [step.what.split(" ", 2)[-1] for step in found.way] == ["try x", "models/m.bin"]
    assert gc_why(bench.repo, "main:data/t.csv").kept
    gone = bench.repo.resolve("x")
    drop(bench, "x")
    assert "until operation" in str(gc_why(bench.repo, gone.hex()).root)
    assert not gc_why(bench.repo, gone.hex(), grace="0").kept
    with pytest.raises(UnknownRevision):
        gc_why(bench.repo, "nothing-such")


def test_undo_names_the_trash_only_while_it_has_what_gc_dropped(bench: Bench) -> None:
    drop(bench, "x")
    bench.repo.storage.age = lambda key: 1e6  # type: ignore[method-assign]
    bench.repo.settings._layers = {"repository": {"gc.retention": "0"}}
    gc(bench.repo)
    number = str(bench.repo.state.operation.number)
    with pytest.raises(NegativeAnswer, match=r"moved no name: gc: .* dropped$") as lying:
        undo(bench.repo, number)
    assert lying.value.hint == "mlver gc --restore"
    restore_trash(bench.repo)
    with pytest.raises(NegativeAnswer, match=r"moved no name: gc: .* dropped$") as back:
        undo(bench.repo, number)
    gc(bench.repo, grace="0")
    number = str(bench.repo.state.operation.number)
    with pytest.raises(NegativeAnswer, match=r"dropped; what it dropped is gone$") as gone:
        undo(bench.repo, number)
    assert back.value.hint == gone.value.hint == "mlver op log"


def test_the_trash_comes_back(bench: Bench) -> None:
    gone = bench.repo.resolve("x")
    drop(bench, "x")
    bench.repo.storage.age = lambda key: 1e6  # type: ignore[method-assign]
    bench.repo.settings._layers = {"repository": {"gc.retention": "0"}}
    assert len(gc(bench.repo).dropped) == 1
    assert sound(bench.root)
    back = restore_trash(bench.repo)
    assert back.packs == 1 and back.commits == (gone,)
    set_ref(bench.repo, "branch", "again", gone.hex())
    assert bench.reopen().snapshot(gone).source("models/m.bin").open().read() == noise(1)
    gc(bench.repo, grace="0")
    assert bench.reopen().store.has(gone) and sound(bench.root)


def test_an_undo_that_would_name_what_is_gone_is_refused(bench: Bench) -> None:
    drop(bench, "x")
    gc(bench.repo, grace="0")
    with pytest.raises(Collected, match="gc has removed commit"):
        undo(bench.repo)
    assert "x" not in bench.repo.refresh().branches
    assert op_log(bench.repo).operations[0].command.startswith("gc: 1 commit, ")
    assert sound(bench.root)


def test_the_same_bytes_committed_again_are_stored_again(bench: Bench) -> None:
    drop(bench, "x")
    gc(bench.repo, grace="0")
    experiment(bench, "x", 1)
    assert bench.reopen().snapshot(bench.repo.resolve("x")).source("models/m.bin").open().read() == noise(1)
    assert sound(bench.root)


def test_many_small_packs_become_one(bench: Bench) -> None:
    for number in range(30):
        add_note(bench.repo, "main", f"note {number}")
    before = len(list(list_packs(bench.repo.storage)))
    result = gc(bench.repo, grace="0")
    assert before > 30 and result.packs_after == len(list(list_packs(bench.repo.storage))) == 1
    assert len(list(bench.reopen().facts.of("note"))) == 30 and sound(bench.root)
    assert gc(bench.repo, grace="0").operation is None, "nothing is left to do"


def test_a_clone_of_a_collected_repository_is_whole(bench: Bench, tmp_path: Path) -> None:
    drop(bench, "x")
    gc(bench.repo, grace="0")
    clone(bench.root, tmp_path / "copy", actor="ben", clock=bench.clock)
    assert sound(tmp_path / "copy")


def test_a_damaged_repository_is_left_alone(bench: Bench) -> None:
    drop(bench, "x")
    packs = sorted((bench.root / ".mlver/packs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    packs[0].unlink()
    with pytest.raises(Damaged):
        gc(bench.reopen(), grace="0")
    assert len(list(list_packs(bench.repo.storage))) == len(packs) - 1


def test_a_second_gc_says_that_there_is_one(bench: Bench) -> None:
    from mlver.storage.locks import locked

    with locked(bench.root / ".mlver/gc.lock"), pytest.raises(Conflict, match="another gc"):
        gc(bench.repo, grace="0")


def test_young_packs_are_left_alone_unless_no_grace_is_given(bench: Bench) -> None:
    with bench.repo.store.session() as session:
        session.put_bytes(noise(99))
        session.finish()
    result = gc(bench.repo)
    assert result.operation is None and result.spared == result.packs_before
    assert gc(bench.repo, grace="0").freed > 30_000


def test_of_five_hundred_experiments_those_that_were_live_stay(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "repo")
    bench.write("models/m.bin", noise(0, 3000))
    bench.commit("base")
    count, live = 60, (7, 23, 41, 59)
    for seed in range(1, count + 1):
        experiment_small(bench, seed)
    for seed in live:
        promote(bench.repo, "prod", f"e{seed}", reason="good")
    ids = {seed: bench.repo.resolve(f"e{seed}") for seed in live}
    drop(bench, *(f"e{seed}" for seed in range(1, count + 1)))
    before = pack_bytes(bench.repo)
    result = gc(bench.repo, grace="0")
    assert len(result.dropped) == count - len(live)
    assert pack_bytes(bench.repo) <= 0.2 * before
    repo = Repository.open(bench.root)
    for seed, id in ids.items():
        assert repo.snapshot(id).source("models/m.bin").open().read() == noise(seed, 3000)
    assert fsck(repo).ok


def experiment_small(bench: Bench, seed: int) -> None:
    """Commit a small model on a branch of its own, without going there and back."""
    from mlver.verbs.switch import switch

    set_ref(bench.repo, "branch", f"e{seed}", "main")
    switch(bench.repo, f"e{seed}")
    bench.write("models/m.bin", noise(seed, 3000))
    bench.commit(f"try {seed}")
    switch(bench.repo, "main")


def test_a_gc_that_was_cut_short_between_two_packs_leaves_nothing_that_fsck_takes_for_damage(bench: Bench) -> None:
    switch(bench.repo, "x")
    bench.write("config/p.json", "{}")
    bench.commit("the same model in a later pack")
    switch(bench.repo, "main")
    drop(bench, "x")
    bench.repo.storage.age = lambda key: 1e6  # type: ignore[method-assign]
    bench.repo.settings._layers = {"repository": {"gc.retention": "0"}}
    gc(bench.repo)
    gone = {name for _, name in in_trash(bench.repo.storage)}
    assert len(gone) >= 2
    for number, name in [*in_trash(bench.repo.storage)]:  # as when the move of one was lost, each in turn
        key = (bench.repo.storage, f"trash/{number}-{name}.pack", pack_key(name))
        bench.repo.storage.move(*key[1:])
        assert sound(bench.root), name
        bench.repo.storage.move(key[2], key[1])
