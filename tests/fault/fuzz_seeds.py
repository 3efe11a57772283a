"""Good inputs for the parsers: small files as the real libraries write them."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests.badinput import corpus

FILES = Path(__file__).resolve().parents[1] / "kinds" / "files"
_TABLE = 'id,name,x,when\n1,ä,1.5,2024-01-01\n2,b,,2024-01-02T10:00:00Z\n3,"c,""d""",-2e3,\n'
_ROWS = [{"id": 1, "x": 1.5, "tags": ["a"], "o": {"k": None}}, {"id": 2, "x": None, "tags": [], "o": {"k": "v"}}]
_RULES = [
    {"id": "R1", "if": "x > 3 and y in ('a', 'b')", "then": "drop"},
    {"name": "R2", "column": "age", "op": ">=", "value": 18, "enabled": False},
    {"record": "R3", "expr": "sum(x)", "labels": {"a": "b"}},
]
_DBT = b"""version: 2
models:
  - name: patients
    columns:
      - name: age
        tests:
          - not_null
          - accepted_values:
              values: [1, 2]
          - dbt_utils.expression_is_true:
              expression: ">= 0"
              config: {severity: warn}
"""
_DEEQU = {"constraints": [{"constraint": "age >= 0", "name": "c", "check_level": "Error"}]}
_GE = {
    "expectations": [
        {"expectation_type": "expect_column_values_to_be_between", "kwargs": {"column": "a", "min_value": 0}}
    ]
}
_PYTHON_RULES = b'''"""Rules."""
LIMITS = {"age": (0, 120)}

def check_age(row):
    """Too old."""
    return row["age"] > 120 or (row["x"] is None and not row.get("y"))

RULES = [lambda r: r["x"] in (1, 2), check_age]
'''
_SQL_RULES = b"""-- name: too_old
SELECT * FROM patients WHERE age > 120 AND note NOT LIKE '%x%';

-- name: labels
SELECT id, CASE WHEN x > 3 THEN 'a' ELSE 'b' END AS y FROM t;
"""
_METRICS = {"all": {"recall": 0.9, "n": 20}, "clinic=C": {"recall": 0.4, "n": 3}, "loss": [1.0, 0.5, None], "auc": 1}
_ALERTS = [
    {
        "id": "A1",
        "type": "drift",
        "at": "2024-01-01T00:00:00Z",
        "severity": "critical",
        "summary": "x",
        "stage": "prod",
    },
    {
        "id": "A2",
        "type": "drift",
        "at": "2024-01-02",
        "events": [{"at": "2024-01-02T01:00Z", "outcome": "FP", "by": "ana"}],
    },
    {
        "labels": {"alertname": "A3"},
        "startsAt": "2024-01-01T00:00:00Z",
        "annotations": {"summary": "s"},
        "status": "firing",
    },
]
_CONFIG = {"a": {"b": [1, 2.5, None, "x"]}, "c": True, "d.e": "f"}
_YAML = b"# head\na: &x\n  b: [1, 2]   # note\n  c: 'q'\nd: *x\ne: |\n  text\nf: 2024-01-01\ng: {h: 1}\n"
_TOML = b'# head\na = 1 # note\n[b]\nc = [1, 2]\nd = "x"\n[[e]]\nf = 1979-05-27T07:32:00Z\ng = {h = 1}\n'
_INI = b"[a]\nb = 1\nc: x y\n; note\n[d]\n"
_REQUIREMENTS = b"numpy==2.0.1  # note\n-r other.txt\npandas>=2,<3 ; python_version > '3.8'\nscikit_learn[all]==1.5\n"
_LOCK = b'[[package]]\nname = "numpy"\nversion = "2.0"\n[package.dependencies]\na = "*"\n'
_CODE = b"import os\n\n\ndef f(x: int = 1) -> int:\n    if x > 3:\n        return x\n    return -1\n"


@cache
def _made() -> dict[str, bytes]:
    return corpus.good()


def _arrow_table() -> Any:
    import pyarrow as pa

    return pa.table(
        {
            "id": [1, 2, 3], "x": [1.5, None, -2.0], "s": ["a", "b", None], "l": [[1], [], None],
            "o": [{"k": 1}, None, {"k": 2}], "d": pa.array(["a", "b", "a"]).dictionary_encode(),
            "t": pa.array([0, 1, 2], pa.timestamp("us", "UTC")), "n": pa.array([1, 2, 3], pa.decimal128(5, 2)),
        }
    )  # fmt: skip


def _parquet() -> list[bytes]:
    import pyarrow.parquet as parquet

    out, plain = io.BytesIO(), io.BytesIO()
    parquet.write_table(_arrow_table(), out)
    parquet.write_table(_arrow_table().select(["id", "x", "s"]), plain, compression="none", use_dictionary=False)
    return [out.getvalue(), plain.getvalue()]


