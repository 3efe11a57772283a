"""A cache file may be lost at any time: made anew when damaged, left for memory when unusable, never another's."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from mlver.errors import LocalIO
from mlver.index.cache_file import CacheFile, Unsound

SCHEMA = "CREATE TABLE word (text TEXT UNIQUE);"


def keep(path: Path | None) -> CacheFile:
    return CacheFile(path, SCHEMA, 1, "words")


def add(db: sqlite3.Connection) -> list[tuple[str]]:
    db.execute("INSERT OR IGNORE INTO word VALUES ('one')")
    return db.execute("SELECT text FROM word").fetchall()


def test_a_file_damaged_while_it_is_open_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "words.db"
    file = keep(path)
    assert file.attempt(add) == [("one",)]
    path.write_bytes(b"\0" * path.stat().st_size)
    file.close()
    assert file.attempt(add) == [("one",)]
    assert file.path == path and keep(path).attempt(add) == [("one",)]


def test_a_row_that_is_not_as_written_costs_the_file_and_no_answer(tmp_path: Path) -> None:
    file = keep(tmp_path / "words.db")
    file.attempt(lambda db: db.execute("INSERT INTO word VALUES ('wrong')"))

    def work(db: sqlite3.Connection) -> list[tuple[str]]:
        if ("wrong",) in (found := add(db)):
            raise Unsound("a word is wrong")
        return found

    assert file.attempt(work) == [("one",)]
    assert file.losses == 1 and file.path is not None


def test_a_disk_that_does_not_let_us_is_left_for_memory(tmp_path: Path) -> None:
    file = keep(tmp_path / "words.db")

    def full(db: sqlite3.Connection) -> str:
        if file.path is not None:
            raise sqlite3.OperationalError("database or disk is full")
        return "from memory"

    assert file.attempt(full) == "from memory"
    assert (tmp_path / "words.db").exists()


def test_what_even_memory_does_not_hold_is_one_error() -> None:
    def never(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("out of memory")

    with pytest.raises(LocalIO, match="cannot keep words in memory: out of memory"):
        keep(None).attempt(never)


def test_what_is_only_offered_may_be_refused_and_damage_is_mended_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "words.db"
    file = keep(path)
    file.attempt(add)

    def torn(_: sqlite3.Connection) -> None:
        raise Unsound("torn")

    assert file.offer(torn) is None
    assert not path.exists()
    assert file.offer(add) == [("one",)]
    assert path.exists()


def test_a_child_process_opens_the_file_itself(tmp_path: Path) -> None:
    file = keep(tmp_path / "words.db")
    file.attempt(add)
    pid = os.fork()
    if not pid:
        file.attempt(lambda db: db.execute("INSERT INTO word VALUES ('two')"))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert file.attempt(lambda db: db.execute("SELECT text FROM word").fetchall()) == [("one",), ("two",)]
