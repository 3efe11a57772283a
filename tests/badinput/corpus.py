"""One good file of every kind and format, and the ways in which files come broken."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
from collections.abc import Callable

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

_ROWS = 60


def _table() -> pa.Table:
    frame = load_breast_cancer(as_frame=True).frame.iloc[:_ROWS, [0, 1, 30]]
    return pa.table({"id": range(_ROWS), **{name: frame[name].to_numpy() for name in frame}})


def _parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(_table(), out)
    return out.getvalue()


def _arrow() -> bytes:
    out, table = io.BytesIO(), _table()
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def _model(compress: int) -> bytes:
    table = _table()
    features = np.column_stack([table.column(1), table.column(2)])
    out = io.BytesIO()
    joblib.dump(LogisticRegression().fit(features, table.column(3)), out, compress=compress)
    return out.getvalue()


_CSV = b"id,x\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(_ROWS))
_NOTEBOOK = {
    "cells": [{"cell_type": "code", "id": "c", "source": ["a = 1\n", "b = 2"], "outputs": [], "metadata": {}}],
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip
_RULES = [{"id": "R1", "if": "x > 3", "then": "drop"}, {"id": "R2", "if": "y < 3", "then": "page"}]


def good() -> dict[str, bytes]:
    """Return whole files by path."""
    return {
        "data/t.parquet": _parquet(),
        "data/t.feather": _arrow(),
        "data/t.csv": _CSV,
        "data/t.csv.gz": gzip.compress(_CSV, mtime=0),
        "data/t.jsonl": b"".join(b'{"id":%d,"x":%d}\n' % (n, n * n) for n in range(_ROWS)),
        "models/m.joblib": _model(0),
        "models/z.joblib": _model(3),
        "models/m.pkl": pickle.dumps({"a": [1, 2, {"b": 3.5}], "c": "text" * 10}, 4),
        "models/m.safetensors": save({"a": np.arange(12.0).reshape(3, 4), "b": np.ones(3, dtype="float32")}),
        "rules/rules.json": json.dumps(_RULES).encode(),
        "rules/rules.yaml": b"- id: R1\n  if: x > 3\n  then: drop\n- id: R2\n  if: y < 3\n",
        "metrics/m.json": b'{"all": {"recall": 0.9, "n": 20}, "C": {"recall": 0.4}}',
        "metrics/m.yaml": b"all:\n  recall: 0.9\n",
        "config/c.yaml": b"a: 1\nb:\n  c: [1, 2]\n",
        "config/c.toml": b"a = 1\n[b]\nc = [1, 2]\n",
        "config/c.json": b'{"a": {"b": [1, 2]}}',
        "config/c.ini": b"[a]\nb = 1\n",
        "alerts/a.jsonl": b'{"id":"A1","type":"x","at":"2024-01-01T00:00:00Z"}\n',
        "alerts/a.csv": b"id,type,at\nA1,x,2024-01-01T00:00:00Z\n",
        "notebooks/n.ipynb": json.dumps(_NOTEBOOK).encode(),
    }


def _flipped(data: bytes) -> bytes:
    chance, broken = random.Random(len(data)), bytearray(data)
    for _ in range(3):
        broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
    return bytes(broken)


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut in half": lambda data: data[: len(data) // 2],
    "cut by one byte": lambda data: data[:-1],
    "noise after the magic": lambda data: data[:8] + random.Random(7).randbytes(200),
    "zeros": lambda data: bytes(len(data)),
    "flipped bits": _flipped,
    "not UTF-8": lambda data: data + b"\xe9\xff",
    "garbage at the end": lambda data: data + b"GARBAGE",
}
