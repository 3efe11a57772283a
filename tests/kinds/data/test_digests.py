"""Digests are the same everywhere and for ever: literal vectors, and a second, plain implementation."""

from __future__ import annotations

import datetime as dt
import math
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from mlver.kinds.tables.digest import cell_digests, column_digests, row_digests

MASK = (1 << 64) - 1
MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)


VIEWS = (pa.string_view(),) if int(pa.__version__.split(".")[0]) >= 19 else ()  # before, nothing casts them


def hexes(array: pa.Array, name: str = "x") -> list[str]:
    lanes = cell_digests(array, name)
    return [f"{first:016x}{second:016x}" for first, second in lanes.T.tolist()]


def one(value: Any, kind: pa.DataType | None = None, name: str = "x") -> str:
    return hexes(pa.array([value], kind), name)[0]


# The scheme once more, value by value, in Python's own integers.


def key(lane: int, tag: str, column: str) -> int:
    return xxhash.xxh3_64_intdigest(b"mlver.table.1\0" + tag.encode() + b"\0" + column.encode(), seed=lane)


def mix(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def string(lane: int, data: bytes) -> int:
    if len(data) > 64:
        return xxhash.xxh3_64_intdigest(data, seed=lane)
    state = (key(lane, "word", "") + len(data)) & MASK
    for begin in range(0, len(data), 8):
        word = int.from_bytes(data[begin : begin + 8].ljust(8, b"\0"), "little")
        state = ((state ^ word) * MULTIPLIERS[lane]) & MASK
        state ^= state >> 32
    return state


def reference(lane: int, value: Any, column: str) -> int:
    if value is None:
        return mix(key(lane, "null", column))
    if isinstance(value, bool):
        return mix(int(value) ^ key(lane, "bool", column))
    if isinstance(value, int):
        return mix((value & MASK) ^ key(lane, "int", column))
    if isinstance(value, float):
        if math.isfinite(value) and value.is_integer() and abs(value) < 2.0**63:
            return reference(lane, int(value), column)
        bits = 0x7FF8000000000000 if value != value else struct.unpack("<Q", struct.pack("<d", value))[0]
        return mix(bits ^ key(lane, "float", column))
    if isinstance(value, str):
        return mix(string(lane, value.encode()) ^ key(lane, "text", column))
    if isinstance(value, bytes):
        return mix(string(lane, value) ^ key(lane, "bytes", column))
    if isinstance(value, list):
        place = enumerate(reference(lane, item, "") for item in value)
        total = sum(mix(item ^ (number * MULTIPLIERS[0] & MASK)) for number, item in place)
        return mix(((total + len(value)) & MASK) ^ key(lane, "list", column))
    if isinstance(value, dict):
        total = sum(reference(lane, item, name) for name, item in value.items() if item is not None)
        return mix((total & MASK) ^ key(lane, "struct", column))
    raise AssertionError(value)


def referenced(value: Any, column: str = "x") -> str:
    return f"{reference(0, value, column):016x}{reference(1, value, column):016x}"


@pytest.mark.parametrize(
    ("value", "kind", "digest"),
    [
        (None, pa.int64(), "7bffb673d428d00a3c693c2ff5ccea43"),
        (0, pa.int64(), "167cc25c19146a82d66d200457f137e1"),
        (1, pa.int64(), "4da11a9e0ad01cd15617da95b9ffcc5b"),
        (-1, pa.int8(), "8e8016358c10ded3a2e90b4b5346eefe"),
        (1.5, pa.float64(), "462ae661255de946ee85228f7b4f24a6"),
        (math.nan, pa.float64(), "3b1eccaf10ab16bb2f3ebb124557a97f"),
        (2**64 - 1, pa.uint64(), "82a2cb8e4563952da623aede31c3dc8c"),
        (True, pa.bool_(), "20d27660e1d5a85af3072ef773356225"),
        ("", pa.string(), "11b8baa4453b68e842c1730949436889"),
        ("P0404", pa.string(), "d84dcc10ec33636b4245d29d7c93900e"),
        ("mean radius of the Größe", pa.string(), "6e547082c63a0c84829b27b78598f414"),
        ("x" * 65, pa.string(), "ef208e2b17ad32365840030aa12f12b3"),
        (b"\x00\xff", pa.binary(), "994350816a8ba73ce04a6ea03afaa793"),
        (Decimal("12345678901234567.1"), pa.decimal128(18, 1), "b67933b63b7706d1d110bb32a1d96195"),
        (dt.date(2024, 4, 22), pa.date32(), "76f9eb65760475978d653466656e0e8a"),
        (1_713_751_200_000_001, pa.timestamp("us", "UTC"), "dd5bde4af4b35bdbf26fdb3de4c0dff5"),
        ([1, None, 3], pa.list_(pa.int64()), "a4ffd1bb08ebec86739b592bac555f7e"),
        ({"a": 1, "b": "x"}, pa.struct([("a", pa.int64()), ("b", pa.string())]), "0201ad2b6d77498be50e6dd7b252d550"),
    ],
)
def test_vectors_never_change(value: Any, kind: pa.DataType, digest: str) -> None:
    assert one(value, kind) == digest


def test_the_digest_of_a_row_is_the_sum_of_its_cells() -> None:
    lanes = row_digests(pa.table({"a": [1], "b": ["x"]}))
    assert [int(lane[0]) for lane in lanes] == [
        (reference(lane, 1, "a") + reference(lane, "x", "b")) & MASK for lane in (0, 1)
    ]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=20))
