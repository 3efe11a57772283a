"""GGUF files made by the gguf package, read without it."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlver.kinds.base import Unreadable
from mlver.kinds.models.gguf_file import _TYPES
from tests.kinds.model.making import KIND, compared, read, values

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    gguf = pytest.importorskip("gguf")


def tensors(shift: float = 0.0) -> dict[str, np.ndarray]:
    return {
        "blk.0.attn_q.weight": np.arange(64, dtype="f4").reshape(2, 32) + np.float32(shift),
        "blk.0.norm": np.ones(4, "f2"),
        "ids": np.arange(3, dtype="i4"),
    }


def written(folder: Path, shift: float = 0.0, endian: Any = gguf.GGUFEndian.LITTLE, layers: int = 1) -> bytes:
    writer = gguf.GGUFWriter(folder / "m.gguf", "llama", endianess=endian)
    writer.add_name("triage")
    writer.add_block_count(layers)
    writer.add_context_length(128)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_token_list(["<s>", "fever", "é", b"\xff\xfe"])
    writer.add_array("clinic.weights", [0.5, 1.5])
    writer.add_bool("clinic.signed", True)
    for name, array in tensors(shift).items():
        writer.add_tensor(name, array)
    quantised = gguf.quantize(np.linspace(-1, 1, 64, dtype="f4").reshape(2, 32), gguf.GGMLQuantizationType.Q8_0)
    if endian == gguf.GGUFEndian.LITTLE:
        writer.add_tensor("blk.0.ffn.weight", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return (folder / "m.gguf").read_bytes()


def test_metadata_and_tensors_are_units(tmp_path: Path) -> None:
    units = read(written(tmp_path), "models/m.gguf")
    said = values(units)
    assert said["metadata.general.architecture"] == "llama"
    assert said["metadata.llama.context_length"] == 128
    assert said["metadata.tokenizer.ggml.tokens"] == ["<s>", "fever", "é", "\\xff\\xfe"]
    assert said["metadata.clinic.weights"] == [0.5, 1.5]
    assert said["metadata.clinic.signed"] is True
    for name, array in tensors().items():
        assert np.array_equal(units.array(name).numpy(), array), name
        assert said[name]["shape"] == list(array.shape)
    assert said["blk.0.ffn.weight"]["dtype"] == "Q8_0"
    assert said["blk.0.ffn.weight"]["shape"] == [2, 32]
    summary = KIND.summary(units)
    assert (summary["class"], summary["name"], summary["verdict"]) == ("GGUF llama", "triage", "plain data")
    assert summary["tensor_types"] == {"float32": 1, "float16": 1, "int32": 1, "Q8_0": 1}


def test_a_diff_tells_metadata_and_moves(tmp_path: Path) -> None:
    delta, comparison = compared(written(tmp_path), written(tmp_path, 1.0, layers=2))
    assert set(delta.changed) == {"metadata.llama.block_count", "blk.0.attn_q.weight"}
    (row,) = comparison.details[0].rows
    assert row[:3] == ("blk.0.attn_q.weight", "2x32", 8.0)


def test_quantised_tensors_are_compared_by_their_bytes(tmp_path: Path) -> None:
    data = written(tmp_path)
    changed = bytearray(data)
    changed[-33] ^= 1
    _, comparison = compared(data, bytes(changed))
    (row,) = comparison.details[0].rows
    assert row[0] == "blk.0.ffn.weight"
    assert row[2:5] == (None, None, None)
    assert row[5] == pytest.approx(1 - 1 / 68)


def test_a_big_endian_file_holds_the_same_model(tmp_path: Path) -> None:
    little = values(read(written(tmp_path), "m.gguf"))
    big = values(read(written(tmp_path, endian=gguf.GGUFEndian.BIG), "m.gguf"))
    assert {key: big[key] for key in big} == {key: little[key] for key in big}


def test_blocks_are_as_large_as_the_package_says() -> None:
    for kind, (block, size) in gguf.GGML_QUANT_SIZES.items():
        assert _TYPES[int(kind)][1:] == (block, size), kind


def header(tensors: int, entries: int, rest: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries) + rest


def text(word: str) -> bytes:
    return struct.pack("<Q", len(word)) + word.encode()


def tensor(name: str, dims: tuple[int, ...], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GGUF", "truncated"),
        (header(0, 0, version=9), "version 9"),
        (header(1 << 60, 0), "more tensors than fit"),
        (header(0, 1 << 60), "more tensors than fit"),
        (header(0, 1, struct.pack("<Q", 1 << 50) + bytes(20)), "endless text"),
        (header(0, 1, text("a") + struct.pack("<I", 99) + bytes(20)), "unknown type 99"),
        (header(0, 1, text("a") + struct.pack("<IIQ", 9, 0, 1 << 50)), "too much metadata"),
        (header(0, 1, text("a") + struct.pack("<IIQ", 9, 8, 1 << 50)), "truncated"),
        (header(0, 1, text("a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 9 + bytes(9)), "too much metadata"),
        (header(0, 2, (text("a") + b"\0\0\0\0\1") * 2), "twice"),
        (header(0, 1, text("general.alignment") + struct.pack("<II", 4, 0)), "impossible alignment"),
        (header(1, 0, tensor("w", (4,), 77, 0) + bytes(64)), "unknown type 77"),
        (header(1, 0, tensor("w", (4,), 8, 0) + bytes(64)), "impossible shape"),
        (header(1, 0, tensor("w", (1 << 40, 1 << 40), 0, 0) + bytes(64)), "outside of the file"),
        (header(1, 0, tensor("w", (4,), 0, 1 << 50) + bytes(64)), "outside of the file"),
        (header(1, 0, text("w") + struct.pack("<I", 1 << 30) + bytes(64)), "more than 8 dimensions"),
    ],
)
def test_a_file_that_lies_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(data, "models/m.gguf")


def test_files_are_recognised_by_their_first_bytes(tmp_path: Path) -> None:
    assert KIND.recognises("weights", written(tmp_path)[:4096]) > 50
