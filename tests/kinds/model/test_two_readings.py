"""Files that are one thing to the reader of their kind and another to a loader of models."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from mlver.kinds.models.hidden import reads_as_pickle
from mlver.kinds.models.rating import rate
from tests.kinds.byte_source import ByteSource
from tests.kinds.model import shapes

OTHERS = ("data", "config", "rules", "code")
CALL = f"cposix\nsystem\n(S'{shapes.COMMAND}'\ntR."


def zlib_after_empty_blocks() -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = engine.compress(CALL.encode()) + engine.flush()
    return b"\x78\x9c" + b"\0\0\0\xff\xff" * 200 + packed + struct.pack(">I", zlib.adler32(CALL.encode()))


def old_joblib(length: bytes) -> bytes:
    return b"ZF" + length.ljust(19) + zlib.compress(CALL.encode())


def safetensors_that_are_a_pickle() -> bytes:
    """The first byte of the length of the header is BINUNICODE, the next a length; skips lead to the tensor."""
    payload = CALL.encode()
    tail = f'"}},"w":{{"dtype":"U8","shape":[{len(payload)}],"data_offsets":[0,{len(payload)}]}}}}'
    start = '{"__metadata__":{"a":"'
    for high in range(len(start) + 3, 255):
        length = high << 8 | ord("X")
        text = start + "Z" * (5 + high - 8 - len(start))
        while length - len(text) > 2 + 126:
            text += "U" + chr(60) + "Z" * 60
        last = length - len(text) - 2
        if len(tail) <= last:
            text += "U" + chr(last) + "Z" * (last - len(tail)) + tail
            return struct.pack("<Q", length) + text.encode() + payload
    raise AssertionError("no length fits")


HIDDEN = {
    "zlib whose first blocks are empty": ("a.csv", zlib_after_empty_blocks()),
    "a length of old joblib without 0x": ("b.csv", old_joblib(hex(len(CALL))[2:].encode())),
    "a length of old joblib after a space": ("b.csv", old_joblib(b" " + hex(len(CALL)).encode())),
    "a module that is no identifier": ("c.csv", b"cmy evil-mod\nrun\n(tR"),
    "a call by the methods of what is named": ("c.csv", b"csys\npath\nX\4\0\0\0/tmpa cut off"),
    "a name made of texts, then cut off": ("d.csv", b"\x8c\4evil\x8c\3run\x93 cut off"),
    "a module that is imported, then bytes": ("f.csv", b"cevil\nrun\n\xff\0\1"),
    "a module that is imported, cut off behind a mark and a number": ("f.csv", b"cevil.mod\nrun\np0\n(I1\n"),
    "a module that is imported, cut off within a text": ("f.csv", b"cevil.mod\nrun\np0\n(S'rm -"),
    "a module that is imported, cut off within a text of bytes": ("f.csv", b"cevil\nrun\nq\0(X\x0a\0\0\0rm"),
    "a module that is imported, then what cannot be": ("f.csv", b"cevil\nrun\nq\x01su"),
    "a module that is imported behind other things": ("f.csv", b"(I1\ncevil\nrun\nq\0N no opcode"),
    "a tag of YAML": ("e.yaml", b"a: !!python/object/apply:os.system [x]\n"),
    "a tag of YAML by its long name": ("e.yml", b"a: !<tag:yaml.org,2002:python/name:os.system> x\n"),
    "what transformers import": ("config.json", json.dumps({"auto_map": {"AutoModel": "evil.X"}}).encode()),
    "the same with an escape": ("config.json", b'{"auto\\u005fmap": {"AutoModel": "evil.X"}}'),
    "what Hydra calls": ("train.yaml", b"model:\n  _target_: os.system\n"),
    "HDF5 after a block of the user": ("f.csv", b"x" * 1024 + b"\x89HDF\r\n\x1a\n" + b"\0" * 100),
}


@pytest.mark.parametrize("what", HIDDEN)
def test_whatever_kind_it_is_given_a_gate_sees_it(what: str) -> None:
    path, data = HIDDEN[what]
    for kind in (*OTHERS, "file", "model"):
        rating = rate(ByteSource(path, data), kind)
        assert rating is not None, kind
        assert rating.verdict != "plain data"


DOUBLE = {
    "YAML": ("models/cut.yaml", f'V: "\n{CALL}"\n'.encode()),
    "TOML": ("models/cut.toml", f'V = """\n{CALL}"""\n'.encode()),
    "safetensors": ("models/w.safetensors", safetensors_that_are_a_pickle()),
}


@pytest.mark.parametrize("form", DOUBLE)
def test_plain_data_that_is_also_a_pickle_runs_code(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, data = DOUBLE[form]
    for kind in ("model", "config"):
        rating = rate(ByteSource(path, data), kind)
        assert rating is not None
        assert rating.verdict == "runs code"
    monkeypatch.chdir(tmp_path)
    pickle.loads(data)  # it is one
    assert (tmp_path / shapes.MARKER).exists()


def test_a_folder_of_an_archive_that_holds_an_array_is_none() -> None:
    plain, objects, out = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(plain, np.arange(3))
    np.save(objects, np.array([shapes.Does(print, "x")], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.npy", plain.getvalue())
        archive.writestr("x/", objects.getvalue())
    rating = rate(ByteSource("a.npz", out.getvalue()), "data")
    assert rating is not None
    assert rating.verdict == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        "cat\ndog\ntable\n",
        "car\ntruck\ntrain\nbus\n",
        "cos\nsin\ntan\n",
        "count\n3\n2\n",
        "country\nFrance\nNamibia\n",
        "(see below)\n",
        "import os\n",
        "class A:\n    pass\n",
        "cat\ndog\nSome more\n",
        "cat\ndog\ncow\nfox\n",
        "cat\ndog\nVersion 2\n",
        "cat\ndog\n(see below)\n",
        "cat\ndog\n3 \N{LATIN SMALL LETTER E WITH ACUTE}t\n",
        "(c) 2024 Foo\nAll rights reserved\n",
    ],
)
def test_ordinary_words_are_no_pickle(text: str) -> None:
    for kind in (*OTHERS, "file"):
        assert rate(ByteSource("notes.txt", text.encode()), kind) is None


def test_no_text_that_is_installed_here_is_a_pickle() -> None:
    texts = {".py", ".pyi", ".txt", ".md", ".rst", ".csv", ".json", ""}
    begun = 0
    for path in Path(np.__file__).parents[1].rglob("*"):
        if path.suffix not in texts or not path.is_file() or path.stat().st_size > 1 << 20:
            continue
        with path.open("rb") as file:
            if file.read(1) not in (b"c", b"("):
                continue
        begun += 1
        assert reads_as_pickle(ByteSource(path.name, path.read_bytes())) is None, path
    assert begun > 5


def test_ordinary_settings_name_nothing() -> None:
    for path, text in (("a.json", '{"class_name": "tree", "n": 3}'), ("b.yaml", "text: wow!\n"), ("c.toml", "a = 1\n")):
        assert rate(ByteSource(path, text.encode()), "config") is None
