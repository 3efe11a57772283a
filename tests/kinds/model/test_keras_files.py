"""Keras files made by Keras (tests/kinds/files/make_keras.py), read through h5py and without it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlver.kinds.base import Unreadable
from mlver.kinds.models import hdf5_file
from tests.kinds.model.making import KIND, compared, read, values
from tests.kinds.model.test_torch_files import members, packed

h5py = pytest.importorskip("h5py")

FILES = Path(__file__).resolve().parents[1] / "files"
TOLD = json.loads((FILES / "keras.json").read_text())["weights"]


def file(name: str) -> bytes:
    return (FILES / name).read_bytes()


@pytest.fixture
def without_h5py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_file, "available", lambda: False)
    from mlver.kinds.models import keras_file

    monkeypatch.setattr(keras_file, "available", lambda: False)


def hdf5(fill: Any) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as target:
        fill(target)
    return stream.getvalue()


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


@pytest.mark.usefixtures("without_h5py")
def test_without_h5py_the_weights_are_one_digest_and_a_hint_says_more() -> None:
    delta, comparison = compared(file("first.keras"), file("faster.keras"))
    assert delta.changed == ["compile_config.optimizer.learning_rate", "weights"]
    assert comparison.summary.endswith("not shown: each weight: pip install 'mlver[keras]'")
    units = read(file("first.weights.h5"), "models/w.weights.h5")
    assert set(values(units)) == {"weights"}
    assert "mlver[keras]" in KIND.summary(units)["missing"]


def test_files_are_recognised_by_their_first_bytes() -> None:
    assert KIND.recognises("net", file("first.keras")[:4096]) > 50
    assert KIND.recognises("net.weights.h5", file("first.weights.h5")[:4096]) > 50
    assert KIND.recognises("data/scans.h5", file("first.weights.h5")[:4096]) == 0


def test_packed_and_turned_weights_are_their_own_values() -> None:
    array = np.arange(600, dtype=">f8").reshape(20, 30)

    def fill(target: Any) -> None:
        target.create_dataset("packed", data=array, compression="gzip", chunks=(5, 5))
        target.create_dataset("plain", data=array)
        target.create_dataset("empty", (0, 3), "f4")
        target.create_dataset("text", data=["a", "b"], dtype=h5py.string_dtype())
        target["scalar"] = 3

    units = read(hdf5(fill), "models/w.h5")
    assert units.get("packed")["digest"] == units.get("plain")["digest"]
    assert np.array_equal(units.array("packed").numpy(), array)
    assert units.get("scalar")["values"] == 3
    assert "digest" in units.get("text")
    assert units.get("empty")["shape"] == [0, 3]


def test_links_out_of_the_file_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["w"] = np.ones(3)

    def fill(target: Any) -> None:
        target["away"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/w")
        target["soft"] = h5py.SoftLink("/w")
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "w", (3,))
        target.create_virtual_dataset("virtual", layout)
        target.create_dataset("raw", (3,), "f8", external=[(str(tmp_path / "secret.h5"), 0, 24)])

    units = read(hdf5(fill), "models/w.h5")
    assert units.get("away")["link"] == "ExternalLink"
    assert units.get("soft")["link"] == "SoftLink"
    assert units.get("virtual")["external"] == "another file"
    assert units.get("raw")["external"] == "another file"
    assert not units.loaded.arrays


def test_groups_that_hold_each_other_end() -> None:
    def fill(target: Any) -> None:
        inner = target.create_group("a").create_group("b")
        inner["back"] = target["a"]
        target["a"]["w"] = np.ones(2)

    said = values(read(hdf5(fill), "models/w.h5"))
    assert [key for key in said if key.endswith("w")] == ["a.w"]


def test_a_dataset_that_unpacks_to_far_more_is_refused() -> None:
    def fill(target: Any) -> None:
        target.create_dataset("bomb", (1 << 30,), "f8", chunks=(1 << 20,), compression="gzip")

    with pytest.raises(Unreadable, match="far more"):
        read(hdf5(fill), "models/w.h5")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config.json": b"{"}, "proper JSON"),
        ({"config.json": b"[]"}, "no JSON object"),
        ({"config.json": b'{"a":' * 5000}, "proper JSON"),
        ({"config.json": b'{"class_name":"A","config":' * 900 + b"1" + b"}" * 900}, "nested"),
        ({"metadata.json": b"{"}, "proper JSON"),
        ({"model.weights.h5": b"\x89HDF\r\n\x1a\n" + bytes(100)}, "HDF5 file that is damaged"),
        ({"model.weights.h5": b"hello"}, "HDF5 file that is damaged"),
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
