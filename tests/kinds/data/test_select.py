"""Rows by condition, columns and number: the answer of the whole table, from as little of it as will do."""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.errors import UsageError
from mlver.kinds.base import Spec, Unreadable
from mlver.kinds.tables import pieces as cutting
from mlver.kinds.tables import text_blocks
from mlver.kinds.tables.read import read_table
from mlver.kinds.tables.select import select
from mlver.kinds.tables.values import plain
from mlver.kinds.tables.where import parse_where
from tests.kinds.byte_source import ByteSource, source


class Counting(io.BytesIO):
    """A file that counts what is read of it."""

    total = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        Counting.total += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        Counting.total += count
        return count


class CountedSource(ByteSource):
    def open(self) -> Counting:
        return Counting(self.data)


def parquet(table: pa.Table, **words: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, **words)
    return stream.getvalue()


WIDE = pa.table(
    {"id": list(range(40_000)), "clinic": ["ABC"[n // 14_000] for n in range(40_000)]}
    | {f"v{n}": pa.array([(k * 7919 + n) % 100_003 / 7 for k in range(40_000)]) for n in range(20)}
)
WIDE_PARQUET = parquet(WIDE, row_group_size=2000)


def read_of(question: Callable[[CountedSource], Any]) -> int:
    Counting.total = 0
    question(CountedSource("t.parquet", WIDE_PARQUET))
    return Counting.total


def test_of_parquet_only_the_groups_and_columns_asked_for_are_read() -> None:
    size = len(WIDE_PARQUET)
    found = select(source("t.parquet", WIDE_PARQUET), Spec(), where="id = 31234", columns=["clinic", "v3"], limit=5)
    assert found.rows == ({"clinic": "C", "v3": WIDE["v3"][31234].as_py()},)
    assert read_of(lambda s: select(s, Spec(), where="id = 31234", columns=["clinic", "v3"], limit=5)) < size / 15
    assert read_of(lambda s: select(s, Spec(), where="id = 31234", limit=5)) < size / 8
    assert read_of(lambda s: select(s, Spec(), limit=5)) < size / 8
    assert read_of(lambda s: select(s, Spec(), count=True)) < size / 8
    assert read_of(lambda s: select(s, Spec(), where="clinic = 'C' and v1 < 0", limit=5)) < size / 4


def test_counting_and_cutting() -> None:
    some = source("t.parquet", WIDE_PARQUET)
    assert select(some, Spec(), where="clinic = 'B'", count=True).count == 14_000
    assert select(some, Spec(), count=True).count == 40_000
    first = select(some, Spec(), where="clinic = 'B'", columns=["id"], limit=2)
    assert (first.rows, first.more) == (({"id": 14_000}, {"id": 14_001}), True)
    assert not select(some, Spec(), where="id < 2", limit=2).more


VALUES = {
    "x": st.one_of(st.none(), st.sampled_from([5.0, math.nan, 0.0, -0.0, 1e300]), st.floats(allow_nan=False, width=32)),
    "i": st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([2**53, 2**53 + 1, -(2**62)])),
    "s": st.one_of(st.none(), st.sampled_from(["", "a", "b", "ä", "zz" * 50])),
    "b": st.one_of(st.none(), st.booleans()),
}
TESTS = st.one_of(
    st.builds(
        "x {} {}".format, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.sampled_from([5, 5.0, 0, 0.1, -1])
    ),
    st.builds(
        "i {} {}".format, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.sampled_from([0, 2, 2.5, 2**53])
    ),
    st.builds("s {} '{}'".format, st.sampled_from(["=", "!=", "<", ">="]), st.sampled_from(["", "a", "ab", "zz"])),
    st.sampled_from(["x is null", "s is not null", "i in (1, 2)", "x not in (5)", "i between -1 and 1", "b = true"]),
    st.sampled_from(["s in ('a', 'zz')", "x between 0 and 5", "s like 'z%'", "i not between 0 and 9"]),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)


@settings(max_examples=60)
@given(st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=12), CONDITIONS)
def test_leaving_out_groups_changes_no_answer(rows: list[dict[str, Any]], where: str) -> None:
    schema = pa.schema([("x", pa.float64()), ("i", pa.int64()), ("s", pa.string()), ("b", pa.bool_())])
    table = pa.Table.from_pylist(
        [{"n": n, **row} for n, row in enumerate(rows)], schema.append(pa.field("n", pa.int64()))
    )
    expected = parse_where(where, table.schema).filter(table)["n"].to_pylist()
    for size in (1, 3):
        data = source("t.parquet", parquet(table, row_group_size=size))
        assert [row["n"] for row in select(data, Spec(), where=where).rows] == expected
        assert [row["n"] for row in select(data, Spec(), where=where, columns=["n"]).rows] == expected
        assert select(data, Spec(), where=where, count=True).count == len(expected)


@pytest.mark.parametrize(
    "kind", [pa.float32(), pa.uint64(), pa.decimal128(23, 2), pa.int8(), pa.dictionary(pa.int8(), pa.int64())]
)
@pytest.mark.parametrize("where", ["x = 1", "x != 1", "x < 2", "x = 0.1", "not x >= 1.5"])
def test_other_types_give_the_answer_of_the_whole(kind: Any, where: str) -> None:
    numbers = pa.array([0, 1, 2, 1, 1, None]).cast(pa.int64())
    column = numbers.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else numbers.cast(kind)
    table = pa.table({"x": column, "n": list(range(6))})
    expected = parse_where(where, table.schema).filter(table)["n"].to_pylist()
    data = source("t.parquet", parquet(table, row_group_size=2))
    assert [row["n"] for row in select(data, Spec(), where=where, columns=["n"]).rows] == expected


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "WHOLE", 64)
    monkeypatch.setattr(text_blocks, "BLOCK", 128)
    monkeypatch.setattr(cutting, "_SAMPLE", 1 << 9)


