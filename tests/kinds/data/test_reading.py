"""Every format gives the same rows; what is no table says why in a few words."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import math
import random
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from mlver.kinds.base import MISSING, Spec, Unreadable
from mlver.kinds.tables.read import read_rows
from tests.kinds.byte_source import source
from tests.kinds.data.tables import KIND, change, feather_file, ipc_file, ipc_stream, jsonl, nothing, parquet, read

SETS = {"cancer": load_breast_cancer, "diabetes": load_diabetes, "iris": load_iris, "wine": load_wine}
SMALL = pa.table({"id": ["a", "b", "c"], "n": [1, 2, None], "x": [0.5, math.nan, 2.0]})


@pytest.mark.parametrize("name", SETS)
def test_all_formats_hold_the_same_rows(name: str) -> None:
    frame = SETS[name](as_frame=True).frame
    frame.insert(0, "row", [f"r{number}" for number in range(len(frame))])
    table = pa.Table.from_pandas(frame, preserve_index=False)
    old = read("t.parquet", parquet(table))
    others = [
        read("t.parquet", parquet(table, compression="gzip", row_group_size=50)),
        read("t.csv", frame.to_csv(index=False)),
        read("t.csv.gz", gzip.compress(frame.to_csv(index=False).encode())),
        read("t.tsv", frame.to_csv(index=False, sep="\t")),
        read("t.csv", frame.to_csv(index=False, sep=";")),
        read("t.jsonl", jsonl(frame.to_dict("records"))),
        read("t.json", json.dumps(frame.to_dict("records"))),
        read("t.feather", feather_file(table)),
        read("t.arrow", ipc_file(table)),
        read("t.arrow", ipc_stream(table)),
    ]
    assert old.key == ("row",)
    for other in others:
        delta = old.delta(other)
        assert not delta.added and not delta.removed
        # A text format has no type of its own: a column of whole numbers is int64 there.
        assert all(unit.startswith("columns.") and other.get(unit) == "int64" for unit in delta.changed)
        assert len(other) == len(frame) + len(frame.columns)


def test_values_come_out_plain() -> None:
    moment = dt.datetime(2024, 4, 22, 2, 0, 0, 500_000, tzinfo=dt.UTC)
    table = pa.table(
        {
            "id": [1],
            "nan": pa.array([math.nan], pa.float32()),
            "none": pa.array([None], pa.int64()),
            "at": pa.array([moment], pa.timestamp("ns", "Europe/Berlin")),
            "wall": pa.array([moment.replace(tzinfo=None, microsecond=0)], pa.timestamp("us")),
            "day": [dt.date(2024, 4, 22)],
            "clock": pa.array([dt.time(2, 0, 1)], pa.time64("us")),
            "took": pa.array([dt.timedelta(seconds=90, milliseconds=500)], pa.duration("ms")),
            "price": [Decimal("1.50")],
            "raw": [b"\x00\xff"],
            "list": [[1, None]],
            "record": [{"a": [{"b": b"\x01"}]}],
            "word": pa.array(["x"]).dictionary_encode(),
        }
    )
    units = read("t.parquet", parquet(table))
    row = units.get("1")
    assert math.isnan(row.pop("nan"))
    assert row == {
        "id": 1,
        "none": None,
        "at": "2024-04-22T02:00:00.5Z",
        "wall": "2024-04-22T02:00:00",
        "day": "2024-04-22",
        "clock": "02:00:01",
        "took": "90.5s",
        "price": "1.5",
        "raw": "00ff",
        "list": [1, None],
        "record": {"a": [{"b": "01"}]},
        "word": "x",
    }
    assert units.get("columns.nan") == "float32" and units.get("columns.word") == "string"
    assert units.get("2") is MISSING and units.get("columns.other") is MISSING and units.get("1.0") is MISSING


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a,b\n1,2\n", ["a", "b"]),
        ("a;b\n1;2,5\n", ["a", "b"]),
        ("a\tb\n1\tx,y\n", ["a", "b"]),
        ("a|b\n1|2\n", ["a", "b"]),
        ("a\nx\n", ["a"]),
        (",a\n0,5\n", ["column 1", "a"]),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", ["column 1", "column 2", "column 3"]),
        ('"a,b",c\n"1\n2",3\n', ["a,b", "c"]),
        ("\ufeffa,b\n1,2", ["a", "b"]),
        ("a,b\r\n1,2\r\n", ["a", "b"]),
    ],
)
def test_delimiter_and_header_are_found(text: str, columns: list[str]) -> None:
    assert read("t.csv", text).table.column_names == columns


def test_delimiter_and_header_can_be_stated() -> None:
    assert read("t.csv", "a:b\n1:2\n", delimiter=":").table.column_names == ["a", "b"]
    assert read("t.csv", "a,b\nc,d\n", header=False).table.num_rows == 2
    with pytest.raises(Unreadable, match="delimiter"):
        read("t.csv", "a,b\n", delimiter="::")


def test_a_line_break_inside_quotes_is_part_of_the_value() -> None:
    units = read("t.csv", 'id,note\n1,"two\nlines, ""quoted"""\n2,\n')
    assert units.get("1")["note"] == 'two\nlines, "quoted"' and units.get("2")["note"] is None


