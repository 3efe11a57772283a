"""Model files for the tests, made by the real libraries."""

from __future__ import annotations

import io
import pickle
from functools import cache
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlver.kinds.base import Delta, Spec, Units
from mlver.kinds.model import ModelKind, ModelUnits
from tests.kinds.byte_source import ByteSource

KIND = ModelKind()
COMPRESSIONS: tuple[Any, ...] = (0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3))


def read(data: bytes, path: str = "models/m.joblib") -> ModelUnits:
    units = KIND.units(ByteSource(path, data), Spec())
    assert isinstance(units, ModelUnits)
    return units


def values(units: Units) -> dict[str, Any]:
    return {key: units.get(key) for key in units.keys()}  # noqa: SIM118 - Units is no mapping


def joblib_bytes(thing: Any, compress: Any = 0, protocol: int | None = None) -> bytes:
    stream = io.BytesIO()
    joblib.dump(thing, stream, compress=compress, protocol=protocol)
    return stream.getvalue()


def compared(old: bytes, new: bytes) -> tuple[Delta, Any]:
    a, b = read(old), read(new)
    delta = a.delta(b)
    return delta, KIND.compare(a, b, delta)


@cache
def cancer() -> tuple[pd.DataFrame, pd.Series]:
    data = load_breast_cancer(as_frame=True)
    return data.data, data.target


def pipeline(c: float = 1.0, rows: int = 569) -> Pipeline:
    x, y = cancer()
    model = Pipeline([("scaler", StandardScaler()), ("clf", LogisticRegression(C=c, random_state=0))])
    return model.fit(x[:rows], y[:rows])


def bundle(**settings: Any) -> dict[str, Any]:
    x, _ = cancer()
    return {"model": pipeline(**settings), "fill": {name: float(x[name].median()) for name in x.columns}}


def forest() -> RandomForestClassifier:
    x, y = load_iris(return_X_y=True)
    return RandomForestClassifier(5, random_state=0).fit(x, y)


def boosting() -> GradientBoostingClassifier:
    x, y = load_iris(return_X_y=True)
    return GradientBoostingClassifier(n_estimators=3, random_state=0).fit(x, y)


def columns() -> Pipeline:
    frame = pd.DataFrame({"age": [30.0, 40.0, 50.0, 61.0], "site": ["A", "B", "A", "C"], "extra": [1, 2, 3, 4]})
    prepare = ColumnTransformer([("num", StandardScaler(), ["age"]), ("cat", OneHotEncoder(), ["site"])])
    return make_pipeline(prepare, LogisticRegression()).fit(frame, [0, 1, 0, 1])


def clusters() -> KMeans:
    return KMeans(3, n_init=1, random_state=0).fit(load_iris(return_X_y=True)[0])


def every_protocol(thing: Any) -> list[bytes]:
    return [pickle.dumps(thing, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]


def arrays_of_every_dtype() -> dict[str, np.ndarray]:
    numbers = np.arange(24)
    made = {kind: numbers.astype(kind).reshape(2, 3, 4) for kind in "?bhilqBHILQefdFD"}
    record = np.dtype([("id", "i4"), ("flag", "u1"), ("at", "f8", (2,))], align=True)
    records = np.zeros(3, record)
    records["id"], records["at"] = [1, 2, 3], 0.5
    return made | {
        "big endian": numbers.astype(">f8"),
        "fortran": np.asfortranarray(numbers.astype("f4").reshape(4, 6)),
        "transposed": numbers.astype("f8").reshape(2, 3, 4).transpose(1, 0, 2),
        "strided": numbers.astype("f8")[::3],
        "text": np.array([["a", "bcd"], ["é", ""]]),
        "raw": np.array([b"a", b"bc"]),
        "dates": np.array(["2024-01-01", "NaT"], "M8[ns]"),
        "spans": np.array([1, 2], "m8[25s]"),
        "empty": np.zeros((0, 5)),
        "single": np.array(7.5),
        "records": records,
        "objects": np.array([["x", None], [3, 4.5]], object),
    }
