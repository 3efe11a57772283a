"""ONNX models made by the onnx package, read without it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.kinds.base import Unreadable
from tests.kinds.byte_source import ByteSource, as_dict
from tests.kinds.model.making import KIND, Delta, Spec

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper


def network(scale: float = 1.0, hidden: int = 3, **settings: Any) -> Any:
    weight = (np.arange(4 * hidden, dtype="f4").reshape(4, hidden) / 10) * np.float32(scale)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "fc.weight", "fc.bias"], ["h"], name="fc", alpha=settings.pop("alpha", 1.0)),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array([2.0], "f4"))),
            helper.make_node("Mul", ["r", "c"], ["y"]),
        ],
        "risk",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", hidden])],
        [numpy_helper.from_array(weight, "fc.weight"), numpy_helper.from_array(np.zeros(hidden, "f4"), "fc.bias")],
    )
    model = helper.make_model(graph, producer_name="clinic", opset_imports=[helper.make_opsetid("", 17)])
    helper.set_model_props(model, {"trained": "2024-01-05"})
    onnx.checker.check_model(model)
    return model


def load(model: Any, path: str = "models/m.onnx") -> Any:
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return KIND.units(ByteSource(path, data), Spec())


def compared(old: Any, new: Any) -> tuple[Delta, Any]:
    a, b = load(old), load(new)
    delta = a.delta(b)
    return delta, KIND.compare(a, b, delta)


def test_the_parts_of_a_model_have_units() -> None:
    units = load(network())
    said = as_dict(units)
    assert said["opset.ai.onnx"] == 17
    assert said["producer"] == "clinic"
    assert said["metadata.trained"] == "2024-01-05"
    assert said["graph"] == "risk"
    assert said["inputs.x"] == "float32 Nx4"
    assert said["outputs.y"] == "float32 Nx3"
    assert said["nodes.fc"] == {"class": "Gemm", "inputs": ["x", "fc.weight", "fc.bias"], "outputs": ["h"]}
    assert said["nodes.fc.alpha"] == 1.0
    assert said["nodes.r"] == {"class": "Relu", "inputs": ["h"], "outputs": ["r"]}
    assert said["nodes.c.value"]["values"] == [2.0]
    assert np.array_equal(units.array("weights.fc.weight").numpy(), np.arange(12, dtype="f4").reshape(4, 3) / 10)
    summary = KIND.summary(units)
    assert (summary["class"], summary["opset"], summary["nodes"], summary["verdict"]) == (
        "ONNX model", 17, 4, "plain data",
    )  # fmt: skip


def test_a_diff_tells_settings_and_how_far_weights_moved() -> None:
    delta, comparison = compared(network(), network(1.5, alpha=0.5))
    assert set(delta.changed) == {"nodes.fc.alpha", "weights.fc.weight"}
    (row,) = comparison.details[0].rows
    assert row[0] == "weights.fc.weight"
    assert row[3] == pytest.approx(0.5)
    assert comparison.summary == "ONNX model: 1 parameter changed, 1 of 3 arrays moved (max 50 %)"


def test_order_of_nodes_and_weights_does_not_matter() -> None:
    model = network()
    other = onnx.ModelProto()
    other.CopyFrom(model)
    del other.graph.initializer[:]
    other.graph.initializer.extend(reversed(model.graph.initializer))
    delta, comparison = compared(model, other)
    assert not delta
    assert comparison.same_meaning


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(
    "kind",
    ["FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "INT8", "UINT8", "INT16", "UINT16", "INT32", "INT64", "UINT32", "UINT64",
     "BOOL", "COMPLEX64", "COMPLEX128", "FLOAT8E4M3FN"],
)  # fmt: skip
def test_each_element_type_in_each_form(kind: str, raw: bool) -> None:
    number = getattr(TensorProto, kind)
    dtype = helper.tensor_dtype_to_np_dtype(number)
    array = np.array([0, 1, 1, 0, 1, 0]).astype(dtype).reshape(2, 3)
    made = helper.make_tensor("w", number, (2, 3), array.tobytes() if raw else array.flatten().tolist(), raw=raw)
    graph = helper.make_graph([], "g", [], [], [made])
    units = load(helper.make_model(graph))
    found = units.array("weights.w")
    assert found.shape == (2, 3)
    assert b"".join(found.canonical()) == array.tobytes()
    assert found.dtype.name == str(dtype)


def test_text_tensors_are_shown() -> None:
    made = helper.make_tensor("labels", TensorProto.STRING, (2,), [b"low", b"high"])
    units = load(helper.make_model(helper.make_graph([], "g", [], [], [made])))
    assert units.get("weights.labels") == {"shape": [2], "dtype": "string", "values": ["low", "high"]}


def test_weights_in_another_file_are_named() -> None:
    made = numpy_helper.from_array(np.zeros((2, 2), "f4"), "w")
    onnx.external_data_helper.set_external_data(made, "weights.bin", offset=64, length=16)
    made.ClearField("raw_data")
    made.data_location = TensorProto.EXTERNAL
    units = load(helper.make_model(helper.make_graph([], "g", [], [], [made])))
    assert units.get("weights.w") == {
        "shape": [2, 2], "dtype": "float32", "external": "weights.bin", "offset": 64, "length": 16,
    }  # fmt: skip
    assert KIND.summary(units)["external"] == ["weights.bin"]
    assert units.verdict == "unknown"


def test_weights_outside_of_the_folder_are_no_plain_data() -> None:
    made = numpy_helper.from_array(np.zeros(2, "f4"), "w")
    onnx.external_data_helper.set_external_data(made, "../../etc/passwd")
    made.ClearField("raw_data")
    made.data_location = TensorProto.EXTERNAL
    units = load(helper.make_model(helper.make_graph([], "g", [], [], [made])))
    assert units.verdict == "unknown"
    assert "outside of its folder" in KIND.summary(units)["oddities"][0]


def test_operators_of_other_domains_are_no_plain_data() -> None:
    node = helper.make_node("Shell", ["x"], ["y"], domain="com.example")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    units = load(helper.make_model(helper.make_graph([node], "g", [], []), opset_imports=opsets))
    assert units.verdict == "unknown"
    assert units.get("nodes.y")["class"] == "com.example.Shell"


def test_graphs_inside_of_nodes_are_read() -> None:
    def branch(name: str, value: float) -> Any:
        constant = helper.make_node("Constant", [], [name], value_float=value)
        return helper.make_graph([constant], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, [])])

    node = helper.make_node("If", ["p"], ["y"], then_branch=branch("a", 1.0), else_branch=branch("b", 2.0))
    units = load(helper.make_model(helper.make_graph([node], "g", [], [])))
    assert units.get("nodes.y.then_branch.nodes.a.value_float") == 1.0
    assert units.get("nodes.y.else_branch.nodes.b.value_float") == 2.0


def test_lists_of_numbers_and_texts_are_attributes() -> None:
    node = helper.make_node("Any", ["x"], ["y"], ints=[1, -2], floats=[0.5, 1.5], strings=["a", "b"], s="z")
    node.attribute.append(helper.make_attribute("many", list(range(1000))))
    node.attribute.append(helper.make_attribute("none", [], attr_type=onnx.AttributeProto.INTS))
    units = load(helper.make_model(helper.make_graph([node], "g", [], [])))
    assert units.get("nodes.y.ints") == [1, -2]
    assert units.get("nodes.y.floats") == [0.5, 1.5]
    assert units.get("nodes.y.strings") == ["a", "b"]
    assert units.get("nodes.y.s") == "z"
    assert units.get("nodes.y.none") == []
    assert units.array("nodes.y.many").numpy().tolist() == list(range(1000))


@settings(max_examples=60, deadline=None)
@given(
    whole=st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=300),
    parts=st.lists(st.floats(width=32, allow_nan=False), max_size=300),
    words=st.lists(st.text(max_size=5), max_size=20),
)
def test_lists_of_any_length_are_what_onnx_reads(whole: list[int], parts: list[float], words: list[str]) -> None:
    proto = onnx.AttributeProto
    node = helper.make_node("Any", ["x"], ["y"])
    node.attribute.append(helper.make_attribute("whole", whole, attr_type=proto.INTS))
    node.attribute.append(helper.make_attribute("parts", parts, attr_type=proto.FLOATS))
    node.attribute.append(helper.make_attribute("words", words, attr_type=proto.STRINGS))
    units = load(helper.make_model(helper.make_graph([node], "g", [], [])))
    for name, expected in (("whole", whole), ("parts", parts)):
        array = units.array(f"nodes.y.{name}")
        assert (units.get(f"nodes.y.{name}") if array is None else array.numpy().tolist()) == expected
    assert units.get("nodes.y.words") == words


def test_types_of_inputs_are_told() -> None:
    maps = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    made = helper.make_value_info("z", helper.make_sequence_type_proto(maps))
    units = load(helper.make_model(helper.make_graph([], "g", [made], [])))
    assert units.get("inputs.z") == "sequence of map of float32 scalar"


def nested(levels: int) -> bytes:
    graph = helper.make_graph([], "g", [], [])
    for _ in range(levels):
        graph = helper.make_graph([helper.make_node("If", ["p"], ["y"], then_branch=graph)], "g", [], [])
    return bytes(helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (nested(25), "nested more than 20"),
        (network().SerializeToString()[:-10], "ends early|no version"),
        (b"\x08", "ends early"),
        (b"\x08" + b"\xff" * 12, "endless number"),
        (b"\x3a\xff\xff\xff\xff\x0f", "longer than its message"),
        (b"\x0b", "wire type 3"),
        (b"\x00\x01", "field 0"),
        (b"hello world, this is text", "."),
        (helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString()[:2], "no version, no opset"),
    ],
)
def test_a_broken_file_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        load(data)


@pytest.mark.parametrize("dims", [(1 << 40, 1 << 40), (-1,), (3,)])
def test_a_shape_that_does_not_fit_is_refused(dims: tuple[int, ...]) -> None:
    made = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=bytes(8))
    with pytest.raises(Unreadable, match="shape"):
        load(helper.make_model(helper.make_graph([], "g", [], [], [made])))
