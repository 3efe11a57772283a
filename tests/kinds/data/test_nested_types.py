"""Nested and odd Arrow types as polars, pyarrow and pyorc write them: digests, cell text, changes."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.orc as orc
import pyorc
import pytest
from sklearn.datasets import load_iris

from mlver.kinds.base import Unreadable
from mlver.kinds.tables import read as reading
from tests.kinds.data.tables import change, changed_cells, ipc_file, nothing, parquet, read

MOMENT = dt.datetime(2024, 4, 22, 2, 0, 0, 250_000)  # noqa: DTZ001 - a wall clock


def frame(price: str = "1.50", tag: str = "b") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": ["r1", "r2"],
            "cat": pl.Series(["x", "y"], dtype=pl.Categorical),
            "level": pl.Series(["low", "high"], dtype=pl.Enum(["low", "high"])),
            "price": pl.Series([Decimal(price), None], dtype=pl.Decimal(10, 2)),
            "at": pl.Series([MOMENT, None], dtype=pl.Datetime("us", "Europe/Berlin")),
            "took": pl.Series([dt.timedelta(seconds=1.5), None], dtype=pl.Duration("ms")),
            "clock": [dt.time(3, 7), None],
            "tags": [["a", tag], []],
            "pair": pl.Series([[1, 2], None], dtype=pl.Array(pl.Int8, 2)),
            "info": [{"n": 1, "deep": {"words": ["u"]}}, {"n": None, "deep": {"words": None}}],
            "raw": [b"\x00\xff", None],
            "none": pl.Series([None, None], dtype=pl.Null),
        }
    )


def written(table: pl.DataFrame, form: str) -> bytes:
    sink = io.BytesIO()
    if form == "parquet":
        table.write_parquet(sink)
    elif form == "stream":
        table.write_ipc_stream(sink)
    else:
        table.write_ipc(sink, compat_level=pl.CompatLevel.newest() if form == "views" else pl.CompatLevel.oldest())
    return sink.getvalue()


@pytest.mark.parametrize("form", ["views", "oldest", "stream"])
def test_polars_writes_one_table_in_many_types(form: str) -> None:
    old, new = read("t.parquet", written(frame(), "parquet")), read("t.arrow", written(frame(), form))
    delta = old.delta(new)
    assert not delta.added and not delta.removed
    assert all(unit.startswith("columns.") for unit in delta.changed)
    row = new.get("r1")
    assert row["price"] == "1.5" and row["tags"] == ["a", "b"] and row["pair"] == [1, 2] and row["cat"] == "x"
    assert row["info"] == {"n": 1, "deep": {"words": ["u"]}} and row["raw"] == "00ff" and row["took"] == "1.5s"
    assert row["at"].endswith("Z") and row["clock"] == "03:07:00" and row["none"] is None


def test_a_change_deep_inside_is_one_cell() -> None:
    old, new = (read("t.parquet", written(frame(tag=tag), "parquet")) for tag in "bc")
    assert changed_cells(change(old, new)[0]) == {"tags": 1}
    dearer = read("t.parquet", written(frame(price="1.51"), "parquet"))
    assert changed_cells(change(old, dearer)[0]) == {"price": 1}


@pytest.mark.parametrize(
    ("values", "one", "other"),
    [
        ([[1, None], None, []], pa.list_(pa.int64()), pa.large_list(pa.int16())),
        ([[1, None], None, [3]], pa.list_(pa.int64()), pa.list_view(pa.int64())),
        ([[1, 2], None, [3, 4]], pa.list_(pa.int64()), pa.list_(pa.int64(), 2)),
        (["a", None, "b"], pa.string(), pa.dictionary(pa.int8(), pa.string())),
        (["a", None, "b"], pa.string(), pa.string_view()),
        ([b"a", None, b""], pa.binary(), pa.large_binary()),
        ([["a"], None, ["b"]], pa.list_(pa.string()), pa.list_(pa.dictionary(pa.int8(), pa.string()))),
        ([Decimal("1.5"), None, Decimal("-2")], pa.decimal128(9, 2), pa.decimal256(40, 5)),
        ([Decimal("1.5"), None, Decimal("2")], pa.decimal128(9, 2), pa.float64()),
        ([MOMENT, None, MOMENT], pa.timestamp("us", "UTC"), pa.timestamp("ns", "Asia/Tokyo")),
        ([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64()), pa.map_(pa.large_string(), pa.int8())),
        ([{"a": 1}, None, {"a": None}], pa.struct([("a", pa.int64())]), pa.struct([("a", pa.float32())])),
        ([[{"a": [MOMENT]}], None, []],
         pa.list_(pa.struct([("a", pa.list_(pa.timestamp("us", "UTC")))])),
         pa.large_list(pa.struct([("a", pa.large_list(pa.timestamp("ns", "Asia/Tokyo")))]))),
    ],
)  # fmt: skip
def test_the_width_of_a_type_does_not_count(values: list[Any], one: pa.DataType, other: pa.DataType) -> None:
    ids = ["a", "b", "c"]
    sides = []
    for kind in (one, other):
        column = pa.array([float(v) if v and kind == pa.float64() else v for v in values], kind)
        sides.append(read("t.arrow", ipc_file(pa.table({"id": ids, "v": column}))))
    delta = sides[0].delta(sides[1])
    assert not delta.added and not delta.removed and not [unit for unit in delta.changed if unit in ids]
    if other != pa.float64():  # a decimal is text for people
        assert [sides[0].get(name)["v"] for name in ids] == [sides[1].get(name)["v"] for name in ids]


@pytest.mark.parametrize("packing", ["uncompressed", "zlib", "zstd"])
def test_orc_holds_the_same_rows_as_parquet(packing: str) -> None:
    flowers = load_iris(as_frame=True).frame
    flowers.insert(0, "row", range(len(flowers)))
    table = pa.Table.from_pandas(flowers, preserve_index=False)
    sink = io.BytesIO()
    orc.write_table(table, sink, compression=packing)
    old, new = read("t.parquet", parquet(table)), read("t.orc", sink.getvalue())
    assert nothing(old.delta(new)) and new.key == ("row",)


def test_orc_by_another_writer() -> None:
    sink = io.BytesIO()
    with pyorc.Writer(sink, "struct<id:string,n:int,tags:array<string>,at:timestamp>") as writer:
        writer.write(("a", 1, ["u", "v"], MOMENT.replace(tzinfo=dt.UTC)))
        writer.write(("b", None, [], None))
    units = read("t.orc", sink.getvalue())
    row = units.get("a")
    assert (row["n"], row["tags"]) == (1, ["u", "v"]) and row["at"].startswith("2024-04-22T02:00:00.25")
    assert units.get("b") == {"id": "b", "n": None, "tags": [], "at": None}


def test_damaged_orc_says_so() -> None:
    sink = io.BytesIO()
    orc.write_table(pa.table({"id": [1, 2]}), sink)
    data = sink.getvalue()
    for bad in (data[:-20], data[:40], b"ORC" + bytes(100), b"no" + data):
        with pytest.raises(Unreadable):
            read("t.orc", bad)


@pytest.mark.parametrize("form", ["parquet", "orc"])
def test_more_rows_than_bytes_could_mean_are_refused(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_CELLS", 1000)
    table = pa.table({"one": pa.array([7] * 2_000_000, pa.int8())})
    sink = io.BytesIO()
    if form == "orc":
        orc.write_table(table, sink, compression="zstd")
    with pytest.raises(Unreadable, match="2000000 rows in"):
        read(f"t.{form}", sink.getvalue() if form == "orc" else parquet(table))
