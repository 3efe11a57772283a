"""Small files of the work tree, read with few system calls: what is not as it was listed is left out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from mlver.errors import Redacted
from mlver.index import stats
from mlver.objects.ids import BlobId
from mlver.repo.small_files import read_small
from mlver.store.chunking import WHOLE
from mlver.store.pack import pack_key
from mlver.verbs.commit import commit
from mlver.verbs.fsck import fsck
from mlver.verbs.redact import redact
from mlver.verbs.status import status
from tests.kit import Bench


def test_only_small_plain_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "d/b").write_bytes(b"b" * WHOLE)
    (tmp_path / "d/large").write_bytes(b"c" * (WHOLE + 1))
    os.symlink("a", tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    names = ["a", "d/b", "d/gone", "d/large", "link", "no/such", "pipe", "d"]
    found = read_small(tmp_path, names, lambda path, data: BlobId.of(data), lambda path, data: path)
    assert {path: (one[0], one[2]) for path, one in found.items() if len(one) == 3} == {
        "a": (BlobId.of(b"a"), "a"),
        "d/b": (BlobId.of(b"b" * WHOLE), "d/b"),
    }
    info = os.stat(tmp_path / "a")
    stat = found["a"][1]
    assert stat is not None
    assert stat[:4] == (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
    assert stat.blob == found["a"][0]


def test_a_file_that_changes_while_it_is_read_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(b"12345")
    real = os.read

    def read(fd: int, count: int) -> bytes:
        data = real(fd, count)
        if os.fstat(fd).st_ino == os.stat(tmp_path / "b").st_ino:
            (tmp_path / "b").write_bytes(b"123456")
        return data

    monkeypatch.setattr(os, "read", read)
    assert set(read_small(tmp_path, "abc", lambda path, data: BlobId.of(data))) == {"a", "c"}


def test_many_files_are_committed_as_few_are(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for number in range(60):
        bench.write(f"data/d{number % 7}/f{number}.txt", f"{number}\n" * (number % 5))
    bench.write("data/rules.bin", b"\0\1\2" * 30_000)
    seen: list[tuple[int, int]] = []
    made = commit(bench.repo, "many", progress=lambda done, total, _: seen.append((done, total)))
    assert seen[-1] == (made.bytes_read, made.bytes_read) and made.files == 61
    assert status(bench.repo).clean and fsck(bench.repo).ok
    snapshot = bench.repo.snapshot(made.commit)  # type: ignore[arg-type]
    for path in snapshot.artifacts:
        assert snapshot[path].id == BlobId.of((tmp_path / path).read_bytes())
        assert snapshot[path].kind == bench.repo.kind_of(bench.repo.project(), path)


def test_what_was_redacted_is_named_among_many(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("data/a.txt", "secret")
    bench.commit("first")
    redact(bench.repo, ["data/a.txt"], why="leaked")
    for number in range(30):
        bench.write(f"data/{number}.txt", f"{number}")
    bench.write("data/x.txt", "secret")
    (tmp_path / "data/a.txt").unlink(missing_ok=True)
    with pytest.raises(Redacted, match=r"data/x\.txt"):
        commit(bench.repo, "many")


def test_what_status_only_hashed_is_stored_by_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "RACY_NS", 0)
    bench = Bench(tmp_path)
    for number in range(20):
        bench.write(f"data/{number}.txt", f"{number}\n" * 50)
    assert len(status(bench.repo).changes) == 20
    bench.commit("first")
    assert fsck(bench.repo).ok


def test_bytes_that_went_missing_are_stored_again_by_the_next_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "RACY_NS", 0)
    bench = Bench(tmp_path)
    contents = {f"data/{number}.txt": f"{number}\n" * 50 for number in range(20)}
    for path, text in contents.items():
        bench.write(path, text)
    with bench.repo.store.session() as session:
        for text in contents.values():
            session.put_bytes(text.encode())
        (pack,) = session.finish()
    bench.commit("relies on that pack")
    assert status(bench.repo).clean
    bench.repo.close()
    (tmp_path / ".mlver" / pack_key(pack)).unlink()
    bench.write("new.txt", "new")
    bench.commit("second")
    assert fsck(bench.repo).ok
    assert bench.repo.store.get(BlobId.of(contents["data/7.txt"].encode())) == contents["data/7.txt"].encode()


def test_a_commit_asks_the_store_once_for_what_did_not_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "RACY_NS", 0)
    bench = Bench(tmp_path)
    for number in range(20):
        bench.write(f"data/d{number % 4}/{number}.txt", f"{number}\n" * 50)
    bench.commit("first")
    asked: list[int] = []
    index = bench.repo.store.index
    real = index.absent

    def absent(ids: Iterable[bytes]) -> set[bytes]:
        asked.append(len(set(ids)))
        return real(ids)

    monkeypatch.setattr(index, "absent", absent)
    bench.write("data/d1/1.txt", "other")
    bench.commit("second")
    assert asked == [0]