TEXTS = {
    "plain.csv": "id,clinic,x\n" + "".join(f"{n},{'ABC'[n % 3]},{n / 4}\n" for n in range(200)),
    "whole then not.csv": "id,x\n" + "".join(f"{n},{n if n < 100 else n + 0.5}\n" for n in range(200)),
    "number then text.csv": "id,x\n" + "".join(f"{n},{n if n < 150 else 'many'}\n" for n in range(200)),
    "zeros late.csv": "id,zip\n" + "".join(f"{n},{n if n < 150 else f'0{n}'}\n" for n in range(200)),
    "empty then full.csv": "id,x\n" + "".join(f"{n},{'' if n < 150 else n}\n" for n in range(200)),
    "quoted.csv": "id,note\n" + "".join(f'{n},"line {n}\nand ""more"", see\n{n}"\n' for n in range(60)),
    "inches.csv": "id,note\n" + "".join(f'{n},{n}" pipe\n' for n in range(100)),
    "latin.csv": b"id,name\n"
    + b"".join(f"{n},".encode() + ("m\u00fc".encode() if n < 50 else b"m\xfc") + b"\n" for n in range(90)),
    "no header.csv": "".join(f"{n},{n * 2}\n" for n in range(100)),
    "tabs.tsv": "id\tx\n" + "".join(f"{n}\t{n}\n" for n in range(100)),
    "even.jsonl": "".join(f'{{"id": {n}, "s": "t{n}"}}\n' for n in range(100)),
    "odd.jsonl": "".join(f'{{"id": {n}}}\n' if n < 70 else f'{{"id": {n}, "late": 1}}\n' for n in range(100)),
    "mixed.jsonl": "".join(f'{{"id": {n}, "s": {n if n < 70 else chr(34) + "x" + chr(34)}}}\n' for n in range(100)),
    "list.json": "[" + ",".join(f'{{"id": {n}}}' for n in range(100)) + "]",
    "no end.csv": "id,x\n" + "\n".join(f"{n},{n}" for n in range(100)),
    "windows.csv": "id,x\r\n" + "".join(f"{n},{n}\r\n" for n in range(100)),
    "packed.csv.gz": gzip.compress(("id,x\n" + "".join(f"{n},{n}\n" for n in range(100))).encode()),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_in_blocks_gives_the_rows_of_the_whole(small_blocks: None, name: str) -> None:
    data = source(name, TEXTS[name])
    table = read_table(data, {})
    columns = [plain(column) for column in table.columns]
    expected = [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]
    assert list(select(data, Spec()).rows) == expected
    assert select(data, Spec(), count=True).count == len(expected)
    first = table.column_names[0]
    where = f'"{first}" >= 40 and "{first}" < 90'
    kept = [row for row in expected if 40 <= row[first] < 90]
    assert list(select(data, Spec(), where=where).rows) == kept
    assert list(select(data, Spec(), where=where, columns=[first], limit=3).rows) == [
        {first: r[first]} for r in kept[:3]
    ]


def test_a_condition_on_a_column_that_is_empty_at_first(small_blocks: None) -> None:
    data = source("t.csv", TEXTS["empty then full.csv"])
    assert [row["id"] for row in select(data, Spec(), where="x > 197").rows] == [198, 199]


def test_of_large_text_only_the_beginning_is_read_for_the_first_rows(small_blocks: None) -> None:
    text = "id,x\n" + "".join(f"{n},{n}\n" for n in range(5000))
    Counting.total = 0
    assert len(select(CountedSource("t.csv", text.encode()), Spec(), limit=3).rows) == 3
    assert Counting.total < 1000
    Counting.total = 0
    assert select(CountedSource("t.csv", text.encode()), Spec(), where="id = 100", limit=1).rows[0]["x"] == 100
    assert Counting.total < 2000  # it ends there: whether another row follows is not looked for
    broken_later = text + '"never closed\n'
    assert len(select(source("t.csv", broken_later), Spec(), limit=3).rows) == 3


def test_what_makes_no_sense_is_said() -> None:
    data = source("t.parquet", WIDE_PARQUET)
    with pytest.raises(UsageError, match="no column clinc") as caught:
        select(data, Spec(), columns=["clinc"])
    assert caught.value.hint == "columns: clinic"
    with pytest.raises(UsageError, match="where, character 1: no column nope"):
        select(data, Spec(), where="nope = 1")
    with pytest.raises(Unreadable):
        select(source("t.parquet", WIDE_PARQUET[:-100]), Spec(), limit=1)
    with pytest.raises(Unreadable):
        select(source("t.csv", ""), Spec(), limit=1)
