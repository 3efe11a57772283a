"""Breaks push, fetch, pull and clone at every system call. Run by hand; `test_interrupted` plays every 29th.

    python -m tests.sharing.campaign [STEP]

Prints one line of JSON: rounds, violations, seconds.
"""

from __future__ import annotations

import errno
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from mlver.testing import Killed
from tests.sharing.test_interrupted import ACTS, WRITING, broken, calls_of, make_world


def main(words: list[str]) -> int:
    step = int(words[0]) if words else 1
    began, rounds, violations = time.monotonic(), 0, list[str]()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        world = make_world(folder / "world")
        for name, act in ACTS.items():
            for fail, only in ((Killed, None), (errno.ENOSPC, WRITING), (errno.EIO, WRITING)):
                count = len(calls_of(world, folder / "w", act, only))
                for at in range(1, count + 1, step):
                    rounds += 1
                    try:
                        broken(world, folder / "w", act, at, fail, only)
                    except AssertionError as error:
                        violations.append(f"{name}: {str(error).splitlines()[0]}")
                        shutil.rmtree(folder / "w", ignore_errors=True)
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({"rounds": rounds, "violations": violations, "seconds": seconds}))
    return bool(violations)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
