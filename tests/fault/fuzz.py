"""Mutated input for every parser: only mlver's own errors come out, nothing hangs, no process dies.

    python -m tests.fault.fuzz [--rounds N] [--only NAME ...] [--seed S]   N inputs over all parsers, in shares by speed
    python -m tests.fault.fuzz --replay NAME INDEX [--seed S]              one input again, with its traceback
    python -m tests.fault.fuzz --list; --make-seeds

An input is a mutation (fuzz_mutate.py) of a seed of the parser (fuzz_parsers.py), fixed by seed, parser and index.
Parsers run in forked children with a limit of memory and one second of processor time an input, so that a crash of
C code, a hang or a bomb is the finding of one input. Prints one line of JSON at the end: rounds by parser, violations
(each with how to replay it), seed, seconds, and how many inputs were refused, so that not everything was.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import marshal
import mmap
import os
import pkgutil
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow

from mlver.errors import MlverError
from mlver.kinds.base import Unreadable
from tests.fault.fuzz_mutate import mutated
from tests.fault.fuzz_parsers import PARSERS, Parser

SEED = 23
MEMORY = 3 << 29  # bytes of address space beyond what the process has
SECONDS = 1.0  # of processor time, for one input
_BATCH = 20_000
_BESIDES = (
    "pyarrow.csv", "pyarrow.json", "pyarrow.parquet", "pyarrow.orc", "pyarrow.feather", "duckdb", "zstandard",
)  # fmt: skip
_RIG = 99  # exit code of a child in which the rig failed, not a parser
_MLVER = Path(__file__).resolve().parents[2] / "mlver"
KEPT = Path(__file__).with_name("fuzz_seeds.zip")
_OWN = (MlverError, Unreadable)
_COUNTS = struct.Struct("<QQQ")  # the input at work, inputs done, inputs refused


@dataclass
class Tally:
    """What a parser came to. `violations` are (index, what), one for each place an error came from."""

    name: str
    rounds: int = 0
    refused: int = 0
    seconds: float = 0.0
    violations: list[tuple[int, str]] = field(default_factory=list)


def import_everything() -> None:
    """Import what parsers import when they are first used, so that no child has to."""
    for folder in ("kinds", "repo", "verbs", "store"):
        for module in pkgutil.walk_packages([str(_MLVER / folder)], f"mlver.{folder}."):
            if "predictor" not in module.name and "observer" not in module.name:
                importlib.import_module(module.name)
    for name in (
        "pyarrow.csv",
        "pyarrow.json",
        "pyarrow.parquet",
        "pyarrow.orc",
        "pyarrow.feather",
        "duckdb",
        "zstandard",
    ):
        importlib.import_module(name)


def seeds_of(parser: Parser) -> list[bytes]:
    """Return the good inputs of a parser: as they are kept beside this file, so that an input is the same anywhere."""
    with zipfile.ZipFile(KEPT) as archive:
        names = [name for name in archive.namelist() if name.rpartition("/")[0] == parser.name]
        return [archive.read(name) for name in sorted(names)]


def keep_seeds() -> None:
    """Make the good inputs of all parsers anew, with the libraries that are installed here."""
    with zipfile.ZipFile(KEPT, "w", zipfile.ZIP_LZMA) as archive:
        for parser in PARSERS:
            for number, data in enumerate(made_seeds(parser)):
                entry = zipfile.ZipInfo(f"{parser.name}/{number:02}", (2024, 1, 1, 0, 0, 0))
                archive.writestr(entry, data, zipfile.ZIP_LZMA)


def made_seeds(parser: Parser) -> list[bytes]:
    """Return good inputs of a parser, made in a child, as libraries that make them start threads."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            with os.fdopen(write, "wb") as out:
                marshal.dump(parser.seeds(), out)
        except BaseException:  # noqa: BLE001 - tells of it, and ends
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as back:
        data = back.read()
    if os.waitpid(child, 0)[1] or not data:
        raise RuntimeError(f"{parser.name}: its seeds cannot be made")
    made: list[bytes] = marshal.loads(data)
    return made


