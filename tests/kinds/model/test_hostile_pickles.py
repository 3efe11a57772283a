"""Files made to do harm: nothing of them happens, and what they would do is said."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest

from mlver.kinds.base import Unreadable
from mlver.kinds.model import ModelKind
from tests.kinds.model import making
from tests.kinds.model.making import KIND, joblib_bytes, read, values
from tests.kinds.model.shapes import Does, name, text


def payloads() -> dict[str, bytes]:
    import os

    command = "touch owned"
    system = name("os", "system") + text(command) + b"\x85R"
    inner = pickle.dumps(Does(os.system, command))
    arrays = joblib_bytes({"first": np.arange(50.0), "second": Does(os.system, command)})
    return {
        "os.system": pickle.dumps(Does(os.system, command)),
        "eval": pickle.dumps(Does(eval, "__import__('os').system('touch owned')")),
        "exec": pickle.dumps(Does(exec, "open('owned', 'w')")),
        "subprocess": pickle.dumps(Does(subprocess.Popen, ["touch", "owned"])),
        "thrown away": b"\x80\x04" + system + b"0N.",
        "OBJ and POP": b"\x80\x04(" + name("os", "system") + text(command) + b"o0K\x01.",
        "INST and POP_MARK": b"\x80\x04((S'touch owned'\nios\nsystem\n1K\x01.",
        "left on the stack": b"\x80\x04" + system + b"K\x01.",
        "hidden under a memo entry": b"\x80\x04" + system + b"q\x000N.",
        "second pickle": pickle.dumps({"a": 1}) + pickle.dumps(Does(os.system, command)),
        "nested": pickle.dumps(Does(pickle.loads, inner)),
        "inside a bundle": joblib_bytes({"model": making.pipeline(), "note": Does(os.system, command)}),
        "after the first array": arrays,
        "compressed": zlib.compress(arrays),
        "missing module": b"\x80\x04" + name("no_such_module_anywhere", "boom") + b")R.",
        "module that acts on import": b"\x80\x04" + name("antigravity", "geohash") + b"0N.",
        "by attribute": pickle.dumps(Does(getattr, ModelKind, "units")),
        "call of a call": b"\x80\x04" + name("functools", "partial") + name("os", "getcwd") + b"\x85R)R.",
        "in object array": joblib_bytes({"a": np.array([Does(os.system, command)], object)}),
        "python 2 names": b"\x80\x02" + name("__builtin__", "eval") + text("1") + b"\x85R.",
        "by state": b"\x80\x04" + name("types", "SimpleNamespace") + b")\x81}" + text("x") + system + b"sb.",
        "as a key": b"\x80\x04}" + system + b"Ns.",
    }  # fmt: skip


PAYLOADS = payloads()
VERDICTS = dict.fromkeys(PAYLOADS, "runs code") | {"missing module": "unknown", "second pickle": "unknown"}


@pytest.mark.parametrize("case", PAYLOADS)
def test_the_verdict_names_what_a_file_would_do(case: str) -> None:
    units = read(PAYLOADS[case])
    said = KIND.summary(units)
    assert said["verdict"] == VERDICTS[case]
    assert "safe" not in json.dumps(values(units))


@pytest.mark.parametrize("case", PAYLOADS)
def test_the_payload_shows_up_in_a_unit(case: str) -> None:
    marks = {
        "eval": "builtins.eval", "exec": "builtins.exec", "subprocess": "subprocess.Popen", "nested": "pickle.loads",
        "second pickle": "__trailing__", "missing module": "boom", "module that acts on import": "antigravity",
        "by attribute": "ModelKind.units", "call of a call": "getcwd", "python 2 names": "builtins.eval",
    }  # fmt: skip
    assert marks.get(case, "system") in json.dumps(values(read(PAYLOADS[case])))


def test_a_payload_that_leaves_the_model_as_it_was_is_no_same_model() -> None:
    clean = pickle.dumps({"a": 1}, 4)
    evil = clean[:2] + clean[11:-1]  # without the frame and the STOP
    evil = evil[:2] + name("os", "system") + text("touch owned") + b"\x85R0" + evil[2:] + b"."
    delta, comparison = making.compared(clean, evil)
    assert not comparison.same_meaning
    assert list(delta.added) == ["__discarded__.0"]
    assert comparison.details[0].title == "runs code when loaded"
    assert comparison.details[0].rows == (("os.system",),)


_WATCH = """
import sys
sys.path.insert(0, {root!r})
import numpy, blake3, json, encodings.ascii, encodings.latin_1, numpy.lib
from mlver.kinds.base import Spec, Unreadable
from mlver.kinds.model import ModelKind
from tests.kinds.byte_source import ByteSource
from mlver.kinds.models import compare, describe, load, moves
import pathlib
kind, events, watching = ModelKind(), [], False
def hook(event, args):
    if watching and not event in ("builtins.id", "object.__getattr__"):
        events.append((event, str(args[:1])))
