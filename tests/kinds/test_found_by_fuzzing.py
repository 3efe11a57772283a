"""Input that tests/fault/fuzz.py found, and that came out as something else than an error of ours."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mlver.kinds import registry
from mlver.kinds.base import CannotEdit, Spec, Unreadable
from tests.kinds.byte_source import ByteSource


def read(kind: str, path: str, data: bytes) -> object:
    return registry.get(kind).units(ByteSource(path, data), Spec())


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_a_header_whose_brackets_stay_open_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="no array"):
        read("data", "data/a.npy", npy(np.arange(6).reshape(2, 3)).replace(b"(2, 3)", b"(2, 3 "))


def test_a_member_that_lies_before_its_archive_is_unreadable() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", npy(np.arange(3)))
    whole = stream.getvalue()
    at = whole.rindex(b"PK\5\6") + 16
    moved = whole[:at] + (int.from_bytes(whole[at : at + 4], "little") + 4).to_bytes(4, "little") + whole[at + 4 :]
    with pytest.raises(Unreadable, match="damaged"):
        read("data", "data/a.npz", moved)


def test_ini_that_goes_on_where_there_is_no_value_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="not INI"):
        read("config", "config/c.ini", b"[a]\nb\n  c\n")


def test_yaml_that_only_one_reader_takes_cannot_be_edited() -> None:
    source = ByteSource("config/c.yaml", b"a: 1\nf:\n- 1\t- x: 2\n- 3\n")
    kind = registry.get("config")
    units = kind.units(source, Spec())
    assert units.get("a") == 1
    with pytest.raises(CannotEdit, match="do not agree"):
        kind.edit(source, Spec(), {"a": 2})


_HEAD = """
from mlver.kinds import registry
from mlver.kinds.base import Spec, Unreadable
from tests.kinds.byte_source import ByteSource
source = ByteSource("data/t.parquet", open("tests/kinds/files/histogram.parquet", "rb").read())
for read in (lambda: registry.get("data").head(source, Spec(), 3), lambda: registry.get("data").units(source, Spec())):
    try:
        print(read())
    except Unreadable as reason:
        print("refused:", reason)
"""


def test_statistics_that_pyarrow_dies_of_are_unreadable() -> None:
    """In a process of its own, which they ended: a histogram of two levels where a column has one."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", _HEAD], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("refused: ") == 2 and "histogram" in done.stdout
