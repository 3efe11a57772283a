"""A file that is not what its name says is committed as bytes; every command says why it is not read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlver.errors import NegativeAnswer
from mlver.kinds.base import Unreadable
from mlver.verbs.blame import blame
from mlver.verbs.cat import cat, cat_units
from mlver.verbs.diff import diff
from mlver.verbs.fsck import fsck
from mlver.verbs.restore import restore
from mlver.verbs.show import show
from tests.badinput.corpus import BROKEN, good
from tests.badinput.kit import mlver, one_line
from tests.kit import Bench

# These ways of breaking a file leave no format readable, but for a code cell, a comment, an empty list.
HOPELESS = ("noise after the magic", "zeros")


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    return good()


@pytest.mark.parametrize("how", BROKEN)
def test_broken_files_are_committed_as_bytes_and_said_to_be_unreadable(
    tmp_path: Path, whole: dict[str, bytes], how: str
) -> None:
    bench = Bench(tmp_path)
    for path, data in whole.items():
        bench.write(path, data)
    bench.commit("whole")
    broken = {path: BROKEN[how](data) for path, data in whole.items()}
    for path, data in broken.items():
        bench.write(path, data)
    bench.commit()

    result = diff(bench.repo, "HEAD~1", "HEAD")
    assert {artifact.path for artifact in result.artifacts} == broken.keys()
    json.dumps(result.to_dict(), allow_nan=False)
    for artifact in result.artifacts:
        assert artifact.unreadable is None or artifact.unreadable.isprintable()
        if artifact.unreadable:
            old, new = len(whole[artifact.path]), len(broken[artifact.path])
            assert artifact.summary == f"{old} -> {new} bytes" and artifact.new_id != artifact.old_id
    said = {artifact.path for artifact in result.artifacts if artifact.unreadable}
    if how in HOPELESS:
        assert said == broken.keys()
    for path, data in broken.items():
        _every_way_to_look(bench, path, data, readable=path not in said)
    assert fsck(bench.repo).ok


def _every_way_to_look(bench: Bench, path: str, data: bytes, *, readable: bool) -> None:
    shown = show(bench.repo, path)
    assert shown.text.isprintable() and ("unreadable" in shown.value) is not readable
    assert blame(bench.repo, path).units or data == b"" or readable
    try:
        cat_units(bench.repo, path)
    except NegativeAnswer as error:
        assert not readable and one_line(error) and path in error.message
    pieces: list[bytes] = []
    cat(bench.repo, path, pieces.append)
    assert b"".join(pieces) == data
    (bench.root / path).unlink()
    restore(bench.repo, [path])
    assert (bench.root / path).read_bytes() == data


def test_the_reason_is_on_the_screen(tmp_path: Path, whole: dict[str, bytes]) -> None:
    bench = Bench(tmp_path)
    bench.write("data/t.parquet", whole["data/t.parquet"])
    bench.commit("whole")
    bench.write("data/t.parquet", whole["data/t.parquet"][:-1])
    assert mlver(tmp_path, "commit").returncode == 0
    shown = mlver(tmp_path, "diff", "HEAD~1", "HEAD").stdout.decode()
    assert "not read" in shown and "data/t.parquet" in shown


def test_what_a_library_quotes_of_a_file_cannot_act_on_a_terminal() -> None:
    assert str(Unreadable("line 3: \x1b[31m\n\u202e")) == r"line 3: \x1b[31m\n\u202e"
