"""A sealed cache: no byte of it is believed that was not written by us, whoever else is at it, whatever stops us."""

from __future__ import annotations

import gc
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mlver.index import cache_file, seal
from mlver.index.cache_file import CacheFile

SCHEMA = "CREATE TABLE word (text TEXT UNIQUE);"
SEAL = "words.db-seal"


def keep(path: Path | None) -> CacheFile:
    return CacheFile(path, SCHEMA, 1, "words", sealed=True)


def add(file: CacheFile, word: str) -> None:
    def work(_: sqlite3.Connection) -> None:
        with file.writing() as db:
            db.execute("INSERT OR IGNORE INTO word VALUES (?)", (word,))

    file.attempt(work)


def words(file: CacheFile) -> list[str]:
    def work(_: sqlite3.Connection) -> list[str]:
        with file.reading() as db:
            return [word for (word,) in db.execute("SELECT text FROM word ORDER BY text")]

    return file.attempt(work)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A cache that holds one word, closed."""
    file = keep(tmp_path / "words.db")
    add(file, "one")
    file.close()
    return tmp_path / "words.db"


def _changed(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE word SET text = 'two'")


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(b"one")] ^= 1
    path.write_bytes(data)


def _longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(4096))


def _unsealed(path: Path) -> None:
    path.with_name(SEAL).unlink()


def _wrongly_sealed(path: Path) -> None:
    path.with_name(SEAL).write_bytes(b"0" * 32)


def _sealed_by_a_pipe(path: Path) -> None:
    path.with_name(SEAL).unlink()
    os.mkfifo(path.with_name(SEAL))


def _sealed_by_a_link(path: Path) -> None:
    path.with_name(SEAL).rename(path.with_name("elsewhere"))
    path.with_name(SEAL).symlink_to("elsewhere")


DAMAGE = [_changed, _flipped, _longer, _unsealed, _wrongly_sealed, _sealed_by_a_pipe, _sealed_by_a_link]


def test_what_was_sealed_is_there_for_the_next_process(path: Path) -> None:
    assert words(keep(path)) == ["one"]


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_not_as_it_was_sealed_is_made_anew(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    file = keep(path)
    assert words(file) == [] and file.losses == 1 and file.path == path
    add(file, "three")
    file.close()
    assert words(keep(path)) == ["three"]


@pytest.mark.parametrize("damage", [_changed, _flipped])
def test_damage_while_the_file_is_open_is_not_sealed_by_the_next_write(
    path: Path, damage: Callable[[Path], None]
) -> None:
    file = keep(path)
    assert words(file) == ["one"]
    damage(path)
    add(file, "three")
    assert words(file) == ["three"] == words(keep(path))


def test_a_writer_killed_before_it_could_seal_costs_the_file_and_no_answer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = keep(path)
    with monkeypatch.context() as killed:
        killed.setattr(seal.Seal, "put", lambda *_: os._exit(0))
        if not (pid := os.fork()):
            add(file, "two")
            os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
    assert words(keep(path)) == []


def test_a_transaction_that_fails_leaves_what_was_sealed(path: Path) -> None:
    file = keep(path)

    def work(_: sqlite3.Connection) -> None:
        with file.writing() as db:
            db.execute("INSERT INTO word VALUES ('two')")
            raise ValueError

    with pytest.raises(ValueError):
        file.attempt(work)
    assert words(file) == ["one"] == words(keep(path))


def test_what_another_process_wrote_and_sealed_is_believed(path: Path) -> None:
    file = keep(path)
    assert words(file) == ["one"]
    other = keep(path)
    add(other, "two")
    assert words(file) == ["one", "two"]
    add(file, "three")
    assert words(other) == ["one", "three", "two"] and file.losses == other.losses == 0


def test_nobody_sees_a_file_between_its_commit_and_its_seal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_file, "_PATIENCE", 30.0)
    reader = keep(path)
    seen: list[list[str]] = []
    asking = threading.Thread(target=lambda: seen.append(words(reader)))
    put = seal.Seal.put

    def slowly(self: seal.Seal, db: sqlite3.Connection) -> None:
        asking.start()
        asking.join(0.2)
        put(self, db)

    monkeypatch.setattr(seal.Seal, "put", slowly)
    add(keep(path), "two")
    asking.join()
    assert seen == [["one", "two"]] and reader.losses == 0


def test_many_writers_at_once_lose_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_file, "_PATIENCE", 60.0)
    children = []
    for n in range(4):
        if not (pid := os.fork()):
            file = keep(path)
            for k in range(5):
                add(file, f"{n} {k}")
            os._exit(file.losses)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert len(words(keep(path))) == 21


def test_closing_one_connection_keeps_the_locks_of_another(path: Path) -> None:
    writer, other = keep(path), keep(path)
    assert words(other) == ["one"]
    with writer.writing() as db:
        db.execute("INSERT INTO word VALUES ('two')")
        other.close()
        if not (pid := os.fork()):  # locks are those of a process
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as third:
                try:
                    third.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    os._exit(0)
            os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
    assert words(keep(path)) == ["one", "two"]


def test_no_descriptor_is_left_open(path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        files = [keep(path), keep(path)]
        assert [words(file) for file in files] == [["one"], ["one"]]
        for file in files:
            file.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_bytes_are_read_once_as_long_as_nobody_else_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = seal.Seal._hash
    monkeypatch.setattr(seal.Seal, "_hash", lambda self: (read.append(1), real(self))[1])
    file = keep(path)
    assert words(file) == words(file) == words(file) == ["one"]
    assert len(read) == 1


def test_a_seal_that_cannot_be_written_is_left_for_memory(path: Path) -> None:
    _unsealed(path)
    (path.with_name(SEAL) / "in the way").mkdir(parents=True)
    file = keep(path)
    add(file, "two")
    assert words(file) == ["two"] and file.path is None


def test_every_part_of_a_large_file_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "_PART", 4096)
    monkeypatch.setattr(seal, "_AT_ONCE", 1024)
    add(keep(path), "x" * 30_000)  # it was sealed in one part, so it is made anew
    assert words(keep(path)) == ["x" * 30_000]
    whole = path.read_bytes()
    for at in range(200, len(whole), 2000):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        held = seal.Seal(path, path.with_name(SEAL))
        held.hold()
        assert not held.is_as_sealed()
        held.release()
    path.write_bytes(whole)
    assert words(keep(path)) == ["x" * 30_000]


def test_files_that_nobody_closes_do_not_pile_up(tmp_path: Path) -> None:
    def count() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for number in range(50):
        cache = keep(tmp_path / f"{number}.db")
        with cache.writing() as db:
            db.execute("INSERT INTO word VALUES (1)")
        del cache, db
        gc.collect()
    assert count() <= before + 2
