"""Times whole commands on fixed work, mlver beside the peers that are installed. Run by hand, never in CI.

    python -m tests.bench.run --work /big/disk [--peers FOLDER] [--reps 3] [--only W1,W3]

Prints one Markdown table: medians in seconds, and the ratios to peers and limits of the same run. Needs about 16 GiB
in the work folder. Every step is a process of its own with a warm file cache. FOLDER holds environments named dvc,
oxen, tables (duckdb), dolt (doltlite); git, restic and borg are found on the PATH.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.bench import curves, workloads, workloads_rows
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
    "files": curves.commits_by_files,
    "rows": curves.diffs_by_rows,
    "large": workloads.large_file,
}


def main() -> None:
    """Run the asked-for parts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--only", default=",".join(PARTS))
    asked = parser.parse_args()
    peers = asked.peers.absolute() if asked.peers else None
    bench = workloads.Bench(asked.work.absolute(), peers, asked.reps, Table())
    bench.work.mkdir(parents=True, exist_ok=True)
    bench.table.head()
    for name in asked.only.split(","):
        PARTS[name](bench)


if __name__ == "__main__":
    main()
