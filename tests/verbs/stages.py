"""A repository whose stage has a history: v1, a good v2, and a bad release with three causes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlver.objects.ids import CommitId
from mlver.verbs.promote import MoveResult, promote
from tests.kit import Bench

GOOD = {"config/pipeline.json": "median", "rules/rules.json": "R2", "models/triage.joblib": "good"}


class Clinic(Bench):
    """Commits bundles of config, rules and model; each bundle is three words."""

    def bundle(self, name: str, impute: str, rule: str, model: str) -> CommitId:
        """Write and commit a bundle."""
        self.write("config/pipeline.json", {"impute": impute})
        self.write("rules/rules.json", [{"id": rule, "then": "refer"}])
        self.write("models/triage.joblib", f"the {model} model".encode())
        self.write("data/train.csv", f"id,x\n1,{model}\n")
        return self.commit(name)

    def live(self, name: str, impute: str, rule: str, model: str, stage: str = "prod") -> CommitId:
        """Commit a bundle and promote it."""
        id = self.bundle(name, impute, rule, model)
        promote(self.repo, stage)
        return id


def served(result: MoveResult | Path | str) -> dict[str, bytes]:
    """Return the files that a stage serves, through its link."""
    root = Path(result.path if isinstance(result, MoveResult) else result)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def link_of(bench: Bench, stage: str = "prod", scope: str = "all") -> Path:
    """Return the link of a stage."""
    return bench.root / ".mlver/releases" / stage / scope / "current"


def releases(bench: Bench) -> set[str]:
    """Return the names of the release folders on disk."""
    names = os.listdir(bench.root / ".mlver/releases/.store")
    return {name for name in names if len(name) == 16 and "." not in name}


@pytest.fixture
def night(tmp_path: Path) -> Iterator[tuple[Clinic, dict[str, CommitId]]]:
    """The ledger of prod: v1, v2, bad."""
    bench = Clinic(tmp_path / "clinic")
    ids = {
        "v1": bench.live("v1", "median", "R1", "first"),
        "v2": bench.live("v2", "median", "R2", "good"),
        "bad": bench.live("bad", "-1", "none", "bad"),
    }
    yield bench, ids
    bench.repo.close()
