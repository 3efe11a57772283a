"""The table of facts: whatever happens to its file, answers are those of the log."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.index.facts import FactIndex, FactRow, micros, moment
from mlver.objects.state import FactBatch
from mlver.repo.facts import FactLog, append_facts, batches, fact_id
from mlver.verbs.alerts import alert_stats
from mlver.verbs.metrics import add_metrics, show_metrics
from tests.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.write("config/pipeline.json", {"C": 1})
    bench.commit("v1")
    for value in range(3):
        add_metrics(bench.repo, "HEAD", {f"m{value}": value})
    return bench


def values(bench: Bench) -> list[object]:
    found = [value.value for value in show_metrics(bench.reopen()).values]
    bench.repo.close()
    return found


def test_a_deleted_damaged_or_foreign_table_is_made_anew(bench: Bench) -> None:
    table = bench.repo.dot / "cache" / "facts.db"
    bench.repo.close()
    assert values(bench) == [0, 1, 2]
    table.unlink()
    assert values(bench) == [0, 1, 2]
    whole = table.read_bytes()
    for damaged in (b"", b"no database at all" * 100, whole[:5000], whole[:100] + bytes(len(whole) - 100)):
        table.write_bytes(damaged)
        assert values(bench) == [0, 1, 2]
    table.unlink()
    with sqlite3.connect(table) as db:
        db.execute("CREATE TABLE something (else_)")
    db.close()
    assert values(bench) == [0, 1, 2]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_cache_does_not_matter(bench: Bench) -> None:
    bench.repo.close()
    cache = bench.repo.dot / "cache"
    (cache / "facts.db").unlink()
    cache.chmod(0o500)
    try:
        assert values(bench) == [0, 1, 2]
    finally:
        cache.chmod(0o700)


def test_a_folder_in_the_way_does_not_matter(bench: Bench) -> None:
    table = bench.repo.dot / "cache" / "facts.db"
    bench.repo.close()
    table.unlink()
    table.mkdir()
    assert values(bench) == [0, 1, 2]


def test_a_table_locked_by_another_process_does_not_matter(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlver.index.cache_file._PATIENCE", 0.01)
    table = bench.repo.dot / "cache" / "facts.db"
    bench.repo.close()
    table.unlink()
    other = sqlite3.connect(table, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert values(bench) == [0, 1, 2]
    other.close()


def test_only_what_a_head_leads_to_is_seen(bench: Bench) -> None:
    heads = [bench.repo.view.facts]
    batch = bench.repo.store.get_object(FactBatch, heads[0])
    (older,) = batch.parents
    index = FactIndex(None)
    now, before = FactLog(bench.repo.store, heads[0], index), FactLog(bench.repo.store, older, index)
    assert [fact.body["value"] for fact in now.of()] == [0, 1, 2]
    assert [fact.body["value"] for fact in before.of()] == [0, 1]
    newest = fact_id(batch.facts[0])
    assert newest in now
    assert newest not in before
    assert [fact.body["value"] for fact in now.of()] == [0, 1, 2]


def test_two_lines_of_the_log_merge_as_a_set(bench: Bench) -> None:
    store, base = bench.repo.store, bench.repo.view.facts
    facts = list(bench.repo.facts.of())
    left = append_facts(store, base, facts[:1])
    right = append_facts(store, base, facts[1:])
    with store.session() as session:
        head = session.put_object(FactBatch((left, right), ()))
        session.finish()
    merged = FactLog(store, head)
    assert [fact_id(fact) for fact in merged.of()] == [fact_id(fact) for fact in facts]
    assert len(list(batches(store, head))) == 6


def test_rows_of_one_batch_come_in_order_and_ancestors_first() -> None:
    def row(n: int) -> FactRow:
        return FactRow(bytes([n]) * 32, "note", 0, 0, "ana", "{}", "{}")

    log = {b"d": ([b"b", b"c"], [row(4)]), b"c": ([b"a"], [row(3)]), b"b": ([b"a"], [row(2)]), b"a": ([], [row(1)])}
    read: list[bytes] = []

    def reader(id: bytes) -> tuple[list[bytes], list[FactRow]]:
        read.append(id)
        return log[id]

    index = FactIndex(None)
    numbers = [found.id[0] for found in index.facts({b"d": reader}, "TRUE", {}) if found.id]
    assert sorted(numbers) == [1, 2, 3, 4]
    assert numbers[0] == 1
    assert numbers[-1] == 4
    assert [found.id for found in index.facts({b"c": reader}, "TRUE", {})] == [bytes([1]) * 32, bytes([3]) * 32]
    assert sorted(read) == [b"a", b"b", b"c", b"d"]


def test_an_empty_log_needs_no_table(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert list(bench.repo.facts.of()) == []
    assert alert_stats(bench.repo).types == ()
    assert not (bench.repo.dot / "cache" / "facts.db").exists()


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_are_kept_to_the_microsecond(at: datetime) -> None:
    assert moment(micros(at)) == at
    assert micros(at + timedelta(microseconds=1)) == micros(at) + 1 if at < datetime.max.replace(tzinfo=UTC) else True
