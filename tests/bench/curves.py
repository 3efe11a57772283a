"""How cost grows: a commit with what changed, a diff with the rows that differ. Each prints a table of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.bench import answers, data
from tests.bench.clock import MLVER, Took, all_in_turn, median, peak, run
from tests.bench.peers import Mlver, python_of
from tests.bench.workloads import Bench, put
from tests.bench.workloads_rows import DUCKDB, checked_diffs


def commits_by_files(bench: Bench, sizes: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)) -> None:
    """Commit 10 changed files among more and more."""
    bench.table.curve("files", "`status`", "commit of 10 changed", "first commit", head=True)
    for files in sizes:
        bench.table.curve(f"{bench.size(files):,}", *_commits_among(bench, bench.size(files)))
        shutil.rmtree(bench.at(Mlver("mlver")))


def _commits_among(bench: Bench, files: int) -> tuple[str, str, str]:
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

    taken = all_in_turn(bench.reps, {"commit": once})
    taken |= all_in_turn(bench.reps, {"status": lambda: run([*MLVER, "status"], repo)})
    return (
        _shown(taken["status"]),
        _shown(taken["commit"]),
        f"{first.wall:.1f} s, {first.cpu:.1f} CPU s, {first.peak:.0f} MiB",
    )


def _shown(taken: Sequence[Took]) -> str:
    """Return the median seconds and the highest peak."""
    return f"{median(taken):.2f} s, {peak(taken):.0f} MiB"


def small_tree(root: Path, files: int) -> None:
    """Write so many files of some bytes."""
    for number in range(files):
        path = root / data.file_name(number)
        if number % 100 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % (number * 7919))


def diffs_by_rows(bench: Bench, sizes: tuple[int, ...] = (100_000, 1_000_000, 10_000_000)) -> None:
    """Show 100 changed rows of tables of more and more."""
    titles = "rows", "diff looked up", "diff nobody asked for before", "the same with DuckDB", "commit", "remark"
    bench.table.curve(*titles, head=True)
    for rows in sizes:
        bench.table.curve(f"{bench.size(rows):,}", *_diff_among(bench, bench.size(rows)))
        shutil.rmtree(bench.at(Mlver("mlver")))


def _diff_among(bench: Bench, rows: int) -> tuple[str, str, str, str, str]:
    old, new, truth_at = data.tables(bench.work, rows, changed=100, moved=0)
    truth = json.loads(truth_at.read_text())
    repo = bench.repo(Mlver("mlver"))
    (repo / "data").mkdir()
    commit = Took(0)
    for version, source in (("v1", old), ("v2", new)):
        shutil.copyfile(source, repo / "data" / "t.parquet")
        commit = run([*MLVER, "commit", "-q", "-m", version], repo)
    known = all_in_turn(bench.reps, {"mlver": lambda: run([*MLVER, "diff", "HEAD~1", "HEAD"], repo)})
    ways = {"mlver": checked_diffs(repo, "HEAD~1", "HEAD", truth)}
    if python := python_of(bench.peers, "tables"):
        ways["DuckDB"] = lambda: run([python, "-c", DUCKDB, old, new], bench.work)
    unknown = all_in_turn(bench.reps, ways)
    theirs = unknown.get("DuckDB")
    said = answers.judged("DuckDB", json.loads(theirs[-1].out), truth) if theirs else ""
    return (
        _shown(known["mlver"]),
        _shown(unknown["mlver"]),
        _shown(theirs) if theirs else "",
        _shown([commit]),
        said,
    )
