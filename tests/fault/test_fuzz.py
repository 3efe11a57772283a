"""The short mode of the fuzzer, and that no kind and no reader is left out of it."""

from __future__ import annotations

import ast
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from mlver.errors import MlverError
from mlver.kinds import registry
from mlver.kinds.base import Unreadable
from tests.fault import fuzz
from tests.fault.fuzz_parsers import FILES, PARSERS, Parser

ROOT = Path(__file__).resolve().parents[2]
READS = ("parse_", "read_", "load_", "decode", "unfold", "unpacked", "parse", "load")

# Readers that are reached by no parser of the list, and why that is no gap.
ELSEWHERE = {
    "kinds/tables/partitions.py:read_folder": "reads the parts with the readers of files",
    "kinds/tables/pieces.py:read_column": "a column of a Parquet file that read_table reads",
    "kinds/tables/read.py:read_rows": "rows by a condition: text:where, and read_table",
    "kinds/documents/load.py:load_records": "records of data and alerts, read by their own kinds",
    "kinds/models/onnx_attribute.py:read_attribute": "nodes with attributes: the damage tests of ONNX",
    "repo/head.py:read_log": "follows operations, each read as object:operation",
    "repo/head.py:read_operation": "store:head, where the operation is there",
    "repo/snapshot.py:read_tree": "a tree out of the store: object:tree",
    "repo/recorded.py:read_derivation": "a derivation out of the store: object:derivation",
    "repo/worktree.py:read_stable": "bytes of a file, as they are",
    "repo/small_files.py:read_small": "bytes of files, as they are",
    "repo/predictor/loading.py:load_model": "behind walls: tests/repo/test_predictor.py",
    "repo/generation.py:read_into": "bytes of a pack in the trash, as they are",
    "store/runs.py:read_run": "frames out of packs, each checked: object:list",
    "store/transfer.py:load": "a chunk out of the store",
    "store/verify.py:load": "a chunk out of the store",
    "index/stats.py:load": "rows of SQLite, each with its digest: tests/repo/test_worktree.py",
    "verbs/verify_rests.py:read_blobs": "reads every blob, as bytes",
    "verbs/compare_memo.py:load": "a cache of ours, read strictly; what does not fit is made anew",
    "verbs/ablation_judge.py:parse": "conditions, parsed as text:condition",
    # whole folders
    "storage/": "bytes under keys, as they are",
    "cli/": "argv and files that the user names",
    "render/": "shows what was read",
    "api/": "hands on",
    "demo/": "imported by nobody",
    "testing.py": "imported by nobody",
}  # fmt: skip
FOLDERS = tuple(name for name in ELSEWHERE if ":" not in name)


def readers() -> Iterator[str]:
    """Yield `path:name` of every function of mlver that reads something, by its name."""
    for path in sorted((ROOT / "mlver").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith(READS) or node.name == "loaded":
                continue
            given = [one.arg for one in node.args.args if one.arg not in ("self", "cls")]
            if given or node.name == "load":
                yield f"{path.relative_to(ROOT / 'mlver').as_posix()}:{node.name}"


def called_by(parsers: Sequence[Parser], wanted: set[str]) -> set[str]:
    """Return which of the functions `wanted` (`path:name`) good inputs reach, trying small ones first."""
    left, root = set(wanted), str(ROOT / "mlver") + "/"
    names = {name.rpartition(":")[2] for name in wanted}

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_name in names and code.co_filename.startswith(root):
            left.discard(f"{code.co_filename[len(root) :]}:{code.co_name}")

    todo = [(len(data), parser, data) for parser in parsers for data in fuzz.seeds_of(parser)]
    for _, parser, data in sorted(todo, key=lambda one: one[0]):
        if not left:
            break
        sys.setprofile(note)
        try:
            parser.feed(parser.wrap(data, random.Random(0)) if parser.wrap else data)
        except (MlverError, Unreadable):
            continue
        finally:
            sys.setprofile(None)
    return wanted - left


def test_every_reader_is_reached_or_its_absence_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    every = {*readers()}
    wanted = {name for name in every if name not in ELSEWHERE and not name.startswith(FOLDERS)}
    assert {name for name in ELSEWHERE if not name.startswith(FOLDERS)} <= every, "these are no readers any more"
    assert wanted - called_by(PARSERS, wanted) == set(), "give it a parser in tests/fault/fuzz_*.py"


def test_every_kind_is_fuzzed() -> None:
    assert {kind for kind, *_ in FILES} == set(registry.KINDS)


@pytest.fixture(scope="module")
def done() -> subprocess.CompletedProcess[str]:
    """Defects first, then a few inputs of every parser, in one process without threads, as others cannot be forked."""
    alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    words = [sys.executable, "-c", _DEFECTS]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **alone})


def test_a_few_inputs_of_every_parser_bring_out_only_our_own_errors(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["violations"] == 0 and 0 < said["refused"] < said["rounds"] == 4 * len(PARSERS)
    assert set(said["by_parser"]) == {parser.name for parser in PARSERS}


_DEFECTS = """
import os
import sys
from tests.fault import fuzz
from tests.fault.fuzz_parsers import Parser
defects = {
    "KeyError": lambda: {}["x"],
    "SIGSEGV": lambda: os.kill(os.getpid(), 11),

    "MemoryError": lambda: bytearray(1 << 33),
}
fuzz.SECONDS = 0.05
def spin():
    while True:
        pass
defects["SIGPROF"] = spin
for what, defect in defects.items():
    tally = fuzz.run(Parser("defect", lambda data: len(data) != 2 and defect(), lambda: [b"ok"]), [b"ok"], 0, 12, 1)
    print(what, tally.rounds, [found for _, found in tally.violations], flush=True)
fuzz.SECONDS, sys.argv = 1.0, ["fuzz", "--short", "4"]
sys.exit(fuzz.main())
"""


def test_a_parser_that_fails_hangs_dies_or_fills_the_memory_is_caught(done: subprocess.CompletedProcess[str]) -> None:
    lines = done.stdout.splitlines()[:4]
    assert len(lines) == 4, done.stderr
    for line in lines:
        what, rounds, found = line.split(" ", 2)
        assert rounds == "12" and what in found, line
