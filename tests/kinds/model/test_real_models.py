"""What is read from files of real libraries is what the live object says."""

from __future__ import annotations

import datetime
import decimal
import pickle
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.utils import Bunch

from tests.kinds.model import making
from tests.kinds.model.making import COMPRESSIONS, KIND, every_protocol, joblib_bytes, read, values

MODELS: dict[str, Callable[[], Any]] = {
    "bundle": making.bundle,
    "forest": making.forest,
    "boosting": making.boosting,
    "columns": making.columns,
    "clusters": making.clusters,
}
Point = namedtuple("Point", "x y")


def live_array(units: Any, path: str) -> Any:
    array = units.array(path)
    assert array is not None, path
    return array.numpy()


def test_the_paths_of_a_pipeline_name_its_steps_parameters_and_arrays() -> None:
    made = making.bundle(c=0.5)
    clf, scaler = made["model"].named_steps["clf"], made["model"].named_steps["scaler"]
    units = read(joblib_bytes(made))
    assert units.get("model") == {"class": "sklearn.pipeline.Pipeline"}
    assert units.get("model.steps") == ["scaler", "clf"]
    assert units.get("model.steps.clf") == {"class": "sklearn.linear_model._logistic.LogisticRegression"}
    for name, value in clf.get_params().items():
        assert units.get(f"model.steps.clf.{name}") == value, name
    for name in ("mean_", "var_", "scale_"):
        assert units.get(f"model.steps.scaler.{name}")["shape"] == [30]
        assert np.array_equal(live_array(units, f"model.steps.scaler.{name}"), getattr(scaler, name))
    assert units.get("model.steps.clf.coef_")["shape"] == [1, 30]
    assert np.array_equal(live_array(units, "model.steps.clf.coef_"), clf.coef_)
    assert units.get("model.steps.clf.intercept_")["values"] == clf.intercept_.tolist()
    assert units.get("model.steps.clf.classes_") | {"digest": ""} == {
        "shape": [2], "dtype": "int64", "digest": "", "values": [0, 1],
    }  # fmt: skip
    assert units.get("model.steps.scaler.feature_names_in_")["values"] == list(scaler.feature_names_in_)
    assert {key: units.get(f"fill.{key}") for key in made["fill"]} == made["fill"]


def test_the_library_version_is_said_where_it_begins_to_hold() -> None:
    import sklearn

    units = read(joblib_bytes(making.bundle()))
    said = [key for key in values(units) if key.endswith("_sklearn_version")]
    assert said == ["model._sklearn_version"]
    assert units.get(said[0]) == sklearn.__version__


def test_the_nodes_of_a_tree_are_an_array_of_records() -> None:
    made = making.forest().estimators_[0]
    units = read(joblib_bytes(made))
    state = made.tree_.__getstate__()
    nodes = live_array(units, "tree_.nodes")
    assert units.get("tree_.node_count") == made.tree_.node_count
    for field in state["nodes"].dtype.names:
        assert np.array_equal(nodes[field], state["nodes"][field], equal_nan=True), field
    assert np.array_equal(live_array(units, "tree_.values"), made.tree_.value)


def test_padding_between_the_fields_of_records_is_no_part_of_the_model() -> None:
    kind = np.dtype([("a", "u1"), ("b", "f8")], align=True)
    noise = [np.frombuffer(bytearray([fill]) * 32, kind) for fill in (0, 255)]
    for array in noise:
        array["a"], array["b"] = 1, 2.5
    first, second = (pickle.dumps(array, 4) for array in noise)
    assert first != second
    assert values(read(first)) == values(read(second))


def test_each_tree_of_an_ensemble_is_one_unit() -> None:
    for made, path in ((making.forest(), "estimators_.{}"), (making.boosting(), "estimators_.{}.1")):
        units = read(joblib_bytes(made))
        for index, row in enumerate(made.estimators_):
            tree = row[1] if isinstance(row, np.ndarray) else row
            value = units.get(path.format(index))
            assert value["class"].endswith(type(tree).__name__)
            assert value["leaves"] == tree.get_n_leaves()
        assert KIND.summary(units)["trees"] == len(np.ravel(made.estimators_))
        assert not [key for key in values(units) if "tree_" in key]


def test_column_transformers_are_read_by_the_names_of_their_parts() -> None:
    units = read(joblib_bytes(making.columns()))
    path = "steps.columntransformer.transformers_"
    assert units.get(path) == ["num", "cat", "remainder"]
    assert units.get(f"{path}.num.__columns__") == ["age"]
    assert units.get(f"{path}.remainder") == "drop"
    assert units.get(f"{path}.cat.categories_.0")["values"] == ["A", "B", "C"]


