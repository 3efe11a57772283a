"""What is said of a large table without reading it whole is what is said of it when it is."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.orc as orc
import pytest
from sklearn.datasets import load_wine

from mlver.kinds import data as module
from mlver.kinds.base import MISSING, Spec, Unreadable
from mlver.kinds.data import DataKind
from mlver.kinds.tables import late_table, looked_up, weight
from mlver.kinds.tables.comparison import compare_tables
from mlver.kinds.tables.late_table import LateTable
from mlver.kinds.tables.units import TableUnits
from tests.kinds.byte_source import ByteSource
from tests.kinds.data.test_apart import arrow, cells_of_every_sort, parquet, said
from tests.kinds.data.test_by_digest import turned

PLAIN = Spec()


@pytest.fixture(autouse=True)
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LARGE", 10)
    monkeypatch.setattr(weight, "ROOM", 0)
    monkeypatch.setattr(late_table, "_ROWS", 16)
    monkeypatch.setattr(looked_up, "_ROWS", 16)


def csv(table: pa.Table) -> ByteSource:
    out = io.BytesIO()
    arrow_csv.write_csv(table, out)
    return ByteSource("t.csv", out.getvalue())


def lines(table: pa.Table) -> ByteSource:
    text = "".join(json.dumps(row, default=str) + "\n" for row in table.to_pylist())
    return ByteSource("t.jsonl", text.encode())


def stripes(table: pa.Table) -> ByteSource:
    out = io.BytesIO()
    orc.write_table(table, out)
    return ByteSource("t.orc", out.getvalue())


def stream(table: pa.Table) -> ByteSource:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=30)
    return ByteSource("t.arrows", out.getvalue())


def wine() -> pa.Table:
    data = load_wine()
    return pa.table(dict(zip(data.feature_names, data.data.T, strict=True)) | {"label": data.target})


DAYS = pa.array(np.arange(100, dtype=np.int32) * 3, pa.date32())
TABLES: dict[str, tuple[pa.Table, Spec]] = {
    "numbers": (pa.table({"id": range(100), "x": [n / 7 for n in range(100)]}), PLAIN),
    "words": (pa.table({"id": [f"p {n}.x" for n in range(100)], "x": pa.nulls(100, pa.int8())}), PLAIN),
    "days": (pa.table({"day": DAYS, "x": range(100)}), PLAIN),
    "two columns": (
        pa.table({"a": [n % 10 for n in range(100)], "b": [n // 10 for n in range(100)]}),
        Spec(("a", "b")),
    ),
    "a number that is whole or not": (pa.table({"x": [n / 2 for n in range(100)], "y": range(100)}), Spec(("x",))),
    "wine": (wine(), PLAIN),
    "rows that come again": (pa.concat_tables([wine().slice(0, 60), wine().slice(20, 60), wine().slice(0, 3)]), PLAIN),
    "a key that repeats": (pa.table({"id": [n % 90 for n in range(100)], "x": [n % 45 for n in range(100)]}), PLAIN),
    "a key that is missing": (pa.table({"id": [None, *range(99)], "x": range(100)}), PLAIN),
}
WRITERS = [csv, lines, stripes, stream, parquet, arrow]


def as_text(value: Any) -> str:
    return repr(value)  # NaN is not equal to itself


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("name", TABLES)
def test_units_that_are_read_late_are_those_of_the_whole(name: str, write: Callable[[pa.Table], ByteSource]) -> None:
    table, spec = TABLES[name]
    source = write(table.combine_chunks())
    late, whole = DataKind().late_units(source, spec), DataKind().units(source, spec)
    assert isinstance(late, LateTable) and isinstance(whole, TableUnits)
    keys = list(whole.keys())
    assert list(late.keys()) == keys and len(late) == len(whole) and late.key == whole.key
    some = [*keys[:5], "nobody", *keys[-3:], "columns.none"]
    assert as_text(late.get_all(some)) == as_text(whole.get_all(some))
    assert late.has_all(some) == whole.has_all(some)
    assert late.get("nobody") is MISSING and as_text(late.get(keys[7])) == as_text(whole.get(keys[7]))
    starts = ("p 1.", "columns.")
    assert late.inside(starts) == whole.inside(starts)
    assert as_text(DataKind().summary(late)) == as_text(DataKind().summary(whole))


def test_a_profile_of_cells_of_every_sort_is_that_of_the_whole() -> None:
    table = cells_of_every_sort(300, 1).drop_columns(["raw"])
    objects = pa.array([{"a": n, "b": {"c": "x" * (n % 3)}} if n % 7 else None for n in range(300)])
    texts = pa.array([json.dumps({"k": n, "l": [n]}) for n in range(300)])
    table = table.append_column("o", objects).append_column("j", texts)
    for source in (parquet(table, 70), arrow(table, 70)):
        late, whole = (DataKind().summary(read(source, PLAIN)) for read in (DataKind().late_units, DataKind().units))
        assert as_text(late) == as_text(whole) and math.isclose(late["rows"], 300)


@pytest.mark.parametrize("write", [csv, lines, parquet])
@pytest.mark.parametrize("name", [name for name in TABLES if name != "two columns"])
def test_two_versions_differ_as_when_both_are_read_whole(name: str, write: Callable[[pa.Table], ByteSource]) -> None:
    table, spec = TABLES[name]
    old = table.combine_chunks()
    kept = old.filter(pa.array([n % 20 != 3 for n in range(len(old))]))
    last = old.column_names[-1]
    changed = [n if n is None or position % 31 else n + 1 for position, n in enumerate(kept.column(last).to_pylist())]
    new = kept.set_column(len(old.column_names) - 1, last, pa.array(changed, old.schema.field(last).type))
    for other in (new, turned(new)):
        sources = write(old), write(other)
        pieces = DataKind().apart(*sources, (spec, spec))
        whole = [DataKind().units(source, spec) for source in sources]
        assert pieces is not None and isinstance(whole[0], TableUnits) and isinstance(whole[1], TableUnits)
        assert isinstance(pieces[0], TableUnits) and isinstance(pieces[1], TableUnits)
        assert said(pieces[0], pieces[1]) == said(whole[0], whole[1])


def test_formats_that_changed_on_the_way_compare_by_value() -> None:
    table = TABLES["numbers"][0]
    for old, new in ((csv, parquet), (parquet, csv), (lines, csv), (stripes, lines)):
        apart = DataKind().apart(old(table), new(turned(table)), (PLAIN, PLAIN))
        assert apart is not None
        delta = apart[0].delta(apart[1])
        assert not delta and compare_tables(apart[0], apart[1], delta).same_meaning


def test_a_stated_key_that_does_not_hold_says_why() -> None:
    table = TABLES["a key that repeats"][0]
    for spec, why in (
        (Spec(("id",)), "duplicate key id=0 \\(2 rows\\) and 9 more"),
        (Spec(("no",)), "no key column no"),
    ):
        for read in (DataKind().units, DataKind().late_units):
            with pytest.raises(Unreadable, match=why):
                read(csv(table), spec)


NONE = ["id,x\n1,2\n3\n", "id,id\n1,2\n", "\n\n\n\n\n\n\n\n\n\n\n\n", 'id,x\n1,"2\n']


@pytest.mark.parametrize("path", ["t.csv", "t.orc", "t.arrow", "t.parquet", "t.avro", "t.jsonl", "t.json"])
@pytest.mark.parametrize("text", NONE)
def test_what_is_no_table_says_so_in_the_same_words(path: str, text: str) -> None:
    source = ByteSource(path, text.encode())
    said = []
    for read in (DataKind().units, DataKind().late_units):
        with pytest.raises(Unreadable) as why:
            read(source, PLAIN)
        said.append(str(why.value))
    assert said[0] == said[1]


def test_a_list_of_records_and_stray_quotes_are_read_whole() -> None:
    stray = "id,x\n" + "".join(f'{n},{n}" wide\n' for n in range(20))
    for source in (
        ByteSource("t.json", b'[{"id": 1, "x": 2}, {"id": 2, "x": 3}]'),
        ByteSource("t.csv", stray.encode()),
    ):
        assert isinstance(DataKind().late_units(source, PLAIN), TableUnits)
        assert DataKind().apart(source, source, (PLAIN, PLAIN)) is None
