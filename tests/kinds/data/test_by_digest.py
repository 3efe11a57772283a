"""Two versions compared by way of a temporary file say what they say when both are read whole."""

from __future__ import annotations

import gc
import shutil
import tempfile
import weakref
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_wine

from mlver.errors import LocalIO
from mlver.kinds.base import Spec, Unreadable
from mlver.kinds.tables import buckets, by_digest, weight
from mlver.kinds.tables.apart import ReadWhole
from mlver.kinds.tables.beside import beside
from mlver.kinds.tables.by_digest import by_digest as apart
from mlver.kinds.tables.late import frugal
from mlver.kinds.tables.units import TableUnits
from mlver.storage import scratch
from mlver.storage.scratch import Scratch
from tests.kinds.data.test_apart import ROW, SCHEMA, arrow, cells_of_every_sort, parquet, said

PLAIN = Spec()
KEYED = Spec(key=("id",))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_digest, "_ROWS", 8)
    monkeypatch.setattr(buckets, "_TOGETHER", 10)


def whole_units(old: pa.Table, new: pa.Table, spec: Spec) -> list[TableUnits]:
    return [TableUnits(table.combine_chunks(), spec.key) for table in (old, new)]


def as_read_whole(old: pa.Table, new: pa.Table, spec: Spec = PLAIN) -> None:
    """Both ways say the same, or cannot be said for the same reason."""
    try:
        whole = whole_units(old, new, spec)
    except Unreadable as error:
        for write in (parquet, arrow):
            with pytest.raises(Unreadable) as found:
                apart(write(old), write(new), (spec, spec))
            assert str(found.value) == str(error)
        return
    for write in (parquet, arrow):
        pieces = apart(write(old), write(new), (spec, spec))
        assert said(*pieces) == said(*whole)
        assert [side.key for side in pieces] == [side.key for side in whole]
        assert pieces[0].names_hold(pieces[1]) == whole[0].names_hold(whole[1])
        assert pieces[0].values_hold(pieces[1]) == whole[0].values_hold(whole[1])


NAMES = st.one_of(st.integers(0, 12), st.none()) | st.integers(0, 1000)
WHOLE_ROWS = st.lists(st.tuples(NAMES, ROW), max_size=40)


def table_of(rows: list[tuple[int | None, dict[str, Any]]]) -> pa.Table:
    return pa.Table.from_pylist([{"id": name, **row} for name, row in rows], schema=SCHEMA)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WHOLE_ROWS, WHOLE_ROWS, st.data())
def test_any_order_says_what_the_whole_says(before: Any, other: Any, data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.sampled_from(before), max_size=40)) if before else []
    after = data.draw(st.permutations([*kept, *other[: data.draw(st.integers(0, 5))]]))
    if data.draw(st.booleans()):  # names that hold
        before, after = (list({name: (name, row) for name, row in rows}.values()) for rows in (before, after))
    old, new = table_of(before), table_of(after)
    if data.draw(st.booleans()):
        new = new.drop_columns(["n"]).append_column("more", pa.nulls(len(new), pa.int8()))
    columns = data.draw(st.sampled_from([["id"], ["x", "id"], ["id", "t"]]))
    old, new = (t.select([*columns, *(n for n in t.column_names if n not in columns)]) for t in (old, new))
    as_read_whole(old, new, data.draw(st.sampled_from([PLAIN, KEYED, Spec(key=("id", "t"))])))


def turned(table: pa.Table, seed: int = 1) -> pa.Table:
    return table.take(pa.array(np.random.default_rng(seed).permutation(table.num_rows)))


def test_cells_of_every_sort_in_another_order() -> None:
    old, other = cells_of_every_sort(90, 1), cells_of_every_sort(90, 2)
    new = pa.concat_tables([old.slice(0, 60), other.slice(60, 20), old.slice(84)]).combine_chunks()
    for spec in (PLAIN, KEYED):
        as_read_whole(old, turned(new), spec)
        as_read_whole(turned(old).drop_columns(["id"]), turned(new).drop_columns(["id"]), PLAIN)


def test_real_rows_without_a_key_of_which_some_are_there_twice() -> None:
    data = load_wine()
    table = pa.table(dict(zip(data.feature_names, data.data.T, strict=True)) | {"label": data.target})
    new = pa.concat_tables([table.slice(30), table.slice(40, 20), table.slice(40, 3)]).combine_chunks()
    as_read_whole(table, turned(new))
    as_read_whole(new, turned(table))


def test_a_key_that_repeats_is_named_as_when_read_whole() -> None:
    ids = [5, 9, 7, 8, 9, 3, 5, 1, 9, *range(100, 160), 130]
    again = pa.table({"id": ids, "x": range(len(ids))})
    sound = pa.table({"id": range(40), "x": [0] * 40})
    for pair in ((again, sound), (sound, again), (again, again)):
        as_read_whole(*pair, KEYED)
        as_read_whole(*pair)
    gone = pa.table({"id": [1, None, 3, None], "x": [1, 2, 3, 4]})
    as_read_whole(sound, gone, KEYED)
    as_read_whole(gone, sound)
    with pytest.raises(Unreadable, match="no key column nobody"):
        apart(parquet(sound), parquet(sound), (Spec(key=("nobody",)),) * 2)


