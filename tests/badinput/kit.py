"""What every refusal must be: one line that names the thing, the right exit code, and nothing changed."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlver.errors import MlverError
from mlver.repo.repository import Repository
from tests import warm
from tests.kit import Bench

SOURCE = Path(__file__).resolve().parents[2]


def everything(root: Path) -> dict[str, object]:
    """Return all there is below `root`, what `.mlver` holds included, apart from caches and empty lock files."""
    found: dict[str, object] = {}
    for folder, folders, names in os.walk(root):
        if folder.endswith("/.mlver"):
            folders[:] = [name for name in folders if name != "cache"]
        for name in [*folders, *names]:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                found[path] = os.readlink(path)
            elif stat.S_ISREG(mode) and name != "lock":
                found[path] = Path(path).read_bytes()
            else:
                found[path] = stat.S_IFMT(mode)
    return {path: what for path, what in found.items() if not path.endswith("/lock")}


@contextmanager
def refused(root: Path, error: type[MlverError], *words: str) -> Iterator[None]:
    """Expect exactly this class of error, in one line that holds `words`, and nothing changed below `root`."""
    before = everything(root)
    with pytest.raises(error) as caught:
        yield
    assert type(caught.value).exit_code == error.exit_code
    assert one_line(caught.value)
    for word in words:
        assert word in caught.value.message
    assert everything(root) == before


def one_line(error: MlverError) -> bool:
    """Whether message and hint are printable and without line breaks."""
    return error.message.isprintable() and (error.hint is None or error.hint.isprintable())


@contextmanager
def unchanged(root: Path) -> Iterator[None]:
    """Expect that nothing changes below `root`."""
    before = everything(root)
    yield
    assert everything(root) == before


def small(root: Path) -> Bench:
    """A repository of two commits: a table, a rule, a config, and one changed cell."""
    bench = Bench(root)
    bench.write("data/t.csv", "id,x\n1,2\n2,3\n")
    bench.write("rules/rules.json", [{"id": "R1", "if": "x > 3", "then": "drop"}])
    bench.write("config/c.json", {"impute": "median"})
    bench.commit("one")
    bench.write("data/t.csv", "id,x\n1,2\n2,4\n")
    bench.commit("two")
    return bench


def frozen(root: Path) -> Repository:
    """Open a repository whose clock does not matter."""
    return Repository.open(root, actor="ana")


def mlver(root: Path, *words: str | bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command line in `root`; it must answer, without a traceback and without acting on a terminal."""
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "MLVER_AUTHOR": "ana", **environment}
    done = subprocess.run([*warm.mlver(), *words], cwd=root, capture_output=True, timeout=120, env=env)
    assert b"Traceback" not in done.stderr and b"unexpected error" not in done.stderr, done.stderr.decode()
    for output in (done.stdout, done.stderr):
        assert not any(bad in output for bad in (b"\x1b", b"\r", "\u202e".encode()))
    return done
