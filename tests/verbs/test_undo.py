"""Every operation can be taken back, and the state is then what it was, byte for byte."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.errors import Collected, Conflict, NegativeAnswer, UnknownRevision
from mlver.objects.encoding import encode
from mlver.repo.repository import Repository
from mlver.repo.transaction import transact
from mlver.verbs.branch import delete_ref, set_ref, switch
from mlver.verbs.gc import gc, restore_trash
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote, rollback
from mlver.verbs.undo import op_log, undo
from tests.kit import Bench
from tests.verbs.stages import link_of, night, served

__all__ = ["night"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "clinic")
    bench.write("config/a.json", {"x": 1})
    bench.commit("v1")
    bench.write("config/a.json", {"x": 2})
    bench.commit("v2")
    return bench


def view(bench: Bench) -> bytes:
    return encode(bench.repo.refresh())


def test_the_last_operation_is_taken_back_and_said_in_words(bench: Bench) -> None:
    first = bench.repo.resolve("HEAD~1")
    result = undo(bench.repo)
    second = result.undone.effects[0].rpartition(" ")[2]
    assert result.undone.command == "commit: v2" and result.effects == (f"main: {second} -> {first.short}",)
    assert bench.repo.view.head == first
    assert (bench.root / "config/a.json").read_text().count("2") == 1  # files stay as they are


def test_undo_goes_back_step_by_step_down_to_the_beginning(bench: Bench) -> None:
    assert undo(bench.repo).undone.command == "commit: v2"
    assert undo(bench.repo).undone.command == "commit: v1"
    assert bench.repo.view.head is None
    with pytest.raises(NegativeAnswer, match="nothing to undo"):
        undo(bench.repo)


def test_an_undo_that_is_undone_is_a_redo(bench: Bench) -> None:
    before = view(bench)
    taken = undo(bench.repo)
    undo(bench.repo, str(taken.operation))
    assert view(bench) == before
    assert undo(bench.repo).undone.command == "commit: v2"


def test_going_back_to_before_an_operation_takes_all_later_ones_along(bench: Bench) -> None:
    before = view(bench)
    number = bench.repo.state.operation.number + 1
    set_ref(bench.repo, "tag", "t1")
    set_ref(bench.repo, "branch", "b1")
    add_note(bench.repo, "HEAD", "a note")
    result = undo(bench.repo, str(number))
    assert view(bench) == before and result.effects[-1] == "1 fact taken back"
    assert undo(bench.repo).undone.command == "commit: v2"


def test_the_beginning_cannot_be_taken_back(bench: Bench) -> None:
    with pytest.raises(NegativeAnswer, match="init cannot be taken back"):
        undo(bench.repo, "0")


def test_an_operation_is_named_by_number_or_by_the_start_of_its_id(bench: Bench) -> None:
    log = op_log(bench.repo).operations
    by_prefix = undo(bench.repo, log[0].id.hex()[:12])
    assert by_prefix.undone.id == log[0].id
    for name in ("99", "ffffff", "", "no such", "#", "\uff11"):
        with pytest.raises(UnknownRevision):
            undo(bench.repo, name)


def test_the_log_shows_what_moved_and_what_was_undone(bench: Bench) -> None:
    set_ref(bench.repo, "tag", "t1")
    taken = undo(bench.repo)
    log = op_log(bench.repo).operations
    assert [(o.number, o.undone) for o in log] == [(4, False), (3, True), (2, False), (1, False), (0, False)]
    assert log[1].effects == (f"tag t1: nothing -> {bench.repo.resolve('HEAD').short}",)
    assert log[0].command.startswith("undo 3: tag t1")
    undo(bench.repo, str(taken.operation))
    assert [o.undone for o in op_log(bench.repo).operations] == [False, True, False, False, False, False]
    cut = op_log(bench.repo, limit=2)
    assert len(cut.operations) == 2 and cut.more and not op_log(bench.repo, limit=99).more


def test_facts_and_stages_are_told_in_words(night: tuple) -> None:
    clinic, ids = night
    add_metrics(clinic.repo, str(ids["v2"]), {"recall": 0.9, "accuracy": 0.8})
    rollback(clinic.repo, "prod", scope="clinic=C")
    set_ref(clinic.repo, "branch", "exp")
    switch(clinic.repo, "exp")
    told = [operation.effects for operation in op_log(clinic.repo, limit=4).operations]
    assert told == [
        ("HEAD: main -> exp",),
        (f"exp: nothing -> {ids['bad'].short}",),
        (f"prod/clinic=C: nothing -> {ids['v2'].short}",),
        ("2 facts added",),
    ]


def test_the_log_is_read_also_where_gc_has_dropped_facts_that_were_undone(bench: Bench) -> None:
    add_note(bench.repo, "HEAD", "a note")
    taken = undo(bench.repo)
    gc(bench.repo, grace="0", full=True)
    told = [operation.effects for operation in op_log(bench.repo).operations]
    assert told[1:3] == [("facts taken back, no longer here",), ("facts added, no longer here",)]
    with pytest.raises(Collected):
        undo(bench.repo, str(taken.operation))
    last = undo(bench.repo)
    assert last.undone.command == "commit: v2"
    assert last.stays == ("gc (operation 5): what it removed is gone",)


def test_what_gc_did_and_brought_back_is_never_called_undone(bench: Bench) -> None:
    set_ref(bench.repo, "branch", "side")
    switch(bench.repo, "side")
    bench.write("config/a.json", {"x": 3})
    bench.commit("on the side")
    switch(bench.repo, "main")
    delete_ref(bench.repo, "branch", "side")
    for pack in (bench.root / ".mlver/packs").iterdir():
        os.utime(pack, (0, 0))
    later = bench.repo.now() + timedelta(days=100)
    with Repository.open(bench.root, actor="ana", clock=lambda: later) as repo:
        gc(repo, full=True)
        assert restore_trash(repo).packs
        taken = undo(repo)
        assert taken.undone.command == "branch --delete side"
        assert [line for line in taken.stays if "--restore" in line] == [], "it removed nothing"
        log = op_log(repo).operations
        assert [one.command for one in log if one.undone] == ["branch --delete side"]


def test_production_follows_an_undo(night: tuple) -> None:
    clinic, ids = night
    undo(clinic.repo)
    assert clinic.repo.resolve("prod") == ids["bad"] or clinic.repo.resolve("prod") == ids["v2"]
    assert served(link_of(clinic))["models/triage.joblib"] == b"the good model"
    while clinic.repo.view.stages:
        undo(clinic.repo)
    assert not os.path.lexists(link_of(clinic))


def test_a_release_that_is_gone_is_written_again_by_an_undo(night: tuple) -> None:
    clinic, ids = night
    name = clinic.repo.view.stages["prod"][""].release
    rollback(clinic.repo, "prod")
    from mlver.repo.release_store import remove

    assert remove(clinic.repo, name, lambda: True)
    undo(clinic.repo)
    assert served(link_of(clinic))["models/triage.joblib"] == b"the bad model"
    assert clinic.repo.resolve("prod") == ids["bad"]


def test_somebody_else_in_between_is_a_conflict(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from mlver.repo.repository import Repository
    from mlver.verbs import undo as verb

    other = Repository.open(bench.root, actor="ben", clock=bench.clock)

    def late(repo: Repository, command: str, change: object, **options: object) -> object:
        transact(other, "tag", lambda now: replace(now, tags={"x": now.head}))  # type: ignore[dict-item]
        return transact(repo, command, change, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(verb, "transact", late)
    with pytest.raises(Conflict):
        undo(bench.repo)
    assert bench.repo.refresh().tags


STEPS = st.lists(
    st.sampled_from(["commit", "tag", "branch", "switch", "promote", "rollback", "note", "undo", "redo", "drop"]),
    min_size=3,
    max_size=9,
)


def step(bench: Bench, name: str, number: int) -> None:
    repo = bench.repo
    if name == "commit":
        bench.write("config/a.json", {"x": f"step {number}"})
        bench.commit(f"step {number}")
    elif name in ("tag", "branch"):
        set_ref(repo, name, f"{name}-{number}")
    elif name == "switch":
        switch(repo, f"exp-{number}", create=True)
    elif name == "promote":
        promote(repo, "prod")
    elif name == "rollback":
        rollback(repo, "prod", to="HEAD~1")
    elif name == "note":
        add_note(repo, "HEAD", f"note {number}")
    elif name == "drop":
        delete_ref(repo, "tag", max(repo.view.tags, default="none"))
    elif name == "undo":
        undo(repo)
    else:
        undo(repo, str(repo.state.operation.number))


@settings(max_examples=12)
@given(steps=STEPS)
def test_any_chain_of_operations_can_be_taken_back_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("chain"))
    bench.write("config/a.json", {"x": 1})
    bench.commit("first")
    bench.write("config/a.json", {"x": 2})
    bench.commit("second")
    views = [view(bench)]  # what each step back must give, newest last
    for number, name in enumerate(steps):
        before = bench.repo.state.id
        try:
            step(bench, name, number)
        except (NegativeAnswer, UnknownRevision):
            continue
        if bench.repo.refresh() and bench.repo.state.id == before:
            continue  # nothing to do, nothing recorded
        if name == "undo" and len(views) > 1:
            views.pop()
            assert view(bench) == views[-1]
        elif name == "undo":
            return  # deeper than where this test began to look
        elif name == "redo":
            before_view = bench.repo.operation(bench.repo.state.operation.undoes).parent
            assert before_view is not None and view(bench) == encode(bench.repo.operation(before_view).view)
            return
        else:
            views.append(view(bench))
    while len(views) > 1:
        views.pop()
        undo(bench.repo)
        assert view(bench) == views[-1]
    live = bench.repo.view.stages.get("prod", {}).get("")
    link = link_of(bench)
    assert (os.readlink(link).rpartition("/")[2] if os.path.lexists(link) else None) == (live.release if live else None)
