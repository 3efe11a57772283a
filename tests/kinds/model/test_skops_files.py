"""skops files made by skops, read without it: the same units as the pickle of the same model."""

from __future__ import annotations

import io
import json
import pickle
import warnings
import zipfile
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.tree import DecisionTreeClassifier

from mlver.kinds.base import Unreadable
from tests.kinds.model import making
from tests.kinds.model.making import KIND, cancer, compared, joblib_bytes, read, values
from tests.kinds.model.test_torch_files import members, packed

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    skops = pytest.importorskip("skops.io")


@pytest.mark.parametrize(
    "make",
    [making.pipeline, making.columns, making.clusters, making.forest, lambda: {"a": [1, 2.5, None], "b": (True,)}],
)
def test_a_model_has_the_units_of_its_pickle(make: Any) -> None:
    made = make()
    units = read(skops.dumps(made), "models/m.skops")
    said, expected = values(units), values(read(pickle.dumps(made)))
    random = [key for key in expected if "random_state" in key or "_rng" in key]
    assert {key: value for key, value in said.items() if key not in random} == {
        key: value for key, value in expected.items() if key not in random
    }
    assert KIND.summary(units)["format"] == "skops"


def test_boosted_trees_are_told_as_trees() -> None:
    made = making.boosting()
    units = read(skops.dumps(made), "models/m.skops")
    pickled = read(joblib_bytes(made))
    assert units.get("estimators_.2.1")["tree"] == pickled.get("estimators_.2.1")["tree"]
    assert KIND.summary(units)["trees"] == 9
    assert units.loaded.importance() == pickled.loaded.importance()


def test_the_verdict_is_on_the_names_in_the_file() -> None:
    units = read(skops.dumps(making.pipeline()), "models/m.skops")
    assert units.verdict == "unknown"
    assert "sklearn.linear_model._logistic.LogisticRegression" in units.loaded.unlisted
    assert read(skops.dumps({"a": 1}), "models/m.skops").verdict == "unknown"


def test_a_name_that_runs_code_is_told() -> None:
    schema = {
        "__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "protocol": 2, "_skops_version": "0",
    }  # fmt: skip
    units = read(packed({"schema.json": json.dumps(schema).encode()}), "m.skops")
    assert units.verdict == "runs code"
    assert list(KIND.summary(units)["runs"]) == ["os.system"]


def test_two_savings_of_one_model_are_the_same_model() -> None:
    made = making.columns()
    first, second = skops.dumps(made), skops.dumps(pickle.loads(pickle.dumps(made)), compression=zipfile.ZIP_DEFLATED)
    assert first != second
    _, comparison = compared(first, second)
    assert comparison.summary == "byte-different, same model"


def test_a_changed_setting_is_one_change() -> None:
    delta, comparison = compared(skops.dumps(making.pipeline()), skops.dumps(making.pipeline(c=0.5)))
    assert "steps.clf.C" in delta.changed
    assert comparison.summary.startswith("LogisticRegression: 1 parameter changed, ")


def test_arrays_of_every_kind_are_read() -> None:
    made = {key: value for key, value in making.arrays_of_every_dtype().items() if key not in ("objects", "G")}
    made = {key: value for key, value in made.items() if value.dtype.names is None}
    units = read(skops.dumps(made), "m.skops")
    pickled = read(pickle.dumps(made))
    assert values(units) == values(pickled)


def test_sparse_matrices_sets_and_bytes_are_read() -> None:
    made = {"m": csr_matrix(np.eye(3)), "s": {1, 2}, "b": b"abc", "t": np.float64, "n": np.float32(1.5)}
    said = values(read(skops.dumps(made), "m.skops"))
    assert said["m.data"]["values"] == [1, 1, 1]
    assert said["m.indptr"]["values"] == [0, 1, 2, 3]
    assert said["s"] == {"set": [1, 2]}
    assert said["b"] == {"bytes": 3, "hex": "616263"}
    assert said["t"] == {"name": "numpy.float64"}
    assert said["n"] == 1.5
    assert not [key for key in said if key.startswith("__members__")]