@pytest.mark.parametrize("name", MODELS)
def test_protocol_and_compression_do_not_matter(name: str) -> None:
    made = MODELS[name]()
    expected = values(read(joblib_bytes(made)))
    assert len(expected) > 20
    for data in every_protocol(made):
        assert values(read(data)) == expected
    for compress in COMPRESSIONS:
        for protocol in (2, 3, 4, 5):
            data = joblib_bytes(made, compress, protocol)
            assert values(read(data)) == expected, (compress, protocol)


def test_arrays_of_every_dtype_are_the_same_in_every_form() -> None:
    made = making.arrays_of_every_dtype()
    forms = [*every_protocol(made), *(joblib_bytes(made, compress) for compress in (0, 3))]
    expected = values(read(forms[0]))
    for data in forms:
        units = read(data)
        assert values(units) == expected
        for name, array in made.items():
            assert units.get(name)["shape"] == list(array.shape)
            if array.dtype != object:
                assert array.dtype.kind in "USV" or units.get(name)["dtype"] == str(array.dtype.newbyteorder("="))
                same = units.array(name).numpy()
                assert same.shape == array.shape
                assert repr(same.tolist()) == repr(array.tolist())
    assert expected["objects"]["values"] == [["x", None], [3, 4.5]]
    assert expected["text"]["values"] == [["a", "bcd"], ["é", ""]]
    assert expected["text"]["dtype"] == "str3"
    assert expected["dates"]["values"] == ["2024-01-01T00:00:00.000000000", "NaT"]
    assert expected["records"]["dtype"] == "{id: int32, flag: uint8, at: float64[2]}"


def test_memory_layout_and_byte_order_do_not_matter() -> None:
    numbers = np.arange(12.0).reshape(3, 4)
    forms = [numbers, np.asfortranarray(numbers), numbers.astype(">f8"), numbers.T.copy().T]
    digests = {read(pickle.dumps(form, protocol)).get("__value__")["digest"] for form in forms for protocol in (2, 5)}
    assert len(digests) == 1
    assert read(pickle.dumps(numbers.T)).get("__value__")["digest"] not in digests


def test_plain_python_values_are_the_same_in_every_protocol() -> None:
    made = {
        "int": -(2**70), "float": 0.1, "nan": float("nan"), "none": None, "yes": True, "text": "é\n\\u00e9",
        "bytes": b"\x00\xff", "tuple": (1, (2, "x")), "list": [1, 2.5, None], "empty": [], "nothing": {},
        "set": {"b", "a", "c"}, "frozen": frozenset((3, 1, 2)), "complex": 1 + 2j, "array": bytearray(b"ab"),
        "when": datetime.datetime(2024, 2, 29, 13, 14, 15, 16, datetime.timezone(datetime.timedelta(hours=-3.5))),
        "day": datetime.date(2024, 2, 29), "clock": datetime.time(1, 2, 3), "span": datetime.timedelta(-1, 3, 5),
        "decimal": decimal.Decimal("1.50"), "ordered": OrderedDict(a=1), "default": defaultdict(list, a=[1]),
        "scalar": np.float32(0.5), "date64": np.datetime64("2024-02-29"), "flag": np.bool_(True), "class": np.float64,
        "bunch": Bunch(x=1, y=[1, 2]), "point": Point(1, 2.5), "dtype": np.dtype("f4"), "slice": slice(1, None, 2),
        7: "seven", "7": "text seven", (1, "a"): "pair", "a.b": "dotted", "": "no name", 1.5: "float key",
    }  # fmt: skip
    forms = every_protocol(made)
    first = values(read(forms[0]))
    for data in (*forms[1:], joblib_bytes(made)):
        assert repr(values(read(data))) == repr(first)
    assert first["int"] == -(2**70)
    assert first["tuple"] == [1, [2, "x"]]
    assert first["set"] == {"set": ["a", "b", "c"]}
    assert first["frozen"] == {"set": [1, 2, 3]}
    assert first["bytes"] == {"bytes": 2, "hex": "00ff"}
    assert first["when"] == {"datetime": "2024-02-29T13:14:15.000016-03:30"}
    assert first["span"] == {"timedelta": "-86396.999995 s"}
    assert first["decimal"] == {"decimal": "1.50"}
    assert first["scalar"] == 0.5
    assert first["date64"] == {"datetime64": "2024-02-29"}
    assert first["flag"] is True
    assert first["class"] == {"name": "numpy.float64"}
    assert first["dtype"] == {"dtype": "float32"}
    assert first["bunch"] == {"class": "sklearn.utils._bunch.Bunch"}
    assert first["bunch.y"] == [1, 2]
    assert first["point"]["args"] == [1, 2.5]
    assert first["default.a"] == [1]
    assert (first["7"], first['"7"'], first['"a.b"'], first['""']) == ("seven", "text seven", "dotted", "no name")


