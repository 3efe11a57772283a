"""The three verdicts: no published way past a scanner makes a file plain data, and ordinary files are not accused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlver.kinds.models.rating import rate
from mlver.kinds.verdicts import VERDICTS
from tests.kinds.byte_source import ByteSource
from tests.kinds.model import shapes

SHAPES = shapes.all_shapes()


@pytest.mark.parametrize(("what", "path", "data", "due"), SHAPES, ids=[shape[0] for shape in SHAPES])
def test_a_published_shape_is_never_plain_data(
    what: str, path: str, data: bytes, due: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in ("model", "file", "config", "data"):  # whatever mlver.toml calls it
        rating = rate(ByteSource(path, data), kind)
        if kind == "model" or rating is not None:
            assert rating is not None
            assert rating.verdict == due, (what, kind, rating)
    assert os.listdir(tmp_path) == []


def test_there_are_at_least_sixty_shapes_of_pickles() -> None:
    assert len({data for _, data, _ in (*shapes.streams(), *shapes.joblibs())}) >= 60
    assert len({shape[0] for shape in SHAPES}) == len(SHAPES)
    assert VERDICTS == ("plain data", "unknown", "runs code")


_LOAD = """
import os, pathlib, pickle, sys
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        pickle.loads(path.read_bytes())
    except BaseException:
        pass
    if os.path.exists({marker!r}):
        print(path.name)
        os.unlink({marker!r})
"""


def test_the_shapes_do_what_they_are_said_to_do(tmp_path: Path) -> None:
    """Python runs the payload of them, also of those that are broken after it: they are no straw men."""
    (tmp_path / "here").mkdir()
    (tmp_path / "files").mkdir()
    own = [(what, data) for what, data, _ in shapes.streams() if what not in shapes.GADGETS]
    for number, (_, data) in enumerate(own):
        (tmp_path / "files" / f"{number:03}").write_bytes(data)
    script = _LOAD.format(marker=shapes.MARKER)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "files")], cwd=tmp_path / "here", capture_output=True, text=True
    )
    ran = {own[int(line)][0] for line in done.stdout.split() if line.isdigit()}
    assert len(ran) >= 20
    assert {"nullifAI: broken after the payload", "cut after the payload", "GHSA-mxhj: OBJ and POP"} <= ran
