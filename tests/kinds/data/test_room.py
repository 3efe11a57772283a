"""What has a limit of memory is compared in pieces, or not at all; the answer of pieces is that of the whole."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlver.kinds.base import NoRoom, Source, Spec, Unreadable
from mlver.kinds.data import DataKind
from mlver.kinds.folder import FolderSource, Part, PartTask
from mlver.kinds.tables import apart, pieces
from mlver.kinds.tables import weight as weight_module
from mlver.kinds.tables.units import TableUnits
from mlver.kinds.tables.weight import weight
from mlver.kinds.tables.whole import WholeTable
from mlver.objects.ids import BlobId
from tests.kinds.byte_source import ByteSource
from tests.kinds.data.test_apart import arrow, cells_of_every_sort, parquet, said

PLAIN = (Spec(), Spec())
MIB = 1 << 20


@pytest.fixture(autouse=True)
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlver.kinds.data._LARGE", 10)


def numbers(rows: int = 20_000, columns: int = 5) -> pa.Table:
    rng = np.random.default_rng(4)
    return pa.table({"id": range(rows), **{f"x{n}": rng.normal(size=rows) for n in range(columns)}})


def csv(table: pa.Table) -> ByteSource:
    from pyarrow import csv

    out = io.BytesIO()
    csv.write_csv(table, out)
    return ByteSource("t.csv", out.getvalue())


def test_rows_in_another_order_are_not_read_whole_for_want_of_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_ALONE", 1000)
    monkeypatch.setattr(apart, "_ROWS", 500)
    table = numbers()
    turned = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
    sources = parquet(table, 2000), parquet(turned, 2000)
    assert DataKind().apart(*sources, PLAIN) is None  # whoever asks for a diff reads both whole
    with pytest.raises(NoRoom):
        DataKind().apart(*sources, PLAIN, 5 * MIB)
    assert DataKind().apart(*sources, PLAIN, 500 * MIB) is None


@pytest.mark.parametrize("write", [csv, parquet, arrow])
def test_a_table_that_comes_whole_is_weighed(write: Callable[[pa.Table], ByteSource]) -> None:
    old, new = write(numbers()), write(numbers(19_000))
    weighed = [weight(old), weight(new)]
    assert 0.4 * numbers().nbytes < weighed[0] < 3 * numbers().nbytes and weighed[1] < weighed[0]


@pytest.mark.parametrize("path", ["t.csv", "t.jsonl", "t.orc", "t.npy", "t.csv.gz"])
def test_what_does_not_come_in_pieces_needs_room(path: str) -> None:
    head = b"\x1f\x8b" if path.endswith(".gz") else b"\x93NUMPY" if path.endswith(".npy") else b"{"
    large = ByteSource(path, head + bytes(3 * MIB))
    with pytest.raises(NoRoom):
        DataKind().apart(large, large, PLAIN, 4 * MIB)
    assert DataKind().apart(large, large, PLAIN, 999 * MIB) is None
    assert DataKind().apart(large, large, PLAIN) is None


def test_a_column_of_one_word_weighs_what_its_rows_do() -> None:
    table = pa.table({"id": range(50_000), "t": pa.array(["a word that is written once"] * 50_000)})
    source = parquet(table, 50_000)
    assert source.size < 0.3 * table.nbytes < weight(source) * 0.9


def test_rows_that_differ_take_room_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_ROWS", 500)
    old = numbers()
    changed = old.column("x1").to_numpy().copy()
    changed[::3] += 1
    sources = parquet(old, 2000), parquet(old.set_column(2, "x1", pa.array(changed)), 2000)
    found = DataKind().apart(*sources, PLAIN, 10 * MIB)
    assert found is not None and len(found[0]) == 6667 + old.num_columns
    with pytest.raises(NoRoom):
        DataKind().apart(*sources, PLAIN, 1 * MIB)


def test_names_that_are_remembered_take_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_ROWS", 500)
    table = numbers().take(pa.array(np.random.default_rng(1).permutation(20_000)))
    sources = parquet(table, 2000), parquet(table.slice(1), 2000)
    assert DataKind().apart(*sources, PLAIN, 5 * MIB) is not None
    with pytest.raises(NoRoom):
        DataKind().apart(*sources, PLAIN, 300_000)


def test_a_whole_column_takes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    table = numbers()
    source = parquet(table, 2000)
    with pytest.raises(NoRoom):
        WholeTable(source, table.schema, 20_000, 100_000).column("x1")
    whole = WholeTable(source, table.schema, 20_000)
    assert whole.column("x1").equals(table.column("x1"))
    monkeypatch.setattr("mlver.kinds.tables.whole._KEPT", 300_000)
    kept = WholeTable(source, table.schema, 20_000)
    for name in table.column_names:
        assert kept.column(name).equals(table.column(name)) and len(kept._columns) <= 2


def test_wide_tables_come_in_pieces_of_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_PIECE", 40_000)
    table = numbers(1000, 50)
    found = [piece.num_rows for piece in pieces.pieces(parquet(table, 1000), {}, lambda schema: (None, None), 2000)]
    assert max(found) < 200 and sum(found) == 1000
    other = numbers(900, 50)
    assert said(*apart.units_apart(parquet(table, 1000), parquet(other, 900), PLAIN)) == said(
        TableUnits(table), TableUnits(other)
    )


@pytest.mark.parametrize("room", [None, 1 << 20, 1 << 30])
def test_room_changes_no_answer(room: int | None) -> None:
    for seed in range(3):
        old = cells_of_every_sort(100, seed)
        new = pa.concat_tables([old.slice(5, 45), cells_of_every_sort(100, seed + 1).slice(50)])
        sources = parquet(old), parquet(new)
        found = DataKind().apart(*sources, (Spec(key=("id",)), Spec(key=("id",))), room)
        assert found is not None and isinstance(found[0], TableUnits) and isinstance(found[1], TableUnits)
        assert said(found[0], found[1]) == said(TableUnits(old, ("id",)), TableUnits(new.combine_chunks(), ("id",)))


def test_nothing_of_a_table_stays_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[weakref.ref[io.BytesIO]] = []

    def opened(source: ByteSource) -> io.BytesIO:
        stream = io.BytesIO(source.data)
        kept.append(weakref.ref(stream))
        return stream

    monkeypatch.setattr(ByteSource, "open", opened)
    sources = parquet(numbers(300)), parquet(numbers(200))
    assert DataKind().apart(*sources, PLAIN) is not None
    gc.collect()
    assert len(kept) > 2 and not any(ref() for ref in kept)


def folder(rows: int, *shifts: int) -> FolderSource:
    found = []
    for number, shift in enumerate(shifts):
        columns = {"id": np.arange(rows) + number * rows, "x": np.random.default_rng(number).normal(size=rows)}
        columns["x"][::100] += shift
        out = io.BytesIO()
        pq.write_table(pa.table(columns), out)
        path = f"day={number}/p.parquet"
        found.append(Part(path, str(BlobId.of(out.getvalue())), ByteSource(path, out.getvalue())))
    return FolderSource("t/", tuple(found))


def test_parts_need_room_one_by_one() -> None:
    def ask(tasks: Sequence[PartTask]) -> list[bytes]:
        return [DataKind().answer(task) for task in tasks]

    old, new = folder(5000, 0, 0, 0, 0), folder(5000, 1, 1, 1, 1)
    specs = (Spec(key=("id",)), Spec(key=("id",)))
    sources: list[Source] = [part.source for side in (old, new) for part in side.parts]
    assert sum(map(weight, sources)) * 8 > 3 * MIB
    assert DataKind().parts_apart(old, new, specs, ask, 3 * MIB) is not None
    with pytest.raises(NoRoom):
        DataKind().parts_apart(old, new, specs, ask, 1 * MIB)
    with pytest.raises(NoRoom):  # that says so: no key, and other parts of the same size
        DataKind().parts_apart(old, new, (Spec(), Spec(key=("id",))), ask, 3 * MIB)


def machine(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


_MEMORY = "MemTotal:  24684096 kB\nMemFree:   100 kB\nMemAvailable:   2048 kB\n"


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        ({"proc/meminfo": _MEMORY}, 2 << 20),
        ({"proc/meminfo": _MEMORY, "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "5"}, 2 << 20),
        ({"proc/meminfo": _MEMORY, "sys/fs/cgroup/memory.max": "900\n", "sys/fs/cgroup/memory.current": "500\n"}, 400),
        (
            {
                "sys/fs/cgroup/memory.max": "900\n",
                "sys/fs/cgroup/memory.current": "500\n",
                "sys/fs/cgroup/memory.stat": "anon 5\ninactive_file 300\n",
            },
            700,
        ),
        (
            {
                "proc/meminfo": _MEMORY,
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "990",
                "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 90\n",
            },
            100,
        ),
    ],
)
def test_free_memory_is_that_of_the_machine_or_of_the_container(
    tmp_path: Path, files: dict[str, str], free: int | None
) -> None:
    assert weight_module.free_memory(machine(tmp_path, files)) == free


def test_a_table_that_does_not_fit_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    source = csv(numbers())
    monkeypatch.setattr(weight_module, "_LARGE", 1000)
    monkeypatch.setattr(weight_module, "free_memory", lambda: weight(source) * weight_module._WHOLE - 1)
    with pytest.raises(Unreadable, match=r"MiB of memory to read it whole, and .* free; Parquet"):
        DataKind().units(source, Spec())
    monkeypatch.setattr(weight_module, "free_memory", lambda: weight(source) * weight_module._WHOLE)
    assert len(list(DataKind().units(source, Spec()).keys())) > 20_000


def test_of_small_tables_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_module, "free_memory", lambda: pytest.fail("it was asked for"))
    assert list(DataKind().units(csv(numbers(100)), Spec()).keys())
