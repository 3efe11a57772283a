"""The commit graph and the changes of paths: any history, any state of the cache, the answers of reading it all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.index import paths
from mlver.objects.ids import CommitId
from mlver.repo.history import ancestors, walk
from mlver.repo.repository import Repository
from mlver.repo.snapshot import changed_paths
from mlver.verbs.blame import blame
from mlver.verbs.log import log
from mlver.verbs.status import status
from tests.kit import Bench
from tests.repo.history_lines import Step, before, content, line, record

PATHS = ("a.json", "deep/b.json", "deep/c.json")


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Histories with forks, merges, several roots and clocks that go wrong."""
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 14))):
        most = min(number, 3)
        parents = draw(st.lists(st.integers(max(0, number - 5), max(0, number - 1)), max_size=most, unique=True))
        files = {
            path: {"k": draw(st.integers(0, 2)), "l": draw(st.integers(0, 1))}
            for path in PATHS
            if draw(st.integers(0, 4))
        }
        tickets = ("T-1",) if draw(st.booleans()) else ()
        steps.append(Step(tuple(parents), draw(st.integers(0, 8)), files or {"a.json": {"k": 0}}, tickets))
    return steps


@settings(max_examples=25, deadline=None)
@given(steps=histories(), later=histories())
def test_any_history_is_told_as_by_reading_all_of_it(steps: list[Step], later: list[Step]) -> None:
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        made = record(bench, steps)
        _told_right(bench.repo, made)
        far = len(made)
        more = [Step(tuple(one + far for one in step.parents) or (far - 1,), 9, step.files) for step in later]
        made = record(bench, more, made)  # what is new is taken in beside what is known
        _told_right(bench.repo, made)
        bench.repo.close()


