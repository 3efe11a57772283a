"""Measures what docs/scaling.md counts with: cost for each file, byte, row and writer, at sizes a small machine has.

    python -m tests.bench.scale --work FOLDER [--files 10000,40000] [--mib 256] [--rows 250000] [--parts 8]

Prints a Markdown table of CPU seconds and peak memory of whole processes, which an overloaded machine changes little.
Run by hand, never in CI.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlver.repo.repository import Repository
from tests.bench.clock import MIB, MLVER, empty, folder_bytes, run
from tests.bench.curves import small_tree

_SELF = """
import resource, sys
from mlver.cli.main import main
if main(sys.argv[1:]):
    sys.exit("it failed")
own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("\\n@", own.ru_utime + own.ru_stime, int(peak) / 1024, others.ru_utime + others.ru_stime)
"""


def row(work: str, *cells: str) -> None:
    """Print a line of the table."""
    print("| " + " | ".join((work, *cells)) + " |", flush=True)


def timed(work: str, command: Sequence[str], repo: Path, note: Callable[[], str] = str) -> None:
    """Run a command of mlver; print CPU seconds and peak memory of its own process, and CPU seconds of its workers."""
    took = run([sys.executable, "-c", _SELF, *command], repo)
    cpu, peak, workers = map(float, took.out.rpartition("\n@ ")[2].split())
    said = [f"workers {workers:.2f} s"] if workers else []
    row(work, f"{cpu:.2f}", f"{peak:.0f}", ", ".join([*said, note()]).strip(", "))


def by_files(work: Path, count: int) -> None:
    """What so many small files cost."""
    repo = empty(work / f"files{count}")
    run([*MLVER, "init", "-q"], repo)
    small_tree(repo / "data", count)
    cache = repo / ".mlver/cache"

    def sizes() -> str:
        kept = {name: (cache / name).stat().st_size / count for name in ("stats.db", "objects.db")}
        packs = folder_bytes(repo / ".mlver/packs") / count
        return ", ".join([*(f"{name} {size:.0f}" for name, size in kept.items()), f"packs {packs:.0f} B a file"])

    timed(f"first commit of {count:,} tiny files", ["commit", "-q", "-m", "v1"], repo, sizes)
    timed(f"status, {count:,} files", ["status", "-q"], repo)
    for number in range(0, count, count // 10):
        (repo / "data" / f"new-{number}").write_bytes(b"%d" % number)
    before = folder_bytes(repo / ".mlver/packs")
    timed(
        f"commit of 10 more among {count:,}", ["commit", "-q", "-m", "v2"], repo,
        lambda: f"packs +{folder_bytes(repo / '.mlver/packs') - before:,} B",
    )  # fmt: skip
    timed(f"diff of these two versions, {count:,} files", ["diff", "-q", "HEAD~1", "HEAD"], repo)
    timed(f"log, {count:,} files", ["log", "-n", "10"], repo)
    timed(f"clone, {count:,} files", ["clone", "-q", str(repo), str(empty(work / "clones") / f"c{count}")], work)


def by_bytes(work: Path, mib: int) -> None:
    """What so many incompressible bytes cost."""
    repo = empty(work / "bytes")
    run([*MLVER, "init", "-q"], repo)
    (repo / "big.bin").write_bytes(np.random.default_rng(1).bytes(mib * MIB))

    def sizes() -> str:
        rows = (repo / ".mlver/cache/objects.db").stat().st_size
        packs = folder_bytes(repo / ".mlver/packs")
        return f"objects.db {rows / mib:.0f} B a MiB, packs {packs / mib / MIB:.4f} of the bytes"

    timed(f"first commit of {mib} MiB", ["commit", "-q", "-m", "v1"], repo, sizes)
    (repo / ".mlver/cache/stats.db").unlink()
    timed(f"status that hashes them again, {mib} MiB", ["status", "-q"], repo)
    timed(f"clone, {mib} MiB", ["clone", "-q", str(repo), str(empty(work / "clones") / "big")], work)


def by_rows(work: Path, parts: int, rows: int) -> None:
    """What comparing partitioned tables costs, here and with workers."""
    repo = empty(work / "rows")
    run([*MLVER, "init", "-q"], repo)
    (repo / "mlver.toml").write_text('[[artifact]]\npath = "t/"\nkind = "data"\nkey = ["id"]\n')
    chance = np.random.default_rng(1)
    for version in ("v1", "v2"):
        for part in range(parts):
            columns = {f"x{n}": chance.normal(size=rows) for n in range(4)} if version == "v1" else None
            path = repo / f"t/day={part}/p.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            if columns is not None:
                table = pa.table({"id": np.arange(part * rows, (part + 1) * rows), **columns})
            else:
                table = pq.read_table(path, partitioning=None)
                changed = table.column("x0").to_numpy().copy()
                changed[:10] += 1
                table = table.set_column(1, "x0", pa.array(changed))
            pq.write_table(table, path)
        run([*MLVER, "config", "diff.tables", "need"], repo)
        run([*MLVER, "commit", "-q", "-m", version], repo)
    cached = repo / ".mlver/cache/derived.db"
    for words in ((), ("--jobs", "2")):
        cached.unlink(missing_ok=True)
        said = f"diff, {parts} parts of {rows:,} rows x 5, 10 rows of each changed, {' '.join(words) or 'alone'}"
        timed(said, ["diff", "HEAD~1", "HEAD", *words], repo)


def by_jobs(work: Path, files: int) -> None:
    """What workers cost, and what they take away, when files are hashed."""
    repo = empty(work / "jobs")
    run([*MLVER, "init", "-q"], repo)
    for number in range(files):
        (repo / f"f{number}.bin").write_bytes(np.random.default_rng(number).bytes(4 * MIB))
    for words in ((), ("--jobs", "2")):
        (repo / ".mlver/cache/stats.db").unlink(missing_ok=True)
        timed(f"status, {files} files of 4 MiB to hash, {' '.join(words) or 'alone'}", ["status", "-q", *words], repo)
    for words in ((), ("--jobs", "2")):
        other = empty(work / "jobs2")
        run([*MLVER, "init", "-q"], other)
        for number in range(files):
            os.link(repo / f"f{number}.bin", other / f"f{number}.bin")
        timed(f"commit of them, {' '.join(words) or 'alone'}", ["commit", "-q", "-m", "v", *words], other)
        packs = len(list((other / ".mlver/packs").rglob("*.pack")))
        row("", "", "", f"{packs} packs")


def by_writers(work: Path, writers: int, each: int) -> None:
    """What an operation costs when so many processes write at once."""
    repo = empty(work / "writers")
    run([*MLVER, "init", "-q"], repo)
    script = (
        "import sys, mlver\n"
        "with mlver.Repo.open('.', author=sys.argv[1]) as repo:\n"
        "    for n in range(int(sys.argv[2])): repo.notes.add('w', f'{sys.argv[1]} {n}')\n"
    )
    (repo / "w").write_text("w")
    run([*MLVER, "commit", "-q", "-m", "v1"], repo)
    spawned = "".join(f'python3 -c "$0" w{n} {each} & ' for n in range(writers)).replace("python3", sys.executable)
    start = time.perf_counter()
    took = run(["bash", "-c", f"{spawned} wait", script], repo)
    wall = time.perf_counter() - start
    with Repository.open(repo) as opened:
        done = len(list(opened.operations())) - 2  # init and the commit
    row(f"{writers} writers, {each} notes each", f"{took.cpu / writers / each:.4f} each", "",
        f"{done} operations of {writers * each}, {wall / writers / each:.4f} s of wall each")  # fmt: skip


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--files", default="10000,40000")
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--rows", type=int, default=250_000)
    parser.add_argument("--parts", type=int, default=8)
    asked = parser.parse_args()
    print("| work | CPU, s | peak, MiB | remark |\n| --- | --- | --- | --- |")
    for count in map(int, asked.files.split(",")):
        by_files(asked.work, count)
    by_bytes(asked.work, asked.mib)
    by_rows(asked.work, asked.parts, asked.rows)
    by_jobs(asked.work, 16)
    for writers in (1, 4, 8):
        by_writers(asked.work, writers, 100)


if __name__ == "__main__":
    main()
