"""Files of a kind in a large tree: what differs is read, and what is kept is never wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlver.errors import Damaged
from mlver.objects.ids import CommitId, TreeId
from mlver.repo import metric_files as module
from mlver.repo import snapshot
from mlver.repo.metric_files import paths_of_kind
from tests.kit import Bench

FOLDERS = 30


@pytest.fixture
def commits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[CommitId]:
    """A history in which files of metrics come, go, move and become something else."""
    monkeypatch.setattr(module, "_FEW", 3)
    for n in range(FOLDERS):
        bench.write(f"f{n}/deep/code.py", f"x = {n}\n")
    bench.write("metrics.json", {"recall": 0.5})
    found = [bench.commit("one")]
    bench.write("f3/deep/metrics.json", {"recall": 0.6})
    bench.write("f9/other/metrics.json", {"recall": 0.7})
    found.append(bench.commit("two more"))
    (bench.root / "metrics.json").unlink()
    (bench.root / "f9/other/metrics.json").rename(bench.root / "f9/metrics.json")
    found.append(bench.commit("one gone, one moved"))
    bench.write("f3/deep/a.py", "a\n")
    found.append(bench.commit("nothing of the kind"))
    return found


EXPECTED = [
    ["metrics.json"],
    ["f3/deep/metrics.json", "f9/other/metrics.json", "metrics.json"],
    ["f3/deep/metrics.json", "f9/metrics.json"],
    ["f3/deep/metrics.json", "f9/metrics.json"],
]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "root")


def read_by(bench: Bench, commit: CommitId, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], set[TreeId]]:
    """Ask in a process of its own, as it were; return the answer and which trees were read for it."""
    read: set[TreeId] = set()
    real = snapshot.read_tree

    def noted(store: object, id: TreeId) -> object:
        read.add(id)
        return real(store, id)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, bench.reopen() as repo:
        patched.setattr(snapshot, "read_tree", noted)
        return paths_of_kind(repo, commit, "metrics"), read


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (2, 2, 0, 1)])
def test_whatever_was_asked_before_the_answer_is_that_of_the_tree(
    bench: Bench, commits: list[CommitId], order: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in order:
        assert read_by(bench, commits[n], monkeypatch)[0] == EXPECTED[n]


def test_only_folders_that_differ_are_read_the_second_time(
    bench: Bench, commits: list[CommitId], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(read_by(bench, commits[2], monkeypatch)[1]) > FOLDERS
    assert len(read_by(bench, commits[3], monkeypatch)[1]) <= 2 * 3
    assert len(read_by(bench, commits[3], monkeypatch)[1]) <= 1


def test_a_few_folders_are_read_and_nothing_is_kept(
    bench: Bench, commits: list[CommitId], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FEW", 1000)
    with bench.reopen() as repo:
        monkeypatch.setattr(repo.derived, "put", lambda *_: pytest.fail("it was kept"))
        assert paths_of_kind(repo, commits[1], "metrics") == EXPECTED[1]


def test_a_tree_that_is_gone_is_no_reason_not_to_answer(
    bench: Bench, commits: list[CommitId], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []
    with bench.reopen() as repo:
        monkeypatch.setattr(repo.derived, "put", lambda name, _: kept.append(name))
        paths_of_kind(repo, commits[0], "metrics")
    with bench.reopen() as repo:
        repo.derived.put(kept[0], json.dumps(["ab" * 32, ["gone.json"]]).encode())
        assert paths_of_kind(repo, commits[1], "metrics") == EXPECTED[1]


def test_a_tree_that_cannot_be_read_is_told(bench: Bench, commits: list[CommitId]) -> None:
    with bench.reopen() as repo:
        assert paths_of_kind(repo, commits[0], "metrics") == EXPECTED[0]
        for pack in (bench.root / ".mlver/packs").iterdir():
            data = bytearray(pack.read_bytes())
            data[200:-200] = bytes(len(data) - 400)
            pack.chmod(0o644)
            pack.write_bytes(data)
    with bench.reopen() as repo, pytest.raises(Damaged):
        paths_of_kind(repo, commits[1], "metrics")
