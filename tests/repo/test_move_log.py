"""The ledger from the table of moves is the ledger of all operations, whatever became of the table."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.objects.ids import OperationId
from mlver.objects.state import Live, Move
from mlver.repo import head as head_module
from mlver.repo.head import read_head, swap_head
from mlver.repo.ledger import ledger_of
from mlver.repo.move_log import recorded_moves
from mlver.repo.moves import moves
from mlver.repo.repository import Repository
from mlver.repo.transaction import transact
from tests.kit import Bench

SLOTS = [("prod", ""), ("prod", "clinic=A"), ("canary", "")]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.write("config/c.json", {"C": 1})
    bench.commit("v1")
    return bench


def move(bench: Bench, slot: tuple[str, str], reason: str | None) -> None:
    """Make HEAD live on a slot, or with no reason take the slot away."""
    head = bench.repo.view.head
    assert head is not None

    def change(view: Any) -> Any:
        stages = {stage: dict(scopes) for stage, scopes in view.stages.items()}
        scopes = stages.setdefault(slot[0], {})
        scopes.pop(slot[1], None)
        if reason is not None:
            scopes[slot[1]] = Live(head, bench.clock(), "ana", reason, "promote", evidence={"n": reason})
        return replace(view, stages={stage: scopes for stage, scopes in stages.items() if scopes})

    transact(bench.repo, "promote", change)


def join(bench: Bench, slot: tuple[str, str], number: int) -> None:
    """Record moves from elsewhere, one of them for the second time if `number` comes again."""
    seen = bench.repo.state
    head = bench.repo.view.head
    assert head is not None
    live = Live(head, bench.clock(), "bob", f"elsewhere {number}", "promote")
    joined = (Move(OperationId(bytes([number] * 32)), *slot, live, bench.clock(), "bob"),)
    view = seen.operation.view
    operation = replace(
        seen.operation,
        number=seen.operation.number + 1,
        parent=seen.id,
        joined=joined,
        view=replace(view, stages={**view.stages, slot[0]: {**view.stages.get(slot[0], {}), slot[1]: live}}),
    )
    assert swap_head(bench.repo.storage, seen, operation)
    bench.repo.state = read_head(bench.repo.storage)


def in_full(repo: Repository, stage: str | None = None) -> list[Move]:
    return list(moves(repo.operations(), stage))


STEPS = st.tuples(
    st.sampled_from(["move", "take away", "tag", "join", "ask", "forget"]), st.sampled_from(SLOTS), st.integers(1, 3)
)


@settings(max_examples=30)
@given(st.lists(STEPS, max_size=14))
def test_after_any_life_the_moves_are_those_of_all_operations(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, tuple[str, str], int]]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("life"))
    bench.write("config/c.json", {"C": 1})
    bench.commit("v1")
    for count, (step, slot, number) in enumerate(steps):
        if step in ("move", "take away"):
            move(bench, slot, f"reason {count}" if step == "move" else None)
        elif step == "tag":
            transact(bench.repo, "tag", lambda v, n=number: replace(v, tags={f"t{n}": v.branches["main"]}))  # type: ignore[misc]
        elif step == "join":
            join(bench, slot, number)
        elif step == "ask":
            recorded_moves(bench.repo)
        else:
            (bench.root / ".mlver" / "cache" / "moves.db").unlink(missing_ok=True)
    for repo in (bench.repo, bench.reopen()):
        for stage in (None, "prod", "canary", "none"):
            assert recorded_moves(repo, stage) == in_full(repo, stage)


def test_only_new_operations_are_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        move(bench, ("prod", ""), f"r{number}")
    assert len(ledger_of(bench.repo)) == 30
    read: list[OperationId] = []
    real = head_module.read_operation
    monkeypatch.setattr(head_module, "read_operation", lambda storage, id: (read.append(id), real(storage, id))[1])
    repo = bench.reopen()
    read.clear()
    assert len(ledger_of(repo)) == 30
    assert read == []
    move(bench, ("prod", ""), "one more")
    repo = bench.reopen()
    read.clear()
    assert len(ledger_of(repo)) == 31
    assert read == [repo.state.operation.parent]


def table(bench: Bench) -> Path:
    return bench.root / ".mlver" / "cache" / "moves.db"


def edited(path: Path, statement: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b"no database" * 500),
        lambda path: path.write_bytes(path.read_bytes()[:2000]),
        lambda path: path.unlink(),
        lambda path: edited(path, "DELETE FROM op WHERE number = 3"),
        lambda path: edited(path, "UPDATE op SET moves = replace(moves, 'r1', 'r9')"),
        lambda path: edited(path, "UPDATE op SET moves = x'' WHERE number = 4"),
        lambda path: edited(path, "UPDATE op SET parent = (SELECT id FROM op WHERE number = 1) WHERE number = 5"),
        lambda path: edited(path, "UPDATE op SET number = 77 WHERE number = 2"),
        lambda path: edited(path, "DROP TABLE op"),
        lambda path: edited(path, "PRAGMA user_version = 9"),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), os.symlink("/dev/full", path)),
        lambda path: (path.unlink(), os.mkfifo(path)),
    ],
)
def test_a_table_that_lies_or_cannot_be_used_changes_no_answer(bench: Bench, harm: Any) -> None:
    for number in range(6):
        move(bench, SLOTS[number % 3], f"r{number}")
    expected = ledger_of(bench.repo)
    harm(table(bench))
    assert ledger_of(bench.reopen()) == expected


def test_another_line_of_operations_shares_a_table(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    import shutil

    move(bench, ("prod", ""), "both")
    copy = tmp_path_factory.mktemp("other") / "w"
    shutil.copytree(bench.root, copy)
    other = Bench(copy)
    move(bench, ("prod", ""), "here")
    ledger_of(bench.repo)
    move(other, ("prod", ""), "there")
    shutil.copy(table(bench), table(other))
    assert [entry.live.reason for entry in ledger_of(other.repo)] == ["both", "there"]
    assert [entry.live.reason for entry in ledger_of(bench.reopen())] == ["both", "here"]
