"""Blame of tables by what their versions differ in says what reading every version whole says."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from mlver.errors import UsageError
from mlver.kinds import data as data_kind
from mlver.kinds.tables import looked_up
from mlver.objects.commit import Commit
from mlver.objects.ids import CommitId
from mlver.objects.tree import BLOB
from mlver.repo import kept_units, touched
from mlver.repo.snapshot import Artifact
from mlver.repo.transaction import transact
from mlver.repo.treebuild import put_tree
from mlver.repo.unit_changes import UnitChanges
from mlver.repo.unit_reader import UnitReader
from mlver.verbs import blame as blame_verb
from mlver.verbs.blame import blame
from mlver.verbs.blame_result import BlamedUnit
from mlver.verbs.commit import commit
from tests.kit import START, Bench

PATH = "t.parquet"
CELLS = st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan"), None])
NAMES = ("id", "x", "y", "z", "label")

Table = dict[str, list[Any]]


def written(table: Table | None, *, texts: bool = False) -> bytes:
    """Return the bytes of a table in two row groups; None stands for bytes that are none."""
    if table is None:
        return b"PAR1 torn"
    columns = {name: [None if cell is None else f"k.{cell}" for cell in cells] if texts and name == "id" else cells
               for name, cells in table.items()}  # fmt: skip
    kinds = {name: pa.string() if texts else pa.int64() for name in table if name == "id"}
    arrays = {name: pa.array(cells, kinds.get(name, pa.float64())) for name, cells in columns.items()}
    held = io.BytesIO()
    pq.write_table(pa.table(arrays), held, row_group_size=4)
    return held.getvalue()


@st.composite
def edited(draw: st.DrawFn, table: Table | None) -> Table | None:
    """Draw what became of a table: cells, rows, the order, a column, the key; rarely bytes that are no table."""
    if table is None or "id" not in table:
        ids = draw(st.lists(st.integers(0, 9), unique=True, max_size=8))
        return {"id": list(ids), "x": [1.0] * len(ids), "y": [0.0] * len(ids)}
    new = {name: list(cells) for name, cells in table.items()}
    rows = len(new["id"])
    what = draw(st.sampled_from(["cell"] * 5 + ["add", "add", "drop", "drop", "order", "twice", "null", "column",
                                 "rename", "first", "key", "torn", "same"]))  # fmt: skip
    others = [name for name in new if name != "id"]
    at = draw(st.integers(0, max(rows - 1, 0)))
    if what == "cell" and rows and others:
        new[draw(st.sampled_from(others))][at] = draw(CELLS)
    elif what == "add":
        new["id"].append(next(n for n in draw(st.permutations(range(30))) if n not in new["id"]) if rows < 20 else None)
        for name in others:
            new[name].append(draw(CELLS))
    elif what == "drop" and rows:
        for cells in new.values():
            del cells[at]
    elif what == "order":
        order = draw(st.permutations(range(rows)))
        new = {name: [cells[n] for n in order] for name, cells in new.items()}
    elif what in ("twice", "null", "key") and rows:
        new["id"][at] = {"twice": new["id"][0], "null": None, "key": draw(st.integers(0, 30))}[what]
    elif what == "column":
        new["z"] = [draw(CELLS) for _ in range(rows)]
    elif what == "rename" and others:
        new = {("label" if name == others[-1] and "label" not in new else name): new[name] for name in new}
    elif what == "first":
        new = {name: new[name] for name in sorted(new, reverse=True)}
    elif what == "torn":
        return None
    return new


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[tuple[int, ...], Table | None]]:
    """Draw commits, each with its parents by number and its table; a merge takes each row from one side."""
    made: list[tuple[tuple[int, ...], Table | None]] = []
    for number in range(draw(st.integers(2, 7))):
        near = st.integers(max(0, number - 3), max(0, number - 1))
        parents = tuple(draw(st.lists(near, min_size=1, max_size=2, unique=True))) if number else ()
        table = made[parents[0]][1] if parents else {"id": list(range(6)), "x": [0.0] * 6, "y": [1.0] * 6}
        if len(parents) == 2 and (other := made[parents[1]][1]) and table and table.keys() == other.keys():
            table = joined(table, other)
        made.append((parents, draw(edited(table)) if number and (len(parents) < 2 or draw(st.booleans())) else table))
    return made


def joined(ours: Table, theirs: Table) -> Table:
    """Return rows of both sides, those of odd keys from the other one."""
    rows: dict[Any, tuple[Any, ...]] = {}
    for table, odd in ((ours, 0), (theirs, 1)):
        for row in zip(*table.values(), strict=True):
            key = dict(zip(table, row, strict=True))["id"]
            if key is not None and key % 2 == odd:
                rows[key] = row
    return {name: [row[n] for row in rows.values()] for n, name in enumerate(ours)}


def record(bench: Bench, history: list[tuple[tuple[int, ...], Table | None]], texts: bool, key: bool) -> list[CommitId]:
    """Store a history of one table and name its last commit `main`."""
    made: list[CommitId] = []
    with bench.repo.store.session() as session:
        toml = b'[[artifact]]\npath = "t.parquet"\nkey = ["id"]\n'
        for number, (parents, table) in enumerate(history):
            body = written(table, texts=texts)
            files = {PATH: Artifact(PATH, BLOB, "data", session.put_bytes(body), len(body))}
            if key:
                files["mlver.toml"] = Artifact("mlver.toml", BLOB, "config", session.put_bytes(toml), len(toml))
            time = START + timedelta(minutes=number)
            tree = put_tree(session, files)
            made.append(session.put_object(Commit(tree, tuple(made[p] for p in parents), "ann", time, f"{number}", {})))
        session.finish()
    transact(bench.repo, "commit", lambda view: replace(view, branches={"main": made[-1]}))
    return made


@contextmanager
def everything_is_large() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((data_kind, "_LARGE"), (kept_units, "WORTH"), (touched, "WORTH")):
            patch.setattr(module, name, 0)
        patch.setattr(blame_verb, "_ONE_PER_ROW", -1)
        yield patch


@contextmanager
def read_whole() -> Iterator[None]:
    """Have every version read whole, and looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UnitReader, "few", UnitReader.units)
        patch.setattr(UnitReader, "readable", lambda self, id: self.units(id) is not None)
        patch.setattr(UnitChanges, "touching", lambda self, units: iter(self.commits()))
        yield


