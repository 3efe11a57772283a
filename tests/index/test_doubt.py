"""What the table of locations does not have is looked for in the packs, before anybody relies on its absence."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.objects.ids import BlobId
from mlver.storage.base import Storage
from mlver.storage.local import LocalStorage
from mlver.store.pack import ROW, Row, list_packs, table_holds
from mlver.store.scan import load_rows
from tests.index.test_locations import answers, filled_ids, path, storage
from tests.store.kit import open_store

__all__ = ["path", "storage"]


@pytest.mark.parametrize(
    "change",
    [
        "objects SET id = CAST(substr(id, 1, 31) || x'00' AS BLOB) WHERE type = 4",
        "objects SET type = 5 WHERE type = 4",
        "objects SET pack = pack + 7",
        "objects SET offset = offset + 1",
        "objects SET raw = raw + 1",
        "OR IGNORE objects SET id = CAST(id AS TEXT)",
        "packs SET number = number + 7",
        "packs SET name = replace(name, '1', '2')",
    ],
)
def test_what_a_sound_file_does_not_say_is_looked_up_in_the_packs(
    storage: LocalStorage, path: Path, change: str
) -> None:
    answers(path, storage)
    with sqlite3.connect(path) as db:
        assert db.execute(f"UPDATE {change}").rowcount
    db.close()
    store = open_store(storage, path)
    assert all(store.has(id) for id in filled_ids())
    assert not store.has(BlobId.of(b"other"))
    store.close()


@given(ids=st.sets(st.binary(min_size=32, max_size=32), max_size=20), other=st.binary(min_size=32, max_size=32))
def test_a_key_table_is_searched_for_an_id(ids: set[bytes], other: bytes) -> None:
    rows = b"".join(ROW.pack(id, 1, 0, 0, 0, 8, 0, 0) for id in sorted(ids))
    assert all(table_holds(rows, id) for id in ids)
    assert table_holds(rows, other) == (other in ids)


def test_the_packs_are_compared_with_once_and_only_for_who_has_to_be_sure(
    storage: LocalStorage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(path, storage)
    store = open_store(storage, path)
    read: list[str] = []
    monkeypatch.setattr("mlver.index.locations._FEW", 2)
    monkeypatch.setattr("mlver.index.locations.load_rows", lambda _, name: read.append(name) or load_rows(_, name))
    assert not store.has(BlobId.of(b"other"), sure=False)
    assert read == []
    for n in range(2):
        assert not store.has(BlobId.of(b"other %d" % n))
    assert read == [], "few are looked for in the key tables"
    assert not store.has(BlobId.of(b"other"))
    assert read == list(list_packs(storage))
    assert not store.has(BlobId.of(b"another"))
    assert len(read) == 2
    store.close()


def test_a_thread_that_asks_meanwhile_waits_for_the_comparison(
    storage: LocalStorage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(path, storage)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE objects SET pack = pack + 7")
    db.close()
    store = open_store(storage, path)
    comparing, never = threading.Event(), threading.Event()

    def slow(storage: Storage, name: str) -> tuple[int, list[Row]]:
        comparing.set()
        never.wait(0.1)
        return load_rows(storage, name)

    monkeypatch.setattr("mlver.index.locations.load_rows", slow)
    first, *others = filled_ids()
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(store.has, first)
        comparing.wait()
        assert all(threads.submit(store.has, id).result() for id in others)
        assert one.result()
    store.close()


def test_a_pack_that_moves_away_while_it_is_compared_is_no_reason_to_begin_anew(
    storage: LocalStorage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(path, storage)
    store = open_store(storage, path)

    def gone(storage: object, name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr("mlver.index.locations._FEW", 0)
    monkeypatch.setattr("mlver.index.locations.load_rows", gone)
    monkeypatch.setattr(store.index, "rebuild", lambda: pytest.fail("it was made anew"))
    assert not store.has(BlobId.of(b"other"))
    store.close()
