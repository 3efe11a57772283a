"""Units written back: the file then says exactly that, and every other byte of it stays."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomlkit
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.kinds import registry
from mlver.kinds.base import MISSING, CannotEdit, Kind, Spec, Units, Value
from mlver.kinds.edits import Held

WORDS = st.text(st.sampled_from("ab.\" '#:é-1\n"), min_size=1, max_size=5)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-2, 2, width=16), WORDS)
NAMES = st.text(st.sampled_from("abcé_.- "), min_size=1, max_size=4)
TREES = st.recursive(
    st.one_of(SCALARS, st.lists(st.integers(0, 3), max_size=3)),
    lambda inner: st.one_of(st.dictionaries(NAMES, inner, max_size=4), st.lists(inner, max_size=3)),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(NAMES, TREES, min_size=1, max_size=5)


def kind_of(path: str, data: bytes) -> Kind:
    return registry.get(registry.detect(path, lambda: data[:4096]))


def all_units(path: str, data: bytes) -> dict[str, Value]:
    units = kind_of(path, data).units(Held(path, data), Spec())
    return {key: units.get(key) for key in units.keys()}  # noqa: SIM118


def edit(path: str, text: str | bytes, changes: Mapping[str, Value], order: list[str] | None = None) -> bytes:
    data = text if isinstance(text, bytes) else text.encode()
    like = Units(dict.fromkeys(order)) if order is not None else None
    return kind_of(path, data).edit(Held(path, data), Spec(), changes, like)


def way(path: str, old: bytes, new: bytes) -> dict[str, Value]:
    """The changes from one file's units to another's."""
    kind = kind_of(path, old)
    a, b = (kind.units(Held(path, data), Spec()) for data in (old, new))
    delta = a.delta(b)
    gone: dict[str, Value] = dict.fromkeys(delta.removed, MISSING)
    return gone | {key: b.get(key) for key in (*delta.changed, *delta.added)}


@given(DOCUMENTS, DOCUMENTS, st.sampled_from([None, 1, 2, "\t"]))
def test_any_json_document_becomes_any_other(old: Any, new: Any, indent: Any) -> None:
    a, b = (json.dumps(document, indent=indent, ensure_ascii=False).encode() for document in (old, new))
    written = edit("config/c.json", a, way("config/c.json", a, b))
    assert all_units("config/c.json", written) == all_units("config/c.json", b)


@settings(max_examples=60)
@given(DOCUMENTS, DOCUMENTS, st.booleans())
def test_any_yaml_document_becomes_any_other(old: Any, new: Any, flow: bool) -> None:
    a, b = (
        yaml.safe_dump(d, default_flow_style=flow, allow_unicode=True, sort_keys=False).encode() for d in (old, new)
    )
    written = edit("config/c.yaml", a, way("config/c.yaml", a, b))
    assert all_units("config/c.yaml", written) == all_units("config/c.yaml", b)


PLAIN = st.one_of(st.booleans(), st.integers(-9, 9), st.floats(-2, 2, width=16), st.text("ab #=é", max_size=4))
TABLES = st.dictionaries(
    NAMES,
    st.one_of(PLAIN, st.lists(st.integers(0, 3), max_size=3), st.dictionaries(NAMES, PLAIN, max_size=3)),
    min_size=1,
)


@settings(max_examples=60)
@given(TABLES, TABLES)
def test_any_toml_document_becomes_any_other(old: Any, new: Any) -> None:
    a, b = (tomlkit.dumps(document).encode() for document in (old, new))
    written = edit("config/c.toml", a, way("config/c.toml", a, b))
    assert all_units("config/c.toml", written) == all_units("config/c.toml", b)


INI = st.dictionaries(
    st.sampled_from(["a", "b c", "D"]),
    st.dictionaries(st.sampled_from(["x", "y z", "W"]), st.text("ab1 .", max_size=4).map(str.strip), min_size=1),
    min_size=1,
)


@given(INI, INI)
def test_any_ini_becomes_any_other(old: Any, new: Any) -> None:
    a, b = (
        "".join(f"[{s}]\n" + "".join(f"{k} = {v}\n" for k, v in o.items()) for s, o in d.items()).encode()
        for d in (old, new)
    )
    assert all_units("config/c.ini", edit("config/c.ini", a, way("config/c.ini", a, b))) == all_units("config/c.ini", b)


RULES = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(["refer", "drop"]), st.integers(0, 2)),
    unique_by=lambda r: r[0],
    min_size=1,
).map(lambda rules: [{"id": f"R{n}", "when": {"gt": v}, "then": t} for n, t, v in rules])
SHAPES = {
    "list.json": json.dumps,
    "map.json": lambda rules: json.dumps({rule["id"]: rule for rule in rules}, indent=2),
    "section.yaml": lambda rules: yaml.safe_dump({"version": 2, "rules": rules}, sort_keys=False),
    "groups.yaml": lambda rules: yaml.safe_dump({"groups": [{"name": "g", "interval": "1m", "rules": rules}]}),
    "section.toml": lambda rules: tomlkit.dumps({"version": 2, "rules": rules}),
}


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=30)
@given(old=RULES, new=RULES)
def test_any_rules_become_any_others(shape: str, old: Any, new: Any) -> None:
    path = f"rules/{shape}"
    a, b = (SHAPES[shape](rules).encode() for rules in (old, new))
    written = edit(path, a, way(path, a, b), [rule["id"] for rule in new])
    assert all_units(path, written) == all_units(path, b)


ROWS = st.dictionaries(
    st.integers(1, 9).map("P{}".format),
    st.tuples(
        st.sampled_from(["A", "b,c", 'q"r', "two\nlines", ""]), st.integers(-5, 5), st.sampled_from([0.5, 1.25, None])
    ),
    min_size=1,
)


def as_csv(rows: dict[str, Any]) -> bytes:
    cells = [
        [key, '"' + n.replace('"', '""') + '"', str(i), "" if f is None else str(f)] for key, (n, i, f) in rows.items()
    ]
    return ("id,name,n,x\n" + "".join(",".join(row) + "\n" for row in cells)).encode()


def as_jsonl(rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps({"id": k, "name": n, "n": i, "x": f}) + "\n" for k, (n, i, f) in rows.items()).encode()


def as_json(rows: dict[str, Any]) -> bytes:
    return json.dumps([{"id": k, "name": n, "n": i, "x": f} for k, (n, i, f) in rows.items()], indent=1).encode()


def as_parquet(rows: dict[str, Any]) -> bytes:
    columns = list(zip(*((k, *cells) for k, cells in rows.items()), strict=True))
    types = (pa.string(), pa.string(), pa.int32(), pa.float32())
    table = pa.table(
        {name: pa.array(c, t) for name, c, t in zip(("id", "name", "n", "x"), columns, types, strict=True)}
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


@pytest.mark.parametrize(
    ("path", "write"),
    [("data/t.csv", as_csv), ("data/t.jsonl", as_jsonl), ("data/t.json", as_json), ("data/t.parquet", as_parquet)],
)
@settings(max_examples=30)
@given(old=ROWS, new=ROWS)
def test_any_rows_become_any_others(path: str, write: Any, old: Any, new: Any) -> None:
    a, b = write(old), write(new)
    changes = {key: value for key, value in way(path, a, b).items() if not key.startswith("columns.")}
    if not any(value is not MISSING for value in changes.values()) and len(changes) >= len(old):
        return  # a table without rows is none
    written = all_units(path, edit(path, a, changes))
    wanted = all_units(path, b)
    assert {k: v for k, v in written.items() if "." not in k} == {k: v for k, v in wanted.items() if "." not in k}


METRICS = st.dictionaries(st.sampled_from(["recall", "f1", "auc"]), st.floats(0, 1, width=16), min_size=1)


@given(METRICS, METRICS, st.booleans())
def test_any_metrics_become_any_others(old: Any, new: Any, wrapped: bool) -> None:
    a, b = (json.dumps({"metrics": m, "run": 1} if wrapped else {**m, "C": m}).encode() for m in (old, new))
    written = edit("metrics/m.json", a, way("metrics/m.json", a, b))
    assert all_units("metrics/m.json", written) == all_units("metrics/m.json", b)


ALERTS = st.dictionaries(
    st.sampled_from(["A1", "A2", "A3"]), st.lists(st.sampled_from(["ana", "ben"]), min_size=1, max_size=3, unique=True)
)


@given(ALERTS, ALERTS)
def test_any_alerts_become_any_others(old: Any, new: Any) -> None:
    def write(alerts: Any) -> bytes:
        events = [
            {"id": k, "type": "drift", "at": "2024-01-01", "by": by} for k, people in alerts.items() for by in people
        ]
        return "".join(json.dumps(event) + "\n" for event in events).encode()

    a, b = write(old), write(new)
    assert all_units("alerts/a.jsonl", edit("alerts/a.jsonl", a, way("alerts/a.jsonl", a, b))) == all_units(
        "alerts/a.jsonl", b
    )


@given(st.lists(st.sampled_from(["a", "b", ""]), max_size=6), st.data())
def test_lines_are_replaced_by_range(lines: list[str], data: st.DataObject) -> None:
    text = "".join(f"{line}\n" for line in lines)
    low = data.draw(st.integers(0, len(lines)))
    high = data.draw(st.integers(low, len(lines)))
    new = data.draw(st.lists(st.sampled_from(["x", "y"]), max_size=3))
    wanted = [*lines[:low], *new, *lines[high:]]
    assert edit("t.py", text, {f"L{low + 1}-{high}": new}).decode() == "".join(f"{line}\n" for line in wanted)


YAML = """\
# how the model is made
impute: median   # why: B-12
C: 1.0