def told(bench: Bench, unit: str, column: str | None = None) -> str:
    try:
        return repr(blame(bench.repo, f"{PATH}#{unit}", rev="main", column=column).units)
    except UsageError as error:
        return f"{error}"


def by_name(units: tuple[BlamedUnit, ...]) -> dict[str, str]:
    return {unit.unit: repr(unit) for unit in units if unit.unit is not None}


@settings(max_examples=10, deadline=None)
@given(histories(), st.booleans(), st.booleans())
def test_by_differences_and_by_reading_all_the_answers_are_the_same(history: Any, texts: bool, key: bool) -> None:
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        record(bench, history, texts, key)
        units = [*(f"k.{n}" if texts else f"{n}" for n in (1, 3, 8)), "columns.x", "k"]
        asked = [(unit, column) for unit in units for column in (None, "x")]
        with read_whole():
            expected = [told(bench, *one) for one in asked]
            whole = blame(bench.repo, PATH, rev="main", limit=10_000).units
        with everything_is_large():
            for _ in ("first", "looked up"):
                assert [told(bench, *one) for one in asked] == expected
                bench.reopen()
            try:
                fast = blame(bench.repo, PATH, rev="main", limit=10_000).units
            except UsageError as error:
                event("as a whole it is refused")
                assert "names its rows in another way" in error.message
                return
        named, all_named = by_name(fast), by_name(whole)
        assert named == {name: said for name, said in all_named.items() if name in named}
        rest = Counter((unit.commit, unit.change) for unit in whole if unit.unit is not None and unit.unit not in named)
        counted = {(unit.commit, unit.change): unit.count for unit in fast if unit.unit is None}
        assert counted == (rest if all_named else {(whole[0].commit, "changed"): 1})


@pytest.fixture
def large(tmp_path: Path) -> Bench:
    """A table of a megabyte and more, whose versions 1, 2 and 3 change a few cells; no answer is kept."""
    bench = Bench(tmp_path)
    rng = np.random.default_rng(2)
    columns = {"id": np.arange(90_000), "x": rng.normal(size=90_000), "y": rng.normal(size=90_000)}
    for version in range(4):
        if version:
            columns["x"][[version, 50_000]] += 1
        pq.write_table(pa.table(columns), bench.root / PATH, row_group_size=20_000)
        commit(bench.repo, f"v{version}")
    bench.reopen()
    return bench


def messages(units: tuple[BlamedUnit, ...]) -> list[tuple[str | None, str, int]]:
    return [(unit.unit, unit.message, unit.count) for unit in units]


def test_a_large_table_is_counted_by_commit_and_what_changed_is_named(large: Bench) -> None:
    assert messages(blame(large.repo, PATH).units) == [
        ("3", "v3", 1),
        ("50000", "v3", 1),
        ("2", "v2", 1),
        ("1", "v1", 1),
        (None, "v0", 89_996),
        ("columns.id", "v0", 1),
        ("columns.x", "v0", 1),
        ("columns.y", "v0", 1),
    ]
    few = blame(large.repo, PATH, limit=4)
    assert few.truncated
    assert messages(few.units) == [(None, "v3", 2), (None, "v2", 1), (None, "v1", 1), (None, "v0", 89_996)]


def test_a_row_is_looked_up_only_where_it_changed_and_never_again(
    large: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_kind.DataKind, "units", None)  # read whole it is never
    looked: list[int] = []
    real = looked_up.LookedUp.get_all

    def counted(self: Any, keys: Any) -> Any:
        looked.append(len(keys))
        return real(self, keys)

    monkeypatch.setattr(looked_up.LookedUp, "get_all", counted)
    assert [unit.message for unit in blame(large.repo, f"{PATH}#2").units] == ["v2", "v0"]
    assert len(looked) == 4  # at HEAD, in v2 and before it, in v0
    monkeypatch.setattr(looked_up, "LookedUp", None)
    monkeypatch.setattr(data_kind.DataKind, "apart", None)
    assert [unit.message for unit in blame(large.reopen(), f"{PATH}#2").units] == ["v2", "v0"]


def test_commit_has_found_out_for_blame_what_changed(large: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_kind.DataKind, "apart", None)
    assert [unit.message for unit in blame(large.repo, f"{PATH}#50000").units] == ["v3", "v2", "v1", "v0"]
    assert len(blame(large.repo, PATH).units) == 8


def test_too_many_rows_are_refused_in_a_line_with_what_to_ask_instead(
    large: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(touched, "MANY", 1)

    monkeypatch.setattr(kept_units, "_VERSION", 99)
    with pytest.raises(UsageError, match=r"t\.parquet as a whole: commit \w+ touched 2 rows") as error:
        blame(large.repo, PATH)
    assert error.value.hint == f"mlver blame '{PATH}#ROW' for one row, or mlver log {PATH}"
    assert [unit.message for unit in blame(large.repo, f"{PATH}#2").units] == ["v2", "v0"]
