"""Folders of tables compared part by part, by others, say what they say when they are read whole."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.kinds.base import Spec, Unreadable
from mlver.kinds.data import DataKind
from mlver.kinds.folder import FolderSource, Part, PartTask, without_shared
from mlver.kinds.tables import part_tasks, weight
from mlver.kinds.tables.partitions import part_table, read_folder
from mlver.objects.ids import BlobId
from tests.kinds.byte_source import ByteSource
from tests.kinds.data.test_apart import said

KEYED, BY_TEXT, COUNTED = Spec(key=("id",)), Spec(key=("name",)), Spec()
Rows = list[dict[str, Any]]


def ask(tasks: Sequence[PartTask]) -> list[bytes]:
    """Answer as a worker would, whose answers are bytes."""
    return [bytes(DataKind().answer(task)) for task in tasks]


def written(path: str, table: pa.Table) -> bytes:
    out = io.BytesIO()
    if path.endswith(".csv"):
        pyarrow.csv.write_csv(table, out)
    elif path.endswith(".arrow"):
        with pa.ipc.new_file(out, table.schema) as writer:
            writer.write_table(table)
    else:
        pq.write_table(table, out, row_group_size=max(3, table.num_rows // 100))
    return out.getvalue()


def folder(parts: dict[str, pa.Table]) -> FolderSource:
    found = []
    for path, table in sorted(parts.items()):
        data = written(path, table)
        found.append(Part(path, str(BlobId.of(data)), ByteSource(f"t/{path}", data)))
    return FolderSource("t/", tuple(found))


def part_by_part(old: FolderSource, new: FolderSource, spec: Spec) -> tuple[Any, ...] | None:
    apart = DataKind().parts_apart(*without_shared(old, new), (spec, spec), ask)
    return None if apart is None else said(*apart)  # type: ignore[arg-type]


def whole(old: FolderSource, new: FolderSource, spec: Spec) -> tuple[Any, ...]:
    return said(*(read_folder(side, spec) for side in without_shared(old, new)))


def of_rows(rows: Rows, **types: pa.DataType) -> pa.Table:
    names = {"id": pa.int64(), "name": pa.string(), "n": pa.int32(), **types}
    return pa.Table.from_pylist(rows, schema=pa.schema(list(names.items())))


PATHS = ("day=1/p.parquet", "day=2/p.parquet", "day=2/q.arrow", "day=x/r.csv", "s.parquet")
N = st.one_of(st.none(), st.integers(-2, 2))
TYPES = st.sampled_from(
    [{}, {}, {}, {"n": pa.int64()}, {"n": pa.float64()}, {"n": pa.string()}, {"more": pa.int8()}, {"id": pa.int16()}]
)
PLACED = st.dictionaries(st.integers(0, 25), st.tuples(st.sampled_from(PATHS), N), max_size=20)


def table_of(path: str, rows: Rows, types: dict[str, pa.DataType]) -> pa.Table:
    if types.get("n") == pa.string():
        rows = [{**row, "n": None if row["n"] is None else str(row["n"])} for row in rows]
    if "more" in types:
        rows = [{**row, "more": row["id"] % 3} for row in rows]
    return of_rows(rows, **types)


def drawn(placed: dict[int, tuple[str, int | None]], data: st.DataObject) -> dict[str, pa.Table]:
    rows: dict[str, Rows] = {}
    for id, (path, n) in placed.items():
        rows.setdefault(path, []).append({"id": id, "name": f"P{id}", "n": n})
        if data.draw(st.integers(0, 30)) == 0:  # a row, or a key, that is there twice
            again = data.draw(st.sampled_from(PATHS))
            rows.setdefault(again, []).append({"id": id, "name": f"P{id}", "n": data.draw(N)})
    return {path: table_of(path, found, data.draw(TYPES)) for path, found in rows.items()}


@pytest.mark.parametrize("spec", [KEYED, BY_TEXT, COUNTED], ids=["key", "text key", "no key"])
@settings(max_examples=12)
@given(before=PLACED, data=st.data())
def test_parts_say_what_the_whole_says(
    spec: Spec, before: dict[int, tuple[str, int | None]], data: st.DataObject
) -> None:
    edits = data.draw(st.dictionaries(st.integers(0, 25), st.tuples(st.sampled_from(PATHS), N), max_size=6))
    gone = data.draw(st.sets(st.integers(0, 25), max_size=3))
    after = {id: put for id, put in {**before, **edits}.items() if id not in gone}
    old, new = folder(drawn(before, data)), folder(drawn(after, data))
    sizes = (part_tasks._SMALL, weight.ROOM), (1, weight.ROOM), (1, 0)
    for small, room in sizes:  # whole; where they allow it, in pieces; all that can be, if need be out of another file
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(part_tasks, "_SMALL", small)
            patch.setattr(weight, "ROOM", room)
            told = part_by_part(old, new, spec)
        if told is not None:
            assert told == whole(old, new, spec)


@pytest.mark.parametrize("name", ["id", "name"])
def test_parts_of_one_schema_are_compared_in_pieces(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_tasks, "_SMALL", 1)
    read: list[str] = []
    monkeypatch.setattr(part_tasks, "part_table", lambda part, *rest: read.append(part.path) or part_table(part, *rest))
    before, after = days(4, 50), days(4, 50)
    after["day=1/p.parquet"][3]["n"] = 99
    after["day=3/p.parquet"].append(after["day=1/p.parquet"].pop(10))
    after["day=9/p.parquet"] = [{"id": 900, "name": "new", "n": 1}]
    after["day=0/p.parquet"] = [*after["day=0/p.parquet"][:9], {"id": 7000, "name": "in between", "n": 3}]  # overlaps
    old, new = tables(before), tables(after)
    told = part_by_part(old, new, Spec(key=(name,)))
    assert told is not None and told == whole(old, new, Spec(key=(name,)))
    assert set(read) == {"day=9/p.parquet"}  # which is on one side only


@pytest.mark.parametrize("name", ["id", "name"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_large_parts_are_never_in_memory_as_a_whole(name: str, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_tasks, "_SMALL", 1)
    monkeypatch.setattr(weight, "ROOM", 0)
    read: list[str] = []
    monkeypatch.setattr(part_tasks, "part_table", lambda part, *rest: read.append(part.path) or part_table(part, *rest))
    before = {f"p{n}.{ending}": of_rows(rows) for n, rows in enumerate(days(3, 60).values())}
    after = {path: table.take(pa.array([*range(30, 60), *range(1, 30)])) for path, table in before.items()}
    told = part_by_part(folder(before), folder(after), Spec(key=(name,)))
    assert told is not None and told == whole(folder(before), folder(after), Spec(key=(name,)))
    assert len(told[1]) == 3 and not read


def days(count: int, rows: int) -> dict[str, list[dict[str, Any]]]:
    numbered = [
        [{"id": day * rows + n, "name": f"P{day}-{n}", "n": n % 7} for n in range(rows)] for day in range(count)
    ]
    return {f"day={day}/p.parquet": found for day, found in enumerate(numbered)}


def tables(rows: dict[str, Rows], **types: pa.DataType) -> FolderSource:
    return folder({path: of_rows(found, **types) for path, found in rows.items()})


@pytest.mark.parametrize("spec", [KEYED, BY_TEXT, COUNTED])
def test_rows_change_move_come_and_go(spec: Spec) -> None:
    before, after = days(4, 50), days(4, 50)
    after["day=1/p.parquet"][3]["n"] = 99
    after["day=2/p.parquet"].append(after["day=1/p.parquet"].pop(10))  # moved
    after["day=0/p.parquet"].pop(0)
    after["day=9/p.parquet"] = [{"id": 900, "name": "new", "n": 1}]
    old, new = tables(before), tables(after)
    told = part_by_part(old, new, spec)
    assert told is not None and told == whole(old, new, spec)
    assert told[-1].counts["parts_same"] == 1


def test_only_rows_that_differ_come_back() -> None:
    before, after = days(3, 5000), days(3, 5000)
    for path in after:
        after[path][7]["n"] = 99
    sizes: dict[str, int] = {}

    def measured(tasks: Sequence[PartTask]) -> list[bytes]:
        answers = ask(tasks)
        for task, found in zip(tasks, answers, strict=True):
            sizes[task.what] = max(sizes.get(task.what, 0), len(found))
        return answers

    old, new = tables(before), tables(after)
    apart = DataKind().parts_apart(old, new, (KEYED, KEYED), measured)
    assert apart is not None and [len(side.table) for side in apart] == [3, 3]
    assert said(*apart) == whole(old, new, KEYED)
    assert sizes["rows"] < 4000  # of 5,000 rows


def test_copies_of_a_row_are_counted_over_all_parts() -> None:
    row = {"id": 1, "name": "a", "n": 1}
    old = tables({"a.parquet": [row], "b.parquet": [row, row], "c.parquet": [row]})
    new = tables({"a.parquet": [row, row], "b.parquet": [row, row, row | {"n": 2}], "c.parquet": [row] * 3})
    told = part_by_part(old, new, COUNTED)
    assert told == whole(old, new, COUNTED) and told is not None
    assert [key[-2:] for key in told[0] if "#" in key] == ["#3", "#4", "#5"]  # the part of two is the same, elsewhere


@pytest.mark.parametrize("name", ["id", "name"])
def test_a_key_in_two_parts_is_said_as_ever(name: str) -> None:
    before, after = days(2, 10), days(2, 10)
    after["day=1/p.parquet"][0] |= {"id": 5, "name": "P0-5"}  # both parts come out the same but for this row
    after["day=0/p.parquet"][1]["n"] = 5
    spec = Spec(key=(name,))
    assert part_by_part(tables(before), tables(after), spec) is None
    with pytest.raises(Unreadable, match="duplicate key"):
        whole(tables(before), tables(after), spec)


def test_ranges_of_keys_may_overlap() -> None:
    before = {f"hash={h}/p.parquet": [{"id": n, "name": f"{n}", "n": 1} for n in range(h, 60, 3)] for h in range(3)}
    after = {path: [dict(row) for row in rows] for path, rows in before.items()}
    for rows in after.values():
        rows[4]["n"] = 2
    told = part_by_part(tables(before), tables(after), KEYED)
    assert told is not None and told == whole(tables(before), tables(after), KEYED)


def test_whole_columns_are_asked_for_where_a_distribution_may_have_moved() -> None:
    before, after = days(3, 300), days(3, 300)
    for rows in after.values():
        for row in rows[::2]:
            row["n"] = (row["n"] or 0) + 20
    told = part_by_part(tables(before), tables(after), KEYED)
    assert told == whole(tables(before), tables(after), KEYED)
    assert told is not None and any(detail.title == "drift" for detail in told[-1].details)


def test_a_part_without_a_column_and_one_with_its_type_changed() -> None:
    before, after = days(3, 40), days(3, 40)
    parts = {path: of_rows(rows) for path, rows in before.items()}
    later = {path: of_rows(rows, n=pa.float64()) for path, rows in after.items()}
    later["day=2/p.parquet"] = later["day=2/p.parquet"].drop_columns(["n"])
    later["day=1/p.parquet"] = later["day=1/p.parquet"].append_column("more", pa.array(range(40)))
    told = part_by_part(folder(parts), folder(later), KEYED)
    assert told is not None and told == whole(folder(parts), folder(later), KEYED)


@pytest.mark.parametrize("cut", [b"", b"x" * 7, b"\x05\0\0\0\0\0\0\0{}"])
def test_answers_that_make_no_sense_are_not_believed(cut: bytes) -> None:
    before, after = days(2, 10), days(2, 10)
    after["day=0/p.parquet"][1]["n"] = 5

    def garbled(tasks: Sequence[PartTask]) -> list[bytes]:
        return [cut if task.what == part_tasks.ROWS else found for task, found in zip(tasks, ask(tasks), strict=True)]

    assert DataKind().parts_apart(tables(before), tables(after), (KEYED, KEYED), garbled) is None


def test_an_answer_that_is_a_pickle_is_not_opened() -> None:
    before, after = days(1, 10), days(1, 9)
    assert (
        DataKind().parts_apart(
            tables(before), tables(after), (KEYED, KEYED), lambda tasks: [pickle.dumps(Spec())] * len(tasks)
        )
        is None
    )
