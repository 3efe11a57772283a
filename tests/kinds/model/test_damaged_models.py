"""Models of other formats, cut short, damaged at random or made to lie: units or Unreadable, and nothing else."""

from __future__ import annotations

import io
import json
import random
import struct
import tracemalloc
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlver.kinds.base import Spec, Unreadable
from tests.kinds.byte_source import ByteSource
from tests.kinds.model import making, test_boosted_trees, test_gguf_files, test_onnx_files
from tests.kinds.model.making import KIND, values
from tests.kinds.model.test_hdf5_files import hdf5
from tests.kinds.model.test_torch_files import file, members, packed, rebuilt

skops = pytest.importorskip("skops.io")
NAMES = (
    "c.pth", "m.pt", "t.pt", "a.skops", "x.json", "x.ubj", "l.txt", "x.joblib", "m.onnx", "m.gguf", "k.keras", "k.h5",
    "chunks.h5",
)  # fmt: skip


@cache
def made(name: str) -> bytes:
    if name in ("c.pth", "m.pt", "t.pt", "k.keras", "k.h5"):
        known = {"c.pth": "checkpoint.pth", "m.pt": "module.pt", "t.pt": "tensors.pt", "k.keras": "first.keras"}
        return file(known.get(name, "first.h5"))
    if name == "chunks.h5":
        rows = np.arange(200.0).reshape(20, 10)
        return hdf5(lambda target: target.create_dataset("w", data=rows, chunks=(7, 7), compression="gzip"))
    if name == "m.gguf":
        tensors = struct.pack("<QQ", 1, 2) + test_gguf_files.text("general.name") + struct.pack("<I", 8)
        head = b"GGUF\x03\0\0\0" + tensors + test_gguf_files.text("x") + test_gguf_files.text("list")
        head += struct.pack("<IIQ3i", 9, 5, 3, 1, 2, 3) + test_gguf_files.tensor("w", (4, 2), 0, 0)
        return head + bytes(-len(head) % 32) + bytes(32)
    return {
        "a.skops": lambda: bytes(skops.dumps(making.pipeline())),
        "x.json": lambda: test_boosted_trees.saved("json", 2),
        "x.ubj": lambda: test_boosted_trees.saved("ubj", 2),
        "l.txt": lambda: test_boosted_trees.text(2),
        "x.joblib": lambda: making.joblib_bytes(test_boosted_trees.boosted(2)),
        "m.onnx": lambda: test_onnx_files.network().SerializeToString(),
    }[name]()


