"""Times whole commands on fixed work, mlver beside DVC when it is installed. Run by hand, never in CI.

    python tests/bench/run.py --work /big/disk [--dvc /path/to/dvc] [--reps 3] [--only W1,W3]

Prints one Markdown table: medians in seconds, and the ratio to the peer or limit of the same run.
Needs about 8 GiB in the work folder. Every step is a process of its own with a warm file cache.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1 << 20
MLVER = [sys.executable, "-m", "mlver"]


@dataclass
class Bench:
    """One run: where, with which peer, how often; `rows` collects the table."""

    work: Path
    dvc: str | None
    reps: int
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def report(self, name: str, mine: float, other: str, theirs: float | None, note: str = "") -> None:
        """Add a line, and print it at once: runs are long."""
        ratio = f"{mine / theirs:.2f}x {other} ({theirs:.2f} s)" if theirs else ""
        self.rows.append((name, f"{mine:.2f}", ratio, note))
        print("| " + " | ".join(self.rows[-1]) + " |", flush=True)


def timed(command: Sequence[str], cwd: Path, *, flush: bool = False) -> float:
    """Return the wall time of one process in seconds; with `flush` until what it wrote is on the disk."""
    os.sync()
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if flush:
        os.sync()
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return seconds


def median(bench: Bench, once: Callable[[], float]) -> float:
    """Return the median of several rounds."""
    return statistics.median(once() for _ in range(bench.reps))


def fresh(folder: Path, source: Path | None, tool: str) -> Path:
    """Return an empty repository of `tool`, with a copy of `source` in its folder `data`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if source is not None:
        target = folder / "data"
        shutil.copytree(source, target) if source.is_dir() else (target.mkdir(), shutil.copy(source, target))
    if tool == "dvc":
        for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
            subprocess.run([DVC[0] if command[0] == "dvc" else command[0], *command[1:]], cwd=folder, check=True)
    else:
        subprocess.run([*MLVER, "init", "-q"], cwd=folder, check=True, capture_output=True)
    return folder


DVC: list[str] = []


def make_data(work: Path) -> tuple[Path, Path]:
    """Return 20,000 files of 10 KiB in 200 folders, and one file of 1 GiB; the same bytes every time."""
    import random

    tree, big = work / "tree", work / "big.bin"
    rnd = random.Random(20260)
    if not tree.exists():
        for number in range(20_000):
            path = tree / f"d{number % 200:03}" / f"f{number:05}.{'bin' if number % 2 else 'txt'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = b" ".join(b"%06d" % rnd.randrange(10**6) for _ in range(1460))
            path.write_bytes(rnd.randbytes(10 * 1024) if number % 2 else text)
    if not big.exists():
        with big.open("wb") as out:
            for _ in range(128):
                out.write(rnd.randbytes(8 * MIB))
    return tree, big


def store_bytes(repo: Path) -> int:
    """Return the bytes of all packs."""
    return sum(path.stat().st_size for path in (repo / ".mlver" / "packs").rglob("*") if path.is_file())


def start_up(bench: Bench) -> None:
    """W9: `--version`, `--help`, `status` in a small repository."""
    repo = fresh(bench.work / "w9", None, "mlver")
    (repo / "a.txt").write_text("a")
    floor = statistics.median(timed([sys.executable, "-c", "import typer"], repo) for _ in range(15))
    for command in (["--version"], ["--help"], ["status"], ["log"]):
        seconds = statistics.median(timed([*MLVER, *command], repo) for _ in range(15))
        bench.report(f"start-up: mlver {' '.join(command)}", seconds, "import typer", floor)


def first_commits(bench: Bench, label: str, source: Path, then: Callable[[Path], None]) -> tuple[float, float | None]:
    """Return the medians of the first commit of `source`, ours and DVC's, taken in turn, each until it is on disk.

    `then` is called with each of our repositories after its commit; the last DVC repository stays in `LABELdvc`.
    """
    mine, theirs = [], []
    for _ in range(bench.reps):
        repo = fresh(bench.work / label, source, "mlver")
        mine.append(timed([*MLVER, "commit", "-q", "-m", "x"], repo, flush=True))
        then(repo)
        if bench.dvc:
            repo = fresh(bench.work / f"{label}dvc", source, "dvc")
            theirs.append(timed([bench.dvc, "add", "-q", "data"], repo, flush=True))
    return statistics.median(mine), statistics.median(theirs) if theirs else None


