"""Redactions go with the facts; bytes that are gone on one side do not come back from the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.errors import Redacted
from mlver.repo.repository import Repository
from mlver.verbs.clone import clone
from mlver.verbs.fetch import fetch
from mlver.verbs.pull import pull
from mlver.verbs.push import push
from mlver.verbs.redact import finish_redactions, redact, redactions
from mlver.verbs.remote import add_remote
from mlver.verbs.repair import repair
from tests.kit import Bench
from tests.redaction.world import holds, noise, sound, text

SECRET = b"AKIA-very-secret-key-0002"
ENV, BIG = "config/prod.env", "data/big.bin"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path / "w")
    made.write(ENV, b"key=" + SECRET + b"\n" + text(1))
    made.write(BIG, noise(2, 90_000) + SECRET + noise(3, 90_000))
    made.write("models/m.bin", noise(1))
    made.commit("one")
    return made


def bare(bench: Bench, tmp_path: Path) -> Path:
    """Push to a bare repository that `origin` names from now on."""
    there = tmp_path / "bare"
    Repository.init(there, actor="ana", bare=True)[0].close()
    add_remote(bench.repo, "origin", there)
    push(bench.repo, "origin")
    return there


def test_a_push_carries_the_redaction_and_there_it_is_ended_by_one_command(bench: Bench, tmp_path: Path) -> None:
    there = bare(bench, tmp_path)
    result = redact(bench.repo, [ENV, BIG], "leak")
    (remote,) = result.remotes
    assert (remote.name, remote.holds) == ("origin", True)
    assert remote.command == f"mlver push origin; mlver -C {there} redact --finish"
    push(bench.repo, "origin")
    with Repository.open(there, actor="ana") as repo:
        assert redactions(repo).unfinished and holds(there, SECRET)
        with pytest.raises(Redacted):
            repo.store.get(repo.snapshot(repo.resolve("main"))[ENV].id)
        assert finish_redactions(repo).blobs == 2
        assert not redactions(repo).unfinished and holds(there, SECRET) == [] and sound(repo)
        assert finish_redactions(repo).operation is None
    assert redact(bench.repo, ["models/m.bin"], "x", dry_run=True).remotes[0].holds is True
    assert bench.repo.refresh() and push(bench.repo, "origin").changed is False


def test_neither_fetch_nor_pull_nor_repair_brings_it_back(bench: Bench, tmp_path: Path) -> None:
    there = bare(bench, tmp_path)
    other = tmp_path / "other"
    clone(there, other, actor="ben")
    redact(bench.repo, [ENV, BIG], "leak")
    with Repository.open(other, actor="ben") as repo:  # who knows nothing of it, and goes on
        (other / "data/more.bin").write_bytes(noise(9))
        worker = Bench.__new__(Bench)
        worker.root, worker.repo, worker.clock = other, repo, bench.clock
        worker.commit("two")
        push(repo, "origin")
    (bench.root / ENV).unlink()
    (bench.root / BIG).unlink()
    fetch(bench.repo, "origin")
    pull(bench.repo, "origin")
    assert bench.repo.snapshot(bench.repo.resolve("HEAD")).source("data/more.bin").open().read() == noise(9)
    assert holds(bench.root, SECRET) == [] and sound(bench.repo)
    pack = max((bench.root / ".mlver/packs").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[400:900] = bytes(500)
    pack.chmod(0o644)
    pack.write_bytes(data)
    repair(bench.repo, there)
    repo = bench.reopen()
    assert holds(bench.root, SECRET) == [] and sound(repo)
    with pytest.raises(Redacted):
        repo.store.get(repo.snapshot(repo.resolve("HEAD~1"))[ENV].id)


def test_a_pull_brings_the_redaction_and_finish_removes_the_bytes(bench: Bench, tmp_path: Path) -> None:
    there = bare(bench, tmp_path)
    other = tmp_path / "other"
    clone(there, other, actor="ben")
    redact(bench.repo, [ENV], "leak")
    push(bench.repo, "origin")
    with Repository.open(other, actor="ben") as repo:
        pull(repo, "origin")
        assert [one.by for one in redactions(repo).redactions] == ["ana"]
        with pytest.raises(Redacted):
            repo.store.get(repo.snapshot(repo.resolve("HEAD"))[ENV].id)
        assert finish_redactions(repo).blobs == 1
        (other / ENV).unlink()
        assert holds(other / ".mlver", b"key=" + SECRET) == []
        assert sound(repo)


def test_a_clone_of_either_side_has_what_is_left(bench: Bench, tmp_path: Path) -> None:
    there = bare(bench, tmp_path)
    redact(bench.repo, [ENV, BIG], "leak")
    push(bench.repo, "origin")
    for name, source in (("a", bench.root), ("b", there)):  # there, the bytes still are
        made = clone(source, tmp_path / name, actor="ben")
        assert made.left_out == (ENV, BIG) and made.files == 1
        assert holds(tmp_path / name, SECRET) == []
        with Repository.open(tmp_path / name, actor="ben") as repo:
            assert sound(repo) and len(redactions(repo).redactions) == 2
            assert redactions(repo).unfinished is False


def test_a_repair_of_the_fact_log_brings_no_bytes_back_either(bench: Bench, tmp_path: Path) -> None:
    there = bare(bench, tmp_path)
    redact(bench.repo, [ENV, BIG], "leak")
    push(bench.repo, "origin")  # there, the bytes still are
    packs = {path: path.stat().st_size for path in (bench.root / ".mlver/packs").iterdir()}
    head = bytes(bench.repo.view.facts or b"")
    hurt = next(path for path in packs if head in path.read_bytes())
    bench.repo.close()
    hurt.unlink()
    for path in (bench.root / ".mlver/cache").iterdir():
        path.unlink()
    for path in (bench.root / ENV, bench.root / BIG):
        path.unlink()
    with Repository.open(bench.root, actor="ana", salvage=True) as repo:
        repair(repo, there)
    repo = bench.reopen()
    assert len(redactions(repo).redactions) == 2 and sound(repo)
    assert holds(bench.root, SECRET) == []
