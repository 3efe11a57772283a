"""A git patch that was recorded with a commit holds lines of the files that it changes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mlver.objects.ids import CommitId
from mlver.verbs.redact import redact
from mlver.verbs.show import show
from tests.kit import Bench
from tests.redaction.world import holds, sound

SECRET = b"AKIA-in-a-patch"


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=ana", "-c", "user.email=ana@clinic.example")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


@pytest.mark.parametrize("path", ["prod.env", 'a folder/prod ü "x".env'])
@pytest.mark.parametrize("below", [False, True])
def test_it_goes_with_the_file(tmp_path: Path, path: str, below: bool) -> None:
    root = tmp_path / "w"
    bench = Bench(root / "sub" if below else root)
    git(root, "init", "-q")
    for name in (path, "other.py"):
        bench.write(name, "a = 1\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    bench.write("other.py", "a = 2\n")
    bench.commit("another file")
    bench.write(path, b"key = " + SECRET + b"\n")
    bench.commit("the file")
    assert len({one.git.patch for one in map(bench.repo.commit, log(bench)) if one.git}) == 2
    found = redact(bench.repo, [path], "leak")
    assert holds(bench.root / ".mlver", SECRET) == []
    assert [blob.kind for blob in found.blobs if not blob.paths] == ["git patch"]
    show(bench.repo, "HEAD")
    assert sound(bench.repo)


def test_it_goes_with_rows_of_a_table(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w")
    git(bench.root, "init", "-q")
    bench.write("data/t.csv", "id,v\n1,2\n")
    git(bench.root, "add", "data")
    git(bench.root, "commit", "-qm", "one")
    bench.write("data/t.csv", b"id,v\n1,2\n7," + SECRET + b"\n")
    bench.commit("more")
    found = redact(bench.repo, ["data/t.csv"], "asked", rows="id = 7")
    assert found.rows == 1 and len(found.blobs) == 2
    assert holds(bench.root / ".mlver", SECRET) == [] and sound(bench.repo)


def log(bench: Bench) -> list[CommitId]:
    head = bench.repo.view.head
    assert head is not None
    return [head, *bench.repo.commit(head).parents]
