"""How cost grows: a commit with what changed, a diff with the rows that differ."""

from __future__ import annotations

from pathlib import Path

from tests.bench import data
from tests.bench.clock import MLVER, Took, in_turn, run
from tests.bench.peers import Mlver
from tests.bench.workloads import Bench, put


def commits_by_files(bench: Bench, sizes: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)) -> None:
    """Commit 10 changed files among more and more."""
    for files in sizes:
        _commits_among(bench, files)


def _commits_among(bench: Bench, files: int) -> None:
    repo = bench.repo(Mlver("mlver"), None)
    if files <= 20_000:
        put(data.tree(bench.work, files), repo)
    else:
        small_tree(repo / "data", files)
    first = run([*MLVER, "commit", "-q", "-m", "v1"], repo)
    run([*MLVER, "status"], repo)
    rounds = iter(range(100))

    def once() -> Took:
        data.change_files(repo / "data", seed=next(rounds))
        return run([*MLVER, "commit", "-q", "-m", "v2"], repo)

    note = f"first commit {first.wall:.1f} s, peak {first.peak:.0f} MiB"
    bench.table.add(f"commit of 10 changed files of {files:,}", in_turn(bench.reps, {"mlver": once}), note=note)
    status = in_turn(bench.reps, {"mlver": lambda: run([*MLVER, "status"], repo)})
    bench.table.add(f"status, {files:,} files", status)


def small_tree(root: Path, files: int) -> None:
    """Write so many files of some bytes."""
    for number in range(files):
        path = root / data.file_name(number)
        if number % 100 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % (number * 7919))


def diffs_by_rows(bench: Bench, sizes: tuple[int, ...] = (100_000, 1_000_000, 10_000_000)) -> None:
    """Show 100 changed rows of tables of more and more."""
    for rows in sizes:
        _diff_among(bench, rows)


def _diff_among(bench: Bench, rows: int) -> None:
    old, new, _ = data.tables(bench.work, rows, changed=100, moved=0)
    repo = bench.repo(Mlver("mlver"))
    (repo / "data").mkdir()
    commit = Took(0)
    for version, source in (("v1", old), ("v2", new)):
        (repo / "data" / "t.parquet").write_bytes(source.read_bytes())
        commit = run([*MLVER, "commit", "-q", "-m", version], repo)
    known = in_turn(bench.reps, {"mlver": lambda: run([*MLVER, "diff", "HEAD~1", "HEAD"], repo)})
    note = f"commit {commit.wall:.1f} s, peak {commit.peak:.0f} MiB"
    bench.table.add(f"diff of 100 changed rows of {rows:,}, indexed", known, note=note)
