"""Two versions compared piece by piece say what they say when both are read whole."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes

from mlver.kinds.base import Spec, Unreadable
from mlver.kinds.data import DataKind
from mlver.kinds.tables import apart as module
from mlver.kinds.tables import meeting
from mlver.kinds.tables.apart import ReadWhole, units_apart
from mlver.kinds.tables.comparison import compare_tables
from mlver.kinds.tables.meeting import one_piece
from mlver.kinds.tables.pair import TableDelta
from mlver.kinds.tables.same_groups import same_groups
from mlver.kinds.tables.units import TableUnits
from mlver.kinds.tables.values import logical
from tests.kinds.byte_source import ByteSource

KEYED = Spec(key=("id",))


def parquet(table: pa.Table, group: int = 7, **way: Any) -> ByteSource:
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=group, **way)
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


WORDS = ["", "a", "b", "null", "ä", "a long word that is a category all the same"]


def cells_of_every_sort(rows: int, seed: int) -> pa.Table:
    """A table in which each column has nulls, and values of which the bytes say less than the meaning or more."""
    rng = np.random.default_rng(seed)
    odd = np.array([0x7FF8000000000000, 0x7FF8000000000001, 0xFFF8000000000000], dtype=np.uint64).view(np.float64)
    floats = rng.choice(np.concatenate([odd, [0.0, -0.0, 1.0, np.inf]]), rows)
    words = rng.choice(np.array(WORDS, dtype=object), rows)
    long = np.array([f"{number:060}" for number in rng.integers(0, 50, rows)], dtype=object)

    def some(values: Any, kind: Any) -> pa.Array:
        return pa.array(values, kind, mask=rng.random(rows) < 0.2)

    return pa.table(
        {
            "id": pa.array(np.arange(rows) * 3 - 50, pa.int64()),
            "n": some(rng.integers(-2, 3, rows), pa.int16()),
            "big": some(rng.integers(2**63, 2**63 + 2, rows, dtype=np.uint64), pa.uint64()),
            "x": some(floats, pa.float64()),
            "f": some(rng.choice([0.0, -0.0, 1.5], rows).astype(np.float32), pa.float32()),
            "yes": some(rng.random(rows) < 0.5, pa.bool_()),
            "at": some(rng.integers(0, 3, rows) * 1_500_000, pa.timestamp("us", "UTC")),
            "day": some(rng.integers(0, 3, rows).astype(np.int32), pa.date32()),
            "sum": some(rng.integers(0, 3, rows).astype(np.float64), pa.float64()).cast(pa.decimal128(9, 2)),
            "word": some(words, pa.string()),
            "long": some(long, pa.large_string()),
            "raw": some(words, pa.string()).cast(pa.binary()),
            "sort": some(words, pa.string()).dictionary_encode(),
            "list": pa.array([None if n == 0 else [int(n)] * int(n) for n in rng.integers(0, 3, rows)]),
        }
    )


@settings(max_examples=40)
@given(st.data())
def test_words_numbers_and_arrays_say_what_digests_say(data: st.DataObject) -> None:
    rows, seed = data.draw(st.integers(0, 120)), data.draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    old = cells_of_every_sort(rows, seed)
    other = cells_of_every_sort(rows, seed + 1)  # of which a few cells come into the new version
    share = data.draw(st.sampled_from([0.0, 0.01, 0.2, 1.0]))
    columns = [old.column(0)]
    for name in old.column_names[1:]:
        take = np.arange(rows) + np.where(rng.random(rows) < share, rows, 0)
        both = pa.concat_arrays([one_piece(side.column(name).cast(kind(old, name))) for side in (old, other)])
        columns.append(both.take(pa.array(take)).cast(old.schema.field(name).type))
    new = pa.table(columns, names=old.column_names)
    new = new.filter(pa.array(rng.random(rows) >= data.draw(st.sampled_from([0.0, 0.02, 0.5]))))
    old = old.filter(pa.array(rng.random(rows) >= data.draw(st.sampled_from([0.0, 0.02]))))
    if data.draw(st.booleans()):
        new = new.take(pa.array(rng.permutation(new.num_rows)))
    ways = [data.draw(st.fixed_dictionaries(WAYS)) for _ in range(2)]
    sources = []
    for table, way in zip((old, new), ways, strict=True):
        out = io.BytesIO()
        pq.write_table(table, out, **way)
        sources.append(ByteSource("t.parquet", out.getvalue()))
    whole = said(TableUnits(old.combine_chunks(), ("id",)), TableUnits(new.combine_chunks(), ("id",)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS", data.draw(st.sampled_from([5, 32, 1000])))
        patch.setattr(module, "_LOOKED_AT", 10_000)
        patch.setattr(meeting, "_RUNS", data.draw(st.sampled_from([0, 3, 64])))
        patch.setattr(meeting, "_WORDS", data.draw(st.sampled_from([2, 1000])))
        assert said(*units_apart(sources[0], sources[1], (KEYED, KEYED))) == whole


WAYS = {
    "row_group_size": st.sampled_from([7, 64, 1000]),
    "use_dictionary": st.sampled_from([True, False, ["word", "x"]]),
    "dictionary_pagesize_limit": st.sampled_from([16, 1 << 20]),
    "data_page_size": st.sampled_from([64, 1 << 20]),
}


def kind(table: pa.Table, name: str) -> pa.DataType:
    return logical(table.schema.field(name).type)


def test_keys_that_fall_late_are_followed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS", 8)
    ids = [*range(0, 300, 3), 7, 4, *range(300, 400)]
    old = pa.table({"id": ids, "x": [n % 5 for n in ids]})
    others = [*ids[:40], *ids[45:100], 13, *ids[100:], 127]
    new = pa.table({"id": others, "x": [4, *(n % 5 for n in others[1:])]})
    both_ways(old, new)
    again = pa.table({"id": [*ids, 27], "x": [0] * (len(ids) + 1)})
    with pytest.raises(ReadWhole):  # the last is there already, among the first that rose
        units_apart(parquet(old), parquet(again), (KEYED, KEYED))


def test_rows_that_wait_do_not_pile_up_where_keys_rise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS", 8)
    waited: list[int] = []
    settle = module._Side.settle
    monkeypatch.setattr(module._Side, "settle", lambda side, *a: (settle(side, *a), waited.append(side.waiting)))
    table = pa.table({"id": range(2000), "x": [0] * 2000})
    found = units_apart(
        parquet(table, 100), parquet(table.filter(pc.not_equal(pc.bit_wise_and(table["id"], 7), 3)), 90), (KEYED, KEYED)
    )
    assert len(found[0].delta(found[1]).removed) == 250 and max(waited) < 60


def test_row_groups_of_the_same_bytes_are_known_by_their_keys_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    table = cells_of_every_sort(500, 3)
    read: list[tuple[int, int]] = []
    add = module._Side._add
    monkeypatch.setattr(module._Side, "_add", lambda side, piece: read.append(piece.shape) or add(side, piece))
    new = pa.concat_tables([table.slice(100, 100), table.slice(0, 100), table.slice(200, 50), table.slice(251)])
    sources = parquet(table, 100), parquet(new, 100)
    assert same_groups(*sources) == ({0, 1}, {0, 1})
    found = units_apart(*sources, (KEYED, KEYED))
    assert said(*found) == said(TableUnits(table, ("id",)), TableUnits(new.combine_chunks(), ("id",)))
    assert sorted(read) == sorted([(100, 1)] * 4 + [(100, 14)] * 5 + [(99, 14)])
    twice = pa.concat_tables([table.slice(0, 200), table.slice(0, 100), table.slice(300)])
    with pytest.raises(ReadWhole):  # a key of a group that was not looked at comes again
        units_apart(sources[0], parquet(twice, 100), (KEYED, KEYED))


def test_groups_that_only_look_alike_are_read() -> None:
    tables = [pa.table({"id": range(200), "x": pa.array([n % 7 + m for n in range(200)], pa.int64())}) for m in (0, 1)]
    old, new = (parquet(table, 100, compression="none", use_dictionary=False) for table in tables)
    assert old.size == new.size and same_groups(old, new) == (set(), set())
    both_ways(*tables)
    other = tables[0].set_column(1, "x", tables[0].column("x").cast(pa.timestamp("us")))
    assert same_groups(old, parquet(other, 100, compression="none", use_dictionary=False)) == (
        set(),
        set(),
    )  # the same bytes, of another type
    assert same_groups(old, arrow(tables[0])) == (set(), set())
    with pytest.raises(Unreadable):
        same_groups(old, ByteSource("t.parquet", old.data[:-20] + bytes(20)))


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


def test_keys_that_repeat_in_another_order_are_noticed_as_well() -> None:
    ids = [n % 90 for n in range(100)]
    turned = np.random.default_rng(1).permutation(ids)
    old, new = (parquet(pa.table({"id": numbers, "x": range(100)}), group=100) for numbers in (ids, turned))
    with pytest.raises(ReadWhole):
        units_apart(old, new, (Spec(), Spec()))


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
