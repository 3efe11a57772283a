"""HDF5 files written by h5py, read without it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.kinds.base import Unreadable
from tests.kinds.model.making import KIND, compared, read, values

h5py = pytest.importorskip("h5py")


def hdf5(fill: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w", **options) as target:
        fill(target)
    return stream.getvalue()


def one(**settings: Any) -> bytes:
    return hdf5(lambda target: target.create_dataset("w", **settings))


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "i1", "u1", "<i2", ">i8", "<u4", ">u8"])
@pytest.mark.parametrize(
    "how",
    [{}, {"chunks": (3, 4)}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True, "fletcher32": True}],
)
def test_numbers_of_each_type_in_each_layout(dtype: str, how: dict[str, Any]) -> None:
    array = (np.arange(70).reshape(7, 10) % 100).astype(dtype)
    units = read(one(data=array, **how), "models/w.h5")
    assert np.array_equal(units.array("w").numpy(), array)
    assert units.get("w")["shape"] == [7, 10]
    assert units.get("w")["dtype"] == str(np.dtype(dtype).newbyteorder("="))


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple),
    data=st.data(),
    packed=st.sampled_from([{}, {"compression": "gzip"}, {"shuffle": True}, {"fletcher32": True}]),
)
def test_chunks_of_any_shape_are_put_together(shape: tuple[int, ...], data: Any, packed: dict[str, Any]) -> None:
    chunks = tuple(data.draw(st.integers(1, size)) for size in shape)
    array = np.arange(int(np.prod(shape)), dtype="i4").reshape(shape)
    units = read(one(data=array, chunks=chunks, **packed), "models/w.h5")
    assert np.array_equal(units.array("w").numpy(), array)


def test_layout_and_packing_make_no_difference() -> None:
    array = np.arange(600.0).reshape(20, 30)
    _, comparison = compared(one(data=array), one(data=array.astype(">f8"), chunks=(7, 7), compression="gzip"))
    assert comparison.summary == "byte-different, same model"


def test_large_arrays_stay_in_the_file_until_they_are_asked_for() -> None:
    units = read(one(data=np.arange(1000.0)), "models/w.h5")
    assert units.array("w").data.offset > 0


def test_groups_of_many_members_are_read() -> None:
    def fill(target: Any) -> None:
        for n in range(1500):
            target[f"layers/g{n % 3}/w{n}"] = np.float32(n)

    said = values(read(hdf5(fill), "models/w.h5"))
    assert len(said) == 1500
    assert said["layers.g2.w1499"]["values"] == 1499


def test_attributes_are_units() -> None:
    def fill(target: Any) -> None:
        target.attrs["framework"] = "own"
        target.attrs["tags"] = ["a", "é"]
        target.attrs["fixed"] = np.array([b"xy", b"z"])
        target.attrs["steps"] = 12
        target.create_group("g").attrs["rate"] = [0.5, 0.25]
        target["g"].attrs["none"] = h5py.Empty("f4")
        for n in range(30):
            target["g"].attrs[f"a{n}"] = n

    said = values(read(hdf5(fill), "models/w.h5"))
    assert said["framework"] == "own"
    assert said["tags"] == ["a", "é"]
    assert said["fixed"] == ["xy", "z"]
    assert said["steps"] == 12
    assert said["g.@rate"] == [0.5, 0.25]
    assert said["g.@a29"] == 29


def test_what_is_no_number_is_known_by_a_digest() -> None:
    def fill(target: Any, word: str = "b", flag: bool = True) -> None:
        target.create_dataset("text", data=["a", word], dtype=h5py.string_dtype())
        target.create_dataset("fixed", data=np.array([b"a", word.encode()]))
        target.create_dataset("records", data=np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]))
        target.create_dataset("lzf", data=np.arange(10), compression="lzf", chunks=(5,))
        target.create_dataset("flags", data=np.array([flag, False]))
        target.create_dataset("empty", (0, 3), "f4")
        target.create_dataset("unwritten", (2, 3), "f4")
        target.create_dataset("nothing", data=h5py.Empty("f4"))
        target["scalar"] = 3

    units = read(hdf5(fill), "models/w.h5")
    said = values(units)
    assert said["scalar"]["values"] == 3
    assert said["flags"]["values"] == [1, 0]
    assert said["empty"]["shape"] == [0, 3]
    assert said["unwritten"]["values"] == [[0, 0, 0], [0, 0, 0]]
    assert all("digest" in said[name] for name in ("text", "fixed", "records", "lzf"))
    delta, _ = compared(hdf5(fill), hdf5(lambda target: fill(target, "c", False)))
    assert set(delta.changed) == {"text", "fixed", "flags"}


def test_data_kept_in_another_file_is_named_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(24))
    units = read(one(shape=(3,), dtype="f8", external=[(str(tmp_path / "secret"), 0, 24)]), "models/w.h5")
    assert units.get("w") == {"shape": [3], "dtype": "float", "external": "another file"}
    assert not units.loaded.arrays


def test_links_by_name_are_named_and_not_followed() -> None:
    def fill(target: Any) -> None:
        target["w"] = 1.5
        target["soft"] = h5py.SoftLink("/w")

    assert values(read(hdf5(fill), "w.h5"))["soft"] == {"link": "/w"}


@pytest.mark.parametrize("newer", ["layout", "link", "virtual"])
def test_a_newer_layout_is_one_digest_and_the_diff_says_so(newer: str) -> None:
    def fill(target: Any, value: float = 1.0) -> None:
        target["w"] = np.full(3, value)
        if newer == "link":
            target["away"] = h5py.ExternalLink("other.h5", "/w")
        elif newer == "virtual":
            layout = h5py.VirtualLayout((3,), "f8")
            layout[:] = h5py.VirtualSource("other.h5", "w", (3,))
            target.create_virtual_dataset("v", layout)

    options = {"libver": "latest"} if newer == "layout" else {}
    units = read(hdf5(fill, **options), "models/w.h5")
    assert set(values(units)) == {"weights"}
    assert "newer layout" in KIND.summary(units)["missing"]
    _, comparison = compared(hdf5(fill, **options), hdf5(lambda target: fill(target, 2.0), **options))
    assert comparison.summary.endswith("not shown: each weight, as the HDF5 file has a newer layout")


def test_groups_that_hold_each_other_end() -> None:
    def fill(target: Any) -> None:
        inner = target.create_group("a").create_group("b")
        inner["back"] = target["a"]
        target["a"]["w"] = np.ones(2)

    assert [key for key in values(read(hdf5(fill), "w.h5")) if key.endswith("w")] == ["a.w"]


def test_a_dataset_that_unpacks_to_far_more_is_refused() -> None:
    with pytest.raises(Unreadable, match="far more"):
        read(one(shape=(1 << 30,), dtype="f8", chunks=(1 << 20,), compression="gzip"), "models/w.h5")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"TREE", b"TREX", "without a tree"),
        (b"HEAP", b"HEAX", "without names"),
        (b"\x89HDF\r\n\x1a\n\0", b"\x89HDF\r\n\x1a\n\0", ""),
    ],
)
def test_a_broken_structure_is_refused(old: bytes, new: bytes, reason: str) -> None:
    data = one(data=np.ones(3)).replace(old, new)
    if not reason:
        assert values(read(data, "models/w.h5"))
        return
    with pytest.raises(Unreadable, match=reason):
        read(data, "models/w.h5")


def test_a_file_cut_anywhere_is_refused() -> None:
    data = hdf5(lambda target: target.create_dataset("a/w", data=np.arange(50.0)))
    for length in range(9, len(data), 61):
        with pytest.raises(Unreadable):
            read(data[:length], "models/w.h5")
