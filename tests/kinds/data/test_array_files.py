"""`.npy` and `.npz` as numpy writes them, by array; nothing in them is ever run."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.datasets import load_digits, load_wine

from mlver.kinds.arrays.header import MAGIC
from mlver.kinds.arrays.read import ArrayUnits
from mlver.kinds.base import Comparison, Delta, Spec, Unreadable
from mlver.kinds.tables import unpacking
from tests.kinds.byte_source import as_dict, source
from tests.kinds.data.tables import KIND

WINE = load_wine().data


def npy(array: Any, **words: Any) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array, **words)
    return sink.getvalue()


def npz(compressed: bool = False, **named: Any) -> bytes:
    sink = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(sink, **named)
    return sink.getvalue()


def read(data: bytes, path: str = "data/x.npz") -> ArrayUnits:
    units = KIND.units(source(path, data), Spec())
    assert isinstance(units, ArrayUnits)
    return units


def diff(old: bytes, new: bytes) -> tuple[Delta, Comparison]:
    a, b = read(old), read(new)
    delta = a.delta(b)
    return delta, KIND.compare(a, b, delta)


def test_one_array_says_what_it_holds() -> None:
    value = as_dict(read(npy(WINE), "data/wine.npy"))["array"]
    assert (value["dtype"], value["shape"], value["nulls"]) == ("float64", [178, 13], 0)
    assert value["min"] == WINE.min() and value["max"] == 1680.0 and value["mean"] == pytest.approx(WINE.mean())
    assert KIND.text("array", value) == f"float64 178x13, {WINE.min():.6g} to 1680, mean {WINE.mean():.6g}"


@pytest.mark.parametrize("compressed", [False, True])
def test_each_array_of_an_archive_is_a_unit(compressed: bool) -> None:
    images = load_digits()
    units = read(npz(compressed, images=images.images, target=images.target, names=np.array(["a", "bc"])))
    assert list(units.keys()) == ["images", "target", "names"]
    assert units.get("images")["shape"] == [1797, 8, 8] and units.get("names")["dtype"] == "str2"
    rows, more = KIND.head(source("x.npz", npz(compressed, a=images.images, b=images.target)), Spec(), 1)
    assert rows[0]["unit"] == "a" and more
    assert KIND.summary(units)["profile"]["target"]["max"] == 9


def test_layout_byte_order_and_compression_do_not_count() -> None:
    twins = [npz(x=WINE), npz(True, x=np.asfortranarray(WINE)), npz(x=WINE.astype(">f8"))]
    for other in twins[1:]:
        delta, comparison = diff(twins[0], other)
        assert not delta and comparison.same_meaning
    packed, padded = np.dtype([("a", "i1"), ("b", "<f8")]), np.dtype([("a", "i1"), ("b", ">f8")], align=True)
    records = [(1, 2.5), (3, 4.5)]
    assert not diff(npy(np.array(records, packed)), npy(np.array(records, padded)))[0]


def test_how_far_an_array_moved() -> None:
    moved = WINE.copy()
    moved[3, :2] += 3.0
    moved[7, 0] += 4.0
    delta, comparison = diff(npz(x=WINE, y=WINE[:, 0]), npz(x=moved, y=WINE[:, 0]))
    assert delta.changed == ["x"]
    assert comparison.summary == "x: 3 elements changed in 2 rows"
    (row,) = comparison.details[0].rows
    assert row[:4] == ("x", "178x13", 3, 2)
    assert row[4] == pytest.approx(np.sqrt(9 + 9 + 16)) and row[6] == pytest.approx(4.0)
    assert row[5] == pytest.approx(row[4] / np.linalg.norm(WINE))


def test_rows_at_the_end_are_told_from_changed_ones() -> None:
    changed = WINE.copy()
    changed[0, 0] = -1
    _, comparison = diff(npz(x=WINE[:100]), npz(x=changed))
    assert comparison.details[0].rows[0][1:4] == ("100x13 → 178x13", 1, 1)
    assert "178x13, 1 element changed in 1 row" in comparison.summary
    _, other = diff(npz(x=WINE), npz(x=WINE[:, :3]))
    assert other.summary == "x: shape 178x13 → 178x3"


def test_arrays_come_and_go() -> None:
    delta, comparison = diff(npz(a=WINE, b=WINE), npz(b=WINE, c=WINE, d=WINE))
    assert (delta.added, delta.removed) == (["c", "d"], ["a"])
    assert comparison.summary == "+2 arrays (c, d); -1 array (a)"


def test_nan_is_null_and_equals_itself() -> None:
    old, new = np.array([1.0, np.nan, 3.0]), np.array([1.0, np.nan, 4.0])
    units = read(npy(old))
    assert units.get("array")["nulls"] == 1 and units.get("array")["mean"] == 2.0
    assert diff(npy(old), npy(new))[1].details[0].rows[0][2] == 1


def test_times_texts_and_flags() -> None:
    when = np.array(["2024-04-22", "NaT"], "datetime64[D]")
    units = read(
        npz(when=when, word=np.array([b"a"]), flag=np.array([True, False]), one=np.array(3), none=np.zeros((0, 4)))
    )
    assert (units.get("when")["min"], units.get("when")["nulls"]) == ("2024-04-22", 1)
    assert units.get("word")["dtype"] == "bytes1" and units.get("flag")["mean"] == 0.5
    assert units.get("one")["values"] == 3 and units.get("one")["shape"] == []
    assert units.get("none")["shape"] == [0, 4] and "min" not in units.get("none")


@settings(max_examples=60)
@given(arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(min_dims=0, max_dims=3, min_side=0)), st.booleans())
def test_whatever_numpy_writes_is_read(array: np.ndarray, fortran: bool) -> None:
    written = np.asfortranarray(array) if fortran and array.ndim else array
    units = read(npy(written), "x.npy")
    assert units.get("array")["shape"] == list(array.shape)
    assert units.get("array") == read(npz(array=array)).get("array") or array.dtype.kind in "fc"
    assert units.arrays["array"].tobytes() == np.asarray(array, order="C").tobytes()


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran-by-mlver",)


def test_objects_are_refused_and_nothing_runs(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    armed = np.array([Bomb()], dtype=object)
    with pytest.raises(Unreadable, match="Python objects"):
        read(npy(armed, allow_pickle=True), "x.npy")
    beside = npz(x=WINE, y=armed)
    units = read(beside)
    assert units.get("y")["dtype"] == "object" and units.get("x")["shape"] == [178, 13]
    assert diff(beside, npz(x=WINE, y=np.array([{"a": 1}], dtype=object)))[0].changed == ["y"]
    fields = np.zeros(2, dtype=[("a", "i4"), ("b", "O")])
    with pytest.raises(Unreadable, match="Python objects"):
        read(npy(fields, allow_pickle=True), "x.npy")
    with pytest.raises(Unreadable):
        read(pickle.dumps(armed), "x.npy")  # numpy.load would unpickle such a file, too
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bytes_left", [0, 5, 20, 90, 200, -1])
def test_truncated_files_are_named(bytes_left: int) -> None:
    for data in (npy(WINE), npz(x=WINE), npz(True, x=WINE)):
        with pytest.raises(Unreadable):
            read(data[:bytes_left], "x.npy")


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    size = len(text).to_bytes(2 if version[0] == 1 else 4, "little")
    return MAGIC + version + size + text.encode()


@pytest.mark.parametrize(
    "said",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, -3), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True, 2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 7, }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (), 'more': 1}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f8'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9," * 40 + ")}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",)}",
        "__import__('os').mkdir('ran-by-mlver')",
        "(" * 3000 + ")" * 3000,
        "",
    ],
)
@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"])
def test_lying_headers_are_refused(said: str, version: bytes) -> None:
    with pytest.raises(Unreadable):
        read(header(said, version) + bytes(64), "x.npy")


def test_names_of_fields_in_any_script() -> None:
    with pytest.warns(UserWarning, match=r"format 3\.0"):
        data = npy(np.zeros(3, dtype=[("größe", "i4"), ("長", "f4")]))
    assert read(data).get("array")["dtype"] == "{größe: int32, 長: float32}"


def test_bytes_behind_the_values_are_noticed() -> None:
    with pytest.raises(Unreadable, match="more than its header says"):
        read(npy(WINE) + b"more", "x.npy")


def test_archives_that_unfold_beyond_measure_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "FLOOR", 1 << 20)
    with pytest.raises(Unreadable, match="far more than"):
        read(npz(True, x=np.zeros(4 << 20)))


def test_an_archive_that_lies_about_its_members_is_refused() -> None:
    data = npz(True, x=WINE)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = archive.infolist()[0].file_size
    lying = data.replace(size.to_bytes(4, "little"), (size - 8).to_bytes(4, "little"))
    with pytest.raises(Unreadable):
        read(lying)
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive, pytest.warns(UserWarning):
        archive.writestr("x.npy", npy(WINE))
        archive.writestr("x.npy", npy(WINE))
    with pytest.raises(Unreadable, match="two arrays are called x"):
        read(twice.getvalue())


def test_a_member_that_is_no_array_is_named() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(Unreadable, match=r"notes\.txt: no array"):
        read(sink.getvalue())