def run(parser: Parser, seeds: Sequence[bytes], first: int, rounds: int, seed: int) -> Tally:
    """Feed a parser the inputs from `first` on."""
    tally, started = Tally(parser.name), time.process_time()
    at, end, known = first, first + rounds, set()
    while at < end:
        stop = min(end, at + _BATCH)
        done, refused, found, died = _batch(parser, seeds, at, stop, seed, known)
        tally.rounds += done
        tally.refused += refused
        for index, what in found:
            if what not in known:
                known.add(what)
                tally.violations.append((index, what))
        at = stop
        if died is not None:
            index, status = died
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            what = f"ended by {signal.Signals(number).name}" if number else f"ended with {os.WEXITSTATUS(status)}"
            tally.rounds += 1
            tally.violations.append((index, what))
            at = index + 1
        if len(tally.violations) > 50:
            break
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    tally.seconds = time.process_time() - started + own.ru_utime + own.ru_stime
    return tally


def _batch(
    parser: Parser, seeds: Sequence[bytes], first: int, stop: int, seed: int, known: set[str]
) -> tuple[int, int, list[tuple[int, str]], tuple[int, int] | None]:
    """Run inputs in a child; return (done, refused, violations, (index, wait status) of the one it died of)."""
    counts = mmap.mmap(-1, _COUNTS.size)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        try:
            found = _child(parser, seeds, first, stop, seed, counts, known)
            with os.fdopen(write, "wb") as out:
                marshal.dump(found, out)
        except BaseException:  # noqa: BLE001 - tells of it, and ends
            traceback.print_exc()
            os._exit(_RIG)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as back:
        data = back.read()
    status = os.waitpid(child, 0)[1]
    at, done, refused = _COUNTS.unpack(counts[:])
    counts.close()
    if status and os.WIFEXITED(status) and os.WEXITSTATUS(status) == _RIG:
        raise RuntimeError(f"{parser.name}: the rig itself failed")
    if status or not data:
        return done, refused, [], (at, status)
    return done, refused, marshal.loads(data), None


def _child(
    parser: Parser, seeds: Sequence[bytes], first: int, stop: int, seed: int, counts: mmap.mmap, known: set[str]
) -> list[tuple[int, str]]:
    with _alone():
        _warm_up(parser, seeds)
        _limit(parser.memory)
        return _loop(parser, seeds, range(first, stop), seed, counts, known)


@contextmanager
def _alone() -> Iterator[None]:
    """Work in an empty folder, with few threads and no core dumps."""
    gc.freeze()
    pyarrow.set_cpu_count(1)  # each thread takes address space
    pyarrow.set_io_thread_count(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        os.chdir(folder)
        yield
        os.chdir("/")


def _warm_up(parser: Parser, seeds: Sequence[bytes]) -> None:
    """Feed good inputs, so that imports count neither as memory nor as time of a mutated one."""
    for data in seeds:
        with suppress(*_OWN):
            parser.feed(parser.wrap(data, random.Random(0)) if parser.wrap else data)


def _limit(more: int) -> None:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY + more, resource.RLIM_INFINITY))


def _loop(
    parser: Parser, seeds: Sequence[bytes], indices: range, seed: int, counts: mmap.mmap, known: set[str]
) -> list[tuple[int, str]]:
    """Feed inputs; return (index, what came out that is no error of ours)."""
    found: list[tuple[int, str]] = []
    refused = 0
    for index in indices:
        data = given(parser, seeds, index, seed)
        counts[:] = _COUNTS.pack(index, index - indices.start, refused)
        signal.setitimer(signal.ITIMER_PROF, parser.seconds or SECONDS)
        try:
            parser.feed(data)
        except _OWN as error:
            refused += 1
            if not _is_one_line(error):
                found.append((index, "an error of more than one line"))
        except BaseException as error:  # noqa: BLE001 - what comes out is the finding
            what = f"{type(error).__name__}: {place(error)}"
            if what not in known:
                found.append((index, what))
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    counts[:] = _COUNTS.pack(indices.stop, len(indices), refused)
    return found


