"""Objects inside cells, as structs and as JSON text: by key path, in changes, profiles and drift."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from sklearn.datasets import load_wine

from mlver.errors import UsageError
from mlver.kinds.base import Spec
from mlver.kinds.tables.keypaths import leaves
from mlver.kinds.tables.read import read_rows
from tests.kinds.byte_source import source
from tests.kinds.data.tables import KIND, change, jsonl, parquet, read

WINE = load_wine()
OBJECTS: list[dict[str, Any]] = [
    {"acid": {"malic": float(row[1]), "alcohol": float(row[0])}, "hue": f"h{int(row[10] * 4)}", "n": int(row[12])}
    for row in WINE.data
]


def as_struct(objects: list[dict[str, Any] | None]) -> bytes:
    return parquet(pa.table({"id": [f"w{n}" for n in range(len(objects))], "attrs": objects}))


def as_json(objects: list[dict[str, Any] | None]) -> bytes:
    texts = [None if item is None else json.dumps(item) for item in objects]
    return parquet(pa.table({"id": [f"w{n}" for n in range(len(objects))], "attrs": texts}))


FORMS = pytest.mark.parametrize("written", [as_struct, as_json])


def edited(number: int, **words: Any) -> list[dict[str, Any] | None]:
    return [item | words if n == number else item for n, item in enumerate(OBJECTS)]


@FORMS
def test_a_change_is_named_by_the_key_inside(written: Any) -> None:
    old, new = read("t.parquet", written(OBJECTS)), read("t.parquet", written(edited(3, hue="red")))
    comparison = change(old, new)[1]
    assert comparison.summary == "1 cell changed in attrs.hue (1 row)"
    assert comparison.counts["cells_changed.attrs.hue"] == 1 and comparison.counts["cells_changed"] == 1
    before, after = KIND.difference(old.get("w3"), new.get("w3"))
    assert (before, after) == ({"attrs.hue": OBJECTS[3]["hue"]}, {"attrs.hue": "red"})
    assert KIND.change_text("w3", old.get("w3"), new.get("w3"))[1] == "attrs.hue=red"


@FORMS
def test_a_change_two_levels_down(written: Any) -> None:
    deep = {"malic": -1.0, "alcohol": OBJECTS[5]["acid"]["alcohol"]}
    old, new = read("t.parquet", written(OBJECTS)), read("t.parquet", written(edited(5, acid=deep)))
    assert change(old, new)[1].summary == "1 cell changed in attrs.acid.malic (1 row)"


@FORMS
def test_half_of_the_keys_missing_is_seen(written: Any) -> None:
    bare = [{k: v for k, v in item.items() if k != "n" or at % 2} for at, item in enumerate(OBJECTS)]
    _, comparison = change(read("t.parquet", written(OBJECTS)), read("t.parquet", written(bare)))
    drift = {row[0]: row for detail in comparison.details if detail.title == "drift" for row in detail.rows}
    assert drift["attrs.n"][1:3] == (0.0, 0.5)
    assert not {"attrs.hue", "attrs.acid.malic", "attrs"} & drift.keys()
    assert comparison.summary == "89 cells changed in attrs.n (89 rows)"


@FORMS
def test_a_key_that_is_gone_altogether(written: Any) -> None:
    bare = [{k: v for k, v in item.items() if k != "n"} for item in OBJECTS]
    _, comparison = change(read("t.parquet", written(OBJECTS)), read("t.parquet", written(bare)))
    drift = {row[0]: row for detail in comparison.details if detail.title == "drift" for row in detail.rows}
    assert drift["attrs.n"][1:3] == (0.0, 1.0) and drift["attrs.n"][4] is None


@FORMS
def test_each_key_has_a_profile(written: Any) -> None:
    said = KIND.summary(read("t.parquet", written([*OBJECTS, None])))["profile"]
    assert said["attrs.acid.malic"]["type"] == "float64" and said["attrs.acid.malic"]["nulls"] == 1
    assert said["attrs.n"]["max"] == 1680 and said["attrs.hue"]["type"] == "string"
    assert list(said)[:3] == ["id", "attrs", "attrs.acid.malic"]


def test_jsonl_with_objects_is_a_struct_column() -> None:
    lines = [{"id": n, "attrs": item} for n, item in enumerate(OBJECTS)]
    new = [row | {"attrs": row["attrs"] | {"n": -1}} if row["id"] == 8 else row for row in lines]
    _, comparison = change(read("t.jsonl", jsonl(lines)), read("t.jsonl", jsonl(new)))
    assert comparison.summary == "1 cell changed in attrs.n (1 row)"


def test_json_in_a_csv_as_pandas_and_polars_write_it() -> None:
    frame = pl.DataFrame({"id": range(178), "attrs": [json.dumps(item) for item in OBJECTS]})
    changed = frame.with_columns(pl.col("attrs").str.replace('"hue": "h4"', '"hue": "h5"'))
    count = sum(item["hue"] == "h4" for item in OBJECTS)
    a, b = read("t.csv", frame.write_csv()), read("t.csv", changed.to_pandas().to_csv(index=False))
    assert change(a, b)[1].counts["cells_changed.attrs.hue"] == count > 0


def test_spacing_alone_is_a_change_of_the_text() -> None:
    old = parquet(pa.table({"id": ["a"], "attrs": ['{"n":1}']}))
    new = parquet(pa.table({"id": ["a"], "attrs": ['{"n": 1}']}))
    a, b = read("t.parquet", old), read("t.parquet", new)
    assert change(a, b)[1].summary == "1 cell changed in attrs (1 row)"
    assert KIND.difference(a.get("a"), b.get("a"))[1] == {"attrs": '{"n": 1}'}


@pytest.mark.parametrize(
    "texts",
    [
        ["{broken", "{}"],
        ['{"a": 1}', "plain"],
        ["[1]", "[2]"],
        ["{template}", "{other}"],
        [None, None],
        ["{}", "{}"],
        ['{"a": 1', '{"a": 1}}'],
        ['{"a": 1} {"a": 2}', "{}"],
    ],
)
def test_text_that_is_no_object_is_text(texts: list[str | None]) -> None:
    assert leaves(pa.array(texts, pa.string()), "t") == {}
    table = read("t.parquet", parquet(pa.table({"id": ["a", "b"], "t": pa.array(texts, pa.string())})))
    assert list(KIND.summary(table)["profile"]) == ["id", "t"]


def test_keys_that_are_data_themselves_are_not_spread_out() -> None:
    objects = [json.dumps({f"user{n}": n}) for n in range(500)]
    assert leaves(pa.array(objects), "t") == {}


def test_mixed_types_lines_within_values_and_dots_in_keys() -> None:
    texts = ['{"a": 1,\n "b.c": {"d": [1]}}', '{"a": "x", "b.c": null}', None, '{"a": "line\\nbreak"}']
    found = leaves(pa.array(texts), "t")
    assert found["t.a"].to_pylist() == ["1", "x", None, "line\nbreak"]
    assert sorted(found) == ["t.a", "t.b.c.d"]


def test_conditions_reach_into_structs() -> None:
    data = source("t.parquet", as_struct(OBJECTS))
    rows = read_rows(data, Spec(), "attrs.acid.malic > 5 and attrs.n < 600")
    assert rows and all(row["attrs"]["acid"]["malic"] > 5 and row["attrs"]["n"] < 600 for row in rows)
    with pytest.raises(UsageError, match=r"no column attrs\.colour"):
        read_rows(data, Spec(), "attrs.colour = 1")


def test_a_field_that_came_is_named_by_its_path() -> None:
    more = [item | {"acid": item["acid"] | {"ph": 3.5}} for item in OBJECTS]
    _, comparison = change(read("t.parquet", as_struct(OBJECTS)), read("t.parquet", as_struct(more)))
    assert comparison.summary.endswith("178 cells changed in attrs.acid.ph (178 rows), +column attrs.acid.ph")


@FORMS
def test_values_that_vanish_are_named_by_their_path(written: Any) -> None:
    gone = [item | {"hue": "h3"} if item["hue"] == "h4" else item for item in OBJECTS]
    _, comparison = change(read("t.parquet", written(OBJECTS)), read("t.parquet", written(gone)))
    (row,) = [row for detail in comparison.details if detail.title == "categories" for row in detail.rows]
    assert row[0] == "attrs.hue" and row[2] == "h4"
