"""Keras files made by Keras (tests/kinds/files/make_keras.py), read without Keras."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mlver.kinds.base import Unreadable
from tests.kinds.model.making import KIND, compared, read, values
from tests.kinds.model.test_torch_files import members, packed

FILES = Path(__file__).resolve().parents[1] / "files"
TOLD = json.loads((FILES / "keras.json").read_text())["weights"]


def file(name: str) -> bytes:
    return (FILES / name).read_bytes()


@pytest.mark.parametrize("name", ["first.keras", "first.weights.h5"])
def test_weights_are_what_keras_reads(name: str) -> None:
    units = read(file(name), f"models/{name}")
    for path, expected in TOLD.items():
        layer, _, index = path.rpartition(".")
        found = units.array(f"layers.{layer}.vars.{index}").numpy()
        assert np.array_equal(found, np.array(expected, "f4")), path


def test_layers_and_settings_are_units() -> None:
    units = read(file("first.keras"), "models/first.keras")
    said = values(units)
    assert said["layers"] == ["input_layer", "hidden", "dropout", "out"]
    assert said["layers.hidden"] == {"class": "keras.layers.Dense"}
    assert said["layers.hidden.units"] == 3
    assert said["compile_config.optimizer.learning_rate"] == pytest.approx(0.01)
    assert not [key for key in said if "shared_object_id" in key or key.startswith("__members__")]
    summary = KIND.summary(units)
    assert (summary["class"], summary["layers"], summary["verdict"]) == ("Sequential", 4, "unknown")
    assert summary["library"].startswith("Keras 3.")


def test_the_older_hdf5_form_is_read_too() -> None:
    units = read(file("first.h5"), "models/first.h5")
    assert units.get("layers.hidden.units") == 3
    assert units.get("training.optimizer_config.learning_rate") == pytest.approx(0.01)
    found = units.array("model_weights.out.sequential.out.kernel").numpy()
    assert np.array_equal(found, np.array(TOLD["out.0"], "f4"))
    assert KIND.summary(units)["class"] == "Sequential"


def test_a_diff_tells_the_setting_and_the_moves() -> None:
    delta, comparison = compared(file("first.keras"), file("faster.keras"))
    assert "compile_config.optimizer.learning_rate" in delta.changed
    assert comparison.summary.startswith("Sequential: 1 parameter changed, ")
    assert "layers.hidden.vars.0" in [row[0] for row in comparison.details[0].rows]


def test_layers_keras_named_itself_are_counted_from_the_first() -> None:
    first, second = (json.loads(members(file(name))["config.json"]) for name in ("first.keras", "faster.keras"))
    assert [layer["config"]["name"] for layer in second["config"]["layers"]] != [
        layer["config"]["name"] for layer in first["config"]["layers"]
    ]  # made one after the other in one process
    assert read(file("faster.keras"), "m.keras").get("layers") == ["input_layer", "hidden", "dropout", "out"]


def test_no_layer_gets_the_name_of_another() -> None:
    parts = members(file("faster.keras"))
    config = json.loads(parts["config.json"])
    config["config"]["layers"][1]["config"]["name"] = "dropout"  # a Dense layer
    units = read(packed(parts | {"config.json": json.dumps(config).encode()}), "m.keras")
    assert units.get("layers") == ["input_layer_1", "dropout", "dropout_1", "out"]


def test_a_lambda_layer_runs_code() -> None:
    units = read(file("lambda.keras"), "models/lambda.keras")
    assert units.verdict == "runs code"
    assert "keras.layers.Lambda" in KIND.summary(units)["runs"]


def test_a_class_of_another_module_is_told() -> None:
    parts = members(file("first.keras"))
    config = json.loads(parts["config.json"])
    config["config"]["layers"][1]["module"] = "os"
    config["config"]["layers"][1]["class_name"] = "system"
    units = read(packed(parts | {"config.json": json.dumps(config).encode()}), "m.keras")
    assert units.verdict == "runs code"
    assert list(KIND.summary(units)["runs"]) == ["os.system"]


def test_files_are_recognised_by_their_first_bytes() -> None:
    assert KIND.recognises("net", file("first.keras")[:4096]) > 50
    assert KIND.recognises("net.weights.h5", file("first.weights.h5")[:4096]) > 50
    assert KIND.recognises("data/scans.h5", file("first.weights.h5")[:4096]) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config.json": b"{"}, "proper JSON"),
        ({"config.json": b"[]"}, "no JSON object"),
        ({"config.json": b'{"a":' * 5000}, "proper JSON"),
        ({"config.json": b'{"class_name":"A","config":' * 900 + b"1" + b"}" * 900}, "nested"),
        ({"metadata.json": b"{"}, "proper JSON"),
        ({"model.weights.h5": b"\x89HDF\r\n\x1a\n" + bytes(9)}, "truncated"),
        ({"model.weights.h5": b"hello" * 50}, "not an HDF5 file"),
    ],
)
def test_a_file_with_a_broken_part_is_refused(change: dict[str, bytes], reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(packed(members(file("first.keras")) | change), "m.keras")


def test_what_the_installed_keras_writes_is_read(tmp_path: Path) -> None:
    try:
        keras = pytest.importorskip("keras")
    except ImportError as error:
        pytest.skip(f"Keras without a backend: {error}")
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1, name="one")])
    model.save(tmp_path / "m.keras")
    units = read((tmp_path / "m.keras").read_bytes(), "m.keras")
    assert np.array_equal(units.array("layers.one.vars.0").numpy(), model.get_weights()[0])
