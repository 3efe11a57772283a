"""A kill and errors of the disk at every call of every command. Run by hand; `test_campaign` plays a sample.

    python -m tests.fault.campaign kills [PART/PARTS] [NAME...]   what writes: killed at each call
    python -m tests.fault.campaign errnos [PART/PARTS] [NAME...]  what writes: nine errnos, short reads and writes
    python -m tests.fault.campaign reads [PART/PARTS] [NAME...]   what only reads: nine errnos, short reads

Each prints one line of JSON: rounds, violations, seconds. `docs/reliability.md` quotes them. No dice are thrown: a
round is named by its command, its call and its fault, and can be played again by the name.
"""

from __future__ import annotations

import errno
import json
import sys
import time
from collections.abc import Iterator, Mapping

from mlver.testing import Killed
from tests.fault.calls import SHORT, TRANSFERS, Fault
from tests.fault.rig import Round, Stage, stage
from tests.fault.words import READS, WRITES, Act

# Nine errnos; where one could stand for another, the one that mlver may treat otherwise was taken.
ERRNOS = (
    errno.ENOSPC,  # the disk is full; fails late, where files grow
    errno.EDQUOT,  # so is the quota of a user; the disk itself is not
    errno.EIO,  # the disk is dying
    errno.EROFS,  # the kernel has made it read-only after that, under a command that runs
    errno.EACCES,  # somebody else's file
    errno.EPERM,  # sealed, or a file system that has no links: there mlver goes another way
    errno.EMFILE,  # no handle is left: also calls that touch nothing fail, and the next works
    errno.ENOMEM,  # the kernel has no memory
    errno.ESTALE,  # a network file system whose server has forgotten the file
)


KILLS, ERRORS, READING = "kills", "errnos", "reads"


def faults(which: str) -> list[tuple[Fault, tuple[str, ...] | None]]:
    """Every fault of a campaign, and which calls it is for."""
    return [(Killed, None)] if which == KILLS else [*((code, None) for code in ERRNOS), (SHORT, TRANSFERS)]


def commands(which: str) -> Mapping[str, Act]:
    """The commands of a campaign."""
    return READS if which == READING else WRITES


def rounds_of(which: str, on: Stage, name: str) -> Iterator[Round]:
    """Break one command at every call, in every way of the campaign."""
    scene = on.scene(name, commands(which)[name])
    for fail, only in faults(which):
        yield from scene.rounds(fail, only)


def main(words: list[str]) -> int:
    """Run one campaign, or every so manieth of its commands, and print its figures; 1 when anything was violated."""
    which, *more = words
    part, parts = map(int, more.pop(0).split("/")) if more and "/" in more[0] else (1, 1)
    names = more or list(commands(which))
    start, spent, rounds, wrong = time.monotonic(), time.process_time(), 0, list[str]()
    with stage() as on:
        for number, name in enumerate(names):
            if number % parts != part - 1:
                continue
            for round_ in rounds_of(which, on, name):
                rounds += 1
                if round_.problems:
                    wrong.append(str(round_))
                    print(round_, file=sys.stderr, flush=True)
            print(f"{name}: {rounds} rounds so far, {len(wrong)} wrong", file=sys.stderr, flush=True)
    found = {"campaign": which, "part": f"{part}/{parts}", "seed": None, "rounds": rounds, "violations": len(wrong)}
    took = {"seconds": round(time.monotonic() - start), "cpu": round(time.process_time() - spent)}
    print(json.dumps({**found, **took}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
