"""A table written block by block into a temporary file is the table that is read whole, types included."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.orc as orc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlver.kinds.base import Unreadable
from mlver.kinds.tables import delimited_blocks, text_blocks
from mlver.kinds.tables.read import read_table
from mlver.kinds.tables.spool import spooled
from mlver.kinds.tables.text_blocks import CannotCut
from tests.kinds.byte_source import ByteSource, source


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_blocks, "BLOCK", 64)


def same(source: ByteSource, options: dict[str, Any] | None = None) -> pa.Table:
    """Return the table of a source, after it was read both ways."""
    options = options or {}
    whole = read_table(source, options)
    pieces = read_table(spooled(source, options), options)
    assert pieces.schema == whole.schema
    assert [column.to_pylist() for column in pc_texts(pieces)] == [column.to_pylist() for column in pc_texts(whole)]
    return whole


def pc_texts(table: pa.Table) -> list[pa.ChunkedArray]:
    """Return the columns with doubles spelled out, so that NaN equals NaN and 0.0 is not -0.0."""
    return [c.cast(pa.string()) if pa.types.is_floating(c.type) else c for c in table.columns]


CELLS = {
    "nothing": ["", "NA", "null"],
    "whole": ["0", "7", "-12", " 5", "9223372036854775807"],
    "padded": ["007", "-05", " 01", "00"],
    "long": ["9007199254740993", "12345678901234567890", "-9007199254740992", "00009007199254740993"],
    "hex": ["0x1F"],
    "real": ["1.5", ".5", "-2.", "1e300", "nan", "inf"],
    "even": ["2.0", "3e2", "-0.0", "1e16"],
    "truth": ["true", "FALSE"],
    "day": ["2024-01-31", "1999-12-01"],
    "clock": ["12:30", "01:02:03"],
    "moment": ["2024-01-31 10:00:00", "2024-01-31T05:00"],
    "fine": ["2024-01-31 10:00:00.125"],
    "zoned": ["2024-01-31T10:00:00Z", "2024-01-31 10:00:00+02:00"],
    "word": ["x", "a longer word", "é", "2024", "2024-13-01"],
    "quoted": ['"two\nlines"', '"a ""word"", said"', '""', '"1.5"', '"007"'],
}
SORTS = st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=3)


@st.composite
def csv_text(draw: st.DrawFn) -> str:
    columns = draw(st.integers(1, 3))
    rows = draw(st.integers(0, 40))
    cells = []
    for _ in range(columns):
        usual, odd = ([cell for sort in draw(SORTS) for cell in CELLS[sort]] for _ in range(2))
        column = draw(st.lists(st.sampled_from(usual), min_size=rows, max_size=rows))
        for at in draw(st.lists(st.integers(0, max(rows - 1, 0)), max_size=2)) if rows else []:
            column[at] = draw(st.sampled_from(odd))
        cells.append(column)
    lines = ["id" + "".join(f",c{n}" for n in range(columns))]
    lines += [",".join([str(number), *row]) for number, row in enumerate(zip(*cells, strict=True))]
    ends = draw(st.sampled_from(["\n", "\r\n"]))
    return ends.join(lines) + draw(st.sampled_from(["", ends, ends * 3]))


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(csv_text(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]), st.booleans())
def test_text_in_blocks_is_the_text_read_whole(text: str, encoding: str, packed: bool) -> None:
    data = text.encode(encoding)
    made = source("t.csv.gz", gzip.compress(data)) if packed else source("t.csv", data)
    try:
        same(made)
    except Unreadable as whole:
        with pytest.raises(Unreadable) as pieces:
            spooled(made, {})
        assert str(pieces.value) == str(whole)


def rows(count: int, cell: Any, name: str = "x") -> str:
    return f"id,{name}\n" + "".join(f"{n},{cell(n)}\n" for n in range(count))


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        (lambda n: n if n < 90 else n + 0.5, pa.float64()),
        (lambda n: f"{n}.0", pa.int64()),
        (lambda n: f"{n}.0" if n < 90 else "", pa.int64()),
        (lambda n: n if n < 90 else f"0{n}", pa.string()),
        (lambda n: 9007199254740993 if n == 3 else n, pa.int64()),
        (lambda n: {3: 9007199254740993, 95: 1.5}.get(n, n), pa.string()),
        (lambda n: {3: "1e300", 95: "007"}.get(n, n), pa.float64()),
        (lambda n: "true" if n < 90 else n, pa.string()),
        (lambda n: "2024-01-01" if n < 90 else "2024-01-01 10:00:00", pa.timestamp("s")),
        (lambda n: "2024-01-01" if n < 90 else "2024-01-01 10:00:00.5", pa.timestamp("ns")),
        (lambda n: "2024-01-01" if n < 90 else "2024-01-01T10:00:00Z", pa.string()),
        (lambda n: "" if n < 90 else n, pa.int64()),
        (lambda n: "", pa.null()),
        (lambda n: "NA" if n < 90 else "word", pa.string()),
    ],
)
def test_what_comes_late_decides_the_type_of_all(cell: Any, kind: pa.DataType) -> None:
    assert same(source("t.csv", rows(100, cell))).schema.field("x").type == kind


def test_a_padded_number_makes_its_own_column_text_and_no_other() -> None:
    text = "id,long,zip\n" + "".join(f"{n},{9007199254740993 + n},0{n}\n" for n in range(50))
    table = same(source("t.csv", text))
    assert [field.type for field in table.schema] == [pa.int64(), pa.int64(), pa.string()]
    assert same(source("t.csv", "id,zip,day\n1,7,2024-01-05\n")).schema.field("zip").type == pa.int64()
    assert same(source("t.csv", "id,zip\n1, 07\n")).schema.field("zip").type == pa.string()


@pytest.mark.parametrize("cell", ["00{}", "-0{}", " 0{}"])
def test_a_padded_number_that_begins_a_block_is_seen(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in range(8, 24):
        monkeypatch.setattr(text_blocks, "BLOCK", size)
        lines = "".join(f"{n},1,1\n" for n in range(6)) + f"{cell.format(7)},1,1\n8,1,1\n"
        assert same(source("t.csv", "id,v,longname\n" + lines)).schema.field("id").type == pa.string()


def test_digits_of_utf_16_are_not_lost_either() -> None:
    table = same(source("t.csv", rows(60, lambda n: f"0{n}").encode("utf-16")))
    assert table.column("x")[5].as_py() == "05"


def test_bytes_that_are_no_utf_8_make_all_of_it_latin_1() -> None:
    names = "größe,ort\n" + "".join(f"{n},Zürich\n" for n in range(60))
    data = names.encode() + "60,Genève\n".encode("latin-1")
    table = same(ByteSource("t.csv", data))
    assert table.column_names[0] == "größe".encode().decode("latin-1") and table.column(1)[60].as_py() == "Genève"


def test_files_put_one_behind_the_other_keep_the_marks_they_begin_with() -> None:
    table = same(source("t.csv", "a,b\n1,2\n".encode("utf-8-sig") * 100))
    assert table.column(0)[1].as_py() == "\ufeffa" and table.num_rows == 199
    with pytest.raises(Unreadable):
        spooled(source("t.jsonl", '{"a": 1}\n'.encode("utf-8-sig") * 100), {})


TORN = [
    "a,b\n" + "1,2\n" * 20 + "\n" * 70 + " \v\n" + "\n" * 200 + "3,4\n",
    "a,b\n" + "1,2\n" * 50 + "1,2,3\n",
    "a,a\n" + "1,2\n" * 50,
    "a,b\n" + "1,x\n" * 30 + '1,"2\n',
]


@pytest.mark.parametrize("text", TORN)
def test_what_is_no_table_says_so_from_pieces_too(text: str) -> None:
    with pytest.raises(Unreadable):
        read_table(source("t.csv", text), {})
    with pytest.raises(Unreadable):
        spooled(source("t.csv", text), {})


@pytest.mark.parametrize("text", [rows(60, lambda n: f'{n}" pipe, 5" long'), "[" + '{"a": 1},' * 50 + '{"a": 2}]'])
def test_what_only_a_parser_can_cut_is_left_to_the_whole(text: str) -> None:
    with pytest.raises(CannotCut):
        spooled(source("t.json" if text.startswith("[") else "t.csv", text), {})


def test_stripes_and_batches_are_written_as_they_come() -> None:
    table = pa.table({"id": range(5000), "w": pa.array(["a", None, "b", "a", "c"] * 1000).dictionary_encode()})
    plain = table.set_column(1, "w", table.column("w").cast(pa.string()))
    out = io.BytesIO()
    orc.write_table(plain, out, stripe_size=1024)
    assert same(ByteSource("t.orc", out.getvalue())).equals(plain.combine_chunks())
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=500)
    found = read_table(spooled(ByteSource("t.arrows", out.getvalue()), {}), {})
    assert found.equals(plain.combine_chunks())


def test_batches_whose_lists_have_other_words_are_left_to_the_whole() -> None:
    kind = pa.list_(pa.dictionary(pa.int8(), pa.string()))
    out = io.BytesIO()
    with pa.ipc.new_stream(out, pa.schema([("l", kind)])) as writer:
        for words in (["a", "b"], ["c", "d"]):
            inner = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(words))
            writer.write_batch(pa.record_batch([pa.ListArray.from_arrays([0, 1, 2], inner)], names=["l"]))
    with pytest.raises(CannotCut):
        spooled(ByteSource("t.arrows", out.getvalue()), {})


def test_a_block_is_read_again_only_when_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    tables = delimited_blocks.DelimitedBlocks.tables
    monkeypatch.setattr(
        delimited_blocks.DelimitedBlocks, "tables", lambda self, stream: (passes.append(1), tables(self, stream))[1]
    )
    for cell, times in ((lambda n: n / 4, 1), (lambda n: n if n > 30 else "", 2), (lambda n: n if n < 150 else "x", 2)):
        passes.clear()
        same(source("t.csv", rows(200, cell)))
        assert len(passes) == times


VALUES: dict[str, list[Any]] = {
    "whole": [0, 7, -12],
    "even": [2.0, -0.0],
    "real": [1.5, 1e300],
    "long": [9007199254740993, -9007199254740992, 12345678901234567890],
    "word": ["x", "é", ""],
    "moment": ["2024-01-01", "2024-01-01T00:00:00Z"],
    "truth": [True, False],
    "nothing": [None],
    "list": [[], [1], [1.5], [None], ["x"]],
    "record": [{"a": 1}, {"a": 1.5, "b": None}, {"b": "2024-01-01"}, {}],
}


@st.composite
def records(draw: st.DrawFn) -> list[dict[str, Any]]:
    sorts = st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=2)
    usual, odd = ([value for sort in draw(sorts) for value in VALUES[sort]] for _ in range(2))
    made: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 40))):
        late = draw(st.integers(0, 20)) == 0
        cells = {"x": draw(st.sampled_from(odd if late else usual))} if draw(st.integers(0, 5)) else {}
        made.append({"id": number, **cells} if draw(st.booleans()) else {**cells, "id": number})
    return made


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records(), st.booleans())
def test_records_in_blocks_are_the_records_read_whole(made: list[dict[str, Any]], ended: bool) -> None:
    text = "\n".join(json.dumps(record, ensure_ascii=False) for record in made) + ("\n" if ended else "")
    try:
        same(source("t.jsonl", text))
    except CannotCut:
        assert any(isinstance(record.get("x"), (list, dict)) or record.get("x", 0) in VALUES["long"] for record in made)


@pytest.mark.parametrize(
    ("late", "kind"),
    [
        (0.5, pa.float64()),
        (90.0, pa.int64()),
        ("word", pa.large_string()),
        (None, pa.int64()),
        (True, pa.large_string()),
        (2**53, pa.int64()),
    ],
)
def test_a_late_record_decides_the_type_of_all(late: Any, kind: pa.DataType) -> None:
    lines = [f'{{"id": {n}, "x": {n}}}\n' for n in range(90)]
    table = same(source("t.jsonl", "".join(lines) + json.dumps({"id": 90, "x": late, "more": 1}) + "\n"))
    assert table.schema.field("x").type == kind and table.column_names == ["id", "x", "more"]


@pytest.mark.parametrize("text", ['{"a": 1}\n' * 30 + "[1]\n", '{"a": 1}\n' * 30 + "{]\n", "{}\n" * 30, "\n" * 100])
def test_what_are_no_records_says_so_from_pieces_too(text: str) -> None:
    with pytest.raises(Unreadable) as whole:
        read_table(source("t.jsonl", text), {})
    with pytest.raises(Unreadable) as pieces:
        spooled(source("t.jsonl", text), {})
    assert str(pieces.value) == str(whole.value)
