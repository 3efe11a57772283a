"""Two people's work on one project, parted from one commit, and short ways to make and read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlver.verbs.branch import switch
from mlver.verbs.merge import MergeResult
from tests.kit import Bench

CONFIG, RULES, TRAIN = "config/pipeline.json", "rules/rules.json", "data/train.csv"
SETTINGS = {"impute": "median", "C": 1.0, "max_iter": 1000}
R1, R2, R3 = ({"id": f"R{n}", "when": {"column": "radius", "gt": n}, "then": "refer"} for n in (1, 2, 3))
ROWS = "patient_id,clinic,label\n" + "".join(f"P{n:04},C,{n % 2}\n" for n in range(400, 410))
CODE = "import csv\n\n\ndef train():\n    return 1\n\n\ndef serve():\n    return 2\n"


def project(folder: Path) -> Bench:
    """A repository with one commit, v1."""
    bench = Bench(folder / "clinic")
    bench.write(CONFIG, SETTINGS)
    bench.write(RULES, [R1, R2])
    bench.write(TRAIN, ROWS)
    bench.write("train.py", CODE)
    bench.write("models/triage.joblib", b"the first model")
    bench.commit("v1", by="dana")
    return bench


def two(bench: Bench, mine: dict[str, Any], other: dict[str, Any]) -> None:
    """Ana's work on main and ben's on `ben`, both from v1. None removes a file."""
    switch(bench.repo, "ben", create=True)
    put(bench, other)
    bench.commit("ben's", by="ben", trailers={"why": ["the scanner of clinic C drops values"], "ticket": ["B-12"]})
    switch(bench.repo, "main")
    put(bench, mine)
    bench.commit("ana's", by="ana", trailers={"why": ["the median hides the tail"]})


def put(bench: Bench, files: dict[str, Any]) -> None:
    for path, content in files.items():
        if content is None:
            (bench.root / path).unlink()
        else:
            bench.write(path, content)


def read(bench: Bench, path: str) -> Any:
    text = (bench.root / path).read_text()
    return json.loads(text) if path.endswith(".json") else text


def files(bench: Bench) -> dict[str, bytes]:
    found = (path for path in bench.root.rglob("*") if path.is_file() and ".mlver" not in path.parts)
    return {path.relative_to(bench.root).as_posix(): path.read_bytes() for path in found}


def targets(result: MergeResult) -> list[str]:
    return [conflict.target for conflict in result.unresolved]