def _told_right(repo: Repository, made: list[CommitId]) -> None:
    for head in made[-3:]:
        truth = before(repo, head)
        reached = repo.graph.reach([head])
        assert len(reached) == len(truth)
        assert reached.members() == truth == set(ancestors(repo, [head]))
        assert set(reached.among(made)) == truth
        other = made[len(made) // 2]
        beyond = truth - before(repo, other)
        assert reached.beyond(repo.graph.reach([other])) == len(beyond)
        order = [id for id, _ in walk(repo, [head])]
        assert [id for id, _ in walk(repo, [head], [other])] == [id for id in order if id in beyond]
        assert sorted(order) == sorted(truth)
        for at, id in enumerate(order):
            assert not set(order[:at]) & set(repo.commit(id).parents), "a parent came before its child"
        assert reached.among(truth) == order
        said = {id for id in truth if "T-1" in repo.commit(id).trailers.get("ticket", ())}
        assert set(reached.naming("ticket", "T-1")) == said
    for path in (*PATHS, "deep", "*.json"):
        assert [commit.id for commit in log(repo, paths=[path]).commits] == _touching(repo, path)
    _blamed_right(repo, made[-1])


def _touching(repo: Repository, pattern: str) -> list[CommitId]:
    assert repo.view.head is not None
    wanted = {"deep": PATHS[1:], "*.json": PATHS}.get(pattern, (pattern,))
    found = []
    for id, commit in walk(repo, [repo.view.head]):
        parent = repo.commit(commit.parents[0]).tree if commit.parents else None
        if any(path in wanted for path, _, _ in changed_paths(repo.store, parent, commit.tree)):
            found.append(id)
    return found


def _blamed_right(repo: Repository, head: CommitId) -> None:
    """The history of a key is every commit that made it other than each of its parents has it."""

    def value(id: CommitId) -> object:
        config = content(repo, id, "a.json")
        return config.get("k") if isinstance(config, dict) else None

    truth = []
    for id, commit in walk(repo, [head]):
        if all(value(parent) != value(id) for parent in commit.parents) and (commit.parents or value(id) is not None):
            truth.append(id)
    if truth:
        for _ in range(2):  # with what was learned the first time, too
            assert [unit.commit for unit in blame(repo, "a.json#k", rev=str(head)).units] == truth


@pytest.fixture
def long(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    record(bench, line(60))
    bench.repo.close()
    return bench


def _answers(bench: Bench) -> list[object]:
    repo = bench.reopen()
    found: list[object] = [
        log(repo, limit=7),
        log(repo, brief=True),
        log(repo, paths=["cold.json"]),
        blame(repo, "hot.json#old"),
        blame(repo, "hot.json#late"),
        blame(repo, "hot.json#n", limit=5),
        blame(repo, "cold.json"),
        blame(repo, "HEAD"),
        status(repo).stages,
    ]
    repo.close()
    return found


def _rows(statement: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db, db:
            assert db.execute(statement).rowcount > 0

    return spoil


SPOILT: dict[str, Callable[[Path], None]] = {
    "deleted": Path.unlink,
    "empty": lambda path: path.write_bytes(b"") and None,
    "garbage": lambda path: path.write_bytes(b"no database " * 999) and None,
    "torn": lambda path: path.write_bytes(path.read_bytes()[:9000]) and None,
    "a commit lost": _rows("DELETE FROM node WHERE number = 40"),
    "an old commit lost": _rows("DELETE FROM node WHERE number = 1"),
    "a commit elsewhere": _rows("UPDATE node SET place = place + 1000 WHERE number = 60"),
    "a parent flipped": _rows("UPDATE node SET parents = zeroblob(32) WHERE number = 55"),
    "a change lost": _rows("DELETE FROM change WHERE nth = 3"),
    "the last change lost": _rows("DELETE FROM change WHERE node = 60"),
    "a change flipped": _rows("UPDATE change SET new = zeroblob(32) WHERE nth = 5"),
    "marks flipped": _rows("UPDATE touched SET keys = x'00000000'"),
    "marks lost": _rows("DELETE FROM touched WHERE nth > 20"),
    "another shape": _rows("ALTER TABLE node RENAME COLUMN rank TO grade"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_table_changes_no_answer(long: Bench, how: str) -> None:
    table = long.root / ".mlver" / "cache" / "graph.db"
    told = _answers(long)
    assert _answers(long) == told
    try:
        SPOILT[how](table)
    except AssertionError:
        assert how == "another shape"  # no row is counted
    assert _answers(long) == told


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_table_changes_no_answer(long: Bench) -> None:
    told = _answers(long)
    cache = long.root / ".mlver" / "cache"
    (cache / "graph.db").unlink()
    cache.chmod(0o500)
    try:
        assert _answers(long) == told
    finally:
        cache.chmod(0o700)


def test_a_table_held_by_another_process_changes_no_answer(long: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlver.index.cache_file._PATIENCE", 0.01)
    told = _answers(long)
    record(long, [Step((0,), 100, {"hot.json": {"n": -1}})], [long.reopen().view.head])  # type: ignore[list-item]
    long.repo.close()
    with closing(sqlite3.connect(long.root / ".mlver" / "cache" / "graph.db", isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        held = _answers(long)
    assert held == _answers(long) != told


@pytest.mark.parametrize("at", range(4))
def test_a_table_that_is_lost_between_two_questions_is_asked_again(
    long: Bench, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    graph, head = long.repo.graph, long.reopen().view.head
    assert head is not None
    every = sorted(ancestors(long.repo, [head]))

    def ask() -> list[object]:
        reached, older = graph.reach([head]), graph.reach([every[7]])
        return [
            sorted(reached.members()),
            len(reached),
            reached.beyond(older),
            older.among(every),
            reached.among(every),
        ]

    graph.table.close()
    told, real, left = ask(), graph.table.attempt, iter(range(100))

    def losing(work: Callable[[sqlite3.Connection], object]) -> object:
        if next(left) == at:
            graph.table.file.give_up(damaged=False)
        return real(work)

    monkeypatch.setattr(graph.table, "attempt", losing)
    assert told[0] == every and ask() == told


def test_a_commit_too_wide_to_be_listed_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    monkeypatch.setattr(paths, "WIDEST", 1)
    made = record(bench, line(30))
    assert [one.id for one in log(bench.repo, paths=["cold.json"]).commits] == [made[20], made[10], made[0]]
    assert [one.id for one in log(bench.repo, paths=["c*.json"]).commits] == [made[20], made[10], made[0]]
    assert len(log(bench.repo, paths=[""]).commits) == 30
    wide = _answers(bench)
    monkeypatch.undo()
    (tmp_path / ".mlver" / "cache" / "graph.db").unlink()
    assert wide == _answers(bench)
