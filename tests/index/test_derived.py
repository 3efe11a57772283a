"""Answers kept by name: true, or not there."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from mlver.index import derived
from mlver.index.derived import Derived


def test_what_was_put_is_there_for_the_next_process(tmp_path: Path) -> None:
    first = Derived(tmp_path / "cache" / "derived.db")
    first.put("a", b"one" * 1000)
    first.close()
    assert Derived(tmp_path / "cache" / "derived.db").get("a") == b"one" * 1000
    assert first.get("b") is None


def test_a_damaged_answer_is_no_answer(tmp_path: Path) -> None:
    cache = Derived(tmp_path / "derived.db")
    cache.put("a", b"one" * 1000)
    cache.close()
    with sqlite3.connect(tmp_path / "derived.db") as db:
        (body,) = db.execute("SELECT body FROM answer").fetchone()
        db.execute("UPDATE answer SET body = ?", (body[:-1] + bytes([body[-1] ^ 1]),))
    assert cache.get("a") is None
    cache.put("a", b"two")
    assert cache.get("a") == b"two"


@pytest.mark.parametrize("change", ["name = 'b'", "body = 'text'", "checksum = 'text'", "checksum = checksum + 1"])
def test_an_answer_to_another_question_is_no_answer(tmp_path: Path, change: str) -> None:
    cache = Derived(tmp_path / "derived.db")
    cache.put("a", b"one")
    cache.close()
    with sqlite3.connect(tmp_path / "derived.db") as db:
        db.execute(f"UPDATE answer SET {change}")
    assert cache.get("a") is None and cache.get("b") is None


def test_a_file_that_is_no_database_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "derived.db").write_bytes(b"no database at all" * 99)
    cache = Derived(tmp_path / "derived.db")
    assert cache.get("a") is None
    cache.put("a", b"one")
    assert cache.get("a") == b"one"


def test_those_not_asked_for_the_longest_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "_ROOM", 3000)
    cache = Derived(tmp_path / "derived.db")
    bodies = {name: random.Random(name).randbytes(1000) for name in "abcd"}
    for name, body in bodies.items():
        cache.put(name, body)
        cache.get("a")
    known = [name for name in bodies if cache.get(name) is not None]
    assert "a" in known and "d" in known and "b" not in known


def test_what_unfolds_to_too_much_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Derived(tmp_path / "derived.db")
    cache.put("a", bytes(10_000))
    monkeypatch.setattr(derived, "_TRUST", 5_000)
    assert cache.get("a") is None