def _orc() -> list[bytes]:
    import pyarrow.orc as orc

    out = io.BytesIO()
    orc.write_table(_arrow_table().select(["id", "x", "s", "l"]), out)
    return [out.getvalue()]


def _ipc() -> list[bytes]:
    import pyarrow as pa

    found = []
    for compression in (None, "zstd"):
        out = io.BytesIO()
        with pa.ipc.new_file(
            out, _arrow_table().schema, options=pa.ipc.IpcWriteOptions(compression=compression)
        ) as writer:
            writer.write_table(_arrow_table())
        found.append(out.getvalue())
    return found


def _npy() -> list[bytes]:
    import numpy as np

    given = (
        np.arange(6.0).reshape(2, 3),
        np.array(["a", "é"]),
        np.zeros(2, [("a", "i4"), ("b", "f8", (2,))]),
        np.array(3),
    )
    found = []
    for array in (*given, np.asfortranarray(given[0]), np.array(["2024-01-01"], "M8[D]")):
        out = io.BytesIO()
        np.save(out, array)
        found.append(out.getvalue())
    out = io.BytesIO()
    np.save(out, np.array([None, {"a": 1}], object), allow_pickle=True)
    return [*found, out.getvalue()]


def _npz() -> list[bytes]:
    import numpy as np

    found = []
    for save in (np.savez, np.savez_compressed):
        for b in (np.array([None, "x"], object), np.ones((2, 2), "f4")):
            out = io.BytesIO()
            save(out, a=np.arange(4), b=b)
            found.append(out.getvalue())
    return found


def _plain_pickles() -> list[bytes]:
    thing = {
        "a": [1, 2.5, None, True],
        "b": ("x", b"y", {1, 2}),
        "c": 1 << 80,
        "d": frozenset("a"),
        "e": bytearray(b"z"),
    }
    return [pickle.dumps(thing, protocol) for protocol in range(6)]


def _estimators() -> list[bytes]:
    from tests.kinds.model import making

    return [
        pickle.dumps(thing, protocol) for protocol in (0, 2, 4, 5) for thing in (making.pipeline(), making.columns())
    ]


def _joblibs() -> list[bytes]:
    from tests.kinds.model import making

    return [
        making.joblib_bytes(making.bundle()),
        making.joblib_bytes(making.forest()),
        making.joblib_bytes(making.clusters(), protocol=2),
    ]


def _own_files(*suffixes: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(FILES.iterdir()) if path.name.endswith(suffixes)]


def _skops() -> list[bytes]:
    import skops.io

    from tests.kinds.model import making

    return [skops.io.dumps({"a": [1, 2.5, "x"]}), skops.io.dumps(making.columns())]


def _hdf5() -> list[bytes]:
    import h5py
    import numpy as np

    found = _own_files(".h5")
    for how in ({}, {"chunks": (2, 2), "compression": "gzip", "shuffle": True, "fletcher32": True}):
        out = io.BytesIO()
        with h5py.File(out, "w") as target:
            target.create_dataset("g/w", data=np.arange(12.0).reshape(3, 4), **how).attrs["a"] = "text"
        found.append(out.getvalue())
    return [data for data in found if len(data) < 60_000]


def _onnx() -> list[bytes]:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    port = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])
    weight = numpy_helper.from_array(np.arange(8, dtype="f4").reshape(4, 2), "w")
    body = helper.make_graph([helper.make_node("Identity", ["w"], ["z"])], "b", [], [])
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"], name="m"),
        helper.make_node("If", ["c"], ["q"], then_branch=body),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", [port], [out], [weight]))
    model.metadata_props.add(key="k", value="v")
    data: bytes = model.SerializeToString()
    return [data]