def test_digits_are_never_lost() -> None:
    text = "id,zip,big,long\n1,01234,9007199254740993,12345678901234567890\n2,99999,1.5,1\n"
    row = read("t.csv", text).get("1")
    assert row == {"id": 1, "zip": "01234", "big": "9007199254740993", "long": "12345678901234567890"}
    line = '{"id":1,"n":12345678901234567890}\n{"id":2,"n":12345678901234567891}\n'
    units = read("t.jsonl", line)
    assert units.get("1") != units.get("2") and units.get("1")["n"] == "12345678901234567890"


def test_nan_and_nothing_are_two_things_in_csv() -> None:
    units = read("t.csv", "id,x\n1,NaN\n2,\n3,NA\n4,1.5\n")
    assert math.isnan(units.get("1")["x"])
    assert [units.get(key)["x"] for key in "234"] == [None, None, 1.5]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8"])
def test_other_encodings_are_read(encoding: str) -> None:
    units = read("t.csv", "größe,ort\n1,Zürich\n2,Genève\n".encode(encoding))
    assert units.get("1") == {"größe": 1, "ort": "Zürich"}


def test_json_of_mixed_types_is_kept_as_text() -> None:
    units = read("t.jsonl", '{"id":1,"v":1,"at":"2024-01-01"}\n{"id":2,"v":"x"}\n{"id":3,"v":{"b":2,"a":1}}\n')
    assert [units.get(key)["v"] for key in "123"] == ["1", "x", '{"a": 1, "b": 2}']
    assert units.get("1")["at"] == "2024-01-01"


def test_a_text_that_looks_like_a_time_stays_text_in_json() -> None:
    units = read("t.jsonl", '{"id":1,"at":"2024-01-01","n":{"t":["2024-01-01T00:00:00Z"]}}\n')
    assert units.get("1") == {"id": 1, "at": "2024-01-01", "n": {"t": ["2024-01-01T00:00:00Z"]}}
    assert units.get("columns.at") == "string"


def test_a_table_without_rows_has_columns() -> None:
    for path, content in (("t.csv", "a,b"), ("t.csv", "a,b\n"), ("t.parquet", parquet(SMALL.slice(0, 0)))):
        units = read(path, content)
        assert units.table.num_rows == 0 and len(units) == units.table.num_columns
        assert KIND.summary(units)["rows"] == 0


