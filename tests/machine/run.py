"""The state machine and the chains of undo at length, by hand.

    python -m tests.machine.run machine [RUNS] [STEPS] [SEED]
    python -m tests.machine.run undo [CHAINS] [SEED]

Each prints one line of JSON: rounds, violations, seed, seconds. A violation is shrunk and printed as a program.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import Counter
from typing import ClassVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.checks import new_folder
from tests.machine.machine import STEPS, Machine

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
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(seed(first)(One), settings=how)
    finally:
        shutil.rmtree(One.folder, ignore_errors=True)
    return One.counts


def main(words: list[str]) -> int:
    """Run one of the rigs; return the exit code."""
    name, numbers = words[0], [int(word) for word in words[1:]]
    start = time.monotonic()
    if name == "machine":
        runs, steps, first = [*numbers, *(2000, STEPS, SEED)[len(numbers) :]]
        counts = machine(runs, steps, first)
        result = {"rounds": runs, "violations": 0, "seed": first, "counts": dict(counts.most_common())}
    else:
        raise SystemExit(__doc__)
    print(json.dumps(result | {"seconds": round(time.monotonic() - start)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