def outcome(name: str, data: bytes) -> str:
    """Read and use everything; return what came of it."""
    try:
        units = KIND.units(ByteSource(f"models/{name}", data), Spec())
    except Unreadable as error:
        assert str(error)
        assert "\n" not in str(error)
        return "unreadable"
    whole = KIND.units(ByteSource(f"models/{name}", made(name)), Spec())
    comparison = KIND.compare(whole, units, whole.delta(units))
    said = values(units)
    assert all("\n" not in KIND.text(key, value) for key, value in said.items())
    text = json.dumps([list(said.items()), dict(KIND.summary(units)), comparison.summary], default=repr)
    assert text.encode()
    return "units"


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_file_is_unreadable(name: str) -> None:
    data = made(name)
    assert outcome(name, data) == "units"
    for length in [*range(1, len(data), len(data) // 25 + 1), len(data) - 1]:
        if not _complete(name, data[:length]):
            assert outcome(name, data[:length]) == "unreadable", length


def _complete(name: str, data: bytes) -> bool:
    """What lacks nothing but an end that others do without: blanks, or LightGBM's list of parameters."""
    return data.endswith(b"}\n]") or (name == "l.txt" and b"\nend of trees\n" in data and data.endswith(b"\n"))


def damaged(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at, action = chance.randrange(len(changed)), chance.randrange(4)
        if action == 0:
            changed[at] ^= 1 << chance.randrange(8)
        elif action == 1:
            del changed[at : at + chance.randrange(1, 9)]
        elif action == 2:
            changed[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
        else:
            changed[at : at + 8] = chance.choice((b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7))
    return bytes(changed)


@pytest.mark.parametrize("name", NAMES)
def test_random_damage_never_breaks_the_reader(name: str) -> None:
    chance = random.Random(name)
    for _ in range(60):
        assert outcome(name, damaged(made(name), chance))


ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e308,
    1 << 70,
    "",
    "x",
    [],
    {},
    [1, "a"],
    {"a": 1},
    [[]],
    0.5,
    "\ud800",
    1 << 31,
)


def mutated(thing: Any, chance: random.Random) -> Any:
    """Return the document with a few of its parts replaced by others, or left out."""
    spots: list[tuple[Any, Any]] = []

    def collect(part: Any) -> None:
        for key, inner in part.items() if isinstance(part, dict) else enumerate(part):
            spots.append((part, key))
            if isinstance(inner, (dict, list)):
                collect(inner)

    collect(thing)
    for _ in range(chance.choice((1, 1, 2, 4))):
        part, key = chance.choice(spots)
        if (isinstance(part, dict) and key in part) or (isinstance(part, list) and key < len(part)):
            if chance.random() < 0.2:
                del part[key]
            else:
                part[key] = chance.choice(ODD)
    return thing


@pytest.mark.parametrize("name", ["a.skops", "x.json", "k.keras"])
def test_documents_with_other_values_never_break_the_reader(name: str) -> None:
    chance = random.Random(name)
    outcomes = set()
    for _ in range(80):
        if name == "x.json":
            data = json.dumps(mutated(json.loads(made(name)), chance)).encode()
        else:
            parts = members(made(name))
            member = "schema.json" if name == "a.skops" else "config.json"
            data = packed(parts | {member: json.dumps(mutated(json.loads(parts[member]), chance)).encode()})
        outcomes.add(outcome(name, data))
    assert "units" in outcomes


@pytest.mark.parametrize("name", ["c.pth", "m.pt"])
def test_damaged_pickles_inside_of_archives_never_break_the_reader(name: str) -> None:
    chance = random.Random(name)
    parts = members(made(name))
    pickled = next(member for member in parts if member.endswith("data.pkl"))
    for _ in range(60):
        assert outcome(name, packed(parts | {pickled: damaged(parts[pickled], chance)}))


@cache
def zeros(mib: int) -> tuple[bytes, int]:
    """Return so many MiB of zeros as DEFLATE packs them, one block over and over, and their CRC."""
    block = bytes(1 << 20)
    packer = zlib.compressobj(wbits=-15)
    packed_block = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(mib):
        crc = zlib.crc32(block, crc)
    return packed_block * mib + packer.flush(), crc


def bomb(name: str, mib: int = 1 << 10) -> bytes:
    """A zip of one member, which is well-formed to its last byte."""
    body, crc = zeros(mib)
    said = struct.pack("<HHHHHIIIHH", 20, 0, zipfile.ZIP_DEFLATED, 0, 0x21, crc, len(body), mib << 20, len(name), 0)
    head = b"PK\x03\x04" + said + name.encode()
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + said + bytes(14) + name.encode()
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(head) + len(body), 0)
    return head + body + entry + end


def test_the_bomb_is_a_whole_archive() -> None:
    with zipfile.ZipFile(io.BytesIO(bomb("config.json", 3))) as archive:
        assert archive.testzip() is None and archive.read("config.json") == bytes(3 << 20)


def overlapping() -> bytes:
    """A zip whose members are all the same bytes."""
    data = bytearray(packed({f"m/data/{n}": bytes(40_000) for n in range(9)} | {"m/data.pkl": b"\x80\x02N."}))
    at = start = data.index(b"PK\x01\x02")
    place = data[start + 42 : start + 46]
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + 42 : at + 46] = place
        at += 46
    del data[60_000 : start - 40_000]
    return bytes(data)


@cache
def hostile() -> dict[str, bytes]:
    return {
        "bomb.pt": bomb("m/data.pkl"),
        "bomb.skops": bomb("schema.json"),
        "bomb.keras": bomb("config.json"),
        "overlap.pt": overlapping(),
        "twice.pt": packed({"m/data.pkl": b"N."}).replace(b"m/data.pkl", b"m/data.pkl"),
        "endless.pt": rebuilt(0, (1 << 50,), (0,)),
        "deep.ubj": b"[" * (1 << 20),
        "many.ubj": b"[$T#L\0\0\0\0\x3b\x9a\xca\0",
        "long.ubj": b"{L\0\0\0\0\0\0\0\x07learner[$d#L\0\0\1\0\0\0\0\0",
        "long.gguf": b"GGUF" + struct.pack("<IQQ", 3, 1 << 40, 1 << 40) + bytes(100),
        "dims.onnx": b"\x08\x08\x42\x02\x10\x11\x3a\x0f\x2a\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10\x01\x4a",
        "wide.h5": made("chunks.h5").replace(struct.pack("<QQ", 20, 10), struct.pack("<QQ", 1 << 40, 1 << 20)),
        "lines.txt": b"tree\n" + b"a\n" * 100_000,
    }


def test_a_short_file_that_announces_a_lot_is_refused_in_little_memory() -> None:
    files = hostile()
    tracemalloc.start()
    try:
        for name, data in files.items():
            if name == "twice.pt":
                continue
            with pytest.raises(Unreadable):
                KIND.units(ByteSource(f"models/{name}", data), Spec())
            assert tracemalloc.get_traced_memory()[1] < 64 << 20, name
            tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_given_twice_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("m/data.pkl", b"N.")
        archive.writestr("m/data.pkl", b"I1\n.")
    with pytest.raises(Unreadable, match="twice"):
        KIND.units(ByteSource("models/m.pt", stream.getvalue()), Spec())


def test_an_encrypted_archive_is_named() -> None:
    data = bytearray(packed({"m/data.pkl": b"N."}))
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + place] |= 1
    with pytest.raises(Unreadable, match="encrypted"):
        KIND.units(ByteSource("models/m.pt", bytes(data)), Spec())


def test_other_archives_are_named() -> None:
    with pytest.raises(Unreadable, match="neither of PyTorch, skops nor Keras"):
        KIND.units(ByteSource("models/m.pt", packed({"a.txt": b"a"})), Spec())


def test_reading_opens_no_other_file_and_imports_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    for name in NAMES:
        outcome(name, made(name))  # whatever is imported late has been
    events: list[str] = []
    active = [True]
    sys.addaudithook(lambda event, args: events.append(event) if active[0] and event in _WATCHED else None)
    try:
        for name in NAMES:
            KIND.units(ByteSource(f"models/{name}", made(name)), Spec())
    finally:
        active[0] = False
    assert events == []


# "compile" is not among them: a header of numpy's is a literal, and to parse one is no running of it
_WATCHED = {"import", "open", "exec", "subprocess.Popen", "os.system", "pickle.find_class", "marshal.loads"}
