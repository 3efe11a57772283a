"""The data of the workloads, the same bytes every time."""

from __future__ import annotations

import json
import multiprocessing
import random
from collections.abc import Callable
from pathlib import Path

from tests.bench.clock import MIB

SEED = 20_260


def big(work: Path, size: int = 1024 * MIB) -> tuple[Path, Path]:
    """Return a file of random bytes, and it with 4 KiB inserted in the middle and 100 spots of 1 KiB changed."""
    first, second = (work / f"big{size // MIB}v{version}.bin" for version in (1, 2))
    if not second.exists():
        _apart(_make_big, first, second, size)
    return first, second


def _make_big(first: Path, second: Path, size: int) -> None:
    rnd = random.Random(SEED)
    with first.open("wb") as out:
        for _ in range(size // (8 * MIB)):
            out.write(rnd.randbytes(8 * MIB))
    body = bytearray(first.read_bytes())
    for _ in range(100):
        at = rnd.randrange(0, size - 1024)
        body[at : at + 1024] = rnd.randbytes(1024)
    with second.open("wb") as out:
        for part in (memoryview(body)[: size // 2], rnd.randbytes(4096), memoryview(body)[size // 2 :]):
            out.write(part)


def _apart(make: Callable[..., None], *args: object) -> None:
    """Make data in a process of its own: the peak of what is run later begins at that of the process that runs it."""
    process = multiprocessing.get_context("fork").Process(target=make, args=args)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit("the data could not be made")


def compressible(work: Path, size: int = 1024 * MIB) -> Path:
    """Return a file that compresses: half weights of 16 bits kept in 32, half lines of a log."""
    path = work / f"bigz{size // MIB}.bin"
    if not path.exists():
        _apart(_make_compressible, path, size)
    return path


def _make_compressible(path: Path, size: int) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as csv

    rng = np.random.default_rng(SEED)
    with path.open("wb") as out:
        while out.tell() < size // 2:
            words = rng.normal(0, 0.02, 4 * MIB).astype("<f4").view("<u4")
            out.write((words & np.uint32(0xFFFF0000)).tobytes())
        row = 0
        while out.tell() < size:
            count = 200_000
            table = {
                "row": np.arange(row, row + count),
                "at": np.arange(row, row + count) * 60 + 1_700_000_000,
                "value": np.round(rng.normal(100, 5, count), 3),
                "host": np.char.add("host-", rng.integers(0, 50, count).astype(str)),
                "state": rng.choice(["ok", "warn", "fail"], count, p=[0.97, 0.02, 0.01]),
            }
            csv.write_csv(pa.table(table), out)
            row += count
        out.truncate(size)


def tree(work: Path, files: int = 20_000) -> Path:
    """Return a folder of files of about 10 KiB in folders of 100, half of them random and half text."""
    root = work / f"tree{files}"
    if not root.exists():
        rnd = random.Random(SEED + 1)
        words = [bytes(rnd.choices(b"abcdefghijklmnopqrstuvwxyz", k=rnd.randint(2, 9))) for _ in range(4000)]
        for number in range(files):
            size = rnd.randint(8 << 10, 12 << 10)
            path = root / file_name(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(rnd.randbytes(size) if number % 2 else b" ".join(rnd.choices(words, k=size // 6))[:size])
    return root


def file_name(number: int) -> str:
    """Return the name of one file of the tree."""
    return f"d{number // 100:05}/f{number:07}.{'bin' if number % 2 else 'txt'}"


def change_files(root: Path, count: int = 10, seed: int = 1) -> None:
    """Write so many files of a tree anew, spread over it."""
    rnd = random.Random(seed)
    paths = sorted(root.rglob("f*"))
    for path in rnd.sample(paths, count):
        path.write_bytes(rnd.randbytes(10 << 10))


def tables(work: Path, rows: int = 2_000_000, changed: int = 1000, moved: int = 500) -> tuple[Path, Path, Path]:
    """Return two versions of a table of 12 columns as Parquet, and the true keys that differ as JSON.

    `changed` rows have another cell, `moved` were added and as many removed; one cell goes from NaN to null.
    """
    stem = f"table{rows}-{changed}-{moved}"
    paths = work / f"{stem}v1.parquet", work / f"{stem}v2.parquet", work / f"{stem}.json"
    if not paths[2].exists():
        _apart(_make_tables, paths, rows, changed, moved)
    return paths


def _make_tables(paths: tuple[Path, Path, Path], rows: int, changed: int, moved: int) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(SEED + 2)
    n = rows + moved
    pick = rng.permutation(rows)[: changed + moved]
    edit, drop = np.sort(pick[:changed]), np.sort(pick[changed:])
    ratio = rng.normal(0, 1, n)
    ratio[rng.random(n) < 0.01] = np.nan
    ratio[edit[0]] = np.nan

    def text(prefix: str, high: int) -> np.ndarray:  # type: ignore[type-arg]
        return np.char.add(prefix, rng.integers(0, high, n).astype(str)).astype(object)

    whole = {
        "id": pa.array(np.arange(n) * 7 + 13, pa.int64()),
        "user": pa.array(rng.integers(0, 300_000, n), pa.int32()),
        "count": pa.array(rng.integers(0, 500, n).astype("int16"), mask=rng.random(n) < 0.02),
        "amount": pa.array(np.round(rng.lognormal(3, 1, n), 2)),
        "score": pa.array(rng.random(n).astype("float32"), mask=rng.random(n) < 0.05),
        "ratio": pa.array(ratio),
        "country": pa.array(rng.choice(["DE", "FR", "US", "IN", "BR", "JP"], n)),
        "category": pa.array(text("cat_", 200), mask=rng.random(n) < 0.1),
        "name": pa.array(text("customer number ", 1_000_000)),
        "note": pa.array(text("note ", 50_000), mask=rng.random(n) < 0.3),
        "active": pa.array(rng.random(n) < 0.7, mask=rng.random(n) < 0.03),
        "at": pa.array(rng.integers(1_600_000_000, 1_700_000_000, n) * 1_000_000, pa.timestamp("us")),
    }
    table = pa.table(whole)
    amount = whole["amount"].to_numpy().copy()
    amount[edit[1:]] += 1
    gone = np.zeros(n, bool)
    gone[edit[0]] = True
    nulled = pa.array(ratio, mask=gone)
    newer = table.set_column(3, "amount", pa.array(amount)).set_column(5, "ratio", nulled)
    keep = np.ones(n, bool)
    keep[drop] = False
    pq.write_table(table.slice(0, rows), paths[0], compression="zstd")
    pq.write_table(newer.filter(pa.array(keep)), paths[1], compression="zstd")
    ids = whole["id"].to_numpy()
    truth = {"added": ids[rows:].tolist(), "removed": ids[drop].tolist(), "changed": ids[edit].tolist()}
    paths[2].write_text(json.dumps(truth))
