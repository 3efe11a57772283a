"""Compressed text, and how it is refused when it is cut, damaged or a bomb."""

from __future__ import annotations

import bz2
import gzip
import io
import random

import pandas as pd
import pyarrow as pa
import pytest
import zstandard
from sklearn.datasets import load_wine

from mlver.kinds.base import Unreadable
from mlver.kinds.tables import unpacking
from tests.kinds.data.tables import change, csv, jsonl, nothing, parquet, read

FRAME: pd.DataFrame = load_wine(as_frame=True).frame
FRAME.insert(0, "bottle", [f"b{number}" for number in range(len(FRAME))])


@pytest.mark.parametrize("packing", ["gzip", "zstd", "bz2"])
@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_what_pandas_packs_is_the_same_table(form: str, packing: str) -> None:
    sink = io.BytesIO()
    if form == "jsonl":
        FRAME.to_json(sink, orient="records", lines=True, compression=packing, double_precision=15)
    else:
        FRAME.to_csv(sink, index=False, sep="\t" if form == "tsv" else ",", compression=packing)
    suffix = {"gzip": "gz", "zstd": "zst", "bz2": "bz2"}[packing]
    plain = read("wine.csv", FRAME.to_csv(index=False))
    packed = read(f"data/WINE.{form}.{suffix}", sink.getvalue())
    assert packed.key == ("bottle",)
    assert nothing(plain.delta(packed))
    assert packed.table.num_rows == 178


def test_members_one_after_another_are_one_file() -> None:
    whole, more = csv([{"id": 1, "x": 2}]).encode(), b"2,3\n"
    for pack in (gzip.compress, bz2.compress, zstandard.ZstdCompressor().compress):
        assert read("t.csv", pack(whole) + pack(more)).get("2") == {"id": 2, "x": 3}


def test_packing_does_not_count_in_a_diff() -> None:
    rows = jsonl([{"id": number, "x": number / 2} for number in range(50)])
    old, new = read("t.jsonl", rows), read("t.jsonl.zst", zstandard.ZstdCompressor(19).compress(rows.encode()))
    assert change(old, new)[1].same_meaning


def test_a_packed_parquet_file_is_read_too() -> None:
    packed = gzip.compress(parquet(pa.table({"id": ["a"], "x": [1]})))
    assert read("t.parquet.gz", packed).get("a") == {"id": "a", "x": 1}


@pytest.mark.parametrize("packing", ["gz", "zst", "bz2"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_a_truncated_file_is_no_shorter_table(packing: str, share: float) -> None:
    text = "".join(f"{n},{random.Random(n).random()}\n" for n in range(20_000))
    data = _pack(packing, f"id,x\n{text}".encode())
    with pytest.raises(Unreadable):
        read(f"t.csv.{packing}", data[: int(len(data) * share)])


@pytest.mark.parametrize("packing", ["gz", "zst", "bz2"])
def test_damaged_bytes_inside_are_noticed(packing: str) -> None:
    data = bytearray(_pack(packing, "".join(f"{n},{n * n}\n" for n in range(5_000)).encode()))
    data[len(data) // 2] ^= 0x10
    with pytest.raises(Unreadable):
        read(f"t.csv.{packing}", bytes(data))


@pytest.mark.parametrize("packing", ["gz", "zst", "bz2"])
def test_bombs_are_refused(packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "FLOOR", 1 << 20)
    bomb = _pack(packing, bytes(32 << 20))
    assert len(bomb) < 64 << 10
    with pytest.raises(Unreadable, match="far more than"):
        read(f"t.csv.{packing}", bomb)


def test_a_frame_that_wants_gigabytes_of_window_is_refused() -> None:
    lying = b"\x28\xb5\x2f\xfd" + bytes([0x00, 0xA8]) + b"\x01\x00\x00"  # a window of 2 GiB
    with pytest.raises(Unreadable):
        read("t.csv.zst", lying)


@pytest.mark.parametrize(("magic", "name"), [(b"\xfd7zXZ\x00", "xz"), (b"\x04\x22\x4d\x18", "lz4")])
def test_other_compressions_are_named(magic: bytes, name: str) -> None:
    with pytest.raises(Unreadable, match=name):
        read(f"t.csv.{name}", magic + bytes(20))


def test_nothing_inside_is_an_empty_file() -> None:
    with pytest.raises(Unreadable, match="empty"):
        read("t.csv.gz", gzip.compress(b""))


def _pack(packing: str, data: bytes) -> bytes:
    pack = {"gz": gzip.compress, "bz2": bz2.compress}.get(packing)
    return pack(data) if pack else zstandard.ZstdCompressor(write_checksum=True).compress(data)
