"""Times whole commands on fixed work, mlver beside the peers that are installed. Run by hand, never in CI.

    python -m tests.bench.run --work /big/disk [--peers FOLDER] [--reps 3] [--only W1,W3] [--small]

Prints a Markdown table: medians in seconds, and the ratios to peers and limits of the same run; then those of the
curves, with peaks of memory; then the machine and all versions. W8G, a file of 8 GiB, runs only when asked for. Needs
about 16 GiB in the work folder. Every step is a process of its own with a warm file cache. With --small sizes are
a 64th, only to see that it runs. FOLDER holds environments named dvc,
oxen, tables (duckdb), dolt (doltlite); git, restic and borg are found on the PATH.
"""

from __future__ import annotations

import argparse
import multiprocessing
from pathlib import Path

from tests.bench import curves, machine, workloads, workloads_rows, workloads_share
from tests.bench.clock import Table

PARTS = {
    "W9": workloads.start_up,
    "W8": workloads_rows.small_commits,
    "W3": workloads.many_files,
    "W7": workloads_rows.table_rows,
    "W7b": workloads_rows.growing_table,
    "W1": workloads.one_big_file,
    "W1z": workloads.compressible_file,
    "W11": workloads.big_rollback,
    "W10": workloads_share.push_and_clone,
    "files": curves.commits_by_files,
    "rows": curves.diffs_by_rows,
}
ON_REQUEST = {"W8G": workloads.large_file}


def main() -> None:
    """Run the asked-for parts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--small", action="store_true")
    asked = parser.parse_args()
    peers = asked.peers.absolute() if asked.peers else None
    bench = workloads.Bench(asked.work.absolute(), peers, asked.reps, Table(), asked.small)
    bench.work.mkdir(parents=True, exist_ok=True)
    if bench.small:
        print("Sizes are a 64th of what the rows say.\n")
    bench.table.head()
    for name in asked.only.split(","):
        # a process of its own: what it grows to would count as the peak of what it runs
        part = multiprocessing.get_context("fork").Process(target=(PARTS | ON_REQUEST)[name], args=(bench,))
        part.start()
        part.join()
        if part.exitcode:
            raise SystemExit(part.exitcode)
    print("", *machine.described(peers), sep="\n")


if __name__ == "__main__":
    main()