# the rest
model:
  name: "lr"
  steps: [scale, fit]   # in this order
  layers:
  - units: 1   # first
    act: relu
  - units: 2
note: |
  two
  lines
"""


def test_a_changed_key_of_yaml_leaves_every_other_line_alone() -> None:
    changes = {"impute": "-1", "model.name": "svc", "model.layers.0.act": "tanh", "model.steps": ["fit"], "C": MISSING}
    wanted = YAML.replace("impute: median", "impute: '-1'").replace('"lr"', '"svc"').replace("act: relu", "act: tanh")
    wanted = wanted.replace("[scale, fit]", "[fit]").replace("C: 1.0\n", "")
    assert edit("config/c.yaml", YAML, changes).decode() == wanted


@pytest.mark.parametrize(
    ("text", "changes", "wanted"),
    [
        ("a:\n- x\n- y\n", {"a": []}, "a: []\n"),
        ("a:\n- x\n", {"a": "y"}, "a: y\n"),
        ("a:  # why\n  - x\n", {"a": 1}, "a:  # why\n    1\n"),
        ("a:\n- - 1\n  - 2\n- - 3\n", {"a.0": [9]}, "a:\n- [9]\n- - 3\n"),
        ("a: [1, 2]\nb:\n- x\n- y\n", {"b": ["z"]}, "a: [1, 2]\nb:\n- z\n"),
        ("a:\n- x: 1\n  y: 2\n  z: 3\n", {"a.0.x": MISSING, "a.0.y": MISSING}, "a:\n- {z: 3}\n"),
        ("a:\nb: 2", {"a": 1, "c": None}, "a: 1\nb: 2\nc: null"),
    ],
)
def test_awkward_yaml_is_written_in_brackets_at_worst(text: str, changes: Any, wanted: str) -> None:
    assert edit("config/c.yaml", text, changes).decode() == wanted


def test_new_keys_of_yaml_stand_below_their_siblings() -> None:
    written = edit("config/c.yaml", YAML, {"model.layers.2.units": 3, "model.seed": 7, "deep.er": True}).decode()
    lines = written.splitlines()
    assert lines[lines.index("  - units: 2") + 1] == "  - units: 3"
    assert "  seed: 7" in lines and lines[-2:] == ["deep:", "  er: true"]
    assert [line for line in YAML.splitlines() if line not in lines] == []


def test_a_changed_key_of_toml_keeps_comments_and_dates() -> None:
    text = '# top\nimpute = "median" # why\nday = 2024-01-01\n\n[model] # m\nC = 1.0\n'
    written = edit("config/c.toml", text, {"impute": "-1", "day": "2024-02-01", "model.seed": 1}).decode()
    assert written == text.replace('"median"', '"-1"').replace("2024-01-01", "2024-02-01") + "seed = 1\n"


def test_json_keeps_its_indentation_order_and_missing_last_newline() -> None:
    text = '{\n\t"b": 1,\n\t"a": {"x": 1, "y": 2.50},\n\t"l": [\n\t\t1,\n\t\t2\n\t]\n}'
    written = edit("config/c.json", text, {"a.x": 9, "b": MISSING, "z": "é"}).decode()
    assert written == '{\n\t"a": {"x": 9, "y": 2.50},\n\t"l": [\n\t\t1,\n\t\t2\n\t],\n\t"z": "é"\n}'


def test_windows_line_ends_and_a_byte_order_mark_stay() -> None:
    text = b'\xef\xbb\xbf{\r\n  "a": 1,\r\n  "b": 2\r\n}\r\n'
    assert edit("config/c.json", text, {"a": 5}) == text.replace(b'"a": 1', b'"a": 5')
    assert edit("t.py", b"a\r\nb\r\n", {"L2-2": ["x"]}) == b"a\r\nx\r\n"


def test_ini_and_requirements_change_line_by_line() -> None:
    ini = "; c\n[a]\nx=1\n# more\ny : 2\n[b]\nz = 3\n"
    changed = edit("config/c.ini", ini, {"a.x": "9", "a.w": "4", "b.w": "4"}).decode()
    assert changed == ini.replace("x=1", "x=9").replace("y : 2\n", "y : 2\nw : 4\n") + "w = 4\n"
    pins = "numpy==1.26  # pinned\npandas>=2\n"
    assert edit("requirements.txt", pins, {"numpy": "==2.0", "pandas": MISSING}).decode() == "numpy==2.0  # pinned\n"


def test_a_rule_comes_back_where_it_stood() -> None:
    text = "rules:\n  - id: R1   # first\n    then: refer\n  # the third\n  - id: R3\n    then: drop\n"
    written = edit("rules/r.yaml", text, {"R2": {"id": "R2", "then": "page"}}, ["R1", "R2", "R3"]).decode()
    assert written == text.replace("  # the third\n", "  - id: R2\n    then: page\n  # the third\n")


def test_untouched_rows_and_cells_keep_their_spelling() -> None:
    text = 'id,x,note\nP1,1.50,"a, b"\n\nP2,2.2500,plain\nP3,3.0,"q"\n'
    row = {"id": "P2", "x": 2.25, "note": 'now "quoted"'}
    written = edit("data/t.csv", text, {"P2": row, "P3": MISSING, "P9": {"id": "P9", "x": 4.0, "note": None}}).decode()
    assert written == 'id,x,note\nP1,1.50,"a, b"\n\nP2,2.2500,"now ""quoted"""\nP9,4.0,\n'