def together(parsers: Sequence[Parser], rounds: int, seed: int) -> list[Tally]:
    """Feed each parser a few inputs, all in this process, which a crash ends: the short mode, without a fork each."""
    counts, tallies = mmap.mmap(-1, _COUNTS.size), []
    with _alone():
        _limit(max(parser.memory for parser in parsers))
        for parser in parsers:
            seeds = seeds_of(parser)[:2]
            _warm_up(parser, seeds[:1])
            print(parser.name, file=sys.stderr, flush=True)
            found = _loop(parser, seeds, range(rounds), seed, counts, set())
            tallies.append(Tally(parser.name, rounds, _COUNTS.unpack(counts[:])[2], 0.0, found))
    return tallies


def _is_one_line(error: BaseException) -> bool:
    text = error.message if isinstance(error, MlverError) else str(error)
    return text.isprintable() and len(text) < 2000


def place(error: BaseException) -> str:
    """Return the innermost place in mlver an error came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/mlver/" in frame.filename]
    return f"{frames[-1].filename.rpartition('/mlver/')[2]}:{frames[-1].lineno}" if frames else "outside of mlver"


def given(parser: Parser, seeds: Sequence[bytes], index: int, seed: int) -> bytes:
    """Return the input with this number."""
    chance = random.Random(f"{seed} {parser.name} {index}")
    data = mutated(seeds, parser.words, chance)
    return parser.wrap(data, chance) if parser.wrap else data


def shares(parsers: Sequence[Parser], rounds: int) -> dict[str, int]:
    """Return how many of `rounds` each parser gets: in proportion to how many it does a second, none below a floor."""
    speeds = {parser.name: parser.speed for parser in parsers}
    floor = rounds // (4 * len(parsers))
    left, total = rounds - floor * len(parsers), sum(speeds.values())
    given_ = {name: floor + int(left * speed / total) for name, speed in speeds.items()}
    fastest = max(speeds, key=lambda name: speeds[name])
    given_[fastest] += rounds - sum(given_.values())
    return given_


def replay(parser: Parser, index: int, seed: int) -> None:
    """Feed one input in this process, errors and all."""
    seeds = seeds_of(parser)
    data = given(parser, seeds, index, seed)
    print(f"{len(data)} bytes: {data[:400]!r}", flush=True)
    os.chdir(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        print(parser.feed(data))
    except _OWN as error:
        print(f"refused: {error}")


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault.fuzz")
    parser.add_argument("--rounds", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--replay", nargs=2, metavar=("NAME", "INDEX"))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--short", type=int, default=0, metavar="N", help="N inputs a parser, all in one process")
    parser.add_argument("--make-seeds", action="store_true", help="write the good inputs anew")
    asked = parser.parse_args()
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":  # a process with threads cannot be forked
        os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
        os.execv(sys.executable, [sys.executable, "-m", "tests.fault.fuzz", *sys.argv[1:]])
    by_name = {one.name: one for one in PARSERS}
    if asked.make_seeds:
        keep_seeds()
        return 0
    import_everything()
    if asked.list:
        print("\n".join(by_name))
        return 0
    if asked.replay:
        replay(by_name[asked.replay[0]], int(asked.replay[1]), asked.seed)
        return 0
    chosen = [by_name[name] for name in asked.only] or list(PARSERS)
    started, tallies = time.monotonic(), []
    if asked.short:
        tallies = together(chosen, asked.short, asked.seed)
    for name, rounds in () if asked.short else shares(chosen, asked.rounds).items():
        began = time.monotonic()
        tally = run(by_name[name], seeds_of(by_name[name]), asked.first, rounds, asked.seed)
        tallies.append(tally)
        speed = tally.rounds / max(0.001, time.monotonic() - began)
        print(f"{name}: {tally.rounds} rounds, {tally.refused} refused, {speed:.0f}/s", file=sys.stderr, flush=True)
        for index, what in tally.violations:
            print(f"  {what}   (--replay {name} {index} --seed {asked.seed})", file=sys.stderr, flush=True)
    violations = [f"{tally.name} {index}: {what}" for tally in tallies for index, what in tally.violations]
    said = {
        "rig": "fuzz", "rounds": sum(tally.rounds for tally in tallies), "violations": len(violations),
        "seed": asked.seed, "seconds": round(time.monotonic() - started), "parsers": len(tallies),
        "refused": sum(tally.refused for tally in tallies),
        "by_parser": {tally.name: tally.rounds for tally in tallies}, "found": violations,
    }  # fmt: skip
    print(json.dumps(said))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
