"""A terminal in a folder: command lines run in this process, output taken apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlver.cli.main import main
from tests.kit import Bench


@dataclass(frozen=True)
class Answer:
    """What one command line gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Terminal = Callable[..., Answer]


@pytest.fixture
def mlver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Terminal:
    """Run one command line in `folder` (the work tree `tmp_path / "w"`, unless said otherwise)."""
    (tmp_path / "w").mkdir(exist_ok=True)
    monkeypatch.setenv("MLVER_AUTHOR", "ana")
    monkeypatch.setenv("MLVER_DATE", "2024-04-22T03:07Z")

    def run(*argv: str, folder: str = "w") -> Answer:
        monkeypatch.chdir(tmp_path / folder)
        capfd.readouterr()
        code = main(argv)
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return run


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A repository with two commits, v1 and v2: rule R2 went, `impute` changed, a row came."""
    bench = Bench(tmp_path / "w")
    bench.write("config/pipeline.json", {"impute": "median", "C": 1.0})
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}, {"id": "R2", "then": "refer", "owner": "dana"}])
    bench.write("data/train.csv", "patient_id,label\nP1,0\nP2,1\n")
    bench.write("models/fallback.json", {"kind": "rule", "value": 15})
    bench.commit("v1")
    bench.write("config/pipeline.json", {"impute": "-1", "C": 1.0})
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
    bench.write("data/train.csv", "patient_id,label\nP1,0\nP2,1\nP3,1\n")
    bench.commit("v2", by="eve", trailers={"why": ["0 hits in week 2"], "ticket": ["TRI-60"]})
    return bench
