"""The work tree: what is listed, what is left out, what is read again."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mlver.errors import LocalIO, NegativeAnswer, Refused
from mlver.index import stats
from mlver.index.stats import FolderRow, StatCache, pack
from mlver.objects.ids import BlobId
from mlver.repo.ignore import Ignore
from mlver.repo.worktree import WorkTree, hash_stream, open_regular, read_stable, scan


def _touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


def test_tools_caches_secrets_and_virtual_environments_are_left_out(tmp_path: Path) -> None:
    _touch(
        tmp_path, "train.py", "data/x.csv", ".env", ".env.local", ".env.example", "key.pem", "__pycache__/x.pyc",
        ".git/config", ".mlver/format", "node_modules/m/i.js", "myenv/pyvenv.cfg", "myenv/lib/site.py", ".ssh/id_rsa",
    )  # fmt: skip
    assert list(scan(tmp_path, Ignore.load(tmp_path)).files) == [".env.example", "data/x.csv", "train.py"]


def test_a_virtual_environment_is_left_out_whatever_its_name(tmp_path: Path) -> None:
    _touch(tmp_path, "my\\env/pyvenv.cfg", "deep/my\\env/pyvenv.cfg", "deep/x.csv", "my\\data/x.csv")
    found = scan(tmp_path, Ignore.load(tmp_path))
    assert list(found.files) == ["deep/x.csv"]
    assert [path for path, _ in found.odd] == ["my\\data"]


def test_a_file_that_cannot_be_looked_at_is_named_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(entry: os.DirEntry[str]) -> None:
        raise PermissionError(13, "Permission denied", entry.path)

    _touch(tmp_path, "deep/x.csv")
    monkeypatch.setattr("mlver.repo.scan._stat", refused)
    with pytest.raises(LocalIO, match=f"{tmp_path}/deep/: Permission denied"):
        scan(tmp_path, Ignore.load(tmp_path))


def test_mlverignore_adds_to_the_defaults_and_can_take_them_back(tmp_path: Path) -> None:
    _touch(tmp_path, "a.csv", "raw/b.csv", "raw/keep.csv", ".env", "logs/x.log", "deep/logs/y.log")
    (tmp_path / ".mlverignore").write_text("raw/*\n!raw/keep.csv\n!.env\nlogs/\n# comment\n")
    assert list(scan(tmp_path, Ignore.load(tmp_path)).files) == [".env", ".mlverignore", "a.csv", "raw/keep.csv"]


def test_links_pipes_and_sockets_are_named_and_never_followed(tmp_path: Path) -> None:
    _touch(tmp_path, "real.csv")
    os.symlink("real.csv", tmp_path / "link.csv")
    os.symlink("/etc", tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "sock"))
    server.close()
    found = scan(tmp_path, Ignore.load(tmp_path))
    assert list(found.files) == ["real.csv"]
    assert [path for path, _ in found.odd] == ["folder", "link.csv", "pipe", "sock"]
    assert list(scan(tmp_path, Ignore.load(tmp_path), symlinks="store").files) == ["folder", "link.csv", "real.csv"]


def test_a_name_that_is_not_utf8_is_refused_by_its_byte(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"bad\xff.csv")).write_text("x")
    ((path, reason),) = scan(tmp_path, Ignore.load(tmp_path)).odd
    assert "UTF-8" in reason and path.startswith("bad")


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="not a regular file"):
        open_regular(tmp_path, "pipe")


def _look(tree: WorkTree) -> list[str]:
    """Identify all files and return the paths of those that were read for it."""
    read: list[str] = []
    tree.identify(tree.scan(), read=lambda path, info: (read.append(path), tree.hash(path, info))[1])
    return read


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files count as settled at once: no test shall wait for the clock."""
    monkeypatch.setattr(stats, "RACY_NS", 0)


def test_only_what_changed_is_read_again(tmp_path: Path, quick: None) -> None:
    _touch(tmp_path, "a", "b", "d/c")
    tree = WorkTree(tmp_path, StatCache(tmp_path / ".mlver/stats.db"))
    assert _look(tree) == ["a", "b", "d/c"]
    assert _look(tree) == []
    (tmp_path / "b").write_text("other")
    (tmp_path / "new").write_text("new")
    os.remove(tmp_path / "d/c")
    assert _look(tree) == ["b", "new"]
    assert tree.scan().ids == {name: BlobId.of((tmp_path / name).read_bytes()) for name in ("a", "b", "new")}


def test_a_same_size_change_within_the_clock_tick_is_noticed(tmp_path: Path) -> None:
    _touch(tmp_path, "a")
    tree = WorkTree(tmp_path, StatCache(tmp_path / ".mlver/stats.db"))
    _look(tree)
    stamp = os.stat(tmp_path / "a").st_mtime_ns
    (tmp_path / "a").write_text("b")
    os.utime(tmp_path / "a", ns=(stamp, stamp))
    found = tree.scan()
    tree.identify(found)
    assert found.ids == {"a": BlobId.of(b"b")}


def test_a_file_seen_within_the_tick_of_its_clock_proves_nothing_until_it_is_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _touch(tmp_path, "a", "b")
    monkeypatch.setattr(stats, "RACY_NS", 10**11)
    monkeypatch.setattr(stats, "FINE_NS", 10**11)
    future = time.time_ns() + 10**12
    os.utime(tmp_path / "b", ns=(future, future))
    tree = WorkTree(tmp_path, StatCache(tmp_path / ".mlver/stats.db"))
    assert _look(tree) == ["a", "b"] == _look(tree)
    monkeypatch.setattr(stats, "RACY_NS", 0)
    assert _look(tree) == ["a", "b"]
    assert _look(tree) == ["b"], "its time lies in the future still"


