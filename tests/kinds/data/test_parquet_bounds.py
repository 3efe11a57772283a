"""What a Parquet file unfolds to is told without unfolding it, and cheaply where it is little."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlver.kinds.base import Spec, Unreadable
from mlver.kinds.data import DataKind
from mlver.kinds.tables import parquet_bounds
from mlver.kinds.tables.units import TableUnits
from tests.kinds.byte_source import ByteSource


def written(words: list[str], rows: int) -> ByteSource:
    codes = pa.array([n % len(words) for n in range(rows)], pa.int32())
    table = pa.table({"w": pa.DictionaryArray.from_arrays(codes, pa.array(words))})
    out = io.BytesIO()
    pq.write_table(table, out, store_schema=False, row_group_size=rows // 2)
    return ByteSource("t.parquet", out.getvalue())


@pytest.mark.parametrize("words", [["x" * 100_000], ["a", "x" * 100_000], ["x" * 100_000, "b", "c"]])
def test_long_words_that_many_rows_name_are_refused(words: list[str]) -> None:
    with pytest.raises(Unreadable, match="repeats long words"):
        DataKind().units(written(words, 40_000), Spec())


def test_a_long_word_that_few_rows_name_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    units = DataKind().units(written(["a", "x" * 100_000], 20), Spec())
    assert isinstance(units, TableUnits) and units.table.num_rows == 20


def test_short_words_are_bounded_by_a_look_at_the_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda *a, **k: read.append(1) or real(*a, **k))
    source = written([f"word {n}" for n in range(50_000)], 400_000)
    with source.open() as stream:
        file = pq.ParquetFile(stream)
        assert parquet_bounds._at_most(file.metadata.row_group(0).column(0)) > 1 << 32
        parquet_bounds.refuse_unfolding(file, stream)
    assert read == []
