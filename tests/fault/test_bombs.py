"""A few bombs of each family, and the proof that the rig would notice one that went off."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.fault import bombs

ROOT = Path(__file__).resolve().parents[2]

# One of each family that costs little to make; `python -m tests.fault.bombs` lets all go off.
SOME = (
    "zstd that says 1.1 TB", "arrow, a buffer that says a terabyte", "CSV, a million columns",
    "tree: 2^40 files of one",
    "operation: 600 MB in a frame, in truth", "tree: 600 MB in a frame, in truth",
)  # fmt: skip


def test_there_are_enough_bombs() -> None:
    assert len(bombs.EVERY) == len(set(bombs.EVERY)) >= 100


def let_off(names: list[str], before: str) -> list[dict[str, Any]]:
    """Let bombs go off in a process of its own: they are children of it, and those hang where threads hash."""
    code = f"""
import json
from dataclasses import asdict
from tests.fault import bombs
from tests.kit import Bench
{before}
print(json.dumps([asdict(one) for one in bombs.campaign({names!r})]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_no_bomb_takes_more_than_moments_and_256_mb() -> None:
    # Modules are compiled for the first time; the full run holds the second.
    seen = let_off(list(SOME), "bombs.SECONDS = 3.0")
    assert [(one["name"], one["problems"]) for one in seen if one["problems"]] == []
    assert [one["name"] for one in seen] == list(SOME) and all(one["said"] for one in seen)


def test_a_bomb_that_goes_off_is_noticed() -> None:
    (seen,) = let_off(
        ["head: both of a terabyte"],
        """
bombs.steps_of = lambda name, root: [("fill", lambda: len(bytearray(300 * bombs.MIB))), ("fail", lambda: 1 // 0)]
bombs.base = lambda folder: Bench(folder).repo.close()
""",
    )
    assert any("grew by" in problem for problem in seen["problems"])
    assert any("ZeroDivisionError" in problem for problem in seen["problems"])
