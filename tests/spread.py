"""How the tests are dealt out to processes: who compiles what, what stays together, what comes first."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import py_compile
import sys
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]
NIGHT = "tests/demo/"  # its tests share a night that takes longest of all to play
PAGES = "tests/docs/test_console_blocks.py"  # whose tests share nothing, and are long
# What takes longest of the others. Where it comes last, one process waits for the other.
LONG = (
    "tests/fault/test_campaign.py",
    "tests/repo/test_predictor.py",
    "tests/verbs/test_predict_diff.py",
    "tests/sharing/test_interrupted.py",
    "tests/architecture/",
    "tests/badinput/",
    "tests/verbs/",
    "tests/fault/",
    "tests/gc/",
)


class Dealt(LoadScopeScheduling):
    """Gives a process all tests of a file, so that what they share is made once; a page is dealt alone."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return NIGHT if file.startswith(NIGHT) else nodeid if file == PAGES else file


def longest_first(items: list[pytest.Item]) -> None:
    """Put what takes long before the rest; what is left at the end takes a moment each."""
    ranks = {name: rank for rank, name in enumerate((NIGHT, PAGES, *LONG))}

    def rank(item: pytest.Item) -> int:
        return min((rank for name, rank in ranks.items() if item.nodeid.startswith(name)), default=len(ranks))

    items.sort(key=rank)


def compile_a_share(worker: dict[str, Any], asked: list[str]) -> None:
    """Compile one part in n of mlver and of the tests asked for, while the other processes do the others.

    Each would compile all of it, at the same moment as the others, if it began with the first test.
    """
    sys.dont_write_bytecode = False
    number, of = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    for path in sorted((ROOT / "mlver").rglob("*.py"))[number::of]:
        if not Path(importlib.util.cache_from_source(str(path))).exists():
            with contextlib.suppress(OSError):
                py_compile.compile(str(path), quiet=2)
    below = [Path(name.partition("::")[0]).resolve() for name in asked]
    tests = sorted(path for path in (ROOT / "tests").rglob("test_*.py") if any(map(path.is_relative_to, below)))
    for path in tests[number::of]:
        with contextlib.suppress(Exception, pytest.skip.Exception):  # pytest says so when it gets there
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
