"""Timing whole processes, and the table of what they took."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1 << 20
MLVER = [sys.executable, "-m", "mlver"]


@dataclass(frozen=True)
class Took:
    """What a command took: wall seconds, CPU seconds, peak memory in MiB of the largest process."""

    wall: float
    cpu: float = 0.0
    peak: float = 0.0
    out: str = ""

    def __add__(self, other: Took) -> Took:
        return Took(self.wall + other.wall, self.cpu + other.cpu, max(self.peak, other.peak), other.out)


def run(command: Sequence[str | Path], cwd: Path, *, flush: bool = False, env: Mapping[str, str] | None = None) -> Took:
    """Run one command to its end; with `flush` until what it wrote is on the disk. SystemExit when it fails."""
    os.sync()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as complaints:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=complaints,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)  # of this one alone, with those it waited for
        if flush:
            os.sync()
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, complaints):
            file.seek(0)
        said = [file.read().decode(errors="replace") for file in (out, complaints)]
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}: {said[1][-500:]}")
    return Took(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said[0])


def median(values: Sequence[Took]) -> float:
    """Return the median of the wall times."""
    return statistics.median(value.wall for value in values)


def peak(values: Sequence[Took]) -> float:
    """Return the highest of the peaks, in MiB."""
    return max(value.peak for value in values)


def in_turn(reps: int, makers: Mapping[str, Callable[[], Took]]) -> dict[str, float]:
    """Run each of several ways `reps` times, in turn, and return the median seconds of each."""
    return {name: median(values) for name, values in all_in_turn(reps, makers).items()}


def all_in_turn(reps: int, makers: Mapping[str, Callable[[], Took]]) -> dict[str, list[Took]]:
    """As `in_turn`, and return all that was taken."""
    taken: dict[str, list[Took]] = {name: [] for name in makers}
    for _ in range(reps):
        for name, make in makers.items():
            taken[name].append(make())
    return taken


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def empty(folder: Path) -> Path:
    """Return the folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@dataclass
class Table:
    """The rows, printed as they come: runs are long."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(
        self, work: str, times: Mapping[str, float], *, mine: str = "mlver", digits: int = 2, note: str = ""
    ) -> None:
        """Add a line: our seconds, and the ratio to each other way of the same run, the quickest first."""
        ours = times[mine]
        others = sorted((seconds, name) for name, seconds in times.items() if name != mine)
        ratios = ", ".join(f"{ours / seconds:.2f}x {name} ({seconds:.{digits}f})" for seconds, name in others)
        self.rows.append((work, f"{ours:.{digits}f}", ratios, note))
        print("| " + " | ".join(self.rows[-1]) + " |", flush=True)

    def took(self, work: str, taken: Mapping[str, Sequence[Took]], *, digits: int = 2, note: str = "") -> None:
        """Add a line of the medians of what was taken."""
        self.add(work, {name: median(values) for name, values in taken.items() if values}, digits=digits, note=note)

    def curve(self, *cells: str, head: bool = False) -> None:
        """Print a line of a table of its own; below its head a rule."""
        print(("\n" if head else "") + "| " + " | ".join(cells) + " |", flush=True)
        if head:
            print("| ---: |" + " --- |" * (len(cells) - 1), flush=True)

    def head(self) -> None:
        """Print the head of the table."""
        print("| work | mlver, s | ratio, same run (seconds) | remark |\n| --- | --- | --- | --- |", flush=True)