def test_keys_that_are_numbers_stay_numbers() -> None:
    said = values(read(skops.dumps({2: "a", 2.5: "b", "3": "c", True: "d"}), "m.skops"))
    assert said == {"2": "a", "2_5": "b", '"3"': "c", "True": "d"}


def tree() -> bytes:
    x, y = cancer()
    return bytes(skops.dumps(DecisionTreeClassifier(max_depth=2).fit(x, y)))


def changed(change: Any) -> bytes:
    parts = members(tree())
    schema = json.loads(parts["schema.json"])
    change(schema)
    return packed(parts | {"schema.json": json.dumps(schema).encode()})


def deep(levels: int) -> bytes:
    frame = '{"__class__":"list","__module__":"builtins","__loader__":"ListNode","content":['
    return packed({"schema.json": (frame * levels + "]}" * levels).encode()})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packed({"schema.json": b"{"}), "proper JSON"),
        (packed({"schema.json": b"[]"}), "not skops's"),
        (packed({"schema.json": b'{"a":1,"a":2}'}), "twice"),
        (deep(300), "nested too deep"),
        (deep(50_000), "proper JSON"),
        (changed(lambda schema: schema.pop("__class__")), "without a class"),
        (changed(lambda schema: schema.update(content=5)), "without a loader"),
        (changed(lambda schema: schema["content"].update(content=5)), "without its entries"),
        (changed(lambda schema: schema.update(__loader__="CachedNode", __id__=7)), "never had"),
        (changed(lambda schema: schema.update(__loader__="JsonNode", content="{")), "JSON is broken"),
        (changed(lambda schema: schema.update(__loader__="NdArrayNode", type="numpy", file="../x")), "no member"),
        (changed(lambda schema: schema.update(__loader__="NdArrayNode", type="other")), "unknown form"),
    ],
)
def test_a_schema_that_is_broken_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(data, "models/m.skops")


def test_an_object_inside_of_itself_is_told() -> None:
    node = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "__id__": 1}
    thing = {
        "__class__": "A", "__module__": "m", "__loader__": "ObjectNode", "__id__": 9,
        "content": {
            "__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "__id__": 8,
            "content": {"me": {"__class__": "A", "__module__": "m", "__loader__": "CachedNode", "__id__": 9}},
            "key_types": node | {"content": []},
        },
    }  # fmt: skip
    units = read(packed({"schema.json": json.dumps(thing).encode()}), "m.skops")
    assert units.get("me") == {"same as": "the model"}


ARRAY = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": "1.npy"}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (1 << 60,)}", "header cannot be read"),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (99,)}", "does not fit"),
        (b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "not read"),
        (b"{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}", "not read"),
        (b"{'descr': [('a', '<f8')] * 9, 'fortran_order': False, 'shape': (1,)}", "header cannot be read"),
        (b"__import__('os').system('true')", "header cannot be read"),
        (b"(" * 3000, "header cannot be read"),
    ],
)
def test_an_array_that_lies_is_refused(header: bytes, reason: str) -> None:
    raw = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8)
    with pytest.raises(Unreadable, match=reason):
        read(packed({"schema.json": json.dumps(ARRAY).encode(), "1.npy": raw}), "m.skops")


def test_arrays_of_numpy_are_read_whatever_their_type() -> None:
    record = np.zeros(2, [("id", "<i4"), ("at", "<f8", (2,))])
    record["at"] = 1.5
    for array in (record, np.array(["2024-01-01"], "M8[25s]"), np.asfortranarray(np.arange(6.0).reshape(2, 3))):
        stream = io.BytesIO()
        np.save(stream, array)
        data = packed({"schema.json": json.dumps(ARRAY).encode(), "1.npy": stream.getvalue()})
        assert values(read(data, "m.skops")) == values(read(pickle.dumps(array)))