PARQUET, ARROW, STREAM = parquet(SMALL), ipc_file(SMALL), ipc_stream(SMALL)


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("t.csv", b"", "empty file"),
        ("t.parquet", b"", "empty file"),
        ("t.csv", b" \n\n", "no rows"),
        ("t.csv", b"\x00\x01\x02", "binary"),
        ("t.csv", b"a,b\n1,2\n3\n", "Expected 2 columns"),
        ("t.csv", b'a,b\n1,"x\n2,3\n', "quote"),
        ("t.csv", b'a,b\n1,"x', "quote"),
        ("t.csv", b"a,a\n1,2\n", "two columns are called a"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], "ended before"),
        ("t.csv.gz", gzip.compress(b"", mtime=0), "empty file"),
        ("t.parquet", PARQUET[:3], "not Parquet"),
        ("t.parquet", PARQUET[:200], "footer"),
        ("t.parquet", b"a,b\n1,2\n", "not Parquet"),
        ("t.parquet", parquet(pa.Table.from_arrays([[1], [2]], names=["a", "a"])), "two columns are called a"),
        ("t.arrow", ARROW[:100], "a header of"),
        ("t.arrow", STREAM[:60], "a header of"),
        ("t.feather", b"nothing", "not Arrow"),
        ("t.feather", b"FEA1....", "version 1"),
        ("t.h5", b"\x89HDF", "no reader"),
        ("t.jsonl", b"\n", "no rows"),
        ("t.jsonl", b'{"a":1}\n{"a"', "line 2"),
        ("t.jsonl", b"[1]\n", "not a JSON object"),
        ("t.jsonl", b'{"a":1,"a":2}\n', "twice"),
        ("t.jsonl", b'{"a":' + b"[" * 100_000, "nested"),
        ("t.jsonl", b'{"a":' + b"1" * 5000 + b"}\n", "thousands of digits"),
        ("t.jsonl", b"{}\n", "no columns"),
        ("t.jsonl", b"\xff\xfe{", "not JSON"),
        ("t.json", b'[{"a":1},', "line 1"),
    ],
)
def test_what_is_no_table_says_why(path: str, content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(path, content)
    assert reason in str(caught.value)
    assert len(str(caught.value)) <= 110 and "\n" not in str(caught.value)


@pytest.mark.parametrize(("path", "content"), [("t.parquet", PARQUET), ("t.arrow", ARROW), ("t.arrow", STREAM)])
def test_damaged_bytes_are_refused_or_read_but_never_crash(path: str, content: bytes) -> None:
    pick = random.Random(path + str(len(content)))
    refused = 0
    for _ in range(150):
        data = bytearray(content)
        for _ in range(pick.randint(1, 3)):
            data[pick.randrange(len(data))] = pick.randrange(256)
        try:
            units = read(path, bytes(data))
            [units.get(key) for key in units.keys()]  # noqa: SIM118 - Units is no mapping
            KIND.summary(units)
        except Unreadable:
            refused += 1
    assert refused > 20


EXOTIC = {
    "interval": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
    "dense union": pa.UnionArray.from_dense(
        pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["x"])]
    ),
    "sparse union": pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])]),
    "runs": pa.RunEndEncodedArray.from_arrays([1, 2], pa.array(["x", None])),
    "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
    "fixed list": pa.array([[1.5, 2.0], None], pa.list_(pa.float32(), 2)),
    "nested dictionary": pa.array([["x", "y"], ["x"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
    "dictionary of floats": pa.array([1.5, None]).dictionary_encode(),
    "dictionary of times": pa.array([1, None], pa.timestamp("ns", "Asia/Kathmandu")).dictionary_encode(),
    "wide decimal": pa.array([Decimal("1e50"), None], pa.decimal256(76, 2)),
    "far time": pa.array([2**62, -(2**62)], pa.timestamp("s")),
    "half": pa.array([np.float16(1.5), None]),
    "clock": pa.array([1, None], pa.time64("ns")),
    "span": pa.array([1, None], pa.duration("ns")),
    "nulls": pa.nulls(2),
    "bytes": pa.array([b"\xff", None], pa.binary(1)),
    "empty record": pa.array([{}, None], pa.struct([])),
    "views": pa.array(["x", None], pa.string_view()),
}


@pytest.mark.parametrize("name", EXOTIC)
def test_every_type_is_read_and_compared_or_refused(name: str) -> None:
    values = EXOTIC[name]
    old, new = pa.table({"id": ["a", "b"], "x": values}), pa.table({"id": ["b", "a"], "x": values})
    try:
        a, b = (read("t.arrow", ipc_file(table)) for table in (old, new))
    except Unreadable as reason:
        assert 0 < len(str(reason)) <= 110
        return
    delta, comparison = change(a, b)
    assert nothing(delta) != (len({repr(a.row(n)["x"]) for n in (0, 1)}) > 1)
    assert comparison.summary and all(detail.rows for detail in comparison.details)
    json.dumps([a.row(0), a.row(1), dict(KIND.summary(a))])
    assert KIND.text("a", a.get("a"))
    wide = [pa.table({"x": t["x"]}) for t in (old, new)]
    assert nothing(read("t.arrow", ipc_stream(wide[0])).delta(read("t.arrow", ipc_stream(wide[0]))))


def test_offsets_that_point_outside_are_refused() -> None:
    texts = pa.StringArray.from_buffers(3, pa.py_buffer(b"\0\0\0\0\1\0\0\0\xff\0\0\0\3\0\0\0"), pa.py_buffer(b"abc"))
    with pytest.raises(Unreadable):
        read("t.arrow", ipc_stream(pa.table({"a": texts})))


@pytest.mark.skipif(not hasattr(pa, "uuid"), reason="this pyarrow has no extension type of its own")
def test_an_extension_type_is_its_storage() -> None:
    ids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(range(16)), bytes(16)], pa.binary(16)))
    units = read("t.arrow", ipc_file(pa.table({"id": ids, "n": [1, 2]})))
    assert units.get("columns.id") == "fixed_size_binary[16]"
    assert {read_row["id"] for read_row in (units.row(0), units.row(1))} == {bytes(range(16)).hex(), "00" * 16}


