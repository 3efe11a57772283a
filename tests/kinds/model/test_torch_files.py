"""PyTorch's zip files, read without PyTorch: what torch.json says PyTorch reads, bit for bit."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlver.kinds.base import Unreadable
from mlver.kinds.models.moves import _special
from tests.kinds.model.making import KIND, compared, read, values

FILES = Path(__file__).resolve().parents[1] / "files"
TOLD = json.loads((FILES / "torch.json").read_text())


def file(name: str) -> bytes:
    return (FILES / name).read_bytes()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return stream.getvalue()


def numbers(array: Any) -> Any:
    raw = array.numpy()
    if array.dtype.special:
        return _special(raw, array.dtype.special).reshape(array.shape)
    if raw.dtype.kind == "c":
        return np.stack([raw.real, raw.imag], axis=-1).astype("f8")
    return raw.astype("f8")


@pytest.mark.parametrize("name", ["state_dict.pt", "tensors.pt"])
def test_tensors_are_what_pytorch_reads(name: str) -> None:
    units = read(file(name), f"models/{name}")
    said = values(units)
    assert set(said) - {"_metadata"} == set(TOLD[name])
    for path, expected in TOLD[name].items():
        assert said[path]["dtype"] == expected["dtype"], path
        assert said[path]["shape"] == expected["shape"], path
        found = numbers(units.array(path))
        assert np.array_equal(found, np.array(expected["values"], "f8").reshape(found.shape)), path


def test_views_of_one_storage_in_any_order_are_their_own_values() -> None:
    units = read(file("tensors.pt"), "models/t.pt")
    assert np.array_equal(units.array("turned").numpy(), np.arange(24.0).reshape(4, 6).T)
    assert units.get("block")["values"] == [[8, 9, 10], [14, 15, 16]]
    assert units.get("wide")["values"] == [[7, 7, 7], [7, 7, 7]]
    assert units.get("grad")["class"] == "torch.Tensor (requires grad)"


def test_a_state_dict_has_dotted_names() -> None:
    units = read(file("state_dict.pt"), "models/s.pt")
    summary = KIND.summary(units)
    assert (summary["class"], summary["format"], summary["verdict"]) == ("state dict", "pytorch", "unknown")
    assert summary["elements"] == 32
    assert units.get("0.weight")["shape"] == [3, 4]
    assert units.get("_metadata")["entries"] == 6


def test_a_checkpoint_has_its_optimizer_beside_its_weights() -> None:
    units = read(file("checkpoint.pth"), "models/c.pth")
    said = values(units)
    assert said["epoch"] == 3
    assert said["optimizer_state_dict.param_groups.0.lr"] == 0.01
    assert said["optimizer_state_dict.state.0.exp_avg"]["shape"] == [3, 4]
    assert said["model_state_dict.0.weight"] == read(file("state_dict.pt"), "s.pt").get("0.weight")
    assert said["device"] == {"device": "cpu"}
    assert said["size"] == [4, 3]
    assert units.verdict == "unknown"
    assert KIND.summary(units)["class"] == "checkpoint"


def test_a_whole_module_runs_code_and_is_read_all_the_same() -> None:
    units = read(file("module.pt"), "models/m.pt")
    assert units.verdict == "runs code"
    assert KIND.summary(units)["runs"][0] == "torch.nn.modules.container.Sequential"
    assert units.get("0") == {"class": "torch.nn.modules.linear.Linear"}
    assert units.get("0.in_features") == 4
    state = read(file("state_dict.pt"), "s.pt")
    assert units.get("0.weight")["digest"] == state.get("0.weight")["digest"]
    assert units.get("0.weight")["class"] == "torch.nn.Parameter"
    assert units.get("1.running_var") == state.get("1.running_var")


def test_torchscript_runs_code_and_names_its_files() -> None:
    units = read(file("script.pt"), "models/s.pt")
    assert units.verdict == "runs code"
    assert list(KIND.summary(units)["runs"]) == ["code/__torch__/torch/nn/modules/linear.py"]
    assert units.get("weight")["shape"] == [1, 2]
    assert "__members__.code/__torch__/torch/nn/modules/linear.py" in values(units)


def test_a_diff_tells_how_far_each_tensor_moved() -> None:
    delta, comparison = compared(file("state_dict.pt"), file("state_dict_later.pt"))
    assert delta.changed
    assert not delta.added
    assert not delta.removed
    assert comparison.summary.startswith("state dict: 9 of 9 arrays moved (max ")
    rows = {row[0]: row for row in comparison.details[0].rows}
    old, new = (read(file(name), "s.pt").array("0.weight").numpy() for name in ("state_dict.pt", "state_dict_later.pt"))
    step = float(np.linalg.norm(new.astype("f8") - old))
    assert rows["0.weight"][2] == pytest.approx(step)
    assert rows["0.weight"][3] == pytest.approx(step / float(np.linalg.norm(old.astype("f8"))))


def test_a_big_endian_file_holds_the_same_model() -> None:
    assert file("big.pt") != file("little.pt")
    units = read(file("big.pt"), "t.pt")
    assert values(units) == values(read(file("little.pt"), "t.pt"))
    assert units.get("int64")["values"] == [0, 1, -3, 100]


def test_a_compressed_archive_holds_the_same_model() -> None:
    assert values(read(packed(members(file("tensors.pt")), zipfile.ZIP_DEFLATED), "t.pt")) == values(
        read(file("tensors.pt"), "t.pt")
    )


def test_members_nobody_refers_to_are_units_of_their_own() -> None:
    parts = members(file("state_dict.pt")) | {"state_dict/notes.txt": b"hello"}
    units = read(packed(parts), "s.pt")
    assert units.get("__members__.notes.txt")["bytes"] == 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state_dict/data/0": b"1234"}, "length does not fit"),
        ({"state_dict/data/0": None}, "has no member"),
        ({"state_dict/byteorder": b"middle"}, "neither little nor big"),
        ({"state_dict/data.pkl": b"\x80\x02]q\x00."}, ""),
        ({"state_dict/data.pkl": b"\x80\x02U\x01aQ."}, "persistent id that is not PyTorch's"),
        ({"state_dict/data.pkl": b"\x80\x02}q\x00(U\x01ah\x00u."}, ""),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(change: dict[str, bytes | None], reason: str) -> None:
    parts = {name: data for name, data in (members(file("state_dict.pt")) | change).items() if data is not None}
    if not reason:
        assert values(read(packed(parts), "s.pt")) is not None
        return
    with pytest.raises(Unreadable, match=reason):
        read(packed(parts), "s.pt")


def rebuilt(offset: int, size: tuple[int, ...], stride: tuple[int, ...], stored: int = 4) -> bytes:
    """An archive with one tensor of float32, as torch.save would write it."""

    def text(word: str) -> bytes:
        return b"X" + len(word).to_bytes(4, "little") + word.encode()

    def whole(parts: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"\x8a\x09" + n.to_bytes(9, "little", signed=True) for n in parts) + b"t"

    pid = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + whole((stored,))[1:-1] + b"tQ"
    args = b"(" + pid + whole((offset,))[1:-1] + whole(size) + whole(stride) + b"\x89N" + b"t"
    pickled = b"\x80\x02}" + text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n" + args + b"Rs."
    return packed({"m/data.pkl": pickled, "m/byteorder": b"little", "m/data/0": bytes(4 * stored)})


def test_the_handmade_tensor_is_one() -> None:
    assert read(rebuilt(1, (3,), (1,)), "m.pt").get("w")["shape"] == [3]


@pytest.mark.parametrize(
    ("offset", "size", "stride", "reason"),
    [
        (2, (3,), (1,), "beyond its storage"),
        (0, (2, 3), (3, 1), "beyond its storage"),
        (1 << 40, (1,), (1,), "beyond its storage"),
        (0, (1 << 40,), (0,), "larger than its storage"),
        (0, (1 << 20, 1 << 20), (0, 0), "larger than its storage"),
    ],
)
def test_a_tensor_that_lies_about_its_place_is_refused(
    offset: int, size: tuple[int, ...], stride: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(rebuilt(offset, size, stride), "m.pt")


@pytest.mark.parametrize(("offset", "size", "stride"), [(-1, (1,), (1,)), (0, (2,), (-1,)), (0, (2,), (1, 1))])
def test_a_tensor_of_no_possible_form_stays_a_call(offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
    assert read(rebuilt(offset, size, stride), "m.pt").get("w")["class"] == "torch._utils._rebuild_tensor_v2"


def test_the_format_before_zip_files_is_named() -> None:
    with pytest.raises(Unreadable, match=r"before 1\.6"):
        read(file("legacy.pt"), "models/l.pt")


def test_a_hostile_name_in_a_checkpoint_is_told() -> None:
    parts = members(file("state_dict.pt"))
    parts["state_dict/data.pkl"] = b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R."
    units = read(packed(parts), "s.pt")
    assert units.verdict == "runs code"
    assert list(KIND.summary(units)["runs"]) in (["os.system"], ["posix.system"])


def test_what_the_installed_pytorch_writes_is_read() -> None:
    torch = pytest.importorskip("torch")
    stream = io.BytesIO()
    made = {"a": torch.arange(6.0).reshape(2, 3).t(), "b": torch.tensor([1.5], dtype=torch.bfloat16)}
    torch.save(made, stream)
    units = read(stream.getvalue(), "s.pt")
    assert np.array_equal(units.array("a").numpy(), made["a"].numpy())
    assert units.get("b")["dtype"] == "bfloat16"