def test_integers_follow_the_scheme(values: list[int | None]) -> None:
    assert hexes(pa.array(values, pa.int64())) == [referenced(value) for value in values]


@given(st.lists(st.one_of(st.none(), st.floats()), max_size=20))
def test_floats_follow_the_scheme(values: list[float | None]) -> None:
    assert hexes(pa.array(values, pa.float64(), from_pandas=False)) == [referenced(value) for value in values]


@given(st.lists(st.one_of(st.none(), st.text(max_size=100)), max_size=20), st.integers(0, 3))
def test_strings_follow_the_scheme_in_every_encoding(values: list[str | None], skip: int) -> None:
    expected = [referenced(value) for value in values[skip:]]
    for kind in (pa.string(), pa.large_string(), *VIEWS):
        assert hexes(pa.array(values, kind).slice(skip)) == expected
    assert hexes(pa.array(values, pa.string()).dictionary_encode().slice(skip)) == expected


@given(st.lists(st.one_of(st.none(), st.binary(max_size=80)), max_size=20))
def test_bytes_follow_the_scheme(values: list[bytes | None]) -> None:
    assert hexes(pa.array(values, pa.binary())) == [referenced(value) for value in values]


@given(
    st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(-9, 9)), max_size=4)), max_size=9),
    st.integers(0, 4),
)
def test_lists_follow_the_scheme(values: list[list[int | None] | None], skip: int) -> None:
    for kind in (pa.list_(pa.int64()), pa.large_list(pa.int8())):
        assert hexes(pa.array(values, kind).slice(skip)) == [referenced(value) for value in values[skip:]]


def test_records_follow_the_scheme_and_an_absent_field_is_nothing() -> None:
    values = [{"a": 1, "b": "x"}, {"a": None, "b": "x"}, None, {"a": 2, "b": None}]
    assert hexes(pa.array(values)) == [referenced(value) for value in values]
    assert hexes(pa.array([{"a": 2}])) == [referenced(values[3])]


def test_a_long_column_hashes_like_its_cells() -> None:
    texts = [f"value {number % 7}" for number in range(70_000)]
    lanes = column_digests(pa.chunked_array([texts[:50_000], texts[50_000:]]), "x")
    assert lanes.shape == (2, 70_000)
    assert f"{lanes[0, 69_999]:016x}{lanes[1, 69_999]:016x}" == referenced(texts[-1])
    assert len(np.unique(lanes[0])) == 7


