"""What gc keeps: one case for each thing that keeps a commit, or the bytes of a file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlver.objects.ids import CommitId
from mlver.objects.state import Fact
from mlver.repo.ablation_facts import ABLATION
from mlver.repo.incident_facts import INCIDENT
from mlver.repo.remote import add_remote_setting
from mlver.repo.repository import Repository
from mlver.repo.subjects import subject
from mlver.repo.transaction import record_facts
from mlver.verbs.alerts import add_alert
from mlver.verbs.branch import set_ref
from mlver.verbs.clone import clone
from mlver.verbs.commit import commit
from mlver.verbs.fallback import drill
from mlver.verbs.fetch import fetch
from mlver.verbs.gc import gc
from mlver.verbs.gc_why import gc_why
from mlver.verbs.merge import merge
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote
from mlver.verbs.push import push
from mlver.verbs.restore import restore
from mlver.verbs.run import run
from mlver.verbs.switch import switch
from mlver.verbs.undo import undo
from tests.gc.world import drop, experiment, noise, sound
from tests.kit import Bench

AT = datetime(2024, 4, 2, tzinfo=UTC)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "repo")
    bench.write("models/m.bin", noise(0))
    bench.write("models/fallback.json", {"rule": "refer everybody"})
    bench.write("mlver.toml", '[stages.prod]\nfallback = "models/fallback.json"\n')
    bench.commit("base")
    experiment(bench, "x", 1)
    return bench


def _fact(type: str, body: dict[str, object], **about: object) -> Callable[[Bench, CommitId], object]:
    def record(bench: Bench, id: CommitId) -> None:
        plain = {name: id.hex() if value == "ID" else value for name, value in body.items()}
        fact = Fact(type, subject(commit=id if about else None), plain, AT, AT, "ana")  # type: ignore[arg-type]
        record_facts(bench.repo, type, [fact])

    return record


def _alert(bench: Bench, id: CommitId) -> None:
    promote(bench.repo, "prod", "x", reason="new")
    add_alert(bench.repo, "recall.low", at=bench.clock.moment, severity="page")


KEEPERS: dict[str, tuple[Callable[[Bench, CommitId], object], str]] = {
    "tag": (lambda bench, id: set_ref(bench.repo, "tag", "v1", "x"), "tag v1"),
    "another branch": (lambda bench, id: set_ref(bench.repo, "branch", "y", "x"), "branch y"),
    "note": (lambda bench, id: add_note(bench.repo, "x", "odd"), "a fact about it (note"),
    "mark": (_fact("mark", {"mark": "good"}, about="it"), "a fact about it (mark"),
    "ever live": (lambda bench, id: promote(bench.repo, "prod", "x", reason="a"), "live on prod"),
    "alert": (_alert, "live on prod"),
    "incident": (
        _fact(INCIDENT, {"incident": "INC-1", "event": "link", "as": "commit"}, about="it"),
        "a fact about it",
    ),
    "ablation": (_fact(ABLATION, {"rules": "rules.json"}, about="it"), "a fact about it (ablation"),
    "named in the body of a fact": (_fact("action", {"outcome": "acted", "commit": "ID"}), "a fact about it (action"),
    "of a type that is not known": (_fact("fridge", {"magnet": "ID"}), "a fact about it (fridge"),
}


@pytest.mark.parametrize("keeper", KEEPERS)
def test_a_commit_is_kept_by_its(keeper: str, bench: Bench) -> None:
    id = bench.repo.resolve("x")
    keep, root = KEEPERS[keeper]
    keep(bench, id)
    drop(bench, "x")
    assert gc(bench.repo, grace="0", full=True).dropped == ()
    why = gc_why(bench.reopen(), "models/m.bin@" + id.hex(), grace="0")
    assert str(why.root).startswith(root)
    restore(bench.repo, ["models/m.bin"], rev=id.hex(), force=True)
    assert (bench.root / "models/m.bin").read_bytes() == noise(1)


def test_a_commit_that_was_live_before_is_named_by_place_in_the_ledger(bench: Bench) -> None:
    promote(bench.repo, "prod", "x", reason="new")
    promote(bench.repo, "prod", "main", reason="back")
    drop(bench, "x")
    gc(bench.repo, grace="0")
    assert str(gc_why(bench.reopen(), "models/m.bin@prod@{1}").root).startswith("was live on prod from 2024-04-01")


def test_the_fallback_restores_with_all_else_gone(bench: Bench) -> None:
    promote(bench.repo, "prod", "main", reason="first")
    drill(bench.repo, "prod", ["python3", "-c", "print('{\"recall\": 0.8}')"])
    drop(bench, "x")
    gc(bench.repo, grace="0", full=True)
    restore(bench.repo, ["models/fallback.json"], rev="prod", force=True)
    assert "refer everybody" in (bench.root / "models/fallback.json").read_text()


def test_what_a_remote_branch_names_and_what_was_live_elsewhere_stay(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    add_remote_setting(bench.repo, "origin", tmp_path / "hub")
    push(bench.repo)
    clone(tmp_path / "hub", tmp_path / "ben", actor="ben", clock=bench.clock)
    ben = Bench(tmp_path / "ben", actor="ben")
    ben.clock.moment = bench.clock.moment
    live = experiment(ben, "ben", 5)
    promote(ben.repo, "prod", "ben", reason="mine")
    promote(ben.repo, "prod", "main", reason="back")
    drop(ben, "ben")
    push(ben.repo)
    fetch(bench.repo)
    drop(bench, "x")
    assert gc(bench.repo, grace="0", full=True).dropped == ()
    repo = bench.reopen()
    assert gc_why(repo, "models/m.bin@origin/x", grace="0").root == "remote branch origin/x"
    assert repo.snapshot(live).source("models/m.bin").open().read() == noise(5)
    with Repository.open(tmp_path / "hub", actor="ana", clock=bench.clock) as hub:
        assert gc(hub, grace="0", full=True).dropped == ()
        assert hub.store.has(live)
    assert sound(bench.root)


def test_a_run_that_waits_for_its_commit_stays(bench: Bench) -> None:
    run(bench.repo, ["python3", "-c", "open('out.txt', 'w').write('1')"], outputs=["out.txt"])
    waiting = bench.repo.refresh().pending["out.txt"]
    gc(bench.repo, grace="0", full=True)
    assert gc_why(bench.reopen(), waiting.hex()).root == "the run recorded for out.txt"
    bench.commit("with its run")
    assert bench.repo.commit(bench.repo.resolve("HEAD")).derivations["out.txt"] == waiting


def test_both_sides_of_an_open_merge_stay(bench: Bench) -> None:
    bench.write("models/m.bin", noise(7))
    bench.commit("other")
    merge(bench.repo, "x")
    merging = bench.repo.refresh().merging
    assert merging is not None
    drop(bench, "x")
    gc(bench.repo, grace="0", full=True)
    assert all(bench.reopen().store.has(id, deep=True) for id in (merging.ours, *merging.parents))


def test_data_that_what_stays_was_measured_on_stays(bench: Bench) -> None:
    switch(bench.repo, "x")
    bench.write("data/labels.csv", "id,y\n" + "1,0\n" * 50)
    commit(bench.repo, "labels")
    data = bench.repo.head_snapshot().find("data/labels.csv").id
    add_metrics(bench.repo, "main", {"recall": 0.5}, dataset="data/labels.csv@x")
    switch(bench.repo, "main")
    drop(bench, "x")
    assert len(gc(bench.repo, grace="0", full=True).dropped) == 2
    assert bench.reopen().store.has(data)
    assert gc_why(bench.repo, data.hex()).root == "metric recall was measured on it"


def test_a_commit_taken_back_is_committed_again_after_gc(bench: Bench) -> None:
    bench.write("models/m.bin", noise(8))
    gone = bench.commit("too early")
    undo(bench.repo)
    assert [one.commit for one in gc(bench.repo, grace="0").dropped] == [gone]
    again = bench.commit("now")  # nothing in the work tree was touched: the stat cache knows its id
    assert bench.reopen().snapshot(again).source("models/m.bin").open().read() == noise(8)
    assert sound(bench.root)


def test_values_outlive_their_commit(bench: Bench) -> None:
    from mlver.verbs.metric_grid import metrics_matrix
    from mlver.verbs.metric_log import log_metric

    add_metrics(bench.repo, "x", {"recall": 0.5}, dataset="models/fallback.json")
    drop(bench, "x")
    gc(bench.repo, grace="0")
    [value] = log_metric(bench.reopen(), "recall").values
    assert value.value.value == 0.5 and value.subject is None
    assert all(row.subject != "try x" for row in metrics_matrix(bench.repo, "recall").rows)
