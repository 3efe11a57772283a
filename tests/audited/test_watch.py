"""The watch over all tests sees what it is there for, and only that."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlver.kinds.base import Source, Spec, Units
from mlver.kinds.model import ModelKind
from tests import warm
from tests.audited import sitecustomize as watch
from tests.kinds.byte_source import ByteSource
from tests.kinds.model.shapes import MARKER, PLAIN_PICKLE

ROOT = Path(__file__).resolve().parents[2]


def as_mlver(source: str, where: str = "mlver/kinds/defect.py") -> dict[str, Any]:
    """Return what `source` defines, as if it stood in a file of mlver."""
    names: dict[str, Any] = {}
    exec(compile(source, f"{ROOT}/{where}", "exec"), names)
    return names


@contextmanager
def seen() -> Iterator[list[str]]:
    """Yield what the watch reports in between, which does not count against the test."""
    log = Path(os.environ[watch.LOG])
    before = log.read_bytes() if log.exists() else b""
    found: list[str] = []
    yield found
    found += [line.partition("\t")[2] for line in log.read_bytes()[len(before) :].decode().splitlines()]
    log.write_bytes(before)


_DEFECT = """
import pickle
def units(self, source, spec):
    with source.open() as stream:
        return pickle.load(stream)
"""


def test_a_kind_that_unpickles_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ModelKind, "units", as_mlver(_DEFECT)["units"])
    with seen() as found, pytest.raises(RuntimeError, match=r"pickle\.find_class by mlver/kinds/defect\.py:5 in units"):
        ModelKind().units(ByteSource("m.pkl", PLAIN_PICKLE), Spec())
    assert found == ["pickle.find_class by mlver/kinds/defect.py:5 in units"]
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize(
    ("source", "event"),
    [
        ("def do():\n    eval('1 + 1')", "compile"),
        ("def do():\n    exec('x = 1')", "compile"),
        ("code = (lambda: 1).__code__\ndef do():\n    exec(code)", "exec"),
        ("import marshal\ndef do():\n    marshal.loads(b'N')", "marshal.loads"),
        ("import os\ndef do():\n    os.system('true')", "os.system"),
        ("import subprocess\ndef do():\n    subprocess.run(['true'])", "subprocess.Popen"),
        ("import os\ndef do():\n    os.posix_spawn('/bin/true', ['true'], {})", "os.posix_spawn"),
        ("import os\ndef do():\n    os.popen('true')", "subprocess.Popen"),
        ("import joblib\ndef do():\n    joblib.load(PATH)", "pickle.find_class"),
        ("import numpy\ndef do():\n    numpy.load(PATH, allow_pickle=True)", "pickle.find_class"),
        ("import functools\ndef do():\n    functools.reduce(lambda x, y: eval(y), ['1', '2'])", "compile"),
    ],
)
def test_what_runs_code_out_of_data_is_stopped(source: str, event: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({1: os.path.join}, 4))
    do = as_mlver(f"PATH = {str(path)!r}\n{source}")["do"]
    with seen() as found, pytest.raises(Exception):  # noqa: B017 - libraries wrap what the watch raises
        do()
    assert found[0].startswith(f"{event} by mlver/kinds/defect.py:")


def test_what_source_code_declares_is_allowed() -> None:
    with seen() as found:
        made = as_mlver(
            "from dataclasses import dataclass\nfrom collections import namedtuple\nimport ast\n"
            "@dataclass\nclass A:\n    x: int = 1\nB = namedtuple('B', 'x y')\n"
            "def read(text):\n    return ast.literal_eval(text)\n"
        )
        assert made["A"]().x == made["B"](1, 2).x == made["read"]("1") == 1
    assert found == []


def test_a_program_is_started_only_by_those_that_may() -> None:
    source = "import subprocess\ndef do():\n    return subprocess.run(['true']).returncode"
    with seen() as found:
        assert as_mlver(source, "mlver/repo/programs.py")["do"]() == 0
    assert found == []
    with seen() as found, pytest.raises(RuntimeError):
        as_mlver(source, "mlver/repo/refs.py")["do"]()
    assert len(found) == 1


@pytest.mark.parametrize("how", ["own environment", "handed on"])
def test_processes_are_watched_too(how: str, tmp_path: Path) -> None:
    script = f"""
import io, pickle
exec(compile('import pickle\\ndef do(data): pickle.loads(data)', {str(ROOT / "mlver/kinds/x.py")!r}, 'exec'))
do({PLAIN_PICKLE!r})
"""
    environment = {"PYTHONPATH": str(ROOT)} if how == "own environment" else None
    with seen() as found:
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True)
    assert b"the tests forbid pickle.find_class by mlver/kinds/x.py" in done.stderr
    assert found == ["pickle.find_class by mlver/kinds/x.py:2 in do"]
    assert os.listdir(tmp_path) == []


def test_command_lines_are_watched(tmp_path: Path) -> None:
    """The process they are forked from has the watch, and hands it on."""
    assert subprocess.run([*warm.mlver(), "init", "-q", "x"], cwd=tmp_path).returncode == 0
    served = Path(f"/proc/{_server()}/environ").read_bytes()
    assert watch.HERE.encode() in served and watch.LOG.encode() in served


def _server() -> int:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return next(int(pid) for pid in children if b"tests.warm" in Path(f"/proc/{pid}/cmdline").read_bytes())


def test_every_place_that_may_start_a_program_is_there() -> None:
    for path in (*watch.STARTERS, *watch.LOADERS):
        assert (ROOT / path).exists(), path


class _Kind(ModelKind):
    """Unpickles in the tests' own code, which may."""

    def units(self, source: Source, spec: Spec) -> Units:
        with source.open() as stream:
            return Units(pickle.load(stream))


def test_the_tests_may_unpickle_what_they_made() -> None:
    with seen() as found:
        assert _Kind().units(ByteSource("m.pkl", pickle.dumps({"a": os.path.join})), Spec()).get("a") is os.path.join
    assert found == []
