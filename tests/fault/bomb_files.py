"""Files that are small and say that they are giant: one for each way in which a format can lie."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import zipfile
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tests.badinput.corpus import good
from tests.badinput.test_giants import BOMBS as KNOWN

MIB = 1 << 20
_ZERO_MIB = bytes(MIB)


def _gz(mib: int) -> bytes:
    return gzip.compress(_ZERO_MIB * 32, 6) * (mib // 32)


def _zst(mib: int) -> bytes:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join(packer.compress(_ZERO_MIB) for _ in range(mib)) + packer.flush()


def _bz2(mib: int) -> bytes:
    return bz2.compress(_ZERO_MIB * 4, 1) * (mib // 4)


def _xz(mib: int) -> bytes:
    return lzma.compress(_ZERO_MIB * mib, format=lzma.FORMAT_ALONE, preset=0)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def _zip_of_overlaps(count: int, member: bytes) -> bytes:
    """Many entries of the directory point at one member: each unpacks it again (Fifield, 2019)."""
    data = zipped({"a.npy": member})
    directory_at = data.rindex(b"PK\x01\x02")
    end_at = data.rindex(b"PK\x05\x06")
    entry, body = data[directory_at:end_at], data[:directory_at]
    entries = b"".join(entry.replace(b"a.npy", b"%05d" % number) for number in range(count))
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(entries), len(body), 0)
    return body + entries + end


def _npy(shape: str, version: int = 1, length: int | None = None, descr: str = "'<f8'") -> bytes:
    head = b"{'descr': %s, 'fortran_order': False, 'shape': %s}\n" % (descr.encode(), shape.encode())
    size = len(head) if length is None else length
    return b"\x93NUMPY" + bytes((version, 0)) + struct.pack("<H" if version == 1 else "<I", size) + head + bytes(64)


def _parquet(columns: int, rows: int) -> bytes:
    out = io.BytesIO()
    column = pa.nulls(rows, pa.int64()).fill_null(1)
    pq.write_table(pa.table({f"c{n}": column for n in range(columns)}), out, compression="zstd")
    return out.getvalue()


def _long_words(rows: int, length: int) -> bytes:
    """One long word, named by every row: the file holds it once."""
    out = io.BytesIO()
    indices = pa.array(memoryview(bytes(4 * rows)).cast("i"), pa.int32())
    column = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * length]))
    pq.write_table(pa.table({"id": pa.array(range(rows)), "t": column}), out, store_schema=False, compression="zstd")
    return out.getvalue()


def _arrow(rows: int, codec: str | None = "zstd") -> bytes:
    out = io.BytesIO()
    table = pa.table({"x": pa.nulls(rows, pa.int64()).fill_null(0)})
    with pa.ipc.new_file(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table)
    return out.getvalue()


def _arrow_that_lies() -> bytes:
    """A packed buffer that says it unfolds to a terabyte."""
    data = _arrow(100_000)
    length = struct.pack("<q", 800_000)
    assert data.count(length) >= 1
    at = data.index(length + b"\x28\xb5\x2f\xfd")
    return data[:at] + struct.pack("<q", 1 << 40) + data[at + 8 :]


def _safetensors(head: bytes, size: int | None = None) -> bytes:
    return struct.pack("<Q", len(head) if size is None else size) + head + bytes(64)


def _gguf(tensors: int, pairs: int, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + rest


def _text(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text


def _field(number: int, payload: bytes, length: int | None = None) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(payload) if length is None else length) + payload


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes((value & 127 | 128,))
        value >>= 7
    return out + bytes((value,))


def _nested_graphs(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = _field(7, _field(1, _field(5, _field(6, inner))))  # graph, node, attribute, subgraph
    return b"\x08\x08" + inner


def _doubling_pickle(levels: int) -> bytes:
    return b"\x80\x04]\x94" + b"".join(b"h%c" % n + b"h%c" % n + b"\x86\x94" for n in range(levels)) + b"."


def _bad_h5(at: int, value: bytes) -> bytes:
    """The start of an HDF5 file of version 0, with one field that lies."""
    head = bytearray(b"\x89HDF\r\n\x1a\n" + bytes(8) + struct.pack("<HHI", 4, 16, 0))
    head += struct.pack("<QQQQ", 0, (1 << 64) - 1, 4096, (1 << 64) - 1) + struct.pack("<QQIIQQ", 0, 96, 1, 0, 136, 680)
    head += struct.pack("<BBHII", 1, 0, 65535, 1, 0xFFFFFFF0) + bytes(4) + bytes(4000)
    head[at : at + len(value)] = value
    return bytes(head)


def _merging_yaml() -> bytes:
    lines = ["b0: &b0 {a: 1, b: 2, c: 3}"]
    lines += [f"b{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}'] * 9)}], k{n}: 1}}" for n in range(1, 40)]
    return "\n".join(lines).encode()


_NEVER = b'{"a": ' * 400_000
FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    **{f"known: {name}": (path, lambda data=data: data) for name, (path, data) in KNOWN.items() if name != "columns"},  # type: ignore[misc]
    "gzip, a gigabyte of zeros": ("data/b.csv.gz", lambda: _gz(1000)),
    "gzip in gzip": ("data/b.csv.gz", lambda: gzip.compress(_gz(1000), 1)),
    "many gzip members": ("data/b.csv.gz", lambda: gzip.compress(b"") * 100_000),
    "bzip2": ("data/b.csv.bz2", lambda: _bz2(1000)),
    "zstd without a size": ("data/b.csv.zst", lambda: _zst(1000)),
    "zstd that says 1.1 TB": ("data/b.csv.zst", lambda: bytes.fromhex("28b52ffde0") + struct.pack("<Q", 1 << 40)),
    "zstd with a window of 2 GB": ("data/b.csv.zst", lambda: bytes.fromhex("28b52ffd00a8") + b"\x01\x00\x00"),
    "zstd frames, one after another": ("data/b.jsonl.zst", lambda: _zst(64) * 30),
    "lzma model": ("models/b.joblib", lambda: _xz(100)),
    "gzip model": ("models/b.joblib", lambda: _gz(1000)),
    "npz, deflated zeros": ("models/b.npz", lambda: zipped({"a.npy": _npy("(38000000,)") + bytes(304 * MIB)})),
    "npz, one member 60,000 times": ("models/b.npz", lambda: _zip_of_overlaps(60_000, _npy("(8,)"))),
    "npz, overlaps of a large one": ("models/b.npz",
        lambda: _zip_of_overlaps(900, _npy("(1000000,)") + bytes(8 * MIB)),
    ),
    "npy, a giant shape": ("data/b.npy", lambda: _npy(f"({1 << 40},)")),
    "npy, many axes": ("data/b.npy", lambda: _npy("(" + "99999," * 60 + ")")),
    "npy, no values and a giant shape": ("data/b.npy", lambda: _npy(f"({1 << 40}, 0)")),
    "npy, values of no bytes": ("data/b.npy", lambda: _npy(f"({1 << 40},)", descr="'|S0'")),
    "npy, a header of 4 GB": ("data/b.npy", lambda: _npy("(8,)", version=2, length=0xFFFFFFFF)),
    "npy, a deep header": ("data/b.npy", lambda: _npy("(" * 5000 + ")" * 5000)),
    "keras, packed settings": ("models/b.keras",
        lambda: zipped({"config.json": b" " * (200 * MIB), "metadata.json": b"{}"}),
    ),
    "keras, deep settings": ("models/b.keras", lambda: zipped({"config.json": _NEVER, "metadata.json": b"{}"})),
    "skops, packed schema": ("models/b.skops", lambda: zipped({"schema.json": b" " * (200 * MIB)})),
    "skops, deep schema": ("models/b.skops", lambda: zipped({"schema.json": _NEVER})),
    "torch, packed pickle": ("models/b.pt", lambda: zipped({"m/data.pkl": b"N" * (200 * MIB), "m/version": b"3"})),
    "parquet, constant columns": ("data/b.parquet", lambda: _parquet(64, 1 << 20)),
    "parquet, a footer of 4 GB": ("data/b.parquet", lambda: b"PAR1" + bytes(64) + b"\xff\xff\xff\xffPAR1"),
    "parquet, footer of noise": ("data/b.parquet",
        lambda: b"PAR1" + b"\x19\xfc\xff\xff\xff\x7f" * 400 + struct.pack("<I", 2400) + b"PAR1",
    ),
    "parquet, one long word": ("data/b.parquet", lambda: _long_words(20_000, 50_000)),
    "arrow, packed zeros": ("data/b.feather", lambda: _arrow(36_000_000)),
    "arrow, a buffer that says a terabyte": ("data/b.feather", _arrow_that_lies),
    "arrow, a message of 2 GB": ("data/b.arrow",
        lambda: b"ARROW1\0\0\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(64) + b"\xff\xff\xff\x7fARROW1",
    ),
    "arrow stream, a message of 2 GB": ("data/b.arrow", lambda: b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(64)),
    "safetensors, a header of blanks": ("models/b.safetensors", lambda: _safetensors(b"{" + b" " * (90 * MIB) + b"}")),
    "safetensors, a deep header": ("models/b.safetensors", lambda: _safetensors(_NEVER)),
    "gguf, 2^60 tensors": ("models/b.gguf", lambda: _gguf(1 << 60, 0)),
    "gguf, 2^60 settings": ("models/b.gguf", lambda: _gguf(0, 1 << 60)),
    "gguf, a text of 2^62 bytes": ("models/b.gguf", lambda: _gguf(0, 1, _text(b"a", 1 << 62))),
    "gguf, a list of 2^60 bytes": ("models/b.gguf",
        lambda: _gguf(0, 1, _text(b"a") + struct.pack("<IIQ", 9, 0, 1 << 60)),
    ),
    "gguf, lists in lists": ("models/b.gguf",
        lambda: _gguf(0, 1, _text(b"a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 200_000),
    ),
    "gguf, a giant tensor": ("models/b.gguf",
        lambda: _gguf(1, 0, _text(b"t") + struct.pack("<I4QIQ", 4, *[1 << 40] * 4, 0, 0)),
    ),
    "onnx, a field of 2^60 bytes": ("models/b.onnx", lambda: b"\x08\x08" + _field(7, b"x", 1 << 60)),
    "onnx, graphs in graphs": ("models/b.onnx", lambda: _nested_graphs(2_000)),
    "hdf5, a root of noise": ("models/b.h5", lambda: _bad_h5(96, b"\x01\x00\xff\xff")),
    "hdf5, a node of 65,535 entries": ("models/b.h5", lambda: _bad_h5(136, b"TREE\x00\x00\xff\xff")),
    "hdf5, a heap of 2^60 bytes": ("models/b.h5",
        lambda: _bad_h5(680, b"HEAP\0\0\0\0" + struct.pack("<QQQ", 1 << 60, 8, 712)),
    ),
    "ubjson, 2^31 nothings": ("models/b.ubj", lambda: b"{L\0\0\0\0\0\0\0\7learner[$Z#l\x7f\xff\xff\xff}"),
    "ubjson, lists of nothings in lists": ("models/b.ubj", lambda: b"{L\0\0\0\0\0\0\0\7learner" + b"[" * 100_000),
    "lightgbm, 2^31 leaves": ("models/b.txt",
        lambda: b"tree\nversion=v4\nnum_class=1\nTree=0\nnum_leaves=2147483647\nsplit_feature=0\n\n",
    ),
    "pickle, tuples of tuples": ("models/b.pkl", lambda: _doubling_pickle(60)),
    "pickle, a number of 50 million digits": ("models/b.pkl",
        lambda: b"\x80\x04\x8b" + struct.pack("<I", 20_000_000) + b"\x7f" * 20_000_000 + b".",
    ),
    "pickle, a decimal of 3 million digits": ("models/b.pkl", lambda: b"L" + b"9" * 3_000_000 + b"L\n."),
    "pickle, a list appended to itself": ("models/b.pkl",
        lambda: pickle.PROTO + b"\x04]\x94" + b"h\x00a" * 60_000 + b".",
    ),
    "YAML, merged maps": ("config/b.yaml", _merging_yaml),
    "YAML, an anchor in itself": ("config/b.yaml", lambda: b"a: &a [*a, *a]\nb: &b {c: *b}\n"),
    "YAML, deep maps": ("config/b.yaml", lambda: b"{a: " * 50_000),
    "YAML, a number in sixties": ("config/b.yaml", lambda: b"a: " + b"59:" * 200_000 + b"59\n"),
    "TOML, deep keys": ("config/b.toml", lambda: b"a." * 100_000 + b"b = 1\n"),
    "TOML, many digits": ("config/b.toml", lambda: b"a = " + b"9" * 2_000_000 + b"\n"),
    "JSON, names twice": ("config/b.json", lambda: b'{"a": 1' + b', "a": 1' * 800_000 + b"}"),
    "JSON, deep in a table": ("data/b.jsonl", lambda: b'{"a": ' * 100_000 + b"1" + b"}" * 100_000 + b"\n"),
    "JSON, a number without end": ("data/b.jsonl", lambda: b'{"a": ' + b"9" * 5_000_000 + b"}\n"),
    "CSV, a quote that never ends": ("data/b.csv", lambda: b'id,x\n1,"' + b"a,b\n" * 1_000_000),
    "CSV, a million columns": ("data/b.csv", lambda: b"a," * 1_000_000 + b"b\n" + b"1," * 1_000_000 + b"1\n"),
    "rules, deep conditions": ("rules/b.json",
        lambda: json.dumps([{"id": "R", "if": "(" * 50_000 + "x" + ")" * 50_000}]).encode(),
    ),
    "rules, a long sum": ("rules/b.json",
        lambda: json.dumps([{"id": "R", "if": "x" + " + x" * 200_000 + " > 1"}]).encode(),
    ),
    "code, signs before a number": ("src/b.py", lambda: b"x = " + b"-" * 500_000 + b"1\n"),
    "code, deep brackets": ("src/b.py", lambda: b"x = " + b"[" * 150 + b"]" * 150 + b"\n" + b"(" * 300_000),
    "code, a long chain": ("src/b.py", lambda: b"x = a" + b".b" * 300_000 + b"\n"),
    "notebook, deep outputs": ("notebooks/b.ipynb",
        lambda: b'{"cells": [{"cell_type": "code", "source": "", "metadata": {}, "outputs": ' + b"[" * 300_000,
    ),
    "alerts, deep": ("alerts/b.jsonl",
        lambda: b'{"id":"A","type":"x","at":"2024-01-01T00:00:00Z","v":' + b"[" * 200_000 + b"\n",
    ),
}  # fmt: skip


def starts() -> dict[str, bytes]:
    """Return good files of every format: a bomb replaces one of them."""
    return good()
