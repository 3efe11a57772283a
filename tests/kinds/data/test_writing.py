"""Parquet written so that versions share their bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlver
from mlver.errors import LocalIO, UsageError
from mlver.store.chunking import Cutter

RNG = np.random.default_rng(11)
ROWS = 40_000
TABLE = pa.table(
    {
        "id": np.arange(ROWS) * 3,
        "x": RNG.normal(size=ROWS),
        "clinic": RNG.choice(["A", "B", "C"], ROWS),
        "name": [f"patient {n}" for n in RNG.integers(0, 10**9, ROWS)],
    }
)


def chunks(path: Path) -> dict[bytes, int]:
    data = path.read_bytes()
    pieces = [data[start:end] for start, end in Cutter().cut(memoryview(data), last=True)]
    return {piece: len(piece) for piece in pieces}


def growth(tmp_path: Path, old: pa.Table, new: pa.Table) -> int:
    for name, table in (("old", old), ("new", new)):
        mlver.write_table(table, tmp_path / name, key="id", rows=1000)
    known = chunks(tmp_path / "old")
    return sum(size for piece, size in chunks(tmp_path / "new").items() if piece not in known)


def test_the_table_comes_back_as_it_was(tmp_path: Path) -> None:
    groups = mlver.write_table(TABLE, tmp_path / "t.parquet", key="id")
    assert pq.read_table(tmp_path / "t.parquet").equals(TABLE)
    assert pq.ParquetFile(tmp_path / "t.parquet").metadata.num_row_groups == groups


def test_appended_rows_cost_themselves_and_little_more(tmp_path: Path) -> None:
    old = TABLE.slice(0, ROWS * 9 // 10)
    appended = growth(tmp_path, old, TABLE)
    sizes = [(tmp_path / name).stat().st_size for name in ("old", "new")]
    assert appended <= 1.5 * (sizes[1] - sizes[0]) + (64 << 10)  # and never more than a chunk where the old one ended


@pytest.mark.parametrize("at", [0, ROWS // 2])
def test_rows_inserted_or_removed_leave_other_groups_alone(tmp_path: Path, at: int) -> None:
    without = pa.concat_tables([TABLE.slice(0, at), TABLE.slice(at + 50)])
    whole = sum(chunks_of(tmp_path, TABLE).values())
    assert growth(tmp_path, TABLE, without) < whole / 3
    assert growth(tmp_path, without, TABLE) < whole / 3


def chunks_of(tmp_path: Path, table: pa.Table) -> dict[bytes, int]:
    mlver.write_table(table, tmp_path / "one", key="id", rows=1000)
    return chunks(tmp_path / "one")


def test_a_changed_cell_moves_no_border(tmp_path: Path) -> None:
    x = TABLE.column("x").to_numpy().copy()
    x[::500] = 0
    changed = TABLE.set_column(1, "x", pa.array(x))
    groups = []
    for table in (TABLE, changed):
        mlver.write_table(table, tmp_path / "t", key="id", rows=1000)
        metadata = pq.ParquetFile(tmp_path / "t").metadata
        groups.append([metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)])
    assert groups[0] == groups[1]


@settings(max_examples=30)
@given(st.integers(0, 3000), st.integers(4, 200))
def test_groups_hold_all_rows_and_keep_to_their_bounds(count: int, rows: int) -> None:
    from mlver.kinds.tables.writing import _borders

    ends = _borders(TABLE.slice(0, count).select(["id"]), rows)
    assert (ends[-1] if ends else 0) == count
    sizes = np.diff([0, *ends])
    assert all(size <= 4 * rows for size in sizes) and all(size >= rows // 4 for size in sizes[:-1])


def test_data_frames_and_empty_tables_are_written_too(tmp_path: Path) -> None:
    mlver.write_table(pd.DataFrame({"a": [1, 2]}), tmp_path / "p", key=["a"])
    assert pq.read_table(tmp_path / "p").column("a").to_pylist() == [1, 2]
    assert mlver.write_table(TABLE.slice(0, 0), tmp_path / "e") == 0
    assert pq.read_table(tmp_path / "e").schema.equals(TABLE.schema)


WORDS = ["A", "B", "C"] * 100


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"id": range(300), "clinic": pd.Categorical(WORDS)}),
        pl.DataFrame({"id": range(300), "clinic": WORDS}),
        pl.DataFrame({"id": range(300), "clinic": WORDS}, schema_overrides={"clinic": pl.Categorical}),
        pa.table({"id": range(300), "clinic": pa.array(WORDS).dictionary_encode()}),
        pa.table({"id": range(300), "clinic": pa.array(WORDS, pa.string_view())}),
        pa.table({"id": range(300), "clinic": pa.array([f'"{word}"' for word in WORDS], pa.json_())}),
    ],
    ids=["pandas category", "polars", "polars category", "dictionary", "string_view", "json"],
)
def test_text_is_written_however_it_is_held_in_memory(tmp_path: Path, table: Any) -> None:
    mlver.write_table(table, tmp_path / "t", key="id")
    assert [word.strip('"') for word in pq.read_table(tmp_path / "t").column("clinic").to_pylist()] == WORDS
    group = pq.ParquetFile(tmp_path / "t").metadata.row_group(0)
    assert [group.column(place).has_dictionary_page for place in range(2)] == [False, True]  # the words repeat


def test_what_makes_no_sense_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"old")
    with pytest.raises(UsageError, match="no column 'nope'"):
        mlver.write_table(TABLE, tmp_path / "t", key="nope")
    with pytest.raises(UsageError, match="too small"):
        mlver.write_table(TABLE, tmp_path / "t", rows=1)
    with pytest.raises(UsageError, match="two columns are called 'id'"):
        mlver.write_table(pa.Table.from_arrays([pa.array([1])] * 2, names=["id", "id"]), tmp_path / "t")
    with pytest.raises(UsageError, match=r"Parquet cannot hold this table: .*month_day_nano_interval"):
        mlver.write_table(pa.table({"span": pa.array([(1, 2, 3)], pa.month_day_nano_interval())}), tmp_path / "t")
    with pytest.raises(UsageError, match="a list is no table"):
        mlver.write_table([1, 2], tmp_path / "t")
    with pytest.raises(LocalIO):
        mlver.write_table(TABLE, tmp_path / "no" / "t")
    assert (tmp_path / "t").read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["t"]