@pytest.mark.parametrize(
    ("ctime", "seen", "settled"),
    [
        (5_123_456_789, 5_223_456_789, False),
        (5_123_456_789, 5_223_456_790, True),  # a clock of nanoseconds ticks in less than a tenth of a second
        (5_120_000_000, 7_120_000_000, False),
        (5_000_000_000, 7_000_000_001, True),  # one that may count in two seconds
    ],
)
def test_how_long_stat_data_prove_nothing_follows_the_clock_of_the_file_system(
    ctime: int, seen: int, settled: bool
) -> None:
    assert stats.Stat(1, ctime - 7, ctime, 3, seen, b"").settled() is settled
    assert not stats.Stat(1, seen, ctime, 3, seen, b"").settled(), "its time was set, and lies ahead"


@pytest.mark.parametrize(
    "change",
    [
        lambda at: os.chmod(at / "a", 0o755),
        lambda at: (os.rename(at / "a", at / "x"), os.rename(at / "b", at / "a"), os.rename(at / "x", at / "b")),
        lambda at: (os.remove(at / "b"), os.mkdir(at / "b"), (at / "b/c").write_text("c")),
        lambda at: (shutil.rmtree(at / "d"), (at / "d").write_text("d")),
        lambda at: (at / ".mlverignore").write_text("a\n"),
        lambda at: (at / "d/pyvenv.cfg").write_text(""),
        lambda at: (at / "d/__pycache__").mkdir(),
        lambda at: os.remove(at / "a"),
        lambda at: shutil.rmtree(at / "d"),
    ],
)
def test_a_cached_tree_is_seen_as_if_there_were_no_cache(
    tmp_path: Path, quick: None, change: Callable[[Path], object]
) -> None:
    _touch(tmp_path, "a", "b", "d/c", "d/e/f")
    tree = WorkTree(tmp_path, StatCache(tmp_path / ".mlver/stats.db"))
    _look(tree)
    change(tmp_path)
    for _ in range(2):
        seen, fresh = tree.scan(), WorkTree(tmp_path, StatCache(None)).scan()
        tree.identify(seen)
        WorkTree(tmp_path, StatCache(None)).identify(fresh)
        assert (seen.ids, seen.files, seen.odd, seen.count, seen.size) == (
            (fresh.ids, fresh.files, fresh.odd, fresh.count, fresh.size)
        )


def test_odd_names_are_told_every_time(tmp_path: Path, quick: None) -> None:
    _touch(tmp_path, "a")
    os.mkfifo(tmp_path / "pipe")
    os.symlink("a", tmp_path / "link")
    tree = WorkTree(tmp_path, StatCache(tmp_path / ".mlver/stats.db"))
    _look(tree)
    assert [path for path, _ in tree.scan().odd] == ["link", "pipe"]
    assert _look(tree) == [], "the file beside them is known all the same"


def test_a_link_that_is_skipped_may_become_a_file(tmp_path: Path, quick: None) -> None:
    _touch(tmp_path, "a")
    os.symlink("a", tmp_path / "b")
    tree = WorkTree(tmp_path, StatCache(tmp_path / ".mlver/stats.db"), symlinks="skip")
    _look(tree)
    os.remove(tmp_path / "b")
    (tmp_path / "b").write_text("b")
    assert sorted(tree.scan().files) == ["a", "b"]


def test_a_row_that_is_not_as_it_was_written_is_none(tmp_path: Path) -> None:
    path = tmp_path / "stats.db"
    row = FolderRow(b"r", "a", b"\2", pack([(1, 2, 3, 4, 5)]), b"", b"", "file", bytes(32))
    cache = StatCache(path)
    cache.save({"d/": row})
    assert cache.load("d/") == row and cache.load("") is None and cache.paths() == {"d/"}
    cache.close()
    for column, value in (("ids", bytes(31) + b"x"), ("marks", b"\0"), ("path", b"e/"), ("kinds", None)):
        cache.save({"d/": row})
        cache.close()
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(f"update folders set {column} = ?", (value,))
        assert cache.load("d/") is None and cache.load("e/") is None, column
        cache.close()


def test_a_damaged_or_missing_cache_is_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "stats.db"
    path.write_bytes(b"not a database at all, but long enough to look at" * 40)
    row = FolderRow(b"r", "a", b"\2", pack([(1, 2, 3, 4, 2**64 - 1)]), b"", b"", "", bytes(32))
    cache = StatCache(path)
    assert cache.load("") is None
    cache.save({"": row})
    cache.close()
    assert StatCache(path).load("") == row
    assert StatCache(None).load("") is None


def test_a_file_that_keeps_changing_is_named(tmp_path: Path) -> None:
    _touch(tmp_path, "a")

    def growing(stream: object) -> BlobId:
        with open(tmp_path / "a", "a") as out:
            out.write("more")
        return hash_stream(stream)  # type: ignore[arg-type]

    with pytest.raises(NegativeAnswer, match="a changed while it was read"):
        read_stable(tmp_path, "a", growing)  # type: ignore[arg-type]