def test_a_changed_record_of_json_lines_keeps_its_other_fields_as_written() -> None:
    text = '{"id": "P1", "x": 1.50, "t": [1,2]}\n{"id":"P2","x":2.5,"t":[3]}\n'
    written = edit("data/t.jsonl", text, {"P1": {"id": "P1", "x": 9.5, "t": [1, 2]}}).decode()
    assert written == text.replace("1.50", "9.5")


def test_parquet_keeps_schema_compression_and_row_groups() -> None:
    times = pa.array([1, 2, None], pa.timestamp("us", tz="UTC"))
    table = pa.table(
        {"id": ["P1", "P2", "P3"], "x": pa.array([1.5, 2.5, 3.5], pa.float32()), "t": times, "l": [[1], [2, 3], None],
         "c": pa.array(["a", "b", "a"]).dictionary_encode()},
        metadata={"who": "ana"},
    )  # fmt: skip
    sink = io.BytesIO()
    pq.write_table(table, sink, compression={"id": "zstd", "x": "gzip", "t": "none", "c": "snappy"}, row_group_size=2)
    before = pq.ParquetFile(io.BytesIO(sink.getvalue()))
    row = {**all_units("t.parquet", sink.getvalue())["P2"], "x": 9.0, "t": "2024-01-01T00:00:00Z", "c": "new"}
    after = pq.ParquetFile(io.BytesIO(edit("t.parquet", sink.getvalue(), {"P2": row, "P4": {**row, "id": "P4"}})))
    assert after.schema_arrow.equals(before.schema_arrow, check_metadata=True)
    codecs = [[f.metadata.row_group(0).column(n).compression for n in range(5)] for f in (before, after)]
    assert codecs[0] == codecs[1] and after.metadata.row_group(0).num_rows == 2
    assert after.read().column("x").to_pylist() == [1.5, 9.0, 3.5, 9.0]
    assert after.read().column("l").to_pylist() == [[1], [2, 3], None, [2, 3]]


NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [{"x": 1}], "source": ["x = 1\n"]},
        {"cell_type": "markdown", "id": "b", "metadata": {}, "source": ["# title"]},
    ],
    "nbformat": 4,
}  # fmt: skip


def test_cells_of_a_notebook_change_by_id_and_outputs_stay() -> None:
    text = json.dumps(NOTEBOOK, indent=1) + "\n"
    changes = {"b": {"type": "markdown", "source": "# new"}, "c": {"type": "code", "source": "y = 2\nz"}}
    cells = json.loads(edit("n.ipynb", text, changes, ["a", "c", "b"]))["cells"]
    assert [cell["id"] for cell in cells] == ["a", "c", "b"] and cells[0] == NOTEBOOK["cells"][0]
    assert cells[1]["source"] == ["y = 2\n", "z"] and cells[2]["source"] == ["# new"]


@pytest.mark.parametrize(
    ("path", "text", "changes", "reason"),
    [
        ("config/c.yaml", "a: &x 1\nb: *x\n", {"a": 2}, "anchors"),
        ("config/c.toml", "a = 1\n", {"a": None}, "null"),
        ("uv.lock", '[[package]]\nname = "a"\nversion = "1"\n', {"package.a.version": "2"}, "lock file"),
        ("rules/r.py", "def r1(row):\n    return row\n", {"r1": MISSING}, "program"),
        ("data/t.csv", "id,x\nP1,1\n", {"columns.y": "int64"}, "column y"),
        ("data/t.csv", "id,x\nP1,1\n", {"P1": {"id": "P2", "x": 1}}, "P"),
        ("models/m.bin", b"\x80\x04", {"steps": 1}, "never edited"),
        ("a.ipynb", '{"cells": [{"cell_type": "code", "source": "x"}]}', {"1": MISSING}, "no ids"),
        (
            "alerts/a.csv",
            "id,type,at\nA1,x,2024-01-01\n",
            {"A2": {"id": "A2", "type": "x", "at": "2024", "odd": 1}},
            "odd",
        ),
        ("config/c.json", '{"a": 1}', {"a.b": 1}, "inside a value"),
    ],
)
def test_what_cannot_be_written_says_why(path: str, text: str | bytes, changes: Any, reason: str) -> None:
    with pytest.raises(CannotEdit, match=reason):
        edit(path, text, changes)