@pytest.mark.parametrize(
    "alike",
    [
        [(1, pa.int8()), (1, pa.uint64()), (1, pa.int64()), (1.0, pa.float32()), (1.0, pa.float64())],
        [(1, pa.int64()), (Decimal("1.00"), pa.decimal128(5, 2)), (np.float16(1), pa.float16())],
        [(0.0, pa.float64()), (-0.0, pa.float64()), (0, pa.int32())],
        [(0.1, pa.float64()), (Decimal("0.1"), pa.decimal128(4, 1)), (Decimal("0.100"), pa.decimal256(40, 3))],
        [(2**63, pa.uint64()), (2.0**63, pa.float64())],
        [(math.nan, pa.float64()), (-math.nan, pa.float64()), (math.nan, pa.float32())],
        [
            (Decimal("12345678901234567.10"), pa.decimal128(19, 2)),
            (Decimal("12345678901234567.1"), pa.decimal128(30, 1)),
        ],
        [
            (dt.date(2024, 2, 29), pa.date32()),
            (dt.date(2024, 2, 29), pa.date64()),
            (dt.datetime(2024, 2, 29), pa.timestamp("s")),  # noqa: DTZ001 - a wall clock on purpose
            (dt.datetime(2024, 2, 29), pa.timestamp("ns")),  # noqa: DTZ001
        ],
        [(b"ab", pa.binary()), (b"ab", pa.binary(2)), (b"ab", pa.large_binary())],
        [(dt.time(1, 2, 3), pa.time32("s")), (dt.time(1, 2, 3), pa.time64("ns"))],
    ],
)
def test_one_value_has_one_digest_whatever_its_type(alike: list[tuple[Any, pa.DataType]]) -> None:
    assert len({one(value, kind) for value, kind in alike}) == 1


def test_different_values_differ() -> None:
    day = dt.datetime(2024, 2, 29)  # noqa: DTZ001
    cells = [
        (None, pa.float64()), (math.nan, pa.float64()), (0, pa.int64()), (1, pa.int64()), (-1, pa.int64()),
        (True, pa.bool_()), (False, pa.bool_()), ("", pa.string()), ("1", pa.string()), ("\0", pa.string()),
        ("\0\0", pa.string()), (b"1", pa.binary()), (1.5, pa.float64()), (math.inf, pa.float64()),
        (-math.inf, pa.float64()), (2**64 - 1, pa.uint64()), (2.0**64, pa.float64()),
        (Decimal("12345678901234567.1"), pa.decimal128(30, 1)), (Decimal("12345678901234567.2"), pa.decimal128(30, 1)),
        (day, pa.timestamp("us")), (day, pa.timestamp("us", "UTC")), (day.replace(microsecond=1), pa.timestamp("us")),
        (day.replace(microsecond=2), pa.timestamp("us")), ([], pa.list_(pa.int64())), ([None], pa.list_(pa.int64())),
        ([0], pa.list_(pa.int64())), ([0, 1], pa.list_(pa.int64())), ([1, 0], pa.list_(pa.int64())),
        (dt.time(0, 0, 1), pa.time32("s")), (dt.timedelta(seconds=1), pa.duration("s")),
    ]  # fmt: skip
    assert len({one(value, kind) for value, kind in cells}) == len(cells)
    assert one(1, name="a") != one(1, name="b")


def test_the_same_values_in_other_columns_are_another_row() -> None:
    rows = row_digests(pa.table({"a": [1, 2], "b": [2, 1]}))
    assert (rows[:, 0] != rows[:, 1]).all()


def test_the_order_of_columns_is_nothing() -> None:
    table = pa.table({"a": [1, 2], "b": ["x", None], "c": [0.5, math.nan]})
    assert (row_digests(table) == row_digests(table.select(["c", "a", "b"]))).all()


def test_other_encodings_are_the_same_values() -> None:
    values = pa.array(["x", None, "x", "y" * 90] * 3000)
    runs = pa.RunEndEncodedArray.from_arrays([2, 3], pa.array([7, None], pa.int64()))
    assert hexes(values) == hexes(values.dictionary_encode())
    assert hexes(runs) == hexes(pa.array([7, 7, None]))
    assert hexes(pa.array([[1, 2], None], pa.list_(pa.int64(), 2))) == hexes(pa.array([[1, 2], None]))
    assert hexes(pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64()))) == hexes(
        pa.array([[{"key": "k", "value": 1}], None])
    )