def _gguf() -> list[bytes]:
    import struct

    from tests.kinds.model.shapes import gguf

    def text(words: bytes) -> bytes:
        return struct.pack("<Q", len(words)) + words

    pairs = text(b"general.alignment") + struct.pack("<II", 4, 32)
    pairs += text(b"a.list") + struct.pack("<IIQ3i", 9, 5, 3, 1, 2, 3)
    tensor = text(b"w") + struct.pack("<IQQIQ", 2, 2, 2, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + pairs + tensor
    return [gguf(), head + bytes(-len(head) % 32) + struct.pack("<4f", 1, 2, 3, 4)]


def _xgboost(form: str) -> list[bytes]:
    import xgboost
    from sklearn.datasets import load_iris

    model = xgboost.XGBClassifier(n_estimators=2, max_depth=2).fit(*load_iris(return_X_y=True))
    return [bytes(model.get_booster().save_raw(form))]


def _lightgbm() -> list[bytes]:
    import lightgbm
    from sklearn.datasets import load_iris

    model = lightgbm.LGBMClassifier(n_estimators=1, num_leaves=4, verbose=-1).fit(*load_iris(return_X_y=True))
    text: str = model.booster_.model_to_string()
    return [text.encode()]


def _safetensors() -> list[bytes]:
    import numpy as np
    from safetensors.numpy import save

    from tests.kinds.model.shapes import safetensors

    return [safetensors(), save({"a": np.arange(6.0), "b": np.ones((2, 2), "f4")}, metadata={"format": "pt"})]


def _json(*values: Any) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


def _lines(rows: list[Any]) -> list[bytes]:
    return [b"".join(json.dumps(row).encode() + b"\n" for row in rows)]


_BY_PATH: dict[str, Callable[[], list[bytes]]] = {
    "data/t.csv": lambda: [_TABLE.encode(), _made()["data/t.csv"], b"\xef\xbb\xbfa;b\r\n1,5;2\r\n"],
    "data/t.tsv": lambda: [_TABLE.replace(",", "\t").encode()],
    "data/t.jsonl": lambda: _lines(_ROWS), "data/t.json": lambda: _json(_ROWS),
    "data/t.parquet": _parquet, "data/t.orc": _orc, "data/t.arrow": _ipc, "data/t.feather": _ipc,
    "data/a.npy": _npy, "data/a.npz": _npz, "models/m.npy": _npy, "models/m.npz": _npz,
    "models/m.pkl": _plain_pickles, "models/e.pkl": _estimators, "models/m.joblib": _joblibs,
    "models/m.pt": lambda: [data for data in _own_files(".pt", ".pth") if len(data) < 20_000],
    "models/m.skops": _skops, "models/m.keras": lambda: _own_files(".keras"), "models/m.h5": _hdf5,
    "models/m.onnx": _onnx, "models/m.gguf": _gguf, "models/m.safetensors": _safetensors, "models/m.txt": _lightgbm,
    "models/m.ubj": lambda: _xgboost("ubj"), "models/x.json": lambda: [*_xgboost("json"), *_json({"cut": 1})],
    "models/m.yaml": lambda: [_YAML],
    "rules/r.json": lambda: _json(_RULES, {"rules": {"a": {"if": "x"}}}, _GE), "rules/deequ.json": lambda: _json(_DEEQU, _GE),
    "rules/r.yaml": lambda: [_made()["rules/rules.yaml"], b"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x > 1\n"],
    "rules/r.toml": lambda: [b'[R1]\nif = "x > 3"\nthen = "drop"\n[[rules]]\nid = "R2"\n'], "rules/r.ini": lambda: [_INI],
    "rules/r.py": lambda: [_PYTHON_RULES], "rules/r.sql": lambda: [_SQL_RULES], "models/schema.yml": lambda: [_DBT],
    "metrics/m.json": lambda: _json(_METRICS, [{"metric": "recall", "value": 0.5, "step": 3, "n": 4}]),
    "metrics/m.yaml": lambda: [b"all:\n  recall: 0.9\n  n: 3\nC: {recall: .nan}\n"],
    "metrics/m.toml": lambda: [b"[all]\nrecall = 0.9\n"], "metrics/m.csv": lambda: [b"metric,slice,value,n\nrecall,A,0.5,3\n"],
    "metrics/m.jsonl": lambda: _lines([{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}]),
    "alerts/a.json": lambda: _json(_ALERTS, {"alerts": _ALERTS}), "alerts/a.jsonl": lambda: _lines(_ALERTS[:2]),
    "alerts/a.csv": lambda: [_made()["alerts/a.csv"]],
    "config/c.json": lambda: _json(_CONFIG), "config/c.yaml": lambda: [_YAML], "config/c.toml": lambda: [_TOML],
    "config/c.ini": lambda: [_INI], "requirements.txt": lambda: [_REQUIREMENTS], "poetry.lock": lambda: [_LOCK],
    "Pipfile.lock": lambda: _json({"default": {"numpy": {"version": "==2.0"}}, "_meta": {}}),
    "config/e.yaml": lambda: [b"# head\na:\n  b: [1, 2]   # note\n  c: 'q'\nd: {h: 1}\ne: 5\nf:\n- 1\n- x: 2\n"],
    "config/c": lambda: [_YAML, _TOML, _INI, *_json(_CONFIG)],
    "src/a.py": lambda: [_CODE], "n.ipynb": lambda: [_made()["notebooks/n.ipynb"]], "README.md": lambda: [b"# a\n\ntext\n"],
    "x.bin": lambda: [bytes(range(64))],
}  # fmt: skip


def by_path(path: str) -> list[bytes]:
    """Return good contents of a file of that name."""
    return _BY_PATH[path]()