def test_sparse_matrices_random_states_and_frames_are_walked() -> None:
    state = np.random.RandomState(3)
    made = {
        "sparse": scipy.sparse.csr_matrix(np.eye(3)),
        "random": state,
        "frame": pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}),
    }
    forms = [*every_protocol(made), joblib_bytes(made)]
    first = values(read(forms[-1]))
    assert first["sparse.data"]["values"] == [1.0, 1.0, 1.0]
    assert first["sparse._shape"] == [3, 3]
    assert any(
        key.startswith("frame.") and value.get("values") == [[0.5, 1.5]]
        for key, value in first.items()
        if isinstance(value, dict)
    )
    key = next(
        key
        for key, value in first.items()
        if key.startswith("random") and isinstance(value, dict) and value.get("shape") == [624]
    )
    assert np.array_equal(read(forms[-1]).array(key).numpy(), state.get_state()[1])
    for data in forms:
        again = values(read(data))
        assert {key: value for key, value in again.items() if not key.startswith("frame")} == {
            key: value for key, value in first.items() if not key.startswith("frame")
        }


def test_large_arrays_stay_in_the_file_until_they_are_asked_for() -> None:
    made = {"big": np.arange(400_000, dtype="f8"), "small": np.arange(3)}
    plain, packed = read(joblib_bytes(made)), read(joblib_bytes(made, 3))
    assert values(plain) == values(packed)
    assert not isinstance(plain.array("big").data, bytes)
    assert np.array_equal(plain.array("big").numpy(), made["big"])
    assert [len(piece) for piece in plain.array("big").pieces()] == [131072, 131072, 131072, 6784]


def test_a_vocabulary_is_one_unit_whatever_its_order() -> None:
    words = {f"word{n}": n for n in range(6000)}
    backwards = dict(reversed(words.items()))
    first, second = (read(pickle.dumps({"vocabulary_": form})) for form in (words, backwards))
    assert list(first.keys()) == ["vocabulary_"]
    assert values(first) == values(second)
    assert values(read(pickle.dumps({"vocabulary_": words | {"word3": 4}}))) != values(first)


def test_sharing_and_loops_end() -> None:
    loop: dict[str, Any] = {"a": {"value": 1}}
    loop["a"]["back"] = loop
    assert values(read(pickle.dumps(loop))) == {"a.value": 1, "a.back": {"same as": "the model"}}
    shared = {"x": {"y": 1}}
    assert values(read(pickle.dumps([shared, shared]))) == {"0.x.y": 1, "1.x.y": 1}


def test_a_summary_says_what_the_model_is() -> None:
    said = KIND.summary(read(joblib_bytes(making.bundle())))
    assert said["class"] == "Pipeline(StandardScaler, LogisticRegression)"
    assert said["library"].startswith("scikit-learn ")
    assert said["arrays"] == 8
    assert said["elements"] == 30 * 5 + 2 + 1 + 1
    assert said["verdict"] == "unknown"
    assert KIND.summary(read(joblib_bytes(making.columns())))["class"] == (
        "Pipeline(ColumnTransformer(StandardScaler, OneHotEncoder), LogisticRegression)"
    )
    assert KIND.summary(read(joblib_bytes({"w": np.ones(3)})))["verdict"] == "unknown"


def test_a_json_model_is_read_by_dotted_paths() -> None:
    rule = b'{"kind": "rule", "column": "mean radius", "op": ">", "value": 15}'
    units = read(rule, "models/fallback.json")
    assert values(units) == {"kind": "rule", "column": "mean radius", "op": ">", "value": 15}
    assert KIND.summary(units)["verdict"] == "plain data"
    assert KIND.recognises("models/fallback.json", rule) >= 70
    assert KIND.recognises("config/fallback.json", rule) == 0


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("coef_", {"shape": [1, 30], "dtype": "float64", "digest": "ab" * 32}, "float64 1x30 abababababab"),
        ("classes_", {"shape": [2], "dtype": "int64", "digest": "x", "values": [0, 1]}, "int64 2 [0, 1]"),
        ("clf", {"class": "a.B"}, "a.B"),
        ("C", 0.5, "0.5"),
        ("name", "a\x1b[31mb", "a\\x1b[31mb"),
    ],
)
def test_the_text_of_a_unit_is_one_visible_line(key: str, value: Any, text: str) -> None:
    assert KIND.text(key, value) == text