@pytest.mark.parametrize("write", [parquet, ipc_file, ipc_stream, feather_file])
def test_only_values_count_not_how_they_are_stored(write: Callable[[pa.Table], bytes]) -> None:
    stored = SMALL.set_column(0, "id", SMALL["id"].combine_chunks().dictionary_encode()).select(["x", "id", "n"])
    delta, comparison = change(read("t.x", write(SMALL), ("id",)), read("t.x", write(stored), ("id",)))
    assert nothing(delta) and comparison.same_meaning


COMPARE = """
import sys
from tests.kinds.byte_source import source
from mlver.kinds.base import Spec
from mlver.kinds.data import DataKind

kind = DataKind()
texts = [
    "id,clinic,x,label,day,zip,word\\n"
    + "".join(
        f"p{n},{'AB'[n % 2]},{n / 8 + s},{n % 2},2024-01-0{n % 9 + 1},0{n},{n or s}\\n" for n in range(60 + 20 * s)
    )
    for s in (0, 1)
]
texts[1] = texts[1].replace("p5,B", "p5,C").replace("2024-01-01,03", "someday,03")
old, new = (kind.units(source("t.csv", text), Spec()) for text in texts)
delta = old.delta(new)
assert kind.compare(old, new, delta).counts["rows_added"] == 20
assert [new.get(key) for key in delta.added] and [old.get(key) for key in delta.changed]
kind.summary(new)
assert "pyarrow" in sys.modules and "pandas" not in sys.modules, "pandas was loaded"
"""


def test_pandas_is_not_loaded_to_compare_tables() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPARE], cwd=Path(__file__).parents[3], env={"PYTHONPATH": "."}, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_head_of_a_table_is_read_without_the_rest() -> None:
    table = pa.table({"id": range(1000), "clinic": ["A", "B", "C", "C"] * 250})
    for path, content in (("t.parquet", parquet(table)), ("t.arrow", ipc_file(table))):
        assert read_rows(source(path, content), Spec(), limit=2) == [{"id": 0, "clinic": "A"}, {"id": 1, "clinic": "B"}]
        chosen = read_rows(source(path, content), Spec(), where="clinic='C' and id > 4", limit=2)
        assert [row["id"] for row in chosen] == [6, 7]
    assert read_rows(source("t.csv", "a,b\n1,\n"), Spec()) == [{"a": 1, "b": None}]
    with pytest.raises(Unreadable):
        read_rows(source("t.parquet", PARQUET[:200]), Spec())


@pytest.mark.parametrize(
    ("path", "head", "surer"),
    [
        ("data/train.csv", b"a,b\n", True),
        ("t.parquet", b"PAR1", True),
        ("data/rows.jsonl", b"{", True),
        ("x.tsv", b"a\tb\n", True),
        ("data/set.arrow", b"ARROW1", True),
        ("alerts/history.jsonl", b"{", False),
        ("metrics/run.csv", b"a,b\n", False),
        ("config/pipeline.json", b"{", False),
        ("readme.md", b"#", False),
    ],
)
def test_tables_are_recognised(path: str, head: bytes, surer: bool) -> None:
    assert (KIND.recognises(path, head) >= 50) == surer


@pytest.mark.parametrize("kind", [pa.decimal128(5, 39), pa.list_(pa.decimal256(5, -20_000))])
def test_decimals_that_no_text_can_spell_are_refused(kind: pa.DataType) -> None:
    table = pa.table({"id": [1], "n": pa.nulls(1, kind)})
    with pytest.raises(Unreadable, match="nobody can spell"):
        KIND.units(source("t.arrow", ipc_file(table)), Spec())


@pytest.mark.parametrize("kind", [pa.decimal128(5, 38), pa.decimal128(5, -38), pa.decimal256(5, 76)])
def test_decimals_of_many_places_are_read(kind: pa.DataType) -> None:
    column = pa.Array.from_buffers(kind, 1, [None, pa.py_buffer((7).to_bytes(kind.bit_width // 8, "little"))])
    units = KIND.units(source("t.arrow", ipc_file(pa.table({"id": [1], "n": column}))), Spec())
    assert str(units.get("1")["n"]).count("7") == 1 and not units.delta(units)
