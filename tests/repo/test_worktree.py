"""The work tree: what is listed, what is left out, what is read again."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mlver.errors import NegativeAnswer, Refused
from mlver.index.stats import Stat, StatCache
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


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    _touch(tmp_path, "a", "b")
    for name in "ab":
        os.utime(tmp_path / name, ns=(10**18, 10**18))
    cache = StatCache(tmp_path / "stats.db")
    tree = WorkTree(tmp_path, cache)
    files = {p: i for p, i in tree.scan().files.items() if p in "ab"}
    first = tree.hashes(files)
    # the change time lies within the racy second; pretend that the files were seen long after
    cache.save({p: s._replace(seen=s.seen + 10**12) for p, s in cache.load().items()})
    read: list[str] = []
    again = tree.hashes(files, read=lambda path, info: (read.append(path), tree.hash(path, info))[1])
    assert again == first and read == []


def test_a_same_size_change_within_the_clock_tick_is_noticed(tmp_path: Path) -> None:
    _touch(tmp_path, "a")
    tree = WorkTree(tmp_path, StatCache(tmp_path / "stats.db"))
    before = tree.hashes(tree.scan().files)["a"]
    stamp = os.stat(tmp_path / "a").st_mtime_ns
    (tmp_path / "a").write_text("b")
    os.utime(tmp_path / "a", ns=(stamp, stamp))
    assert tree.hashes(tree.scan().files)["a"] != before


def test_a_racy_stat_entry_proves_nothing() -> None:
    blob = bytes(BlobId.of(b"x"))
    assert Stat(1, 1000, 1000, 5, 1000 + 10**8, blob).proves(1, 1000, 1000, 5) is None
    assert Stat(1, 1000, 1000, 5, 1000 + 10**10, blob).proves(1, 1000, 1000, 5) == blob
    assert Stat(1, 1000, 1000, 5, 1000 + 10**10, blob).proves(1, 1000, 1000, 6) is None


def test_a_damaged_or_missing_cache_is_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "stats.db"
    assert StatCache(path).load() == {}
    path.write_bytes(b"not a database at all, but long enough to look at" * 40)
    cache = StatCache(path)
    assert cache.load() == {}
    stat = Stat(1, 2, 3, 4, 5, bytes(32))
    cache.save({"a": stat})
    cache.save({"a": stat})
    assert cache.load() == {"a": stat}
    assert StatCache(None).load() == {}


def test_a_file_that_keeps_changing_is_named(tmp_path: Path) -> None:
    _touch(tmp_path, "a")

    def growing(stream: object) -> BlobId:
        with open(tmp_path / "a", "a") as out:
            out.write("more")
        return hash_stream(stream)  # type: ignore[arg-type]

    with pytest.raises(NegativeAnswer, match="a changed while it was read"):
        read_stable(tmp_path, "a", growing)  # type: ignore[arg-type]
