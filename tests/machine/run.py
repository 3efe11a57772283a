"""The state machine and the chains of undo at length, by hand.

    python -m tests.machine.run machine [RUNS] [STEPS] [SEED]
    python -m tests.machine.run undo [CHAINS] [SEED]
    python -m tests.machine.run defects [RUNS] [SEED]    which defects put in on purpose it does not find

Each prints one line of JSON: rounds, violations, seed, seconds. A violation of the machine is shrunk, and printed as a
program; of a chain the seed is named.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import time
from collections import Counter
from contextlib import redirect_stdout
from typing import ClassVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from mlver.errors import MlverError
from tests.machine.chains import play
from tests.machine.checks import new_folder
from tests.machine.defects import DEFECTS, defect
from tests.machine.machine import STEPS, Machine
from tests.machine.world import quick

SEED = 8


def machine(runs: int, steps: int, first: int, *, shrink: bool = True) -> Counter[str]:
    """Play `runs` runs; raises the violation found. Returns how often each rule was played."""

    class One(Machine):
        folder = new_folder()
        counts: ClassVar[Counter[str]] = Counter()

    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    try:
        how = settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(seed(first)(One), settings=how)
    finally:
        shutil.rmtree(One.folder, ignore_errors=True)
    return One.counts


def chains(rounds: int, first: int) -> Counter[str]:
    """Play chains of operations and take them back; raises the violation found, naming the seed of its chain."""
    folder, counts = new_folder(), Counter[str]()
    try:
        with quick():
            for seed_ in range(first * 1_000_000, first * 1_000_000 + rounds):
                try:
                    play(folder / "run", seed_, counts)
                except Exception as error:
                    raise AssertionError(f"the chain of seed {seed_}: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return counts


def found(name: str, runs: int, first: int) -> bool:
    """Whether the machine finds a defect within so many runs; its own report of that is not printed."""
    with defect(name), redirect_stdout(io.StringIO()):
        try:
            machine(runs, STEPS, first, shrink=False)
        except (AssertionError, MlverError):
            return True
    return False


def main(words: list[str]) -> int:
    """Run one of the rigs; return the exit code."""
    name, numbers = words[0], [int(word) for word in words[1:]]
    start = time.monotonic()
    if name == "machine":
        runs, steps, first = [*numbers, *(2000, STEPS, SEED)[len(numbers) :]]
        counts = machine(runs, steps, first)
        result = {"rounds": counts["runs"], "violations": 0, "seed": first, "counts": dict(counts.most_common())}
        assert counts["runs"] >= runs, "Hypothesis ended early"
    elif name == "undo":
        rounds, first = [*numbers, *(1000, SEED)[len(numbers) :]]
        result = {"rounds": rounds, "violations": 0, "seed": first, "counts": dict(chains(rounds, first).most_common())}
    elif name == "defects":
        runs, first = [*numbers, *(40, SEED)[len(numbers) :]]
        missed = [one for one in DEFECTS if not found(one, runs, first)]
        result = {"rounds": len(DEFECTS), "missed": missed, "seed": first}
    else:
        raise SystemExit(__doc__)
    print(json.dumps(result | {"seconds": round(time.monotonic() - start)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