sys.addaudithook(hook)
files = [(path.name, path.read_bytes()) for path in sorted(pathlib.Path({folder!r}).glob("*.bin"))]
said = dict()
modules = set(sys.modules)
for name, data in files:
    watching = True
    try:
        units = kind.units(ByteSource("models/x.joblib", data), Spec())
        for key in units.keys():
            kind.text(key, units.get(key))
        said[name] = kind.summary(units)["verdict"]
        kind.compare(None, units, None)
    except Unreadable as error:
        said[name] = str(error)
    watching = False
print(json.dumps([said, events, sorted(set(sys.modules) - modules)]))
"""


def test_reading_hostile_files_imports_opens_and_runs_nothing(tmp_path: Path) -> None:
    files = dict(PAYLOADS) | {"good": joblib_bytes(making.bundle()), "forest": pickle.dumps(making.forest(), 2)}
    for index, data in enumerate(files.values()):
        (tmp_path / f"{index:02}.bin").write_bytes(data)
    root = str(Path(__file__).resolve().parents[3])
    script = _WATCH.format(root=root, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said, events, modules = json.loads(done.stdout)
    assert list(said.values()) == [*VERDICTS.values(), "unknown", "unknown"]
    assert events == []
    assert modules == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(said)


def test_the_watch_would_see_a_payload(tmp_path: Path) -> None:
    (tmp_path / "00.bin").write_bytes(PAYLOADS["os.system"])
    script = _WATCH.format(root=str(Path(__file__).resolve().parents[3]), folder=str(tmp_path))
    script = script.replace("units = kind.units(", "__import__('pickle').loads(data); units = kind.units(")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    _, events, _ = json.loads(done.stdout)
    assert {"os.system", "pickle.find_class"} <= {event for event, _ in events}
    assert (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x80\x04\x8c\x01xQ.", "persistent"),
        (b"\x80\x02\x82\x01.", "by number"),
        (b"\x80\x05\x97.", "out-of-band"),
        (b"\x80\x06N.", "protocol 6"),
        (b"\x80\x04" + name("os", "path") + b"}b.", "changes os.path"),
        (b"\x80\x04}Nb.", "state to plain data"),
        (b"\x80\x04K\x01K\x02a.", "no list"),
        (b"\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00\x8c\x05hello.", "crosses the end of its frame"),
        (b"\x80\x04\x95\x20\x00\x00\x00\x00\x00\x00\x00N.", "truncated"),
        (b"\x80\x04h\x07.", "never had"),
        (b"\x80\x04R.", "stack"),
        (b"\x80\x04(.", "stack"),
        (b"I1_0\n.", "a number"),
        (b"I" + b"9" * 4900 + b"\n.", "wrong form"),
        (b"S'abc\n.", "quotes"),
        (b"\x80\x04\x8c\x02\xff\xff.", "wrong form"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0f", "truncated"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff", "beyond all measure"),
        (b"", "empty"),
        (b"Hello world, this is no model", "no opcode"),
        (b"PK\x03\x04rest", "zip"),
        (b"\x04\x22\x4d\x18rest", "lz4"),
        (b"x\x9crest of it", "broken zlib"),
        (b"ZF0x0000000000", "before 0.9.3"),
    ],
)  # fmt: skip
def test_oddities_are_unreadable_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(data)


def test_an_array_changed_after_it_was_made_is_unreadable() -> None:
    made = pickle.dumps(np.arange(3), 2)
    with pytest.raises(Unreadable, match="after it was made"):
        read(made[:-1] + b"K\x00K\x07s.")
    with pytest.raises(Unreadable, match="after it was made"):
        read(made[:-1] + b")b.")


def test_an_array_in_an_open_frame_is_unreadable() -> None:
    made = joblib_bytes({"a": np.arange(3)}, protocol=4)
    assert made[2:3] == b"\x95"
    length = int.from_bytes(made[3:11], "little")
    read(made)
    with pytest.raises(Unreadable, match="inside a frame"):
        read(made[:3] + (length + 8).to_bytes(8, "little") + made[11:])


def test_joblib_fields_nobody_writes_are_unreadable() -> None:
    made = joblib_bytes({"a": np.arange(3)}, protocol=2)
    with pytest.raises(Unreadable, match="unknown form"):
        read(made.replace(b"allow_mmap", b"allow_evil"))
    assert joblib.numpy_pickle.NumpyArrayWrapper.__name__ == "NumpyArrayWrapper"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80\x04)" + b"\x85" * 100_000 + b".", id="deep tuple"),
        pytest.param(b"\x80\x04" + b"(" * 100_000 + b"l" * 100_000 + b".", id="deep list"),
        pytest.param(b"\x80\x04})" + b"\x85" * 100_000 + b"Ns.", id="deep key"),
        pytest.param(b"\x80\x04()" + b"\x85" * 100_000 + b"\x91.", id="deep set"),
        pytest.param(b"\x80\x04)" + b"2\x86" * 60 + b".", id="doubling"),
        pytest.param(zlib.compress(pickle.dumps(bytes(100 << 20)), 1), id="zlib bomb"),
    ],
)
def test_bombs_are_refused(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlver.kinds.models.walk.MAX_UNITS", 20_000)
    with pytest.raises(Unreadable, match=r"more than|deep"):
        read(data)


@pytest.mark.parametrize("opcodes", [b"]", b"}", b"(1N0"])
def test_a_small_packed_pickle_has_no_millions_of_opcodes(opcodes: bytes) -> None:
    """Nine kilobytes took fourteen seconds and 1.4 GB."""
    with pytest.raises(Unreadable, match=r"more than 30\d,\d\d\d opcodes"):
        read(gzip.compress(b"\x80\x04N(" + opcodes * 2_000_000 + b"0."))


def test_what_is_packed_in_an_archive_counts_packed() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", b"\x80\x04N(" + b"]" * 2_000_000 + b"0.")
    with pytest.raises(Unreadable, match=r"more than 30\d,\d\d\d opcodes"):
        read(out.getvalue())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b'{"a":[' + b"0," * 5_000_000 + b"0]}")
    with pytest.raises(Unreadable, match="far more than its size allows"):
        read(out.getvalue())


def test_the_number_of_opcodes_is_limited() -> None:
    from mlver.kinds.models.pickle_vm import Machine, Trace
    from mlver.kinds.models.reader import Reader
    from tests.kinds.byte_source import ByteSource

    source = ByteSource("x", b"\x80\x04" + b"N0" * 100 + b"N.")
    with pytest.raises(Unreadable, match="opcodes"):
        Machine(Reader(source, source.open()), Trace(left=100)).run()
    assert Machine(Reader(source, source.open()), Trace(left=300)).run() is None