def test_types_that_changed_are_read_leniently() -> None:
    old = pa.table({"id": range(50), "n": range(50), "f": pa.array([n / 10 for n in range(50)], pa.float32())})
    words = pa.array([str(n) if n != 9 else "n/a" for n in range(50)])
    new = pa.table({"id": range(50), "n": words, "f": [n / 10 for n in range(50)]})
    as_read_whole(old, turned(new))
    as_read_whole(old, turned(new.set_column(1, "n", words.dictionary_encode())))
    as_read_whole(old, turned(new.set_column(0, "id", new.column("id").cast(pa.string()))))
    as_read_whole(old, turned(new.set_column(0, "id", new.column("id").cast(pa.float64()))))


def test_what_only_the_whole_can_say_is_left_to_it() -> None:
    old = pa.table({"id": [1, 2], "number": [1, 2]})
    with pytest.raises(ReadWhole):  # two columns might name the rows
        apart(parquet(old), parquet(old.select(["number", "id"])), (PLAIN, PLAIN))
    texts = pa.table({"id": ["1", "1.0"], "number": [1, 2]})
    with pytest.raises(ReadWhole):  # two names as they stand, one as the other side reads them
        apart(parquet(old), parquet(texts), (PLAIN, PLAIN))
    with pytest.raises(ReadWhole):
        apart(parquet(old), parquet(old), (PLAIN, KEYED))


def test_buckets_hold_every_row_once_and_in_groups() -> None:
    made = buckets.Buckets()
    rng = np.random.default_rng(3)
    names, rows = (rng.integers(0, 2**64, (2, 500), dtype=np.uint64) for _ in range(2))
    for begin in range(0, 500, 100):
        made.add(names[:, begin : begin + 100], rows[:, begin : begin + 100])
    groups = list(made.each())
    assert max(group.shape[1] for group in groups) <= 10
    for found in (np.concatenate(groups, axis=1), np.concatenate(list(made.segments()), axis=1)):
        order = np.argsort(found[buckets.PLACE])
        assert (found[buckets.NAME][:, order] == names).all() and (found[buckets.ROW][:, order] == rows).all()


def test_rows_that_come_again_and_again_are_one_record_a_piece() -> None:
    made = buckets.Buckets()
    rows = np.zeros((2, 300), dtype=np.uint64)
    rows[1, ::100] = 7  # the other half of the digest tells them apart
    for begin in range(0, 300, 100):
        made.add(rows[:, begin : begin + 100], rows[:, begin : begin + 100])
    counted = np.concatenate(list(made.counted().each()), axis=1)
    assert counted.shape[1] == 6
    names, counts = buckets.summed(counted[buckets.NAME], counted[buckets.COUNT])
    assert names.tolist() == [[0, 0], [0, 7]] and counts.tolist() == [297, 3]
    table = pa.table({"x": [1.5] * 400, "y": [2] * 400})
    as_read_whole(table, pa.concat_tables([table, table.slice(0, 1)]).combine_chunks())
    as_read_whole(table, table)


def test_a_first_column_that_repeats_within_a_piece_is_no_key() -> None:
    labels = pa.table({"label": [n % 3 for n in range(60)], "x": range(60)})
    as_read_whole(labels, turned(labels))
    as_read_whole(labels, labels.slice(0, 2).combine_chunks())
    as_read_whole(labels, pa.table({"label": range(60), "x": range(60)}))


def test_what_is_compared_lets_go_of_its_files_at_once() -> None:
    gc.disable()
    try:
        table = pa.table({"id": range(20), "x": range(20)})
        found = apart(parquet(table), parquet(turned(table)), (PLAIN, PLAIN))
        sides = [weakref.ref(side) for side in found]
        assert not found[0].delta(found[1])
        del found
        assert [side() for side in sides] == [None, None]
    finally:
        gc.enable()


def test_who_is_interrupted_does_not_wait_for_the_other() -> None:
    told: list[str] = []

    def work(side: str, stop: Event) -> str:
        if side == "bad":
            raise Unreadable("no table")
        told.append("stopped" if stop.wait(30) else "went on")
        return side

    for sides in (["bad", "long"], ["bad", "bad"]):
        with pytest.raises(Unreadable):
            beside(work, sides)
    assert told == ["stopped"] and beside(lambda side, stop: side, [1, 2]) == [1, 2]


def test_memory_comes_from_where_it_did_when_the_last_is_done() -> None:
    before = pa.default_memory_pool().backend_name
    first, second = frugal(), frugal()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert pa.default_memory_pool().backend_name == before


def test_too_many_rows_that_differ_are_refused_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight, "_LARGE", 1 << 10)
    monkeypatch.setattr(weight, "free_memory", lambda: 1 << 12)
    tables = [pa.table({"id": range(500), "x": [x] * 500}) for x in (1, 2)]
    with pytest.raises(Unreadable, match="too many rows differ"):
        apart(parquet(tables[0]), parquet(tables[1]), (PLAIN, PLAIN))


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*about: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(LocalIO, match="No space left"):
        Scratch().append(b"some")


def test_temporary_files_lie_where_there_is_more_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    places = {name: str(tmp_path / name) for name in ("_USUAL", "_OTHER")}
    for name, place in places.items():
        Path(place).mkdir()
        monkeypatch.setattr(scratch, name, place)
    asked: list[str] = []
    make = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir, **more: (asked.append(dir), make(dir=dir, **more))[1])
    monkeypatch.setattr(tempfile, "gettempdir", lambda: places["_USUAL"])
    for roomy in places.values():
        free = {place: 2 if place == roomy else 1 for place in places.values()}
        monkeypatch.setattr(shutil, "disk_usage", lambda place, free=free: SimpleNamespace(free=free[place]))
        Scratch()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))  # somebody said where
    Scratch()
    assert asked == [*places.values(), str(tmp_path)]

    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(LocalIO, match="temporary folders"):
        Scratch()
