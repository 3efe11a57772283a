"""The format page is enough: a reader written from it gets every byte back."""

from __future__ import annotations

import ast
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from mlver.verbs.switch import switch
from tests.format import reader
from tests.kit import Bench

SCRIPT = Path(reader.__file__)
FILES = {
    "empty.txt": b"",
    "tiny.bin": b"\0\xff",
    "README.md": "grüße\n".encode() * 50,
    "data/train.csv": b"id,x\n" + b"".join(b"P%04d,%d\n" % (n, n * n) for n in range(4000)),
    "models/deep/er/weights.bin": random.Random(7).randbytes(700_000),
    "zeros.bin": bytes(900_000),
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "project")
    for path, content in FILES.items():
        bench.write(path, content)
    bench.commit("all at once")
    return bench


def everything(root: Path) -> dict[str, bytes]:
    repository = reader.Reader(root)
    return {path: repository.blob(id) for path, id in repository.files(repository.head()["tree"]).items()}


def test_it_knows_nothing_of_mlver() -> None:
    imports = [
        node for node in ast.walk(ast.parse(SCRIPT.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    names = {
        name
        for node in imports
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module])
    }
    assert names == {"__future__", "json", "struct", "sys", "pathlib", "typing", "zstandard", "blake3"}


def test_it_reads_every_byte_of_a_commit(bench: Bench) -> None:
    assert everything(bench.root) == FILES


def test_large_files_were_really_cut_and_small_ones_really_compressed(bench: Bench) -> None:
    rows = reader.Reader(bench.root).rows
    assert sum(type == reader.TYPES["list"] for type, _ in rows) == 2
    assert {codec for _, codec, _, _ in rows.values()} == {0, 1}


def test_it_follows_the_head_through_later_commits(bench: Bench) -> None:
    bench.write("data/train.csv", b"id,x\nP0001,7\n")
    (bench.root / "zeros.bin").unlink()
    bench.commit("less")
    expected = {**FILES, "data/train.csv": b"id,x\nP0001,7\n"}
    del expected["zeros.bin"]
    assert everything(bench.root) == expected
    switch(bench.repo, "HEAD~1", detach=True)
    assert everything(bench.root) == FILES


def test_it_restores_a_file_as_a_program(bench: Bench, tmp_path: Path) -> None:
    path = "models/deep/er/weights.bin"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(bench.root), path],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == FILES[path]


def test_it_refuses_bytes_that_do_not_match_their_id(bench: Bench) -> None:
    (pack,) = (bench.root / ".mlver" / "packs").glob("*.pack")
    data = bytearray(pack.read_bytes())
    at = data.index(FILES["models/deep/er/weights.bin"][:100])
    data[at] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    with pytest.raises(ValueError, match="does not match its bytes"):
        everything(bench.root)
