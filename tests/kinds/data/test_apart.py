"""Two versions compared piece by piece say what they say when both are read whole."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes

from mlver.kinds.base import Spec, Unreadable
from mlver.kinds.data import DataKind
from mlver.kinds.tables import apart as module
from mlver.kinds.tables.apart import ReadWhole, units_apart
from mlver.kinds.tables.comparison import compare_tables
from mlver.kinds.tables.pair import TableDelta
from mlver.kinds.tables.units import TableUnits
from tests.kinds.byte_source import ByteSource

KEYED = Spec(key=("id",))


def parquet(table: pa.Table, group: int = 7) -> ByteSource:
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=group)
    return ByteSource("t.parquet", out.getvalue())


def arrow(table: pa.Table, batch: int = 5) -> ByteSource:
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch)
    return ByteSource("t.arrow", out.getvalue())


def said(old: TableUnits, new: TableUnits) -> tuple[Any, ...]:
    delta = old.delta(new)
    assert isinstance(delta, TableDelta)
    compared = compare_tables(old, new, delta)
    rows = {key: (str(old.get(key)), str(new.get(key))) for key in (*delta.added, *delta.removed, *delta.changed)}
    return list(delta.added), list(delta.removed), list(delta.changed), rows, compared


def both_ways(old: pa.Table, new: pa.Table, spec: Spec = KEYED) -> None:
    whole = said(TableUnits(old.combine_chunks(), spec.key), TableUnits(new.combine_chunks(), spec.key))
    for write in (parquet, arrow):
        assert said(*units_apart(write(old), write(new), (spec, spec))) == whole


CELL = {
    "n": st.one_of(st.none(), st.integers(-2, 2)),
    "x": st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf])),
    "t": st.one_of(st.none(), st.sampled_from(["", "a", "b", "null"])),
    "l": st.one_of(st.none(), st.lists(st.integers(0, 1), max_size=2)),
}
SCHEMA = pa.schema(
    [("id", pa.int64()), ("n", pa.int16()), ("x", pa.float64()), ("t", pa.string()), ("l", pa.list_(pa.int8()))]
)
ROW = st.fixed_dictionaries(CELL)


@settings(max_examples=50)
@given(st.dictionaries(st.integers(0, 40), ROW, max_size=30), st.data())
def test_pieces_say_what_the_whole_says(before: dict[int, dict[str, Any]], data: st.DataObject) -> None:
    edits = data.draw(st.dictionaries(st.integers(0, 40), st.one_of(st.none(), ROW), max_size=10))
    after = {key: row for key, row in {**before, **edits}.items() if row is not None}
    keys = data.draw(st.permutations(list(after))) if data.draw(st.booleans()) else sorted(after)
    old = pa.Table.from_pylist([{"id": key, **row} for key, row in before.items()], schema=SCHEMA)
    new = pa.Table.from_pylist([{"id": key, **after[key]} for key in keys], schema=SCHEMA)
    both_ways(old, new)


def test_real_rows_with_a_column_more_and_a_type_changed() -> None:
    data = load_diabetes()
    columns = {"id": np.arange(442), **dict(zip(data.feature_names, data.data.T, strict=True)), "y": data.target}
    old = pa.table(columns)
    new = old.set_column(11, "y", old.column("y").cast(pa.int32())).append_column("z", pa.nulls(442, pa.string()))
    both_ways(old, new.slice(10).take(pa.array(np.random.default_rng(2).permutation(432))))


def test_keys_that_repeat_or_are_missing_are_left_to_the_whole() -> None:
    sound = pa.table({"id": [1, 2, 3], "x": [1, 1, 1]})
    for ids in ([1, 1, 3], [1, None, 3]):
        odd = parquet(pa.table({"id": ids, "x": [1, 1, 1]}))
        with pytest.raises(ReadWhole):
            units_apart(parquet(sound), odd, (Spec(), Spec()))
    with pytest.raises(ReadWhole):  # a number that is no name
        units_apart(parquet(pa.table({"x": [0.5]})), parquet(pa.table({"x": [1.5]})), (Spec(), Spec()))


def test_a_key_that_repeats_far_apart_is_noticed() -> None:
    ids = [*range(100, 200), 100]
    table = parquet(pa.table({"id": ids, "x": [0] * 101}), group=10)
    with pytest.raises(ReadWhole):
        units_apart(table, table, (Spec(), Spec()))


def test_another_order_of_many_rows_is_left_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ALONE", 50)
    table = pa.table({"id": range(1000), "x": range(1000)})
    turned = table.take(pa.array(range(999, -1, -1)))
    with pytest.raises(ReadWhole):
        units_apart(arrow(table, 10), arrow(turned, 10), (Spec(), Spec()))
    both_ways(table, table.slice(0, 700))  # rows that went are not another order


def test_the_kind_uses_it_for_large_files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = (parquet(pa.table({"id": range(9), "x": [x] * 9})) for x in (1, 2))
    assert DataKind().apart(old, new, (Spec(), Spec())) is None
    monkeypatch.setattr("mlver.kinds.data._LARGE", 10)
    found = DataKind().apart(old, new, (Spec(), Spec()))
    assert found is not None and len(list(found[0].delta(found[1]).changed)) == 9
    assert DataKind().apart(old, ByteSource("t.csv", b"id,x\n1,2\n" * 99), (Spec(), Spec())) is None


def test_a_file_cut_short_is_unreadable_and_not_shorter() -> None:
    table = pa.table({"id": range(5000), "x": np.random.default_rng(1).random(5000)})
    whole, cut = parquet(table, 500), parquet(table, 500)
    broken = bytearray(cut.data)
    broken[2000:2600] = bytes(600)
    with pytest.raises(Unreadable):
        units_apart(whole, ByteSource("t.parquet", bytes(broken)), (Spec(), Spec()))