def many_files(bench: Bench, tree: Path) -> None:
    """W3, W4, W5: 20,000 files: first commit, status, commit of 10 changes."""
    again, small, growth, stored = [], [], 0, 0

    def then(repo: Path) -> None:
        nonlocal growth, stored
        stored = store_bytes(repo)
        timed([*MLVER, "status"], repo)
        again.append(timed([*MLVER, "status"], repo))
        for number in range(10):
            suffix = "bin" if number % 2 else "txt"
            (repo / "data" / f"d{number:03}" / f"f{number:05}.{suffix}").write_bytes(os.urandom(10_240))
        small.append(timed([*MLVER, "commit", "-q", "-m", "y"], repo))
        growth = store_bytes(repo) - stored

    mine, theirs = first_commits(bench, "w3", tree, then)
    size = f"store {stored / MIB:.0f} MiB"
    bench.report("W3 first commit, 20,000 files of 10 KiB", mine, "dvc add", theirs, size)
    status = None
    if bench.dvc:
        status = median(bench, lambda: timed([bench.dvc or "", "status"], bench.work / "w3dvc"))
    bench.report("W4 status, nothing changed", statistics.median(again), "dvc status", status)
    bench.report("W5 commit of 10 changed files", statistics.median(small), "", None, f"growth {growth / MIB:.2f} MiB")


def one_big_file(bench: Bench, big: Path) -> None:
    """W1, W2: 1 GiB: first commit; 4 KiB inserted in the middle."""
    insert, growth, stored = [], 0, 0

    def then(repo: Path) -> None:
        nonlocal growth, stored
        stored = store_bytes(repo)
        data = (repo / "data" / "big.bin").read_bytes()
        with (repo / "data" / "big.bin").open("wb") as out:
            for part in (data[: len(data) // 2], os.urandom(4096), data[len(data) // 2 :]):
                out.write(part)
        insert.append(timed([*MLVER, "commit", "-q", "-m", "y"], repo))
        growth = store_bytes(repo) - stored

    mine, theirs = first_commits(bench, "w1", big, then)
    bench.report("W1 first commit, 1 GiB, incompressible", mine, "dvc add", theirs, f"store {stored / MIB:.0f} MiB")
    inserted = statistics.median(insert)
    bench.report("W2 commit after 4 KiB were inserted", inserted, "", None, f"growth {growth / MIB:.2f} MiB")


def big_rollback(bench: Bench, big: Path) -> None:
    """W11: rollback of a 1 GiB model whose release is on disk."""
    repo = fresh(bench.work / "w11", None, "mlver")
    (repo / "models").mkdir()
    shutil.copy(big, repo / "models" / "m.bin")
    for name in ("v1", "v2"):
        (repo / "models" / "note.json").write_text(f'{{"v": "{name}"}}')
        timed([*MLVER, "commit", "-q", "-m", name], repo)
        timed([*MLVER, "promote", "-q", "prod"], repo)
    back = []
    for _ in range(bench.reps):
        back.append(timed([*MLVER, "rollback", "-q", "prod", "--to", "HEAD~1", "--reason", "x"], repo))
        timed([*MLVER, "promote", "-q", "prod", "HEAD"], repo)
    start = time.perf_counter()
    shutil.copy(big, bench.work / "copy.bin")
    floor = time.perf_counter() - start
    (bench.work / "copy.bin").unlink()
    bench.report("W11 rollback, 1 GiB model, release on disk", statistics.median(back), "cp", floor)


def main() -> None:
    """Run the asked-for parts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--dvc", default=shutil.which("dvc"))
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--only", default="W9,W3,W1,W11")
    arguments = parser.parse_args()
    DVC[:] = [arguments.dvc] if arguments.dvc else []
    bench = Bench(arguments.work.absolute(), arguments.dvc, arguments.reps)
    bench.work.mkdir(parents=True, exist_ok=True)
    tree, big = make_data(bench.work)
    print("| work | mlver, s | ratio | remark |\n| --- | --- | --- | --- |")
    parts = {
        "W9": lambda: start_up(bench),
        "W3": lambda: many_files(bench, tree),
        "W1": lambda: one_big_file(bench, big),
        "W11": lambda: big_rollback(bench, big),
    }
    for name in arguments.only.split(","):
        parts[name]()


if __name__ == "__main__":
    main()
